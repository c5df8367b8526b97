//! What the decision on a command means for replicas: nothing to write, or one value.
//!
//! Pure: the coordinator asks a read quorum for the present entry and for the promise to store nothing older
//! than the change to come, has the [command decide](Update::decide), and writes what follows.

use crate::command::{Change, Decision, NewValue, Present, Reply, ReplyValue, Update};
use crate::replication::entry::{Bytes, Entry};
use crate::replication::request::Answer;
use crate::time::Timestamp;

/// What to do, given the present entry.
#[derive(Debug, PartialEq)]
pub(in crate::replication) enum Verdict {
    /// Nothing: this is the answer.
    Answer(Answer),
    /// Write this, then give the answer.
    Write {
        value: Option<Bytes>,
        expire_at: Option<Timestamp>,
        answer: Answer,
    },
}

/// Decides, given the entry that a reader would see. Shares the bytes that are there already.
pub(in crate::replication) fn verdict(
    update: &Update<Bytes>,
    found: Option<&Entry>,
    wall: Timestamp,
) -> Verdict {
    let live = found.filter(|entry| entry.is_live(wall));
    let value = live.and_then(|entry| entry.value.as_ref());
    let present = value.map(|value| Present {
        value,
        expire_at: live.and_then(|entry| entry.expire_at),
    });
    let Decision { change, reply } = update.decide(present, wall);
    let answer = answer(reply, value);
    let (value, expire_at) = match change {
        Change::Keep => return Verdict::Answer(answer),
        Change::Remove => (None, None),
        Change::Expire(at) => (value.cloned(), at),
        Change::Put { value, expire_at } => {
            let value = match value {
                NewValue::Brought => update.brought().cloned(),
                NewValue::Made(bytes) => Some(bytes.into()),
            };
            (value, expire_at)
        }
    };
    Verdict::Write {
        value,
        expire_at,
        answer,
    }
}

fn answer(reply: Reply<ReplyValue>, present: Option<&Bytes>) -> Answer {
    match reply {
        Reply::Done => Answer::Done,
        Reply::NotDone => Answer::NotDone,
        Reply::Integer(number) => Answer::Count(number),
        Reply::Value(None) => Answer::Value(None),
        Reply::Value(Some(ReplyValue::Present)) => Answer::Value(present.cloned()),
        Reply::Value(Some(ReplyValue::Made(bytes))) => Answer::Value(Some(bytes.into())),
        Reply::Word(word) => Answer::Value(Some(word.as_bytes().into())),
        Reply::Refused(reason) => Answer::Refused(reason),
    }
}
