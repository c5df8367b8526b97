//! `SET` and its kin: `SETNX`, `SETEX`, `PSETEX`, `GETSET`.

use alloc::borrow::Cow;
use alloc::string::ToString;

use super::data::Data;
use super::expiry::{Condition, Expiry, ExpiryForm};
use super::options::{expiry, set_options};
use super::parse::{Given, Parsed};
use super::reply::{Reply, ReplyKind};
use super::update::{Change, Decision, NewValue, Present, ReplyValue, Update, Words, words};
use crate::time::Timestamp;

/// What `SET` and its kin do to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Set<B> {
    /// Its new value.
    pub value: B,
    /// When it expires.
    pub expiry: Expiry,
    /// Whether the key must be there or must not.
    pub condition: Condition,
    /// How the reply says what was done.
    pub reply: SetReply,
}

/// How the reply of a [`Set`] says what was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SetReply {
    /// OK, or null if the condition did not hold (`SET`).
    #[default]
    Done,
    /// The former value in either case (`SET ... GET`, `GETSET`).
    Former,
    /// 1, or 0 if the condition did not hold (`SETNX`).
    Flag,
}

impl SetReply {
    pub(super) const fn kind(self) -> ReplyKind {
        match self {
            Self::Done => ReplyKind::Done,
            Self::Former => ReplyKind::Value,
            Self::Flag => ReplyKind::Flag,
        }
    }

    fn reply(self, holds: bool, present: Option<Present<'_>>) -> Reply<ReplyValue> {
        match self {
            Self::Done if holds => Reply::Done,
            Self::Done => Reply::NotDone,
            Self::Former => Reply::Value(present.map(|_| ReplyValue::Present)),
            Self::Flag => Reply::Integer(i64::from(holds)),
        }
    }
}

impl<B> Set<B> {
    /// Sets a key without looking at what is there, and answers OK.
    #[must_use]
    pub const fn new(value: B) -> Self {
        Self {
            value,
            expiry: Expiry::None,
            condition: Condition::Always,
            reply: SetReply::Done,
        }
    }

    /// The same with an expiry, `None` for never.
    #[must_use]
    pub fn expiring(value: B, expire_at: Option<Timestamp>) -> Self {
        Self {
            expiry: expire_at.map_or(Expiry::None, Expiry::At),
            ..Self::new(value)
        }
    }

    pub(super) fn decide(&self, present: Option<Present<'_>>, now: Timestamp) -> Decision {
        let holds = match self.condition {
            Condition::Always => true,
            Condition::IfAbsent => present.is_none(),
            Condition::IfPresent => present.is_some(),
        };
        let reply = self.reply.reply(holds, present);
        let change = match self.expiry {
            _ if !holds => Change::Keep,
            // A value whose time is over is not stored at all.
            Expiry::At(at) if at <= now => match present {
                Some(_) => Change::Remove,
                None => Change::Keep,
            },
            expiry => Change::Put {
                value: NewValue::Brought,
                expire_at: match expiry {
                    Expiry::None => None,
                    Expiry::Keep => present.and_then(|found| found.expire_at),
                    Expiry::At(at) => Some(at),
                },
            },
        };
        Decision { change, reply }
    }

    /// When the value expires, if the command depends on nothing that is there and answers OK.
    #[must_use]
    pub fn blind(&self) -> Option<Option<Timestamp>> {
        match self.expiry {
            _ if self.is_conditional() || self.reply != SetReply::Done => None,
            Expiry::Keep => None,
            Expiry::None => Some(None),
            Expiry::At(at) => Some(Some(at)),
        }
    }

    pub(super) fn is_conditional(&self) -> bool {
        self.condition != Condition::Always
    }

    pub(super) fn map<C>(self, bytes: impl FnOnce(B) -> C) -> Set<C> {
        Set {
            value: bytes(self.value),
            expiry: self.expiry,
            condition: self.condition,
            reply: self.reply,
        }
    }

    pub(super) fn words<'a>(&'a self, key: &'a [u8]) -> Words<'a>
    where
        B: AsRef<[u8]>,
    {
        let value = self.value.as_ref();
        if self.reply == SetReply::Flag {
            return words("SETNX", key).and(value);
        }
        let mut words = words("SET", key).and(value);
        words = match self.condition {
            Condition::Always => words,
            Condition::IfAbsent => words.and(&b"NX"[..]),
            Condition::IfPresent => words.and(&b"XX"[..]),
        };
        words = match self.expiry {
            Expiry::None => words,
            Expiry::Keep => words.and(&b"KEEPTTL"[..]),
            Expiry::At(at) => {
                let millis = at.as_millis().to_string().into_bytes();
                words.and(&b"PXAT"[..]).and(Cow::from(millis))
            }
        };
        match self.reply {
            SetReply::Former => words.and(&b"GET"[..]),
            SetReply::Done | SetReply::Flag => words,
        }
    }
}

/// `SET`.
pub(super) fn set<'a>(given: &Given<'_, 'a>) -> Parsed<'a> {
    let key = given.new_key()?;
    let set = set_options(Set::new(given.get(2)), given.args, given.context)?;
    set_or_update(key, set)
}

/// `SETNX`.
pub(super) fn set_nx<'a>(given: &Given<'_, 'a>) -> Parsed<'a> {
    let condition = Condition::IfAbsent;
    let reply = SetReply::Flag;
    let set = Set::new(given.get(2));
    given.update(Update::Set(Set {
        condition,
        reply,
        ..set
    }))
}

/// `GETSET`.
pub(super) fn get_set<'a>(given: &Given<'_, 'a>) -> Parsed<'a> {
    let reply = SetReply::Former;
    let set = Set::new(given.get(2));
    given.update(Update::Set(Set { reply, ..set }))
}

/// `SETEX`.
pub(super) fn set_ex<'a>(given: &Given<'_, 'a>) -> Parsed<'a> {
    with_time_to_live(given, false)
}

/// `PSETEX`.
pub(super) fn p_set_ex<'a>(given: &Given<'_, 'a>) -> Parsed<'a> {
    with_time_to_live(given, true)
}

fn with_time_to_live<'a>(given: &Given<'_, 'a>, millis: bool) -> Parsed<'a> {
    let form = ExpiryForm {
        millis,
        absolute: false,
    };
    let key = given.new_key()?;
    let at = expiry(given.get(2), form, given.spec.name, given.context)?;
    set_or_update(key, Set::expiring(given.get(3), Some(at)))
}

/// What depends on nothing that is there goes the short way.
fn set_or_update<'a>(key: &'a [u8], set: Set<&'a [u8]>) -> Parsed<'a> {
    Ok(match set.blind() {
        Some(expire_at) => Data::Set {
            key,
            value: set.value,
            expire_at,
        },
        None => Data::Update {
            key,
            update: Update::Set(set),
        },
    }
    .into())
}
