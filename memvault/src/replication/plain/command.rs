//! Commands as Redis spells them, and its replies as answers.

use alloc::string::String;
use alloc::vec::Vec;

use super::super::entry::Bytes;
use super::super::request::Answer;
use super::{PlainCommand, PlainError, PlainRefusal};
use crate::command::{Condition, Edit, ExpireCondition, Expiry};
use crate::resp::{Reply, encode};
use crate::time::Timestamp;

/// How the reply to a command becomes an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Value,
    Count(&'static str),
    /// Any integer.
    Number,
    TimeToLive,
    /// OK, or null if the condition did not hold.
    Set,
    /// The former value.
    Former,
    Flush,
}

impl PlainCommand {
    /// Appends the command to `out`. Needs Redis 6.2 or newer for an expiry, 7.0 for one with a condition.
    pub(super) fn encode(&self, out: &mut Vec<u8>) -> Form {
        match self {
            Self::Get(key) => {
                encode::command(out, &[b"GET", key]);
                Form::Value
            }
            Self::Exists(key) => {
                encode::command(out, &[b"EXISTS", key]);
                Form::Count("EXISTS")
            }
            Self::Expiry(key) => {
                encode::command(out, &[b"PTTL", key]);
                Form::TimeToLive
            }
            Self::Delete(key) => {
                encode::command(out, &[b"DEL", key]);
                Form::Count("DEL")
            }
            Self::Edit { key, edit } => encode_edit(out, key, edit),
            Self::GetAndDelete(key) => {
                encode::command(out, &[b"GETDEL", key]);
                Form::Value
            }
            Self::GetAndExpire { key, at: None } => {
                encode::command(out, &[b"GETEX", key, b"PERSIST"]);
                Form::Value
            }
            Self::GetAndExpire { key, at: Some(at) } => {
                let mut millis = itoa::Buffer::new();
                let millis = millis.format(at.as_millis()).as_bytes();
                encode::command(out, &[b"GETEX", key, b"PXAT", millis]);
                Form::Value
            }
            Self::Flush => {
                encode::command(out, &[b"FLUSHALL"]);
                Form::Flush
            }
            Self::Count => {
                encode::command(out, &[b"DBSIZE"]);
                Form::Number
            }
            Self::Set {
                key,
                value,
                expiry,
                condition,
                return_old,
            } => encode_set(out, [key, value], *expiry, *condition, *return_old),
            Self::Expire { key, at: None, .. } => {
                encode::command(out, &[b"PERSIST", key]);
                Form::Count("PERSIST")
            }
            Self::Expire {
                key,
                at: Some(at),
                condition,
            } => encode_expire(out, key, *at, *condition),
        }
    }
}

fn encode_set(
    out: &mut Vec<u8>,
    [key, value]: [&Bytes; 2],
    expiry: Expiry,
    condition: Condition,
    return_old: bool,
) -> Form {
    let mut millis = itoa::Buffer::new();
    let mut parts: Vec<&[u8]> = alloc::vec![b"SET", key, value];
    match expiry {
        Expiry::None => {}
        Expiry::Keep => parts.push(b"KEEPTTL"),
        Expiry::At(at) => {
            parts.extend([&b"PXAT"[..], millis.format(at.as_millis()).as_bytes()]);
        }
    }
    match condition {
        Condition::Always => {}
        Condition::IfAbsent => parts.push(b"NX"),
        Condition::IfPresent => parts.push(b"XX"),
    }
    if return_old {
        parts.push(b"GET");
    }
    encode::command(out, &parts);
    if return_old { Form::Former } else { Form::Set }
}

fn encode_edit(out: &mut Vec<u8>, key: &Bytes, edit: &Edit<Bytes>) -> Form {
    let mut number = itoa::Buffer::new();
    match edit {
        Edit::Add(amount) => {
            encode::command(out, &[b"INCRBY", key, number.format(*amount).as_bytes()]);
        }
        Edit::Append(bytes) => encode::command(out, &[b"APPEND", key, bytes]),
        Edit::Overwrite { offset, bytes } => {
            let offset = number.format(*offset).as_bytes();
            encode::command(out, &[b"SETRANGE", key, offset, bytes]);
        }
    }
    Form::Number
}

fn encode_expire(
    out: &mut Vec<u8>,
    key: &Bytes,
    at: Timestamp,
    condition: ExpireCondition,
) -> Form {
    let mut millis = itoa::Buffer::new();
    let mut parts: Vec<&[u8]> = alloc::vec![b"PEXPIREAT", key];
    parts.push(millis.format(at.as_millis()).as_bytes());
    parts.extend_from_slice(match condition {
        ExpireCondition::Always => &[],
        ExpireCondition::IfNone => &[b"NX"],
        ExpireCondition::IfSome => &[b"XX"],
        ExpireCondition::IfLater => &[b"GT"],
        ExpireCondition::IfEarlier => &[b"LT"],
        ExpireCondition::IfSomeEarlier => &[b"XX", b"LT"],
    });
    encode::command(out, &parts);
    Form::Count("PEXPIREAT")
}

impl Form {
    const fn command(self) -> &'static str {
        match self {
            Self::Value => "GET",
            Self::Count(command) => command,
            Self::Number => "INCRBY, APPEND or SETRANGE",
            Self::TimeToLive => "PTTL",
            Self::Set | Self::Former => "SET",
            Self::Flush => "FLUSHALL",
        }
    }

    /// The answer that a reply stands for.
    pub(super) fn answer(
        self,
        wall: Timestamp,
        reply: Reply,
    ) -> Result<Result<Answer, PlainRefusal>, PlainError> {
        if let Reply::Error(text) = &reply {
            return Ok(Err(refusal(text)));
        }
        let answer = match (self, reply) {
            (Self::Value | Self::Former, Reply::Null) => Answer::Value(None),
            (Self::Value | Self::Former, Reply::Bulk(value)) => Answer::Value(Some(value.into())),
            (Self::Count(_), Reply::Integer(count @ 0..=1)) => Answer::Count(count),
            (Self::Number, Reply::Integer(number)) => Answer::Count(number),
            (Self::Set, Reply::Null) => Answer::NotDone,
            (Self::Set | Self::Flush, Reply::Simple(text)) if text == b"OK" => Answer::Done,
            (Self::TimeToLive, Reply::Integer(millis)) => Answer::Expiry(match millis {
                -2 => None,
                -1 => Some(None),
                _ => {
                    let left = u64::try_from(millis).map_err(|_| self.wrong_kind())?;
                    let at = wall.as_millis().saturating_add(left);
                    Some(Some(Timestamp::from_millis(at)))
                }
            }),
            _ => return Err(self.wrong_kind()),
        };
        Ok(Ok(answer))
    }

    const fn wrong_kind(self) -> PlainError {
        PlainError::WrongKind {
            command: self.command(),
        }
    }
}

fn refusal(text: &[u8]) -> PlainRefusal {
    if is_loading(text) {
        PlainRefusal::Loading
    } else {
        PlainRefusal::Error(String::from_utf8_lossy(text).into_owned())
    }
}

/// Whether an error says that the node still loads its data.
pub(super) fn is_loading(error: &[u8]) -> bool {
    error.starts_with(b"LOADING")
}
