//! When an answer is overdue, and what may be done about it: silence that nothing explains is no reason to ask more.
//!
//! The time of an attempt begins when the kernel has the last byte of what is asked, and does not end while pieces of a
//! large answer are coming. A member whose link is silent is passed over; any other is merely slow, and is passed over
//! only as far as the [budget](super::super::budget) of repeated work goes. Nobody is taken for silent on account of one
//! late answer.

use super::super::Now;
use super::super::budget::MESSAGE_BYTES;
use super::super::context::Context;
use super::super::message::Body;
use super::super::rules::Rule;
use super::operation::{Operation, Phase};
use super::{Coordinator, Step, Timer, join_id, split_id};
use crate::ring::NodeIndex;

impl Operation {
    /// The time of an attempt is over: whether it is to be repeated, or to go on with another replica.
    pub(super) fn may_repeat(&mut self, cx: &mut Context, now: Now) -> bool {
        let (replicas, asked) = (self.replicas, self.asked());
        let is_unsent = !self.unsent.and(asked).is_empty();
        if is_unsent && cx.rules.keep(Rule::TimeCountsFromSending) {
            return false;
        }
        let asked = || replicas.members(asked);
        if self.is_queued() || asked().all(|node| !cx.peers.is_live(node)) {
            return true;
        }
        if cx.rules.keep(Rule::RetriesHaveABudget) {
            if asked().any(|node| cx.peers.is_delivering(now.instant, node)) {
                return false;
            }
            // Whoever gives signs of life is at it, most likely: one time more.
            let time = if self.asked_to_read() {
                cx.config.read_attempt
            } else {
                cx.config.write_attempt
            };
            let is_alive = asked().all(|node| cx.peers.was_heard_within(now.instant, node, time));
            if is_alive && !self.has_waited {
                self.has_waited = true;
                return false;
            }
        }
        self.has_waited = false;
        self.spend(cx)
    }

    /// Takes what a repetition costs from the budget, if there is enough.
    fn spend(&self, cx: &mut Context) -> bool {
        let may =
            !cx.rules.keep(Rule::RetriesHaveABudget) || cx.budget.spend(MESSAGE_BYTES + self.len);
        cx.statistics.retries += u64::from(may);
        may
    }

    /// Whether it only waits until others are done.
    const fn is_queued(&self) -> bool {
        matches!(&self.phase, Phase::Turn(turn) if turn.is_queued)
    }

    /// Whether what it asked for last is to be read.
    pub(super) const fn asked_to_read(&self) -> bool {
        match &self.phase {
            Phase::Read(_) | Phase::Repair(_) => true,
            Phase::Plain(plain) => plain.is_read(),
            Phase::Idle | Phase::Turn(_) | Phase::Write(_) => false,
        }
    }

    /// Asks `node`. The time of a large question begins later.
    pub(super) fn question(&mut self, cx: &mut Context, node: NodeIndex, id: u64, body: Body) {
        let who = self.replicas.set_of(node);
        let waits = cx.is_bulk(&body) && cx.me != Some(node);
        self.unsent = if waits {
            self.unsent.or(who)
        } else {
            self.unsent.without(who)
        };
        cx.send(node, join_id(id, self.stage), body);
    }

    /// An attempt came to nothing, though its member is there: repeats it at once while the budget allows, and a little
    /// later otherwise.
    pub(super) fn write_again(
        &mut self,
        cx: &mut Context,
        timers: &mut Coordinator,
        now: Now,
        id: u64,
    ) -> Step {
        self.is_repeated = true;
        if !self.spend(cx) {
            timers.pauses.start(now.instant, self.timer(id));
            return Step::Wait;
        }
        self.send_write(cx, timers, now, id)
    }
}

impl Coordinator {
    /// Waits for an attempt once more.
    pub(super) fn wait_on(&mut self, now: Now, timer: Timer, is_read: bool) -> Step {
        if is_read {
            self.read_attempts.start(now.instant, timer);
        } else {
            self.attempts.start(now.instant, timer);
        }
        Step::Wait
    }

    /// The kernel has the last byte of a large message of an operation: its time begins.
    pub(in super::super) fn handle_sent(
        &mut self,
        cx: &mut Context,
        now: Now,
        node: NodeIndex,
        id: u64,
    ) {
        if !cx.rules.keep(Rule::TimeCountsFromSending) {
            return;
        }
        let (id, stage) = split_id(id);
        self.with_stage(cx, now, (id, stage), |operation, _, timers| {
            let who = operation.replicas.set_of(node);
            operation.unsent = operation.unsent.without(who);
            let timer = operation.timer(id);
            timers.wait_on(now, timer, operation.asked_to_read())
        });
    }
}
