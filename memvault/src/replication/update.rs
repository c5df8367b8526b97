//! Commands that depend on what is there: SET with conditions, INCR, APPEND, GETDEL, GETEX, EXPIRE, PERSIST.
//!
//! Pure: the coordinator asks a read quorum for the present entry and for the promise to store nothing older
//! than the change to come, decides here, and writes.

use super::entry::{Bytes, Entry};
use super::request::Answer;
use crate::command::{Condition, Edit, Edited, ExpireCondition, Expiry};
use crate::time::Timestamp;

/// A change that depends on the present entry.
#[derive(Clone, Debug)]
pub(super) enum Update {
    Set {
        value: Bytes,
        expiry: Expiry,
        condition: Condition,
        return_old: bool,
    },
    Expire {
        at: Option<Timestamp>,
        condition: ExpireCondition,
    },
    /// A new value, made of the present one.
    Edit {
        edit: Edit<Bytes>,
        /// Longest value that may come of it, in bytes.
        max_len: usize,
    },
    /// A deletion that answers with the value.
    Delete,
    /// A new expiry; answers with the value.
    GetAndExpire { at: Option<Timestamp> },
}

/// What to do, given the present entry.
#[derive(Debug, PartialEq)]
pub(super) enum Decision {
    /// Nothing: this is the answer.
    Answer(Answer),
    /// Write this, then give the answer.
    Write {
        value: Option<Bytes>,
        expire_at: Option<Timestamp>,
        answer: Answer,
    },
}

impl Update {
    /// Bytes of the value that it brings along.
    pub(super) fn value_len(&self) -> usize {
        match self {
            Self::Set { value, .. } => value.len(),
            Self::Edit { edit, .. } => match edit {
                Edit::Append(bytes) | Edit::Overwrite { bytes, .. } => bytes.len(),
                Edit::Add(_) => 0,
            },
            Self::Expire { .. } | Self::Delete | Self::GetAndExpire { .. } => 0,
        }
    }

    /// Decides, given the entry that a reader would see.
    pub(super) fn decide(&self, present: Option<&Entry>, wall: Timestamp) -> Decision {
        let present = present.filter(|entry| entry.is_live(wall));
        match self {
            Self::Set {
                value,
                expiry,
                condition,
                return_old,
            } => {
                let holds = match condition {
                    Condition::Always => true,
                    Condition::IfAbsent => present.is_none(),
                    Condition::IfPresent => present.is_some(),
                };
                let old = || Answer::Value(present.and_then(|entry| entry.value.clone()));
                if !holds {
                    return Decision::Answer(if *return_old { old() } else { Answer::NotDone });
                }
                Decision::Write {
                    value: Some(value.clone()),
                    expire_at: match expiry {
                        Expiry::Keep => present.and_then(|entry| entry.expire_at),
                        Expiry::None => None,
                        Expiry::At(at) => Some(*at),
                    },
                    answer: if *return_old { old() } else { Answer::Done },
                }
            }
            Self::Expire { at, condition } => expire(*at, *condition, present, wall),
            Self::Edit { edit, max_len } => apply(edit, *max_len, present),
            Self::Delete => get_and(present, |_| (None, None)),
            Self::GetAndExpire { at } => match *at {
                Some(at) if at <= wall => get_and(present, |_| (None, None)),
                at if present.is_some_and(|entry| entry.expire_at == at) => {
                    Decision::Answer(Answer::Value(present.and_then(|entry| entry.value.clone())))
                }
                at => get_and(present, |value| (Some(value), at)),
            },
        }
    }
}

/// Answers with the value and replaces the entry; nothing is there, nothing is done.
fn get_and(
    present: Option<&Entry>,
    replace: impl FnOnce(Bytes) -> (Option<Bytes>, Option<Timestamp>),
) -> Decision {
    let Some(found) = present.and_then(|entry| entry.value.clone()) else {
        return Decision::Answer(Answer::Value(None));
    };
    let (value, expire_at) = replace(found.clone());
    let answer = Answer::Value(Some(found));
    Decision::Write {
        value,
        expire_at,
        answer,
    }
}

fn apply(edit: &Edit<Bytes>, max_len: usize, present: Option<&Entry>) -> Decision {
    let value = present.and_then(|entry| entry.value.as_deref());
    match edit.apply(value, max_len) {
        Ok(Edited {
            value: Some(value),
            number,
        }) => Decision::Write {
            value: Some(value.into()),
            expire_at: present.and_then(|entry| entry.expire_at),
            answer: Answer::Count(number),
        },
        Ok(Edited { number, .. }) => Decision::Answer(Answer::Count(number)),
        Err(reason) => Decision::Answer(Answer::Refused(reason)),
    }
}

fn expire(
    at: Option<Timestamp>,
    condition: ExpireCondition,
    present: Option<&Entry>,
    wall: Timestamp,
) -> Decision {
    const NOT_DONE: Decision = Decision::Answer(Answer::Count(0));
    let Some(entry) = present else {
        return NOT_DONE;
    };
    let answer = Answer::Count(1);
    match at {
        None if entry.expire_at.is_none() => NOT_DONE,
        Some(at) if !condition.allows(entry.expire_at, at) => NOT_DONE,
        Some(at) if at <= wall => Decision::Write {
            value: None,
            expire_at: None,
            answer,
        },
        at => Decision::Write {
            value: entry.value.clone(),
            expire_at: at,
            answer,
        },
    }
}
