//! The coordinator's part of a write: choose the tag, ask the leader, go on with the next replica.

use super::super::Now;
use super::super::config::{OnAmbiguous, quorum};
use super::super::context::Context;
use super::super::entry::{Bytes, Entry};
use super::super::event::Event;
use super::super::message::{Body, NodeState, Write, WriteReply};
use super::super::preference::ReplicaSet;
use super::super::request::{Answer, Failure};
use super::super::rules::Rule;
use super::operation::{Operation, Phase, Task};
use super::{Coordinator, Step};
use crate::consistency::Level;
use crate::ring::NodeIndex;
use crate::time::{Instant, Timestamp};
use crate::version::Version;

/// Attempts without a decision after which the write counts as overtaken.
const MAX_UNDECIDED: u32 = 3;

/// A write, as far as it has come.
pub(super) struct WritePhase {
    entry: Entry,
    /// Whether a read quorum promised to store nothing older than the tag.
    pub(super) is_promised: bool,
    /// Whether it changes the value, rather than confirm it.
    pub(super) is_effect: bool,
    /// What to answer when it is done.
    answer: Answer,
    /// Whether the present tag was never sent to anyone.
    first: bool,
    /// The first stage at which the present tag was sent.
    tag_stage: u16,
    /// Attempts in all, and with the present tag.
    pub(super) attempts: u32,
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

/// What a write stores, and the answer once it has.
pub(super) struct Change {
    pub(super) value: Option<Bytes>,
    pub(super) expire_at: Option<Timestamp>,
    /// The tag that a read quorum has promised to wait for, if the write depends on what was read.
    pub(super) tag: Option<Version>,
    /// Whether it changes the value, rather than confirm it.
    pub(super) is_effect: bool,
    pub(super) answer: Answer,
}

impl Operation {
    pub(super) fn begin_write(
        &mut self,
        cx: &mut Context,
        timers: &mut Coordinator,
        now: Now,
        id: u64,
        change: Change,
    ) -> Step {
        let Change {
            value,
            expire_at,
            tag,
            is_effect,
            answer,
        } = change;
        let version = tag.unwrap_or_else(|| cx.hlc.tick(now.wall));
        self.stage = self.stage.wrapping_add(1);
        self.phase = Phase::Write(WritePhase {
            entry: Entry {
                version,
                value,
                expire_at,
            },
            is_promised: tag.is_some(),
            is_effect,
            answer,
            first: true,
            tag_stage: self.stage,
            attempts: 0,
            undecided: 0,
            asked: ReplicaSet::EMPTY,
            avoid: ReplicaSet::EMPTY,
            degraded: false,
        });
        self.send_write(cx, timers, now, id)
    }

    /// Asks the best leader there is.
    pub(super) fn send_write(
        &mut self,
        cx: &mut Context,
        timers: &mut Coordinator,
        now: Now,
        id: u64,
    ) -> Step {
        if self.is_hopeless(cx) {
            return Step::Done(Err(cx.unavailable(&self.replicas)));
        }
        let need = match self.need(cx) {
            Ok(need) => need,
            Err(failure) => return Step::Done(Err(failure)),
        };
        if !cx.rules.keep(Rule::RetriesKeepTheirTag) {
            self.retag(cx, now);
        }
        if self.is_undecided() {
            if self.is_fill() {
                return Step::Done(Err(Failure::Indeterminate));
            }
            if self.is_promised() {
                return self.look_again(cx, timers, now, id);
            }
            if cx.config.on_ambiguous == OnAmbiguous::Error {
                return Step::Done(Err(Failure::Indeterminate));
            }
            self.retag(cx, now);
        }
        let candidates = self.candidates(cx, now);
        let (key, replicas, ends_at) = (self.key.clone(), self.replicas, self.ends_at);
        let is_fill = self.is_fill();
        let Phase::Write(write) = &mut self.phase else {
            return Step::Wait;
        };
        let fresh = |node: &&NodeIndex| replicas.set_of(**node).and(write.avoid).is_empty();
        let Some(leader) = candidates.iter().find(fresh).copied() else {
            write.avoid = ReplicaSet::EMPTY;
            write.asked = ReplicaSet::EMPTY;
            self.stage = self.stage.wrapping_add(1);
            return self.wait_for_leader(cx, timers, now, id);
        };
        write.asked = replicas.set_of(leader);
        write.degraded = need.is_degraded;
        self.stage = self.stage.wrapping_add(1);
        let message = Write {
            is_fill,
            ..write.message(now, key, need, ends_at)
        };
        self.question(cx, leader, id, Body::Write(message));
        timers.attempts.start(now.instant, self.timer(id));
        Step::Wait
    }

    /// No replica can lead now, or those that can were of no help: asks the others whether they can, and tries again
    /// in a moment.
    pub(super) fn wait_for_leader(
        &mut self,
        cx: &mut Context,
        timers: &mut Coordinator,
        now: Now,
        id: u64,
    ) -> Step {
        for node in self.replicas.leaders() {
            cx.ask_state(now, *node);
        }
        timers.pauses.start(now.instant, self.timer(id));
        Step::Wait
    }

    /// Acknowledgements to ask for, given who is in view.
    fn need(&self, cx: &Context) -> Result<Need, Failure> {
        let list = &self.replicas;
        let level = self.levels.write;
        let within_reach = list.filter(|node| !cx.peers.is_down(node));
        let strict = |need: &dyn Fn(usize) -> usize| match list.lacks(within_reach, need) {
            Some((live, need)) => Err(Failure::NoQuorum { level, live, need }),
            None => Ok(()),
        };
        // An update does with fewer than a quorum only once the others are known to be down: a mere suspicion
        // must not let two of them go on without each other.
        let is_promised = self.is_promised();
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
        Ok(Need {
            current: u8::try_from(current).unwrap_or(Write::ALL),
            next: u8::try_from(next).unwrap_or(Write::ALL),
            is_degraded: current < quorum(list.current().len()),
        })
    }

    fn is_promised(&self) -> bool {
        matches!(&self.phase, Phase::Write(write) if write.is_promised)
    }

    fn is_undecided(&self) -> bool {
        matches!(&self.phase, Phase::Write(write) if write.undecided >= MAX_UNDECIDED)
    }

    /// Starts over under a new tag. Only safe when the old one is stored nowhere, or nobody minds that the
    /// write may become visible twice.
    fn retag(&mut self, cx: &mut Context, now: Now) {
        let version = cx.hlc.tick(now.wall);
        self.stage = self.stage.wrapping_add(1);
        let stage = self.stage;
        if let Phase::Write(write) = &mut self.phase {
            write.entry.version = version;
            write.first = true;
            write.undecided = 0;
            write.tag_stage = stage;
            cx.statistics.retags += 1;
        }
    }

    pub(super) fn handle_wrote(
        &mut self,
        cx: &mut Context,
        timers: &mut Coordinator,
        now: Now,
        id: u64,
        (from, stage): (NodeIndex, u16),
        reply: WriteReply,
    ) -> Step {
        let (current_stage, who) = (self.stage, self.replicas.set_of(from));
        let is_fill = self.is_fill();
        let Phase::Write(write) = &mut self.phase else {
            return Step::Wait;
        };
        if let WriteReply::Done { existed } = reply {
            let of_this_tag =
                stage.wrapping_sub(write.tag_stage) <= current_stage.wrapping_sub(write.tag_stage);
            return if of_this_tag {
                self.finish_write(cx, existed)
            } else {
                Step::Wait
            };
        }
        if stage != current_stage {
            return Step::Wait;
        }
        match reply {
            WriteReply::Done { .. } => Step::Wait,
            WriteReply::Stale { current, untouched } => {
                if !cx.observe(now, current) {
                    // It holds something from a wrong clock.
                    write.avoid = write.avoid.or(who);
                    return self.send_write(cx, timers, now, id);
                }
                if is_fill {
                    return Step::Done(Ok(Answer::NotDone));
                }
                if write.is_promised && untouched {
                    return self.begin_read(cx, timers, now, id);
                }
                if write.is_promised {
                    return self.look_again(cx, timers, now, id);
                }
                self.retag(cx, now);
                self.send_write(cx, timers, now, id)
            }
            WriteReply::Loading => {
                if cx.peers.state(from) == Some(NodeState::Serving) {
                    cx.set_state(now, from, NodeState::Warming);
                }
                self.send_write(cx, timers, now, id)
            }
            WriteReply::Undecided { current } => {
                cx.observe(now, current);
                write.undecided += 1;
                write.avoid = write.avoid.or(who);
                self.write_again(cx, timers, now, id)
            }
            WriteReply::WrongNode | WriteReply::Unreachable | WriteReply::Expired => {
                write.avoid = write.avoid.or(who);
                self.write_again(cx, timers, now, id)
            }
            WriteReply::Skew => Step::Done(Err(Failure::ClockSkew)),
            WriteReply::TooLarge => Step::Done(Err(Failure::TooLarge)),
        }
    }

    fn finish_write(&mut self, cx: &mut Context, existed: bool) -> Step {
        let Phase::Write(write) = &mut self.phase else {
            return Step::Wait;
        };
        if write.degraded && self.levels.write == Level::Auto {
            cx.statistics.degraded_writes += 1;
            if cx.statistics.degraded_writes.is_power_of_two() {
                cx.event(Event::DegradedWrites);
            }
        }
        let answer = core::mem::replace(&mut write.answer, Answer::Done);
        Step::Done(Ok(match self.task {
            Task::Delete => Answer::Count(i64::from(existed)),
            _ => answer,
        }))
    }

    /// The connection to the leader broke: it may have done it. The same tag goes to the next at once.
    pub(super) fn handle_write_lost(
        &mut self,
        cx: &mut Context,
        timers: &mut Coordinator,
        now: Now,
        id: u64,
    ) -> Step {
        self.is_repeated = true;
        if let Phase::Write(write) = &mut self.phase {
            write.undecided += 1;
            cx.statistics.failovers += 1;
        }
        self.send_write(cx, timers, now, id)
    }

    /// The leader is silent: it may be dead or slow, and may have done it. The same tag goes to the next.
    pub(super) fn handle_write_silence(
        &mut self,
        cx: &mut Context,
        timers: &mut Coordinator,
        now: Now,
        id: u64,
    ) -> Step {
        let Phase::Write(write) = &mut self.phase else {
            return Step::Wait;
        };
        write.avoid = write.avoid.or(write.asked);
        write.undecided += 1;
        cx.statistics.failovers += 1;
        self.send_write(cx, timers, now, id)
    }
}

impl WritePhase {
    /// Whoever was asked or avoided may not be a replica any more.
    pub(super) const fn forget_attempts(&mut self) {
        self.asked = ReplicaSet::EMPTY;
        self.avoid = ReplicaSet::EMPTY;
    }

    pub(super) const fn tag(&self) -> Version {
        self.entry.version
    }

    pub(super) fn answer(&self) -> Answer {
        self.answer.clone()
    }

    /// The question to the leader; counts the attempt.
    fn message(&mut self, now: Now, key: Bytes, need: Need, ends_at: Instant) -> Write {
        let first = core::mem::replace(&mut self.first, false);
        self.attempts += 1;
        let left = (ends_at - now.instant).as_millis();
        let left = u64::try_from(left).unwrap_or(u64::MAX);
        Write {
            key,
            entry: self.entry.clone(),
            need: need.current,
            next_need: need.next,
            first,
            is_fill: false,
            deadline: Timestamp::from_millis(now.wall.as_millis().saturating_add(left)),
        }
    }
}
