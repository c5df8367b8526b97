//! When an answer is overdue, and what may be done about it: silence that nothing explains is no reason to ask more.
//!
//! The time of an attempt begins when the kernel has the last byte of what is asked, and does not end while pieces of a
//! large answer are coming. A member whose link is silent is passed over; any other is merely slow, and is passed over
//! only as far as the [budget](crate::replication::budget) of repeated work goes. Nobody is taken for silent on account
//! of one late answer.

use super::operation::{Call, Operation};
use super::phase::Phase;
use crate::replication::budget::MESSAGE_BYTES;
use crate::replication::context::Context;
use crate::replication::rules::Rule;

impl Operation {
    /// The time of an attempt is over: whether it is to be repeated, or to go on with another replica.
    pub(super) fn may_repeat(&mut self, call: &mut Call<'_>, phase: &Phase) -> bool {
        let (cx, now) = (&mut *call.cx, call.now.instant);
        let (replicas, asked) = (self.replicas, phase.asked());
        let is_unsent = !self.unsent.and(asked).is_empty();
        if is_unsent && cx.rules.keep(Rule::TimeCountsFromSending) {
            return false;
        }
        let asked = || replicas.members(asked);
        if phase.is_queued() || asked().all(|node| !cx.peers.is_live(node)) {
            return true;
        }
        if cx.rules.keep(Rule::RetriesHaveABudget) {
            if asked().any(|node| cx.peers.is_delivering(now, node)) {
                return false;
            }
            // A node that gives signs of life is at it, most likely: one time more.
            let time = if phase.is_read() {
                cx.config.read_attempt
            } else {
                cx.config.write_attempt
            };
            let is_alive = asked().all(|node| cx.peers.was_heard_within(now, node, time));
            if is_alive && !self.has_waited {
                self.has_waited = true;
                return false;
            }
        }
        self.has_waited = false;
        self.spend(cx)
    }

    /// Takes what a repetition costs from the budget, if there is enough.
    pub(super) fn spend(&self, cx: &mut Context) -> bool {
        let may = self.can_afford_message(cx);
        cx.statistics.retries += u64::from(may);
        may
    }

    /// Takes what one message more costs than the operation needs, if there is enough.
    pub(super) fn can_afford_message(&self, cx: &mut Context) -> bool {
        cx.can_afford(MESSAGE_BYTES + self.len)
    }
}
