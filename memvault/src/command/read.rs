//! [`Read`]: a command that reads one key: `GET`, `GETRANGE`, `STRLEN`, `TYPE`, `TTL` and their kin.

use super::data::Data;
use super::expiry::ExpiryForm;
use super::parse::{Given, Parsed};
use super::reply::Reply;
use super::update::Present;
use crate::time::Timestamp;

/// What a reader wants to know of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Read {
    /// The value (`GET`).
    Value,
    /// Part of the value (`GETRANGE`, `SUBSTR`), both ends included; negative numbers count from its end.
    Range {
        /// The first byte.
        start: i64,
        /// The last byte.
        end: i64,
    },
    /// The length of the value in bytes (`STRLEN`).
    Length,
    /// The type of the value (`TYPE`).
    Type,
    /// When the key expires (`TTL`, `PTTL`, `EXPIRETIME`, `PEXPIRETIME`).
    Expiry(ExpiryForm),
}

/// What of an entry a reader has to see.
///
/// Not `non_exhaustive`: who keeps the entries must be able to show each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sees {
    /// The value.
    Value,
    /// Whether it is there.
    Presence,
    /// When it expires.
    Expiry,
}

impl Read {
    /// What of the entry the [reply](Self::reply) depends on. The rest may be anything.
    #[must_use]
    pub const fn sees(self) -> Sees {
        match self {
            Self::Value | Self::Range { .. } | Self::Length => Sees::Value,
            Self::Type => Sees::Presence,
            Self::Expiry(_) => Sees::Expiry,
        }
    }

    /// The reply, given what is there. O(1).
    #[must_use]
    pub fn reply<'a>(&self, present: Option<Present<'a>>, now: Timestamp) -> Reply<&'a [u8]> {
        let value = present.map(|found| found.value);
        match *self {
            Self::Value => Reply::Value(value),
            Self::Range { start, end } => {
                Reply::Value(Some(range(value.unwrap_or(&[]), start, end)))
            }
            Self::Length => Reply::Integer(value.map_or(0, <[u8]>::len) as i64),
            Self::Type => Reply::Word(present.map_or("none", |_| "string")),
            Self::Expiry(form) => {
                Reply::Integer(form.number(now, present.map(|found| found.expire_at)))
            }
        }
    }
}

/// The part of `value` from `start` to `end`, both included; negative numbers count from its end.
fn range(value: &[u8], start: i64, end: i64) -> &[u8] {
    if start < 0 && end < 0 && start > end {
        return &[];
    }
    let len = value.len() as i64;
    let from_start = |at: i64| {
        if at < 0 {
            (len.saturating_add(at)).max(0)
        } else {
            at
        }
    };
    let (start, end) = (from_start(start), from_start(end).min(len - 1));
    let bounds = usize::try_from(start)
        .ok()
        .zip(usize::try_from(end.saturating_add(1)).ok());
    bounds
        .and_then(|(start, end)| value.get(start..end))
        .unwrap_or(&[])
}

/// `GET`.
pub(super) fn get<'a>(given: &Given<'_, 'a>) -> Parsed<'a> {
    Ok(Data::Get(given.get(1)).into())
}

/// `GETRANGE`, `SUBSTR`.
pub(super) fn get_range<'a>(given: &Given<'_, 'a>) -> Parsed<'a> {
    let (start, end) = (given.integer(2)?, given.integer(3)?);
    given.read(Read::Range { start, end })
}

/// `STRLEN`.
pub(super) fn str_len<'a>(given: &Given<'_, 'a>) -> Parsed<'a> {
    given.read(Read::Length)
}

/// `TYPE`.
pub(super) fn type_of<'a>(given: &Given<'_, 'a>) -> Parsed<'a> {
    given.read(Read::Type)
}

/// `TTL`.
pub(super) fn ttl<'a>(given: &Given<'_, 'a>) -> Parsed<'a> {
    expiry(given, false, false)
}

/// `PTTL`.
pub(super) fn p_ttl<'a>(given: &Given<'_, 'a>) -> Parsed<'a> {
    expiry(given, true, false)
}

/// `EXPIRETIME`.
pub(super) fn expire_time<'a>(given: &Given<'_, 'a>) -> Parsed<'a> {
    expiry(given, false, true)
}

/// `PEXPIRETIME`.
pub(super) fn p_expire_time<'a>(given: &Given<'_, 'a>) -> Parsed<'a> {
    expiry(given, true, true)
}

fn expiry<'a>(given: &Given<'_, 'a>, millis: bool, absolute: bool) -> Parsed<'a> {
    given.read(Read::Expiry(ExpiryForm { millis, absolute }))
}
