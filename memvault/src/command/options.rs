//! The options of `SET`, `GETEX` and `EXPIRE`.

use super::data::Context;
use super::error::CommandError;
use super::expiry::{Condition, ExpireCondition, Expiry, ExpiryForm};
use super::number::integer;
use super::set::{Set, SetReply};
use crate::resp::Args;
use crate::time::Timestamp;

/// An option of `SET`.
#[derive(Clone, Copy)]
enum SetOption {
    If(Condition),
    Former,
    Keep,
    Time(ExpiryForm),
}

/// Reads what follows key and value of a `SET`.
pub(super) fn set_options<'a>(
    mut set: Set<&'a [u8]>,
    args: &Args<'a>,
    context: &Context,
) -> Result<Set<&'a [u8]>, CommandError<'a>> {
    let mut options = args.from(3).iter();
    let mut time: Option<(ExpiryForm, &[u8])> = None;
    while let Some(option) = options.next() {
        match set_option(option).ok_or(CommandError::Syntax)? {
            SetOption::If(condition) if [Condition::Always, condition].contains(&set.condition) => {
                set.condition = condition;
            }
            SetOption::Former => set.reply = SetReply::Former,
            SetOption::Keep if time.is_none() => set.expiry = Expiry::Keep,
            SetOption::Time(form)
                if set.expiry != Expiry::Keep
                    && time.is_none_or(|(earlier, _)| earlier == form) =>
            {
                time = Some((form, options.next().ok_or(CommandError::Syntax)?));
            }
            _ => return Err(CommandError::Syntax),
        }
    }
    if let Some((form, number)) = time {
        set.expiry = Expiry::At(expiry(number, form, "set", context)?);
    }
    Ok(set)
}

fn set_option(word: &[u8]) -> Option<SetOption> {
    let time = |millis, absolute| SetOption::Time(ExpiryForm { millis, absolute });
    // Only letters become letters by setting this bit.
    let lower = |byte: &u8| byte | 0x20;
    Some(match word {
        [a, b] => match &[lower(a), lower(b)] {
            b"ex" => time(false, false),
            b"px" => time(true, false),
            b"nx" => SetOption::If(Condition::IfAbsent),
            b"xx" => SetOption::If(Condition::IfPresent),
            _ => return None,
        },
        [a, b, c, d] => match &[lower(a), lower(b), lower(c), lower(d)] {
            b"exat" => time(false, true),
            b"pxat" => time(true, true),
            _ => return None,
        },
        _ if word.eq_ignore_ascii_case(b"get") => SetOption::Former,
        _ if word.eq_ignore_ascii_case(b"keepttl") => SetOption::Keep,
        _ => return None,
    })
}

/// Reads what follows the key of a `GETEX`: an expiry, or `PERSIST` as none; `None` if nothing follows.
pub(super) fn get_expire<'a>(
    args: &Args<'a>,
    context: &Context,
) -> Result<Option<Option<Timestamp>>, CommandError<'a>> {
    let mut options = args.from(2).iter();
    let mut found: Option<Option<(ExpiryForm, &[u8])>> = None;
    while let Some(option) = options.next() {
        let is_persist = option.eq_ignore_ascii_case(b"persist");
        found = match (set_option(option), found) {
            (_, None | Some(None)) if is_persist => Some(None),
            (Some(SetOption::Time(form)), None) => {
                Some(Some((form, options.next().ok_or(CommandError::Syntax)?)))
            }
            (Some(SetOption::Time(form)), Some(Some((earlier, _)))) if earlier == form => {
                Some(Some((form, options.next().ok_or(CommandError::Syntax)?)))
            }
            _ => return Err(CommandError::Syntax),
        };
    }
    Ok(match found {
        Some(Some((form, number))) => Some(Some(expiry(number, form, "getex", context)?)),
        Some(None) => Some(None),
        None => None,
    })
}

/// Reads when a value that is being set expires; it must be a positive number.
pub(super) fn expiry<'a>(
    number: &[u8],
    form: ExpiryForm,
    command: &'static str,
    context: &Context,
) -> Result<Timestamp, CommandError<'a>> {
    let number = integer(number).ok_or(CommandError::NotAnInteger)?;
    let millis = if form.millis {
        Some(number)
    } else {
        number.checked_mul(1000)
    };
    let millis = millis.filter(|millis| *millis > 0);
    let at = match millis {
        Some(millis) if !form.absolute => millis.checked_add_unsigned(context.now.as_millis()),
        millis => millis,
    };
    let at = at.ok_or(CommandError::InvalidExpiry(command))?;
    Ok(Timestamp::from_millis(at.unsigned_abs()))
}

/// Reads what follows the time of an `EXPIRE`.
pub(super) fn expire_condition<'a>(
    options: &Args<'a>,
) -> Result<ExpireCondition, CommandError<'a>> {
    let (mut none, mut some, mut later, mut earlier) = (false, false, false, false);
    for option in options.iter() {
        let flag = match () {
            () if option.eq_ignore_ascii_case(b"nx") => &mut none,
            () if option.eq_ignore_ascii_case(b"xx") => &mut some,
            () if option.eq_ignore_ascii_case(b"gt") => &mut later,
            () if option.eq_ignore_ascii_case(b"lt") => &mut earlier,
            () => return Err(CommandError::UnsupportedOption(option)),
        };
        *flag = true;
    }
    match (none, some, later, earlier) {
        (true, true, ..) | (true, _, true, _) | (true, _, _, true) => {
            Err(CommandError::NxWithOthers)
        }
        (_, _, true, true) => Err(CommandError::GtWithLt),
        (true, ..) => Ok(ExpireCondition::IfNone),
        // A key without an expiry is the latest of all, so that GT never holds there anyway.
        (_, _, true, _) => Ok(ExpireCondition::IfLater),
        (_, true, _, true) => Ok(ExpireCondition::IfSomeEarlier),
        (_, _, _, true) => Ok(ExpireCondition::IfEarlier),
        (_, true, ..) => Ok(ExpireCondition::IfSome),
        _ => Ok(ExpireCondition::Always),
    }
}
