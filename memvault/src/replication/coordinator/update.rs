//! The coordinator's part of a change that depends on the present value: CASPaxos (Rystsov, 2018) for one key.
//!
//! ```text
//! turn      ask the leader; only so that coordinators do not overtake each other
//! prepare   choose a tag; a read quorum promises to store nothing older, and says what it holds
//! decide    on the newest of that
//! write     with this tag, as any other write: the same tag through all retries
//! ```
//!
//! A write that a quorum neither stored nor refused for certain is in doubt, and is never simply repeated. The
//! next prepare tells: if the newest version is ours, it was done; if nothing as new as ours is known to a
//! read quorum, it never will be, and may be done again; otherwise nobody can tell.

use alloc::vec::Vec;

use super::super::Now;
use super::super::context::Context;
use super::super::entry::Bytes;
use super::super::request::{Answer, Failure};
use super::super::rules::Rule;
use super::super::update::{Verdict, verdict};
use super::operation::{AsksFor, Operation, Phase, Task};
use super::read::Found;
use super::write::Change;
use super::{Coordinator, Step};
use crate::command::Update;
use crate::version::Version;

/// What an operation that changes a value has tried so far.
#[derive(Default)]
pub(super) struct Attempts(Vec<(Version, Answer)>);

/// What is known of the attempts so far.
enum Fate {
    NotDone,
    Done(Answer),
    Unknown,
}

impl Attempts {
    /// Notes that a write with this tag may or may not have been stored.
    fn add(&mut self, tag: Version, answer: Answer) {
        self.0.push((tag, answer));
    }

    /// What follows from what a read quorum found after it promised to store nothing older any more.
    fn fate(&self, found: &Found) -> Fate {
        let version = found.entry.as_ref().map(|entry| entry.version);
        let mine = self.0.iter().find(|(tag, _)| Some(*tag) == version);
        if let Some((_, answer)) = mine {
            return Fate::Done(answer.clone());
        }
        if self.0.iter().all(|(tag, _)| found.newest < *tag) {
            return Fate::NotDone;
        }
        Fate::Unknown
    }
}

impl Operation {
    /// Whether this operation reads to write, and so needs promises.
    pub(super) const fn is_update(&self) -> bool {
        matches!(self.task, Task::Update(_))
    }

    /// The prepare has found out what there is: decide what to write.
    pub(super) fn decide(
        &mut self,
        cx: &mut Context,
        timers: &mut Coordinator,
        now: Now,
        id: u64,
        update: &Update<Bytes>,
        found: Found,
    ) -> Step {
        let verdict = match self.attempts.fate(&found) {
            Fate::Unknown => return Step::Done(Err(Failure::Indeterminate)),
            Fate::Done(answer) => Verdict::Answer(answer),
            Fate::NotDone => verdict(update, found.entry.as_ref(), now.wall),
        };
        match verdict {
            Verdict::Answer(answer) => self.confirm(cx, timers, now, id, found, answer),
            Verdict::Write {
                value,
                expire_at,
                answer,
            } => {
                let change = Change {
                    value,
                    expire_at,
                    tag: found.promised,
                    is_effect: true,
                    answer,
                };
                self.begin_write(cx, timers, now, id, change)
            }
        }
    }

    /// Answers with what was found, once a quorum holds it: if too few do, it is written again as it is, with
    /// the tag that was promised.
    pub(super) fn confirm(
        &mut self,
        cx: &mut Context,
        timers: &mut Coordinator,
        now: Now,
        id: u64,
        found: Found,
        answer: Answer,
    ) -> Step {
        match found.entry {
            Some(entry) if !found.settled && found.promised.is_some() => {
                let change = Change {
                    value: entry.value,
                    expire_at: entry.expire_at,
                    tag: found.promised,
                    is_effect: false,
                    answer,
                };
                self.begin_write(cx, timers, now, id, change)
            }
            _ => Step::Done(Ok(answer)),
        }
    }

    /// Nobody can tell whether the write was stored: look again, with a new tag.
    pub(super) fn look_again(
        &mut self,
        cx: &mut Context,
        timers: &mut Coordinator,
        now: Now,
        id: u64,
    ) -> Step {
        if let Phase::Write(write) = &self.phase
            && write.is_effect
            && cx.rules.keep(Rule::DoubtIsLookedInto)
        {
            self.attempts.add(write.tag(), write.answer());
        }
        self.begin_read_after_pause(cx, timers, now, id)
    }

    /// A read was refused its write-back because of a promise: it takes part as one who changes nothing.
    pub(super) fn take_part(
        &mut self,
        cx: &mut Context,
        timers: &mut Coordinator,
        now: Now,
        id: u64,
    ) -> Step {
        self.asks_for = AsksFor::Promises;
        self.begin_read(cx, timers, now, id)
    }

    /// The failure to answer with: one that may have been done is in doubt, whatever it failed of.
    pub(super) fn failure(&self, failure: Failure) -> Failure {
        let sent = match &self.phase {
            Phase::Write(write) if write.is_effect => write.attempts,
            _ => 0,
        };
        let harmless = matches!(failure, Failure::ClockSkew | Failure::TooLarge);
        let in_doubt = sent > 1 || sent == 1 && !harmless || !self.attempts.0.is_empty();
        if (self.is_update() || self.is_fill()) && in_doubt {
            Failure::Indeterminate
        } else {
            failure
        }
    }
}
