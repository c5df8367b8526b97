//! Carries out requests: places keys, asks replicas, waits, tries the next one, combines the answers.
//!
//! A [`Request`](super::Request) is split into [operations](operation) on one key each; a [`job`] puts their results
//! together again. An [`execution`] takes an operation from [`phase`] to phase: it reads, or writes, or reads and then
//! writes.

mod admission;
mod attempts;
mod begin;
mod execution;
mod flush;
mod job;
mod lease;
mod operation;
mod patience;
mod phase;
mod resolve;
mod task;
mod timers;
mod update;
mod verdict;

use alloc::vec::Vec;

use hashbrown::HashMap;

use super::Now;
use super::context::Context;
use super::plain::PlainRefusal;
use super::request::Answer;
use super::rules::Rule;
use crate::consistency::Levels;
use crate::ring::NodeIndex;
use crate::time::{Duration, Instant};
use admission::{Admission, Leave};
pub(super) use execution::Reply;
use execution::{Ended, Execution};
use flush::Flushes;
use job::Jobs;
use operation::Call;
use task::Task;
use timers::Timers;

/// The requests that this node carries out at present.
pub(super) struct Coordinator {
    admission: Admission,
    jobs: Jobs,
    flushes: Flushes,
    executions: HashMap<u64, Execution, ahash::RandomState>,
    timers: Timers,
}

/// Low bits of a message id hold the stage of the operation.
const STAGE_BITS: u32 = 16;

impl Coordinator {
    pub(super) fn new(cx: &Context, hasher: &ahash::RandomState) -> Self {
        let config = &cx.config;
        Self {
            admission: Admission::new(config, hasher),
            jobs: Jobs::new(hasher),
            flushes: Flushes::new(config.op_deadline, hasher),
            executions: HashMap::with_hasher(hasher.clone()),
            timers: Timers::new(config),
        }
    }

    /// Operations in flight.
    pub(super) fn in_flight(&self) -> usize {
        self.executions.len()
    }

    /// Timers and requests that have not ended.
    pub(super) fn unfinished(&self) -> usize {
        let work = self.jobs.len() + self.flushes.len() + self.executions.len();
        self.admission.unfinished() + self.timers.len() + work
    }

    /// Runs `input` on an operation that is still there.
    fn with(
        &mut self,
        cx: &mut Context,
        now: Now,
        id: u64,
        input: impl FnOnce(&mut Execution, &mut Call<'_>) -> Ended,
    ) {
        if let Some(mut execution) = self.executions.remove(&id) {
            let timers = &mut self.timers;
            let mut call = Call {
                cx,
                timers,
                now,
                id,
            };
            let ended = input(&mut execution, &mut call);
            self.keep(cx, now.instant, id, execution, ended);
        }
    }

    /// A replica answered an operation.
    pub(super) fn handle(
        &mut self,
        cx: &mut Context,
        now: Now,
        (from, id): (NodeIndex, u64),
        reply: Reply,
    ) {
        let (id, stage) = split_id(id);
        self.with(cx, now, id, |execution, call| {
            execution.handle(call, (from, stage), reply)
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
        if is_operation(id) {
            self.handle(cx, now, (from, id), Reply::Plain(result));
        } else {
            self.flushes.handle_answered(cx, from, id, result);
        }
    }

    pub(super) fn handle_flushed(&mut self, cx: &mut Context, from: NodeIndex, id: u64) {
        self.flushes.handle_flushed(cx, from, id);
    }

    pub(super) fn handle_counted(&mut self, cx: &mut Context, from: NodeIndex, id: u64, keys: u64) {
        self.flushes.handle_counted(cx, from, id, keys);
    }

    /// The kernel has the last byte of a large message of an operation: its time begins.
    pub(super) fn handle_sent(&mut self, cx: &mut Context, now: Now, node: NodeIndex, id: u64) {
        if !cx.rules.keep(Rule::TimeCountsFromSending) {
            return;
        }
        let (id, stage) = split_id(id);
        self.with(cx, now, id, |execution, call| {
            execution.handle_sent(call, (node, stage));
            None
        });
    }

    /// This node was late by this much: those asked may have answered in time. Deadlines stay, as callers wait.
    pub(super) fn postpone(&mut self, lateness: Duration) {
        self.timers.postpone(lateness);
    }

    /// A member cannot be reached any more: operations that wait for it go on with the next replica at once.
    pub(super) fn handle_lost(&mut self, cx: &mut Context, now: Now, node: NodeIndex) {
        self.flushes.handle_lost(cx, node);
        for id in self.ids_of(|execution| execution.waits_for(node)) {
            self.with(cx, now, id, Execution::handle_lost);
        }
    }

    /// The members have changed: whatever is under way goes on under the new membership.
    pub(super) fn handle_change(&mut self, cx: &mut Context, now: Now) {
        self.flushes.handle_change(cx);
        self.rearrange(cx, now);
        for id in self.ids_of(|_| true) {
            self.with(cx, now, id, Execution::handle_change);
        }
    }

    /// The operations for which `is_meant` holds, in the order in which they began.
    fn ids_of(&self, is_meant: impl Fn(&Execution) -> bool) -> Vec<u64> {
        let meant = self.executions.iter().filter(|(_, it)| is_meant(it));
        let mut ids: Vec<u64> = meant.map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids
    }

    pub(super) fn handle_timeout(&mut self, cx: &mut Context, now: Now) {
        self.flushes.handle_timeout(cx, now);
        while let Some(id) = self.timers.pop_deadline(now.instant) {
            self.end(cx, now, id);
        }
        while let Some((timer, wake)) = self.timers.pop_due(now.instant) {
            self.with(cx, now, timer.operation, |execution, call| {
                // It may have started another since.
                let counts = execution.operation.round == timer.round;
                counts.then(|| execution.wake(call, wake)).flatten()
            });
        }
        let executions = &self.executions;
        self.timers
            .drop_stale(|id| executions.get(&id).map(|it| it.operation.round));
    }

    /// Ends everything as if its time were over.
    pub(super) fn give_up(&mut self, cx: &mut Context, now: Now) {
        for id in self.ids_of(|_| true) {
            self.end(cx, now, id);
        }
    }

    /// Ends an operation whose time is over.
    fn end(&mut self, cx: &mut Context, now: Now, id: u64) {
        self.with(cx, now, id, |execution, call| {
            Some(execution.handle_deadline(call.cx))
        });
    }

    /// Whether more can begin than one slice: it is to go on at once, when others have had their turn.
    pub(super) fn can_go_on(&self) -> bool {
        self.admission.can_go_on()
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        let (flushes, timers) = (self.flushes.next_timeout(), self.timers.next_timeout());
        flushes.into_iter().chain(timers).min()
    }
}

/// Marks the ids of operations, so that they never coincide with those of a leader.
const OPERATION: u64 = 1 << 63;

/// The id of a message about `operation` at `stage`.
const fn join_id(operation: u64, stage: u16) -> u64 {
    debug_assert!(
        operation < OPERATION >> STAGE_BITS,
        "2^47 operations are more than a process sees"
    );
    OPERATION | operation << STAGE_BITS | stage as u64
}

const fn split_id(id: u64) -> (u64, u16) {
    ((id & !OPERATION) >> STAGE_BITS, (id & 0xffff) as u16)
}

/// Whether an answer with this id belongs to a coordinator's operation.
pub(super) const fn is_operation(id: u64) -> bool {
    id & OPERATION != 0
}
