//! Commands as Redis spells them, and its replies as answers.

use alloc::string::String;
use alloc::vec::Vec;

use super::{PlainCommand, PlainError, PlainRefusal};
use crate::command::{ReplyKind, Update};
use crate::replication::entry::Bytes;
use crate::replication::request::Answer;
use crate::resp::{Reply, encode};
use crate::time::Timestamp;

/// How the reply to a command becomes an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Value,
    /// 1 or 0.
    Flag(&'static str),
    Size,
    TimeToLive,
    /// To the command of this name, of one of these.
    Update(&'static str, ReplyKind),
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
                Form::Flag("EXISTS")
            }
            Self::Expiry(key) => {
                encode::command(out, &[b"PTTL", key]);
                Form::TimeToLive
            }
            Self::Delete(key) => {
                encode::command(out, &[b"DEL", key]);
                Form::Flag("DEL")
            }
            Self::Update { key, update } => encode_update(out, key, update),
            Self::Flush => {
                encode::command(out, &[b"FLUSHALL"]);
                Form::Flush
            }
            Self::Count => {
                encode::command(out, &[b"DBSIZE"]);
                Form::Size
            }
        }
    }
}

fn encode_update(out: &mut Vec<u8>, key: &Bytes, update: &Update<Bytes>) -> Form {
    let words = update.words(key);
    let parts: Vec<&[u8]> = words.iter().collect();
    encode::command(out, &parts);
    Form::Update(words.0, update.reply_kind())
}

impl Form {
    const fn command(self) -> &'static str {
        match self {
            Self::Value => "GET",
            Self::Flag(command) | Self::Update(command, _) => command,
            Self::Size => "DBSIZE",
            Self::TimeToLive => "PTTL",
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
            (Self::Value | Self::Update(_, ReplyKind::Value), Reply::Null) => Answer::Value(None),
            (Self::Value | Self::Update(_, ReplyKind::Value), Reply::Bulk(value)) => {
                Answer::Value(Some(value.into()))
            }
            (Self::Flag(_) | Self::Update(_, ReplyKind::Flag), Reply::Integer(flag @ 0..=1)) => {
                Answer::Count(flag)
            }
            (Self::Size | Self::Update(_, ReplyKind::Integer), Reply::Integer(number)) => {
                Answer::Count(number)
            }
            (Self::Update(_, ReplyKind::Done), Reply::Null) => Answer::NotDone,
            (Self::Update(_, ReplyKind::Done) | Self::Flush, Reply::Simple(text))
                if text == b"OK" =>
            {
                Answer::Done
            }
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
