//! The options of `SET` and of `EXPIRE`.

use super::data::{Context, ExpiryForm, Set, SetReply};
use super::error::CommandError;
use super::expiry::{Condition, ExpireCondition, Expiry};
use super::number::integer;
use crate::resp::Args;
use crate::time::Timestamp;

/// Reads what follows key and value of a `SET`.
pub(super) fn set_options<'a>(
    mut set: Set<'a>,
    args: &Args<'a>,
    context: &Context,
) -> Result<Set<'a>, CommandError<'a>> {
    let mut options = args.from(3).iter();
    let mut time: Option<(ExpiryForm, &[u8])> = None;
    while let Some(option) = options.next() {
        let is = |name: &[u8]| option.eq_ignore_ascii_case(name);
        if is(b"nx") && set.condition != Condition::IfPresent {
            set.condition = Condition::IfAbsent;
        } else if is(b"xx") && set.condition != Condition::IfAbsent {
            set.condition = Condition::IfPresent;
        } else if is(b"get") {
            set.reply = SetReply::Former;
        } else if is(b"keepttl") && time.is_none() {
            set.expiry = Expiry::Keep;
        } else if let Some(form) = expiry_form(option)
            && set.expiry != Expiry::Keep
            && time.is_none_or(|(earlier, _)| earlier == form)
            && let Some(number) = options.next()
        {
            time = Some((form, number));
        } else {
            return Err(CommandError::Syntax);
        }
    }
    if let Some((form, number)) = time {
        set.expiry = Expiry::At(expiry(number, form, "set", context)?);
    }
    Ok(set)
}

fn expiry_form(option: &[u8]) -> Option<ExpiryForm> {
    let forms: [(&[u8], bool, bool); 4] = [
        (b"ex", false, false),
        (b"px", true, false),
        (b"exat", false, true),
        (b"pxat", true, true),
    ];
    forms
        .into_iter()
        .find(|(name, ..)| option.eq_ignore_ascii_case(name))
        .map(|(_, millis, absolute)| ExpiryForm { millis, absolute })
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
