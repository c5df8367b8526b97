//! The coordinator's part of a change that depends on the present value: CASPaxos (Rystsov, 2018) for one key.
//!
//! ```text
//! lock      ask the leader; only so that coordinators do not overtake each other
//! prepare   choose a version; a read quorum promises to store nothing older, and says what it holds
//! decide    on the newest of that
//! write     with this version, as any other write: the same version through all retries
//! ```
//!
//! A write that a quorum neither stored nor refused for certain is in doubt, and is never simply repeated. The
//! next prepare tells: if the newest version is ours, it was done; if nothing as new as ours is known to a
//! read quorum, it never will be, and may be done again; otherwise nobody can tell.

use super::attempts::Attempts;
use super::operation::{Call, Operation};
use super::phase::found::Found;
use super::phase::{Change, Next, Transition};
use super::task::{AsksFor, Task};
use super::verdict::{Verdict, verdict};
use crate::command::Update;
use crate::replication::Now;
use crate::replication::entry::Bytes;
use crate::replication::request::{Answer, Failure};

/// What is known of the attempts so far.
enum Fate {
    NotDone,
    Done(Answer),
    Unknown,
}

/// What follows from what a read quorum found after it promised to store nothing older any more.
fn fate(attempts: &Attempts, found: &Found) -> Fate {
    let held = found.entry.as_ref().map(|entry| entry.version);
    let mine = attempts.iter().find(|(version, _)| Some(*version) == held);
    if let Some((_, answer)) = mine {
        return Fate::Done(answer.clone());
    }
    if attempts.iter().all(|(version, _)| found.newest < *version) {
        return Fate::NotDone;
    }
    Fate::Unknown
}

impl Operation {
    /// Whether this operation reads to write, and so needs promises.
    pub(super) const fn is_update(&self) -> bool {
        matches!(self.task, Task::Update(_))
    }

    /// The read has found out what there is: answer, or decide what to write.
    pub(super) fn conclude(&mut self, call: &mut Call<'_>, found: Found) -> Transition {
        let live = found
            .entry
            .as_ref()
            .filter(|entry| entry.is_live(call.now.wall));
        let answer = match &self.task {
            Task::Get => Answer::Value(live.and_then(|entry| entry.value.clone())),
            Task::Exists => Answer::Count(i64::from(live.is_some())),
            Task::Expiry => Answer::Expiry(live.map(|entry| entry.expire_at)),
            Task::Update(update) => return decide(update, &self.attempts, call.now, found),
            Task::Lease => return self.finish_lease(call.now, found),
            Task::Set { .. } | Task::Delete | Task::Fill { .. } => Answer::Done,
        };
        match answer {
            Answer::Value(None) => call.cx.statistics.misses += 1,
            Answer::Value(Some(_)) => call.cx.statistics.hits += 1,
            _ => {}
        }
        confirm(found, answer)
    }

    /// A read was refused its write-back because of a promise: it takes part as one who changes nothing.
    pub(super) const fn take_part(&mut self) -> Transition {
        self.asks_for = AsksFor::Promises;
        Transition::Next(Next::Read)
    }
}

/// The prepare has found out what there is: decide what to write.
fn decide(update: &Update<Bytes>, attempts: &Attempts, now: Now, found: Found) -> Transition {
    let verdict = match fate(attempts, &found) {
        Fate::Unknown => return Transition::fail(Failure::Indeterminate),
        Fate::Done(answer) => Verdict::Answer(answer),
        Fate::NotDone => verdict(update, found.entry.as_ref(), now.wall),
    };
    match verdict {
        Verdict::Answer(answer) => confirm(found, answer),
        Verdict::Write {
            value,
            expire_at,
            answer,
        } => Transition::Next(Next::Write(Change {
            value,
            expire_at,
            promised: found.promised,
            is_effect: true,
            answer,
        })),
    }
}

/// Answers with what was found, once a quorum holds it: if too few do, it is written again as it is, with
/// the version that was promised.
pub(super) fn confirm(found: Found, answer: Answer) -> Transition {
    match found.entry {
        Some(entry) if !found.is_on_quorum && found.promised.is_some() => {
            Transition::Next(Next::Write(Change {
                value: entry.value,
                expire_at: entry.expire_at,
                promised: found.promised,
                is_effect: false,
                answer,
            }))
        }
        _ => Transition::Done(Ok(answer)),
    }
}
