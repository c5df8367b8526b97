//! [`Data`]: commands on keys, and the parsers of those on several.

use super::error::CommandError;
use super::membership::MembershipCommand;
use super::parse::{Given, Parsed};
use super::read::Read;
use super::update::Update;
use crate::resp::Args;
use crate::time::Timestamp;

/// What a command is parsed against.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// The present, for expiries that are given as a time to live.
    pub now: Timestamp,
    /// Longest key that can be set, in bytes.
    pub max_key_len: usize,
    /// Longest value that a command may make of a present one, in bytes.
    pub max_value_len: usize,
}

impl Context {
    #[inline]
    pub(super) const fn check_key<'a>(&self, key: &[u8]) -> Result<(), CommandError<'a>> {
        let (len, limit) = (key.len(), self.max_key_len);
        if len > limit {
            return Err(CommandError::KeyTooLong { len, limit });
        }
        Ok(())
    }
}

/// A command on keys.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Data<'a> {
    /// `GET`: the value of a key. The short way of [`Read::Value`].
    Get(&'a [u8]),
    /// `SET` without conditions. The short way of an [`Update::Set`].
    Set {
        /// The key.
        key: &'a [u8],
        /// Its new value.
        value: &'a [u8],
        /// When it expires; `None` for never. A time in the past deletes it.
        expire_at: Option<Timestamp>,
    },
    /// Reads one key.
    Read {
        /// The key.
        key: &'a [u8],
        /// What is asked.
        read: Read,
    },
    /// Changes one key.
    Update {
        /// The key.
        key: &'a [u8],
        /// How.
        update: Update<&'a [u8]>,
    },
    /// `MGET`: the values of these keys.
    GetMany(Args<'a>),
    /// `MSET`: keys and values by turns.
    SetMany(Args<'a>),
    /// `DEL`, `UNLINK`: deletes these keys and counts those that were there.
    Delete(Args<'a>),
    /// `EXISTS`: counts those of these keys that are there.
    Exists(Args<'a>),
    /// `DBSIZE`: counts the keys.
    Count,
    /// `FLUSHALL`, `FLUSHDB`: deletes all keys.
    Flush,
    /// `MEMVAULT.CLUSTER`: the members of the cluster.
    Membership(MembershipCommand<'a>),
}

impl<'a> Data<'a> {
    /// The keys, in the order of the arguments; none for a command on all keys.
    pub fn keys(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let (one, many, step) = match *self {
            Self::Get(key)
            | Self::Set { key, .. }
            | Self::Read { key, .. }
            | Self::Update { key, .. } => (Some(key), Args::new(&[], &[]), 1),
            Self::GetMany(keys) | Self::Delete(keys) | Self::Exists(keys) => (None, keys, 1),
            Self::SetMany(pairs) => (None, pairs, 2),
            Self::Count | Self::Flush | Self::Membership(_) => (None, Args::new(&[], &[]), 1),
        };
        one.into_iter().chain(many.iter().step_by(step))
    }

    /// Whether it leaves all keys as they are.
    #[must_use]
    pub const fn is_read(&self) -> bool {
        matches!(
            self,
            Self::Get(_) | Self::Read { .. } | Self::GetMany(_) | Self::Exists(_) | Self::Count
        )
    }

    /// Whether what it writes depends on nothing that is there.
    #[must_use]
    pub const fn is_blind_write(&self) -> bool {
        matches!(self, Self::Set { .. } | Self::SetMany(_) | Self::Delete(_))
    }
}

/// `MGET`.
pub(super) fn m_get<'a>(given: &Given<'_, 'a>) -> Parsed<'a> {
    Ok(Data::GetMany(given.args.from(1)).into())
}

/// `MSET`.
pub(super) fn m_set<'a>(given: &Given<'_, 'a>) -> Parsed<'a> {
    let pairs = given.args.from(1);
    if !pairs.len().is_multiple_of(2) {
        return Err(CommandError::Arity(given.spec.name));
    }
    for key in pairs.iter().step_by(2) {
        given.context.check_key(key)?;
    }
    Ok(Data::SetMany(pairs).into())
}

/// `DEL`, `UNLINK`.
pub(super) fn del<'a>(given: &Given<'_, 'a>) -> Parsed<'a> {
    Ok(Data::Delete(given.args.from(1)).into())
}

/// `EXISTS`.
pub(super) fn exists<'a>(given: &Given<'_, 'a>) -> Parsed<'a> {
    Ok(Data::Exists(given.args.from(1)).into())
}

/// `DBSIZE`.
pub(super) fn db_size<'a>(_: &Given<'_, 'a>) -> Parsed<'a> {
    Ok(Data::Count.into())
}

/// `FLUSHALL`, `FLUSHDB`.
pub(super) fn flush<'a>(given: &Given<'_, 'a>) -> Parsed<'a> {
    let is_mode =
        |mode: &[u8]| mode.eq_ignore_ascii_case(b"sync") || mode.eq_ignore_ascii_case(b"async");
    match given.args.get(1) {
        None => Ok(Data::Flush.into()),
        Some(mode) if given.args.len() == 2 && is_mode(mode) => Ok(Data::Flush.into()),
        Some(_) => Err(CommandError::Syntax),
    }
}

/// `MEMVAULT.CLUSTER`.
pub(super) fn membership<'a>(given: &Given<'_, 'a>) -> Parsed<'a> {
    Ok(Data::Membership(MembershipCommand::parse(given.args)?).into())
}
