//! The coordinator's part of a write: choose the version, ask the leader, go on with the next replica.

use super::{Change, Next, Transition};
use crate::consistency::Level;
use crate::replication::Now;
use crate::replication::config::{OnAmbiguous, quorum};
use crate::replication::context::Context;
use crate::replication::coordinator::operation::{Call, Operation};
use crate::replication::coordinator::task::Task;
use crate::replication::entry::{Bytes, Entry};
use crate::replication::event::Event;
use crate::replication::membership::preference::ReplicaSet;
use crate::replication::request::{Answer, Failure};
use crate::replication::rules::Rule;
use crate::replication::wire::message::{Body, Write, WriteReply};
use crate::ring::NodeIndex;
use crate::time::Timestamp;
use crate::version::Version;

/// Attempts without a decision after which the write counts as overtaken.
const MAX_UNDECIDED: u32 = 3;

/// A write, as far as it has come.
pub(in crate::replication::coordinator) struct WritePhase {
    entry: Entry,
    /// Whether a read quorum promised to store nothing older than the version.
    is_promised: bool,
    /// Whether it changes the value, rather than confirm it.
    pub(in crate::replication::coordinator) is_effect: bool,
    /// What to answer when it is done.
    answer: Answer,
    /// Whether the present version was never sent to anyone.
    first: bool,
    /// The first stage at which the present version was sent.
    version_stage: u16,
    /// Attempts in all, and with the present version.
    pub(in crate::replication::coordinator) attempts: u32,
    undecided: u32,
    /// Whom the present attempt is with.
    pub(super) asked: ReplicaSet,
    /// Who was of no help lately.
    avoid: ReplicaSet,
    /// Whether fewer acknowledgements than a quorum were asked for.
    degraded: bool,
}

/// Acknowledgements to ask for.
#[derive(Clone, Copy)]
struct Need {
    /// Of the present replicas.
    current: u8,
    /// Of those after the change of members that is under way.
    next: u8,
    /// Whether that is fewer than a quorum.
    is_degraded: bool,
}

impl WritePhase {
    pub(in crate::replication::coordinator) fn new(
        operation: &mut Operation,
        call: &mut Call<'_>,
        change: Change,
    ) -> Self {
        let Change {
            value,
            expire_at,
            promised,
            is_effect,
            answer,
        } = change;
        let version = promised.unwrap_or_else(|| call.cx.hlc.tick(call.now.wall));
        operation.next_stage();
        Self {
            entry: Entry {
                version,
                value,
                expire_at,
            },
            is_promised: promised.is_some(),
            is_effect,
            answer,
            first: true,
            version_stage: operation.stage,
            attempts: 0,
            undecided: 0,
            asked: ReplicaSet::EMPTY,
            avoid: ReplicaSet::EMPTY,
            degraded: false,
        }
    }

    /// Asks the best leader there is.
    pub(in crate::replication::coordinator) fn ask(
        &mut self,
        operation: &mut Operation,
        call: &mut Call<'_>,
    ) -> Transition {
        if let Some(failure) = operation.unavailable(call.cx) {
            return Transition::fail(failure);
        }
        let need = match self.need(operation, call.cx) {
            Ok(need) => need,
            Err(failure) => return Transition::fail(failure),
        };
        if !call.cx.rules.keep(Rule::RetriesKeepTheirVersion) {
            self.rewrite(operation, call);
        }
        if self.undecided >= MAX_UNDECIDED {
            if !operation.is_fill() && self.is_promised {
                return self.look_again(operation, call);
            }
            if operation.is_fill() || call.cx.config.on_ambiguous == OnAmbiguous::Error {
                return Transition::fail(Failure::Indeterminate);
            }
            self.rewrite(operation, call);
        }
        let (candidates, replicas) = (operation.candidates(call.cx, call.now), operation.replicas);
        let fresh = |node: &&NodeIndex| replicas.set_of(**node).and(self.avoid).is_empty();
        let Some(leader) = candidates.iter().find(fresh).copied() else {
            self.forget_attempts();
            operation.next_stage();
            return operation.wait_for_leader(call);
        };
        self.asked = replicas.set_of(leader);
        self.degraded = need.is_degraded;
        operation.next_stage();
        let message = self.message(operation, call.now, need);
        operation.question(call, leader, Body::Write(message));
        operation.wait_for_answers(call, false)
    }

    /// Acknowledgements to ask for, given who is in view.
    fn need(&self, operation: &Operation, cx: &Context) -> Result<Need, Failure> {
        let list = &operation.replicas;
        let level = operation.levels.write;
        let within_reach = list.filter(|node| !cx.peers.is_down(node));
        let strict = |need: &dyn Fn(usize) -> usize| match list.lacks(within_reach, need) {
            Some((live, need)) => Err(Failure::NoQuorum { level, live, need }),
            None => Ok(()),
        };
        // An update does with fewer than a quorum only once the others are known to be down: a mere suspicion
        // must not let two of them go on without each other.
        let is_promised = self.is_promised;
        let live = if is_promised {
            within_reach
        } else {
            list.filter(|node| cx.acknowledges(list, node))
        };
        let need = |part: ReplicaSet| match level {
            Level::One if !is_promised => 1,
            Level::One | Level::Auto => quorum(part.len()).min(live.and(part).len()).max(1),
            Level::Quorum if !cx.rules.keep(Rule::QuorumsAreCounted) => 1,
            Level::Quorum => quorum(part.len()),
            Level::All => usize::from(Write::ALL),
        };
        match level {
            Level::Quorum => strict(&quorum)?,
            Level::All => strict(&|replicas| replicas)?,
            Level::One | Level::Auto => {}
        }
        let (current, next) = (need(list.current()), need(list.next()));
        debug_assert!(
            current > 0 && next > 0,
            "a write that nobody has is not done"
        );
        debug_assert!(
            level != Level::Quorum
                || current >= quorum(list.current().len())
                || !cx.rules.keep(Rule::QuorumsAreCounted),
            "QUORUM is a quorum, no matter who is away"
        );
        Ok(Need {
            current: u8::try_from(current).unwrap_or(Write::ALL),
            next: u8::try_from(next).unwrap_or(Write::ALL),
            is_degraded: current < quorum(list.current().len()),
        })
    }

    /// Starts over under a new version. Only safe when the old one is stored nowhere, or nobody minds that the
    /// write may become visible twice.
    fn rewrite(&mut self, operation: &mut Operation, call: &mut Call<'_>) {
        debug_assert!(
            !operation.is_fill(),
            "a fill has the version of its lease, or none"
        );
        let before = core::mem::replace(&mut self.entry.version, call.cx.hlc.tick(call.now.wall));
        debug_assert!(self.entry.version > before, "a clock never goes back");
        operation.next_stage();
        self.version_stage = operation.stage;
        self.first = true;
        self.undecided = 0;
        call.cx.statistics.rewrites += 1;
    }

    /// The answer to what was asked at `stage`.
    pub(in crate::replication::coordinator) fn handle(
        &mut self,
        operation: &mut Operation,
        call: &mut Call<'_>,
        (from, stage): (NodeIndex, u16),
        reply: WriteReply,
    ) -> Transition {
        let current_stage = operation.stage;
        if let WriteReply::Done { existed } = reply {
            let of_this_version = stage.wrapping_sub(self.version_stage)
                <= current_stage.wrapping_sub(self.version_stage);
            return if of_this_version {
                self.finish(operation, call.cx, existed)
            } else {
                Transition::Wait
            };
        }
        if stage != current_stage {
            return Transition::Wait;
        }
        let who = operation.replicas.set_of(from);
        match reply {
            WriteReply::Done { .. } => Transition::Wait,
            WriteReply::Stale { current, untouched } => {
                self.handle_stale(operation, call, who, (current, untouched))
            }
            WriteReply::Loading => {
                call.note_loading(from);
                self.ask(operation, call)
            }
            WriteReply::Undecided { current } => {
                call.cx.observe(call.now, current);
                self.undecided += 1;
                self.avoid = self.avoid.or(who);
                self.ask_again(operation, call)
            }
            WriteReply::WrongNode | WriteReply::Unreachable | WriteReply::Expired => {
                self.avoid = self.avoid.or(who);
                self.ask_again(operation, call)
            }
            WriteReply::Skew => Transition::fail(Failure::ClockSkew),
            WriteReply::TooLarge => Transition::fail(Failure::TooLarge),
        }
    }

    /// The version is older than what is there.
    fn handle_stale(
        &mut self,
        operation: &mut Operation,
        call: &mut Call<'_>,
        who: ReplicaSet,
        (current, untouched): (Version, bool),
    ) -> Transition {
        if !call.cx.observe(call.now, current) {
            // It holds something from a wrong clock.
            self.avoid = self.avoid.or(who);
            return self.ask(operation, call);
        }
        if operation.is_fill() {
            return Transition::Done(Ok(Answer::NotDone));
        }
        if self.is_promised && untouched {
            return Transition::Next(Next::Read);
        }
        if self.is_promised {
            return self.look_again(operation, call);
        }
        self.rewrite(operation, call);
        self.ask(operation, call)
    }

    /// An attempt came to nothing, though its member is there: repeats it at once while the budget allows, and a little
    /// later otherwise.
    fn ask_again(&mut self, operation: &mut Operation, call: &mut Call<'_>) -> Transition {
        operation.is_repeated = true;
        if !operation.spend(call.cx) {
            return operation.pause(call);
        }
        self.ask(operation, call)
    }

    /// Nobody can tell whether it was stored: look again, with a new version.
    fn look_again(&self, operation: &mut Operation, call: &Call<'_>) -> Transition {
        if self.is_effect && call.cx.rules.keep(Rule::DoubtIsLookedInto) {
            let (version, answer) = (self.entry.version, self.answer.clone());
            operation.attempts.add(version, answer);
        }
        Transition::Next(Next::ReadAfterPause)
    }

    fn finish(&mut self, operation: &Operation, cx: &mut Context, existed: bool) -> Transition {
        if self.degraded && operation.levels.write == Level::Auto {
            cx.statistics.degraded_writes += 1;
            if cx.statistics.degraded_writes.is_power_of_two() {
                cx.event(Event::DegradedWrites);
            }
        }
        let answer = core::mem::replace(&mut self.answer, Answer::Done);
        Transition::Done(Ok(match operation.task {
            Task::Delete => Answer::Count(i64::from(existed)),
            _ => answer,
        }))
    }

    /// The connection to the leader broke: it may have done it. The same version goes to the next at once.
    pub(in crate::replication::coordinator) fn handle_lost(
        &mut self,
        operation: &mut Operation,
        call: &mut Call<'_>,
    ) -> Transition {
        operation.is_repeated = true;
        self.undecided += 1;
        call.cx.statistics.failovers += 1;
        self.ask(operation, call)
    }

    /// The leader is silent: it may be dead or slow, and may have done it. The same version goes to the next.
    pub(in crate::replication::coordinator) fn handle_silence(
        &mut self,
        operation: &mut Operation,
        call: &mut Call<'_>,
    ) -> Transition {
        self.avoid = self.avoid.or(self.asked);
        self.undecided += 1;
        call.cx.statistics.failovers += 1;
        self.ask(operation, call)
    }

    /// The members have changed. What those promised who hold the key no longer is worth nothing.
    pub(in crate::replication::coordinator) fn handle_change(
        &mut self,
        operation: &mut Operation,
        call: &mut Call<'_>,
    ) -> Transition {
        if self.is_promised && !operation.is_fill() {
            return self.look_again(operation, call);
        }
        self.forget_attempts();
        self.ask(operation, call)
    }

    /// Those asked or avoided may not be a replica any more.
    const fn forget_attempts(&mut self) {
        self.asked = ReplicaSet::EMPTY;
        self.avoid = ReplicaSet::EMPTY;
    }

    /// The question to the leader; counts the attempt.
    fn message(&mut self, operation: &Operation, now: Now, need: Need) -> Write {
        let first = core::mem::replace(&mut self.first, false);
        debug_assert!(
            self.entry.version > Version::ZERO,
            "a version names the write"
        );
        self.attempts += 1;
        let left = (operation.ends_at - now.instant).as_millis();
        let left = u64::try_from(left).unwrap_or(u64::MAX);
        Write {
            key: Bytes::clone(&operation.key),
            entry: self.entry.clone(),
            need: need.current,
            next_need: need.next,
            first,
            is_fill: operation.is_fill(),
            deadline: Timestamp::from_millis(now.wall.as_millis().saturating_add(left)),
        }
    }
}
