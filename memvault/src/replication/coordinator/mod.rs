//! Carries out requests: places keys, asks replicas, waits, tries the next one, combines the answers.
//!
//! A [`Request`](super::Request) is split into operations on one key each ([`operation`]); a [`job`] puts their results
//! together again. Operations write ([`mod@write`]) or read ([`read`]), or read and then write.

mod admission;
mod begin;
mod flush;
mod job;
mod lease;
mod operation;
mod patience;
mod plain;
mod read;
mod repair;
mod turn;
mod update;
mod write;

use alloc::collections::BTreeSet;

use hashbrown::HashMap;

use super::Now;
use super::context::Context;
use super::message::{OfferReply, ReadReply, TurnReply, WriteReply};
use super::plain::PlainRefusal;
use super::request::{Answer, Failure};
use super::timers::TimerQueue;
use crate::consistency::Levels;
use crate::ring::NodeIndex;
use crate::time::{Duration, Instant};
use admission::{Admission, Leave};
use flush::Flushes;
use job::Jobs;
use operation::{Operation, Task};

/// The requests that this node carries out at present.
pub(super) struct Coordinator {
    admission: Admission,
    jobs: Jobs,
    flushes: Flushes,
    operations: HashMap<u64, Operation, ahash::RandomState>,
    attempts: TimerQueue<Timer>,
    read_attempts: TimerQueue<Timer>,
    pauses: TimerQueue<Timer>,
    deadlines: TimerQueue<u64>,
    /// Of values so large that they have more time, and of those that have waited for their turn.
    other_deadlines: BTreeSet<(Instant, u64)>,
}

/// A timer of an operation. Only the one started last counts: an operation never has two at once, or each
/// would ask again and start another.
#[derive(Clone, Copy, Debug)]
struct Timer {
    operation: u64,
    round: u32,
}

/// What an input did to an operation.
enum Step {
    /// It goes on.
    Wait,
    /// It is done.
    Done(Result<Answer, Failure>),
}

/// Pause before a request that found no replica looks again.
const PAUSE: Duration = Duration::from_millis(10);
/// Low bits of a message id hold the stage of the operation.
const STAGE_BITS: u32 = 16;

impl Coordinator {
    pub(super) fn new(cx: &Context, hasher: &ahash::RandomState) -> Self {
        let config = &cx.config;
        Self {
            admission: Admission::new(config, hasher),
            jobs: Jobs::new(hasher),
            flushes: Flushes::new(config.op_deadline, hasher),
            operations: HashMap::with_hasher(hasher.clone()),
            attempts: TimerQueue::new(config.write_attempt),
            read_attempts: TimerQueue::new(config.read_attempt),
            pauses: TimerQueue::new(PAUSE),
            deadlines: TimerQueue::new(config.op_deadline),
            other_deadlines: BTreeSet::new(),
        }
    }

    /// Operations in flight.
    pub(super) fn in_flight(&self) -> usize {
        self.operations.len()
    }

    /// Timers and requests that have not ended.
    pub(super) fn unfinished(&self) -> usize {
        let waiting = self.admission.unfinished() + self.other_deadlines.len();
        let timers = self.attempts.len() + self.read_attempts.len() + self.pauses.len();
        let work = self.jobs.len() + self.flushes.len() + self.operations.len();
        waiting + timers + work + self.deadlines.len()
    }

    /// Runs `input` on an operation that is still there.
    fn with(
        &mut self,
        cx: &mut Context,
        now: Now,
        id: u64,
        input: impl FnOnce(&mut Operation, &mut Context, &mut Self) -> Step,
    ) {
        if let Some(mut operation) = self.operations.remove(&id) {
            let step = input(&mut operation, cx, self);
            self.keep(cx, now.instant, id, operation, step);
        }
    }

    /// Runs `input` on an operation that is still there and still at `stage`.
    fn with_stage(
        &mut self,
        cx: &mut Context,
        now: Now,
        (id, stage): (u64, u16),
        input: impl FnOnce(&mut Operation, &mut Context, &mut Self) -> Step,
    ) {
        self.with(cx, now, id, |operation, cx, timers| {
            if operation.stage == stage {
                input(operation, cx, timers)
            } else {
                Step::Wait
            }
        });
    }

    /// Runs `input` on the operation whose timer went off, if it has not started another since.
    fn with_timer(
        &mut self,
        cx: &mut Context,
        now: Now,
        timer: Timer,
        input: impl FnOnce(&mut Operation, &mut Context, &mut Self) -> Step,
    ) {
        self.with(cx, now, timer.operation, |operation, cx, timers| {
            if operation.round == timer.round {
                input(operation, cx, timers)
            } else {
                Step::Wait
            }
        });
    }

    pub(super) fn handle_wrote(
        &mut self,
        cx: &mut Context,
        now: Now,
        from: NodeIndex,
        id: u64,
        reply: WriteReply,
    ) {
        let (id, stage) = split_id(id);
        self.with(cx, now, id, |operation, cx, timers| {
            operation.handle_wrote(cx, timers, now, id, (from, stage), reply)
        });
    }

    pub(super) fn handle_turned(
        &mut self,
        cx: &mut Context,
        now: Now,
        from: NodeIndex,
        id: u64,
        reply: TurnReply,
    ) {
        let (id, stage) = split_id(id);
        self.with_stage(cx, now, (id, stage), |operation, cx, timers| {
            operation.handle_turned(cx, timers, now, id, from, reply)
        });
    }

    pub(super) fn handle_held(
        &mut self,
        cx: &mut Context,
        now: Now,
        from: NodeIndex,
        id: u64,
        reply: ReadReply,
    ) {
        let (id, stage) = split_id(id);
        self.with_stage(cx, now, (id, stage), |operation, cx, timers| {
            operation.handle_held(cx, timers, now, id, from, reply)
        });
    }

    pub(super) fn handle_offered(
        &mut self,
        cx: &mut Context,
        now: Now,
        from: NodeIndex,
        id: u64,
        reply: OfferReply,
    ) {
        let (id, stage) = split_id(id);
        self.with_stage(cx, now, (id, stage), |operation, cx, timers| {
            operation.handle_repaired(cx, timers, now, id, from, reply)
        });
    }

    /// A node that speaks plain Redis answered a command.
    pub(super) fn handle_answered(
        &mut self,
        cx: &mut Context,
        now: Now,
        from: NodeIndex,
        id: u64,
        result: Result<Answer, PlainRefusal>,
    ) {
        if !is_operation(id) {
            return self.flushes.handle_answered(cx, from, id, result);
        }
        let (id, stage) = split_id(id);
        self.with_stage(cx, now, (id, stage), |operation, cx, timers| {
            operation.handle_answered(cx, timers, now, id, (from, result))
        });
    }

    pub(super) fn handle_flushed(&mut self, cx: &mut Context, from: NodeIndex, id: u64) {
        self.flushes.handle_flushed(cx, from, id);
    }

    pub(super) fn handle_counted(&mut self, cx: &mut Context, from: NodeIndex, id: u64, keys: u64) {
        self.flushes.handle_counted(cx, from, id, keys);
    }

    /// This node was late by this much: whoever was asked may have answered in time. Deadlines stay, as callers wait.
    pub(super) fn postpone(&mut self, lateness: Duration) {
        for timers in [&mut self.attempts, &mut self.read_attempts] {
            timers.postpone(lateness);
        }
    }

    /// A member cannot be reached any more: whoever waits for it goes on with the next replica at once.
    pub(super) fn handle_lost(&mut self, cx: &mut Context, now: Now, node: NodeIndex) {
        self.flushes.handle_lost(cx, node);
        let mut waiting: alloc::vec::Vec<u64> = self
            .operations
            .iter()
            .filter(|(_, operation)| operation.waits_for(node))
            .map(|(id, _)| *id)
            .collect();
        waiting.sort_unstable();
        for id in waiting {
            self.with(cx, now, id, |operation, cx, timers| {
                operation.handle_lost(cx, timers, now, id)
            });
        }
    }

    /// The members have changed: whatever is under way goes on under the new document.
    pub(super) fn handle_change(&mut self, cx: &mut Context, now: Now) {
        self.flushes.handle_change(cx);
        self.rearrange(cx, now);
        let mut ids: alloc::vec::Vec<u64> = self.operations.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            self.with(cx, now, id, |operation, cx, timers| {
                operation.handle_change(cx, timers, now, id)
            });
        }
    }

    pub(super) fn handle_timeout(&mut self, cx: &mut Context, now: Now) {
        self.flushes.handle_timeout(cx, now);
        while let Some(id) = self.deadlines.pop_due(now.instant) {
            self.with(cx, now, id, |operation, cx, _| {
                operation.handle_deadline(cx)
            });
        }
        while let Some(&(ends_at, id)) = self.other_deadlines.first()
            && ends_at <= now.instant
        {
            self.other_deadlines.pop_first();
            self.with(cx, now, id, |operation, cx, _| {
                operation.handle_deadline(cx)
            });
        }
        while let Some(timer) = self.attempts.pop_due(now.instant) {
            let id = timer.operation;
            self.with_timer(cx, now, timer, |operation, cx, timers| {
                operation.handle_silence(cx, timers, now, id)
            });
        }
        while let Some(timer) = self.read_attempts.pop_due(now.instant) {
            let id = timer.operation;
            self.with_timer(cx, now, timer, |operation, cx, timers| {
                operation.handle_silence(cx, timers, now, id)
            });
        }
        while let Some(timer) = self.pauses.pop_due(now.instant) {
            let id = timer.operation;
            self.with_timer(cx, now, timer, |operation, cx, timers| {
                operation.resume(cx, timers, now, id)
            });
        }
        self.drop_stale_timers();
    }

    /// Ends everything as if its time were over.
    pub(super) fn give_up(&mut self, cx: &mut Context, now: Now) {
        let mut ids: alloc::vec::Vec<u64> = self.operations.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            self.with(cx, now, id, |operation, cx, _| {
                operation.handle_deadline(cx)
            });
        }
    }

    fn drop_stale_timers(&mut self) {
        let operations = &self.operations;
        let matters = |timer: &Timer| {
            let operation = operations.get(&timer.operation);
            operation.is_some_and(|operation| operation.round == timer.round)
        };
        self.attempts.drop_stale(matters);
        self.read_attempts.drop_stale(matters);
        self.pauses.drop_stale(matters);
        self.deadlines.drop_stale(|id| operations.contains_key(id));
    }

    /// Whether more can begin than one slice: it is to go on at once, when others have had their turn.
    pub(super) fn can_go_on(&self) -> bool {
        self.admission.can_go_on()
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        let other = self.other_deadlines.first();
        [
            other.map(|(ends_at, _)| *ends_at),
            self.flushes.next_timeout(),
            self.deadlines.next(),
            self.attempts.next(),
            self.read_attempts.next(),
            self.pauses.next(),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}

/// Marks the ids of operations, so that they never coincide with those of a leader.
const OPERATION: u64 = 1 << 63;

/// The id of a message about `operation` at `stage`.
const fn join_id(operation: u64, stage: u16) -> u64 {
    OPERATION | operation << STAGE_BITS | stage as u64
}

const fn split_id(id: u64) -> (u64, u16) {
    ((id & !OPERATION) >> STAGE_BITS, (id & 0xffff) as u16)
}

/// Whether an answer with this id belongs to a coordinator's operation.
pub(super) const fn is_operation(id: u64) -> bool {
    id & OPERATION != 0
}
