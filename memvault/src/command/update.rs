//! [`Update`]: a command that changes one key, and what it means: one pure function of the command, of what is there
//! and of the time.
//!
//! ```text
//!  present --+             +--> Change --> Store: on the entries of a node alone
//!  Update ---+-- decide ---+           +-> coordinator of a cluster: on the replicas, as a value
//!  now ------+             +--> Reply
//! ```
//!
//! A node of plain Redis decides itself: it is given the [words](Update::words) of the command.

use alloc::borrow::Cow;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use super::edit::{Edit, Edited};
use super::expiry::ExpireCondition;
use super::reply::{Reply, ReplyKind};
use super::set::Set;
use crate::time::Timestamp;

/// A command that changes one key, and depends on what is there; `B` holds bytes, borrowed from a client or shared
/// between nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Update<B> {
    /// `SET` and its kin.
    Set(Set<B>),
    /// `INCR`, `APPEND`, `SETRANGE` and their kin: makes a new value of the present one; the expiry stays.
    Edit {
        /// What becomes of the value.
        edit: Edit<B>,
        /// Longest value that may come of it, in bytes.
        max_len: usize,
    },
    /// `EXPIRE` and its kin, `PERSIST`: sets or removes the expiry; answers whether that was done.
    Expire {
        /// When the key expires; `None` for never. A time in the past deletes it.
        at: Option<Timestamp>,
        /// On which present expiry this depends.
        condition: ExpireCondition,
    },
    /// `GETDEL`: deletes the key and answers with its value.
    GetDelete,
    /// `GETEX`: changes the expiry and answers with the value.
    GetExpire {
        /// When the key expires; `None` for never. A time in the past deletes it.
        at: Option<Timestamp>,
    },
}

/// What is there under a key, and not past its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Present<'a> {
    /// The value.
    pub value: &'a [u8],
    /// When it expires; `None` for never.
    pub expire_at: Option<Timestamp>,
}

/// A value that a key gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewValue {
    /// [What the command brings along](Update::brought).
    Brought,
    /// It is made of what was there.
    Made(Vec<u8>),
}

/// A value that is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplyValue {
    /// The present one.
    Present,
    /// One that was made.
    Made(Vec<u8>),
}

impl NewValue {
    /// Its bytes, given what the command brings along.
    #[must_use]
    pub fn bytes<'a>(&'a self, brought: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Brought => brought,
            Self::Made(bytes) => bytes,
        }
    }
}

impl ReplyValue {
    /// Its bytes, given the present ones.
    #[must_use]
    pub fn bytes(self, present: &[u8]) -> Cow<'_, [u8]> {
        match self {
            Self::Present => Cow::Borrowed(present),
            Self::Made(bytes) => Cow::Owned(bytes),
        }
    }
}

/// What becomes of the key.
///
/// Not `non_exhaustive`: who keeps the entries must carry out each of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It stays as it is.
    Keep,
    /// It has this value.
    Put {
        /// The value.
        value: NewValue,
        /// When it expires; `None` for never. Not in the past.
        expire_at: Option<Timestamp>,
    },
    /// It has another expiry, `None` for never. Only of a key that is there.
    Expire(Option<Timestamp>),
    /// It is deleted. Only of a key that is there.
    Remove,
}

/// What a command does, given what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What becomes of the key.
    pub change: Change,
    /// The answer.
    pub reply: Reply<ReplyValue>,
}

impl Decision {
    pub(super) const fn keep(reply: Reply<ReplyValue>) -> Self {
        let change = Change::Keep;
        Self { change, reply }
    }
}

impl<B: AsRef<[u8]>> Update<B> {
    /// Decides, given what is there at the time `now`. O(1) beside the length of a value that is
    /// [made](NewValue::Made).
    ///
    /// # Examples
    /// ```
    /// use memvault::command::{Change, Present, Reply, Update};
    /// use memvault::time::Timestamp;
    ///
    /// let persist = Update::<&[u8]>::Expire { at: None, condition: Default::default() };
    /// let expire_at = Some(Timestamp::from_millis(2_000));
    /// let present = Present { value: b"value", expire_at };
    /// let decision = persist.decide(Some(present), Timestamp::from_millis(1_000));
    /// assert_eq!((decision.change, decision.reply), (Change::Expire(None), Reply::Integer(1)));
    /// ```
    #[must_use]
    pub fn decide(&self, present: Option<Present<'_>>, now: Timestamp) -> Decision {
        let is_over = |present: &Present<'_>| present.expire_at.is_some_and(|at| at <= now);
        debug_assert!(!present.as_ref().is_some_and(is_over), "it is not there");
        match self {
            Self::Set(set) => set.decide(present, now),
            Self::Edit { edit, max_len } => apply(edit, *max_len, present),
            Self::Expire { at, condition } => expire(*at, *condition, present, now),
            Self::GetDelete => get_and(present, |_| Change::Remove),
            Self::GetExpire { at } => get_and(present, |found| new_expiry(*at, found, now)),
        }
    }
}

/// Answers with the value; nothing is there, nothing is done.
fn get_and(present: Option<Present<'_>>, change: impl FnOnce(&Present<'_>) -> Change) -> Decision {
    Decision {
        change: present.as_ref().map_or(Change::Keep, change),
        reply: Reply::Value(present.map(|_| ReplyValue::Present)),
    }
}

fn new_expiry(at: Option<Timestamp>, found: &Present<'_>, now: Timestamp) -> Change {
    match at {
        Some(at) if at <= now => Change::Remove,
        at if at == found.expire_at => Change::Keep,
        at => Change::Expire(at),
    }
}

fn expire(
    at: Option<Timestamp>,
    condition: ExpireCondition,
    present: Option<Present<'_>>,
    now: Timestamp,
) -> Decision {
    let allowed = |found: &Present<'_>| match at {
        None => found.expire_at.is_some(),
        Some(at) => condition.allows(found.expire_at, at),
    };
    match present.filter(allowed) {
        None => Decision::keep(Reply::Integer(0)),
        Some(found) => Decision {
            change: new_expiry(at, &found, now),
            reply: Reply::Integer(1),
        },
    }
}

/// Makes a new value; its expiry stays.
fn apply<B: AsRef<[u8]>>(edit: &Edit<B>, max_len: usize, present: Option<Present<'_>>) -> Decision {
    match edit.apply(present.map(|found| found.value), max_len) {
        Ok(Edited { value, reply }) => {
            let expire_at = present.and_then(|found| found.expire_at);
            let change = value.map_or(Change::Keep, |value| Change::Put {
                value: NewValue::Made(value),
                expire_at,
            });
            let reply = reply.map(ReplyValue::Made);
            Decision { change, reply }
        }
        Err(reason) => Decision::keep(Reply::Refused(reason)),
    }
}

impl<B> Update<B> {
    /// The same command with its bytes in another form.
    pub fn map<C>(self, bytes: impl FnOnce(B) -> C) -> Update<C> {
        match self {
            Self::Set(set) => Update::Set(set.map(bytes)),
            Self::Edit { edit, max_len } => {
                let edit = edit.map(bytes);
                Update::Edit { edit, max_len }
            }
            Self::Expire { at, condition } => Update::Expire { at, condition },
            Self::GetDelete => Update::GetDelete,
            Self::GetExpire { at } => Update::GetExpire { at },
        }
    }

    /// The bytes that it brings along beside the key.
    pub const fn brought(&self) -> Option<&B> {
        match self {
            Self::Set(set) => Some(&set.value),
            Self::Edit { edit, .. } => edit.brought(),
            Self::Expire { .. } | Self::GetDelete | Self::GetExpire { .. } => None,
        }
    }

    /// Whether what it leaves behind depends on the present value or expiry; else it does the same to every replica.
    #[must_use]
    pub fn depends_on_present(&self) -> bool {
        match self {
            Self::Set(set) => set.is_conditional(),
            Self::Edit { .. } => true,
            Self::Expire { condition, .. } => *condition != ExpireCondition::Always,
            Self::GetDelete | Self::GetExpire { .. } => false,
        }
    }

    /// Of what kind its replies are.
    #[must_use]
    pub const fn reply_kind(&self) -> ReplyKind {
        match self {
            Self::Set(set) => set.reply.kind(),
            Self::Edit { edit, .. } => edit.reply_kind(),
            Self::Expire { .. } => ReplyKind::Flag,
            Self::GetDelete | Self::GetExpire { .. } => ReplyKind::Value,
        }
    }

    /// The command in words that need not be read at the same time: name, key, arguments. Redis 7.0 knows them all, 6.2
    /// those without a condition on an expiry.
    pub fn words<'a>(&'a self, key: &'a [u8]) -> Words<'a>
    where
        B: AsRef<[u8]>,
    {
        let millis = |at: &Timestamp| Cow::from(at.as_millis().to_string().into_bytes());
        match self {
            Self::Set(set) => set.words(key),
            Self::Edit { edit, .. } => edit.words(key),
            Self::Expire { at: None, .. } => words("PERSIST", key),
            Self::Expire {
                at: Some(at),
                condition,
            } => {
                let mut words = words("PEXPIREAT", key).and(millis(at));
                words
                    .1
                    .extend(condition.words().iter().map(|word| Cow::from(*word)));
                words
            }
            Self::GetDelete => words("GETDEL", key),
            Self::GetExpire { at: None } => words("GETEX", key).and(&b"PERSIST"[..]),
            Self::GetExpire { at: Some(at) } => {
                words("GETEX", key).and(&b"PXAT"[..]).and(millis(at))
            }
        }
    }
}

/// The name of a command of Redis, and its arguments.
#[derive(Clone, Debug)]
pub struct Words<'a>(pub &'static str, pub Vec<Cow<'a, [u8]>>);

pub(super) fn words<'a>(name: &'static str, key: &'a [u8]) -> Words<'a> {
    Words(name, vec![Cow::from(key)])
}

impl<'a> Words<'a> {
    pub(super) fn and(mut self, word: impl Into<Cow<'a, [u8]>>) -> Self {
        self.1.push(word.into());
        self
    }

    /// All of them, the name first.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let name = core::iter::once(self.0.as_bytes());
        name.chain(self.1.iter().map(|word| &**word))
    }
}
