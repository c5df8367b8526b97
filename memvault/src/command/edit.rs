//! [`Edit`]: a command that makes a new value of the present one: `INCR`, `APPEND`, `SETRANGE` and their kin.

use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt;

use super::error::CommandError;
use super::long_double::LongDouble;
use super::number::integer;
use super::parse::{Given, Parsed};
use super::reply::{Reply, ReplyKind};
use super::update::{Words, words};

/// What becomes of a value; `B` holds bytes, borrowed from a client or shared between nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Edit<B> {
    /// Adds to the number that it is; none counts as 0 (`INCR`, `DECR`, `INCRBY`, `DECRBY`).
    Add(i64),
    /// Adds a number with a point, in decimal digits, to the one that it is; none counts as 0 (`INCRBYFLOAT`).
    AddFloat(B),
    /// Appends bytes (`APPEND`).
    Append(B),
    /// Writes bytes over those from `offset` on, with zeros where nothing was before (`SETRANGE`).
    Overwrite {
        /// Where the first byte goes.
        offset: usize,
        /// The bytes; without any nothing happens.
        bytes: B,
    },
}

/// What came of an [`Edit`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// The new value; `None` leaves the key as it is.
    pub value: Option<Vec<u8>>,
    /// The answer: the sum, or the length of the value in bytes.
    pub reply: Reply<Vec<u8>>,
}

/// Why a value cannot be edited. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EditError {
    /// The value is no whole number of 64 bits.
    NotAnInteger,
    /// The sum would not be one.
    Overflow,
    /// The value, or what is added, is no decimal number.
    NotAFloat,
    /// The sum would not be finite.
    NotFinite,
    /// The value would be too long.
    TooLong {
        /// Its length in bytes.
        len: usize,
        /// What is allowed, in bytes.
        limit: usize,
    },
}

impl<B: AsRef<[u8]>> Edit<B> {
    /// Edits `present`; the new value may have `max_len` bytes. Linear in the length of the new value.
    ///
    /// # Errors
    /// If the present value is not what the edit needs, or the new one would be beyond a limit.
    ///
    /// # Examples
    /// ```
    /// use memvault::command::{Edit, Reply};
    ///
    /// let edited = Edit::<&[u8]>::Add(2).apply(Some(b"40"), 64).expect("a number");
    /// assert_eq!((edited.value.as_deref(), edited.reply), (Some(&b"42"[..]), Reply::Integer(42)));
    /// ```
    pub fn apply(&self, present: Option<&[u8]>, max_len: usize) -> Result<Edited, EditError> {
        let before = present.unwrap_or(&[]);
        match self {
            Self::Add(amount) => {
                let number = present
                    .map_or(Some(0), integer)
                    .ok_or(EditError::NotAnInteger)?;
                let sum = number.checked_add(*amount).ok_or(EditError::Overflow)?;
                Ok(Edited {
                    value: Some(sum.to_string().into_bytes()),
                    reply: Reply::Integer(sum),
                })
            }
            Self::AddFloat(amount) => add_float(present, amount.as_ref(), max_len),
            Self::Append(bytes) => joined(before, before.len(), bytes.as_ref(), max_len),
            Self::Overwrite { bytes, .. } if bytes.as_ref().is_empty() => Ok(Edited {
                value: None,
                reply: Reply::Integer(before.len() as i64),
            }),
            Self::Overwrite { offset, bytes } => joined(before, *offset, bytes.as_ref(), max_len),
        }
    }
}

impl<B: AsRef<[u8]>> Edit<B> {
    /// Most bytes that come of a value of `len` bytes.
    pub(crate) fn len_after(&self, len: usize) -> usize {
        match self {
            Self::Add(_) => len.max(LONGEST_NUMBER),
            Self::AddFloat(_) => len.max(LONGEST_FLOAT),
            Self::Append(bytes) => len.saturating_add(bytes.as_ref().len()),
            Self::Overwrite { offset, bytes } => {
                len.max(offset.saturating_add(bytes.as_ref().len()))
            }
        }
    }
}

/// Digits and sign of the longest number.
const LONGEST_NUMBER: usize = 20;
/// Sign and digits of the largest number with a point.
const LONGEST_FLOAT: usize = 4934;

fn add_float(present: Option<&[u8]>, amount: &[u8], limit: usize) -> Result<Edited, EditError> {
    let read = |text| LongDouble::read(text).ok_or(EditError::NotAFloat);
    let (number, amount) = (read(present.unwrap_or(b"0"))?, read(amount)?);
    let sum = number.plus(amount).ok_or(EditError::NotFinite)?;
    let value = sum.write().into_bytes();
    let len = value.len();
    if len > limit {
        return Err(EditError::TooLong { len, limit });
    }
    Ok(Edited {
        reply: Reply::Value(Some(value.clone())),
        value: Some(value),
    })
}

/// `before` with `bytes` from `offset` on.
fn joined(before: &[u8], offset: usize, bytes: &[u8], limit: usize) -> Result<Edited, EditError> {
    let end = offset.saturating_add(bytes.len());
    if end > limit {
        return Err(EditError::TooLong { len: end, limit });
    }
    let mut value = Vec::with_capacity(end.max(before.len()));
    value.extend_from_slice(before.get(..offset).unwrap_or(before));
    value.resize(offset, 0);
    value.extend_from_slice(bytes);
    value.extend_from_slice(before.get(end..).unwrap_or(&[]));
    Ok(Edited {
        reply: Reply::Integer(value.len() as i64),
        value: Some(value),
    })
}

impl<B> Edit<B> {
    pub(super) fn map<C>(self, bytes: impl FnOnce(B) -> C) -> Edit<C> {
        match self {
            Self::Add(amount) => Edit::Add(amount),
            Self::AddFloat(amount) => Edit::AddFloat(bytes(amount)),
            Self::Append(brought) => Edit::Append(bytes(brought)),
            Self::Overwrite {
                offset,
                bytes: brought,
            } => Edit::Overwrite {
                offset,
                bytes: bytes(brought),
            },
        }
    }

    pub(super) const fn brought(&self) -> Option<&B> {
        match self {
            Self::AddFloat(bytes) | Self::Append(bytes) | Self::Overwrite { bytes, .. } => {
                Some(bytes)
            }
            Self::Add(_) => None,
        }
    }

    pub(super) const fn reply_kind(&self) -> ReplyKind {
        match self {
            Self::AddFloat(_) => ReplyKind::Value,
            Self::Add(_) | Self::Append(_) | Self::Overwrite { .. } => ReplyKind::Integer,
        }
    }

    /// Whether the answer is the new value.
    #[must_use]
    pub const fn answers_with_value(&self) -> bool {
        matches!(self, Self::Add(_) | Self::AddFloat(_))
    }
}

impl<B: AsRef<[u8]>> Edit<B> {
    pub(super) fn words<'a>(&'a self, key: &'a [u8]) -> Words<'a> {
        match self {
            Self::Add(amount) => words("INCRBY", key).and(amount.to_string().into_bytes()),
            Self::AddFloat(amount) => words("INCRBYFLOAT", key).and(amount.as_ref()),
            Self::Append(bytes) => words("APPEND", key).and(bytes.as_ref()),
            Self::Overwrite { offset, bytes } => {
                let words = words("SETRANGE", key).and(offset.to_string().into_bytes());
                words.and(bytes.as_ref())
            }
        }
    }
}

/// `INCR`.
pub(super) fn incr<'a>(given: &Given<'_, 'a>) -> Parsed<'a> {
    given.edit(Edit::Add(1))
}

/// `DECR`.
pub(super) fn decr<'a>(given: &Given<'_, 'a>) -> Parsed<'a> {
    given.edit(Edit::Add(-1))
}

/// `INCRBY`.
pub(super) fn incr_by<'a>(given: &Given<'_, 'a>) -> Parsed<'a> {
    given.edit(Edit::Add(given.integer(2)?))
}

/// `DECRBY`.
pub(super) fn decr_by<'a>(given: &Given<'_, 'a>) -> Parsed<'a> {
    let opposite = given.integer(2)?.checked_neg();
    given.edit(Edit::Add(opposite.ok_or(CommandError::DecrementOverflow)?))
}

/// `INCRBYFLOAT`.
pub(super) fn incr_by_float<'a>(given: &Given<'_, 'a>) -> Parsed<'a> {
    match LongDouble::read(given.get(2)) {
        Some(_) => given.edit(Edit::AddFloat(given.get(2))),
        None => Err(CommandError::Edit(EditError::NotAFloat)),
    }
}

/// `APPEND`.
pub(super) fn append<'a>(given: &Given<'_, 'a>) -> Parsed<'a> {
    given.edit(Edit::Append(given.get(2)))
}

/// `SETRANGE`.
pub(super) fn set_range<'a>(given: &Given<'_, 'a>) -> Parsed<'a> {
    let offset = usize::try_from(given.integer(2)?);
    given.edit(Edit::Overwrite {
        offset: offset.map_err(|_| CommandError::NegativeOffset)?,
        bytes: given.get(3),
    })
}

impl fmt::Display for EditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnInteger => f.write_str("value is not an integer or out of range"),
            Self::Overflow => f.write_str("increment or decrement would overflow"),
            Self::NotAFloat => f.write_str("value is not a valid float"),
            Self::NotFinite => f.write_str("increment would produce NaN or Infinity"),
            Self::TooLong { len, limit } => write!(
                f,
                "value of {len} bytes: the limit is {limit} bytes (max-value)"
            ),
        }
    }
}

impl core::error::Error for EditError {}
