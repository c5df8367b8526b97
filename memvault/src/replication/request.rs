//! What a caller asks of a coordinator, and what it gets.

use alloc::string::String;
use alloc::vec::Vec;

use super::config::{Member, NoVersions};
use super::entry::Bytes;
use crate::command::{Condition, EditError, Expiry, Update};
use crate::consistency::Level;
use crate::time::Timestamp;
use crate::version::Version;

/// A request of a caller. Those with several keys are carried out key by key, in parallel, not atomically.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Request {
    /// The value of a key: [`Answer::Value`].
    Get(Bytes),
    /// The values of several keys: [`Answer::Values`].
    GetMany(Vec<Bytes>),
    /// Sets a key: [`Answer::Done`], or [`Answer::NotDone`] if the condition did not hold; with
    /// `return_old` the former value in either case, as [`Answer::Value`].
    Set {
        /// The key.
        key: Bytes,
        /// The new value.
        value: Bytes,
        /// When it expires.
        expiry: Expiry,
        /// Whether the key must be there or must not.
        condition: Condition,
        /// Whether to answer with the former value.
        return_old: bool,
    },
    /// Sets several keys, without expiry: [`Answer::Done`].
    SetMany(Vec<(Bytes, Bytes)>),
    /// Deletes keys: [`Answer::Count`] of those that were there.
    Delete(Vec<Bytes>),
    /// Counts the keys that are there, a key named twice twice: [`Answer::Count`].
    Exists(Vec<Bytes>),
    /// When a key expires: [`Answer::Expiry`].
    Expiry(Bytes),
    /// Changes a key, by what is there: see [`Update`]. The answer is that of its
    /// [decision](Update::decide): [`Answer::Done`], [`NotDone`](Answer::NotDone), [`Count`](Answer::Count),
    /// [`Value`](Answer::Value) or [`Refused`](Answer::Refused).
    Update {
        /// The key.
        key: Bytes,
        /// What becomes of it.
        update: Update<Bytes>,
    },
    /// The value of a key, or leave to fill it in: [`Answer::Value`] if there is one, else [`Answer::Leased`].
    ///
    /// What is loaded from elsewhere *after* the answer may be filled in with [`Fill`](Self::Fill).
    Lease(Bytes),
    /// Sets a key to what was loaded from elsewhere: [`Answer::Done`], or [`Answer::NotDone`] if the key was set,
    /// deleted or changed by a request that began after the lease was given.
    Fill {
        /// The key that was leased.
        key: Bytes,
        /// What was loaded.
        value: Bytes,
        /// When it expires; `None` for never.
        expire_at: Option<Timestamp>,
        /// The lease, of the same node. It is good for one fill.
        lease: Lease,
    },
    /// Makes every node in view forget all keys: [`Answer::Done`].
    Flush,
    /// Counts the keys of all members, each key once. Exact while every member answers and every replica holds what it
    /// should; where members are out of reach, an estimate from the others.
    Count,
    /// Begins to make a node that waits for it a member: [`Answer::Done`]. Of a member only.
    AddMember(Member),
    /// Begins to have the others take over the keys of the member with this id: [`Answer::Done`]. Of a
    /// member only.
    RemoveMember(String),
}

impl Request {
    /// The key that is carried out first; `None` if it is about no key.
    pub(super) fn first_key(&self) -> Option<&Bytes> {
        match self {
            Self::GetMany(keys) | Self::Delete(keys) | Self::Exists(keys) => keys.first(),
            Self::SetMany(pairs) => pairs.first().map(|(key, _)| key),
            Self::Get(key)
            | Self::Set { key, .. }
            | Self::Expiry(key)
            | Self::Update { key, .. }
            | Self::Lease(key)
            | Self::Fill { key, .. } => Some(key),
            Self::Flush | Self::Count | Self::AddMember(_) | Self::RemoveMember(_) => None,
        }
    }

    /// Bytes of its keys and values. O(keys).
    pub(super) fn len(&self) -> usize {
        let sum = |keys: &[Bytes]| keys.iter().map(|key| key.len()).sum();
        match self {
            Self::GetMany(keys) | Self::Delete(keys) | Self::Exists(keys) => sum(keys),
            Self::SetMany(pairs) => {
                let pairs = pairs.iter();
                pairs.map(|(key, value)| key.len() + value.len()).sum()
            }
            Self::Set { key, value, .. } | Self::Fill { key, value, .. } => key.len() + value.len(),
            Self::Update { key, update } => {
                key.len() + update.brought().map_or(0, |bytes| bytes.len())
            }
            _ => self.first_key().map_or(0, |key| key.len()),
        }
    }

    /// How many keys it is about; a flush counts as one.
    #[must_use]
    pub const fn keys(&self) -> usize {
        match self {
            Self::GetMany(keys) | Self::Delete(keys) | Self::Exists(keys) => keys.len(),
            Self::SetMany(pairs) => pairs.len(),
            _ => 1,
        }
    }
}

/// Leave to fill in one key. It does not end, but every newer write takes it away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The version of the fill to come.
    pub(super) version: Version,
}

/// The answer to a [`Request`] that was carried out.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Answer {
    /// It is done.
    Done,
    /// The condition did not hold, and nothing was done.
    NotDone,
    /// The value is not what the edit needs, and nothing was done.
    Refused(EditError),
    /// A value, or none.
    Value(Option<Bytes>),
    /// Values in the order of the keys.
    Values(Vec<Option<Bytes>>),
    /// How many.
    Count(i64),
    /// Nothing is there, and what is loaded from now on may be filled in.
    Leased(Lease),
    /// `None`: no such key; `Some(None)`: it never expires.
    Expiry(Option<Option<Timestamp>>),
}

/// Why a [`Request`] was not answered. What it means for the data is part of each variant.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// No replica of the key can be reached. A write was not done, unless it was sent before the last replica was
    /// lost.
    Unavailable,
    /// No replica of the key can be used, and one of them is there but goes by other rules. As for a write, see
    /// [`Unavailable`](Self::Unavailable).
    Rejected {
        /// The node's id.
        node: String,
        /// What is wrong between the two.
        reason: String,
    },
    /// Fewer replicas live than the level asks for. A write may have taken effect on some.
    NoQuorum {
        /// The level asked for.
        level: Level,
        /// Replicas within reach.
        live: usize,
        /// Replicas needed.
        need: usize,
    },
    /// The time limit passed. A write may or may not have taken effect.
    Timeout,
    /// All replicas within reach are starting up. Nothing was done.
    Loading,
    /// A write may or may not have taken effect, and nobody can tell any more. A plain write is answered so only
    /// with [`OnAmbiguous::Error`](super::OnAmbiguous); a change of the present value is never repeated blindly.
    Indeterminate,
    /// This process stood still: the request may have waited for long unread. Nothing was done.
    Paused,
    /// The request has more keys than may be under way at all. Nothing was done.
    TooManyKeys {
        /// How many it has.
        keys: usize,
        /// The limit.
        max_requests: usize,
    },
    /// More waits than can be carried out in time. Nothing was done, but of a request with several keys some may have
    /// been.
    Overloaded,
    /// The clocks of this process and of a member differ by too much. Nothing was done.
    ClockSkew,
    /// The entry is larger than a member's memory limit. Nothing was done.
    TooLarge,
    /// The level rests on versions, and the nodes, which speak plain Redis, keep none. Nothing was done.
    NoVersions {
        /// The level asked for.
        level: Level,
    },
    /// A node that speaks plain Redis refused the command. A write may have taken effect on others.
    Refused {
        /// The node's id.
        node: String,
        /// Its error, the code first.
        text: String,
    },
    /// The members cannot be changed so.
    Change(ChangeError),
}

/// Why a change of the members did not begin.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChangeError {
    /// The node that was asked, with this id, has no vote: it is no member, or does not serve.
    NotAMember(String),
    /// Another change is under way; the text says which.
    UnderWay(String),
    /// The node with this id has not called: it has to be started first, and wait.
    NotWaiting(String),
    /// No member has this id.
    Unknown(String),
    /// Somebody has to keep the keys.
    LastMember,
    /// Somebody else changed the members at the same time.
    Overtaken,
    /// Fewer than this many members agreed in time. It may still come about.
    NoMajority(usize),
    /// The new member list would be none, for this reason.
    Bad(&'static str),
}

impl core::fmt::Display for ChangeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NotAMember(id) => {
                write!(f, "{id} is not a serving member: ask one that is")
            }
            Self::UnderWay(change) => {
                write!(f, "a change is under way ({change}): wait until it is done")
            }
            Self::NotWaiting(id) => write!(
                f,
                "{id} is not waiting to be added: start it first, with this node-id and with join"
            ),
            Self::Unknown(id) => write!(f, "there is no member {id}"),
            Self::LastMember => write!(f, "the last member cannot be removed"),
            Self::Overtaken => {
                write!(
                    f,
                    "the members were changed by somebody else just now: look, and try again"
                )
            }
            Self::NoMajority(majority) => write!(
                f,
                "{majority} members have to agree and did not in time: look whether it came about"
            ),
            Self::Bad(flaw) => write!(f, "the new member list is impossible: {flaw}"),
        }
    }
}

impl Failure {
    /// The error code that begins the text: the first word of the RESP error.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Unavailable | Self::Rejected { .. } => "CLUSTERDOWN",
            Self::NoQuorum { .. } => "NOQUORUM",
            Self::Timeout => "TIMEOUT",
            Self::Loading => "LOADING",
            Self::Indeterminate => "INDETERMINATE",
            Self::TooManyKeys { .. } => "ERR",
            Self::Paused => "TRYAGAIN",
            Self::Overloaded => "OVERLOADED",
            Self::ClockSkew => "CLOCKSKEW",
            Self::TooLarge => "OOM",
            Self::NoVersions { .. } => "ERR",
            Self::Refused { text, .. } => text.split(' ').next().unwrap_or("ERR"),
            Self::Change(_) => "ERR",
        }
    }
}

impl core::fmt::Display for Failure {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        if let Self::Refused { node, text } = self {
            return write!(f, "{text} (said by {node})");
        }
        write!(f, "{} ", self.code())?;
        match self {
            Self::Refused { .. } => Ok(()),
            Self::NoVersions { level } => write!(f, "{}", NoVersions(*level)),
            Self::Unavailable => write!(f, "no replica of this key can be reached"),
            Self::Rejected { node, reason } => {
                write!(f, "no replica of this key can be used; {node}: {reason}")
            }
            Self::NoQuorum { level, live, need } => write!(
                f,
                "level {} needs {need} replicas and {live} can be reached; a write may have taken effect",
                level.name()
            ),
            Self::Timeout => {
                write!(
                    f,
                    "the cluster did not answer in time; a write may or may not have taken effect"
                )
            }
            Self::Loading => write!(f, "the replicas of this key are starting up"),
            Self::Indeterminate => write!(
                f,
                "the write was overtaken; whether it took effect is unknown"
            ),
            Self::Paused => write!(
                f,
                "this node stood still and does not carry out what it has not read in time"
            ),
            Self::TooManyKeys { keys, max_requests } => write!(
                f,
                "a request with {keys} keys: the limit is {max_requests} keys (max-requests)"
            ),
            Self::Overloaded => write!(
                f,
                "more waits here than the cluster carries out in time (max-waiting, max-wait): ask again later; \
                 nothing was done, but of several keys some may have been"
            ),
            Self::ClockSkew => write!(
                f,
                "the clocks of this node and of a member differ by more than 500 ms"
            ),
            Self::Change(error) => write!(f, "{error}"),
            Self::TooLarge => write!(
                f,
                "the entry is larger than a member's memory limit (max-memory)"
            ),
        }
    }
}

impl core::error::Error for Failure {}

/// What becomes of a [`Request`].
pub type Outcome = Result<Answer, Failure>;
