//! `EXPIRE` and its kin, `PERSIST`, `GETEX`, `GETDEL`: commands on the expiry of a key, or on its end.

use super::data::Data;
use super::error::CommandError;
use super::expiry::ExpiryForm;
use super::options::{expire_condition, get_expire};
use super::parse::{Given, Parsed};
use super::update::Update;
use crate::time::Timestamp;

/// `EXPIRE`.
pub(super) fn expire<'a>(given: &Given<'_, 'a>) -> Parsed<'a> {
    in_form(given, false, false)
}

/// `PEXPIRE`.
pub(super) fn p_expire<'a>(given: &Given<'_, 'a>) -> Parsed<'a> {
    in_form(given, true, false)
}

/// `EXPIREAT`.
pub(super) fn expire_at<'a>(given: &Given<'_, 'a>) -> Parsed<'a> {
    in_form(given, false, true)
}

/// `PEXPIREAT`.
pub(super) fn p_expire_at<'a>(given: &Given<'_, 'a>) -> Parsed<'a> {
    in_form(given, true, true)
}

fn in_form<'a>(given: &Given<'_, 'a>, millis: bool, absolute: bool) -> Parsed<'a> {
    let condition = expire_condition(&given.args.from(3))?;
    let at = Some(time(given, ExpiryForm { millis, absolute })?);
    given.update_present(Update::Expire { at, condition })
}

/// When the key expires; times before 1970 count as 1970.
fn time<'a>(given: &Given<'_, 'a>, form: ExpiryForm) -> Result<Timestamp, CommandError<'a>> {
    let number = given.integer(2)?;
    let millis = if form.millis {
        Some(number)
    } else {
        number.checked_mul(1000)
    };
    let millis = match millis {
        Some(millis) if !form.absolute => {
            millis.checked_add_unsigned(given.context.now.as_millis())
        }
        millis => millis,
    };
    let millis = millis.ok_or(CommandError::InvalidExpiry(given.spec.name))?;
    Ok(Timestamp::from_millis(u64::try_from(millis).unwrap_or(0)))
}

/// `PERSIST`.
pub(super) fn persist<'a>(given: &Given<'_, 'a>) -> Parsed<'a> {
    given.update_present(Update::Expire {
        at: None,
        condition: Default::default(),
    })
}

/// `GETDEL`.
pub(super) fn get_del<'a>(given: &Given<'_, 'a>) -> Parsed<'a> {
    given.update_present(Update::GetDelete)
}

/// `GETEX`.
pub(super) fn get_ex<'a>(given: &Given<'_, 'a>) -> Parsed<'a> {
    match get_expire(given.args, given.context)? {
        Some(at) => given.update_present(Update::GetExpire { at }),
        None => Ok(Data::Get(given.get(1)).into()),
    }
}
