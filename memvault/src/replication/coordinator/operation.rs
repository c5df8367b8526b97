//! One request on one key: what it is about, and what all its phases share.

use alloc::vec::Vec;

use super::admission::{Leave, Pending};
use super::attempts::Attempts;
use super::phase::{Change, Transition};
use super::task::{AsksFor, Task};
use super::timers::{Timer, Timers};
use super::{Levels, join_id};
use crate::replication::Now;
use crate::replication::context::Context;
use crate::replication::entry::Bytes;
use crate::replication::membership::preference::{Preference, ReplicaSet};
use crate::replication::request::{Answer, Failure};
use crate::replication::rules::Rule;
use crate::replication::wire::message::{Body, NodeState};
use crate::ring::NodeIndex;
use crate::time::Instant;

/// What one input has at hand: the common ground of the node, the timers, the time, and the number of the operation.
pub(super) struct Call<'a> {
    pub(super) cx: &'a mut Context,
    pub(super) timers: &'a mut Timers,
    pub(super) now: Now,
    pub(super) id: u64,
}

impl Call<'_> {
    /// A member that was taken for serving said that it warms up.
    pub(super) fn note_loading(&mut self, from: NodeIndex) {
        if self.cx.peers.state(from) == Some(NodeState::Serving) {
            self.cx.set_state(self.now, from, NodeState::Warming);
        }
    }
}

/// A lock, had or asked for: to be given back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    pub(super) leader: NodeIndex,
    pub(super) id: u64,
}

/// One request on one key.
pub(super) struct Operation {
    pub(super) request: u64,
    pub(super) slot: u32,
    /// Leave to be under way.
    pub(super) leave: Leave,
    /// Bytes of its key and of the value that it brings along.
    pub(super) len: usize,
    /// To whom the kernel has yet to take the whole of what is asked now: their time has not begun.
    pub(super) unsent: ReplicaSet,
    /// Whether the present attempt was given its time twice.
    pub(super) has_waited: bool,
    /// Whether it had to be repeated, or to go on with another replica.
    pub(super) is_repeated: bool,
    pub(super) key: Bytes,
    pub(super) replicas: Preference,
    pub(super) task: Task,
    pub(super) levels: Levels,
    /// Nobody waits for the answer any more after this.
    pub(super) ends_at: Instant,
    /// Distinguishes answers to what is asked now from answers to what was asked before.
    pub(super) stage: u16,
    /// Distinguishes the timer that counts from earlier ones.
    pub(super) round: u32,
    /// The lock it has or has asked for.
    pub(super) ticket: Option<Ticket>,
    /// What it asks for when it reads.
    pub(super) asks_for: AsksFor,
    /// The writes of it whose fate is not known.
    pub(super) attempts: Attempts,
}

impl Operation {
    pub(super) fn new(
        pending: Pending,
        leave: Leave,
        replicas: Preference,
        ends_at: Instant,
    ) -> Self {
        let len = pending.bytes();
        let Pending {
            request,
            slot,
            key,
            task,
            levels,
            ..
        } = pending;
        let asks_for = match task {
            Task::Update(_) => AsksFor::Promises,
            Task::Lease => AsksFor::Leases,
            _ => AsksFor::Nothing,
        };
        Self {
            request,
            slot,
            leave,
            len,
            unsent: ReplicaSet::EMPTY,
            has_waited: false,
            is_repeated: false,
            key,
            replicas,
            task,
            levels,
            ends_at,
            stage: 0,
            round: 0,
            ticket: None,
            asks_for,
            attempts: Attempts::default(),
        }
    }

    /// From now on answers to what was asked before are told from those to what is asked now.
    pub(super) const fn next_stage(&mut self) {
        self.stage = self.stage.wrapping_add(1);
    }

    /// A timer for this operation; it replaces the one that was running.
    const fn timer(&mut self, id: u64) -> Timer {
        self.round = self.round.wrapping_add(1);
        Timer {
            operation: id,
            round: self.round,
        }
    }

    /// The time of an attempt begins: to read, or to change something.
    pub(super) fn wait_for_answers(&mut self, call: &mut Call<'_>, is_read: bool) -> Transition {
        let timer = self.timer(call.id);
        call.timers.start_attempt(call.now.instant, timer, is_read);
        Transition::Wait
    }

    /// Goes on a little later.
    pub(super) fn pause(&mut self, call: &mut Call<'_>) -> Transition {
        let timer = self.timer(call.id);
        call.timers.start_pause(call.now.instant, timer);
        Transition::Wait
    }

    /// No replica can lead now, or those that can were of no help: asks the others whether they can, and tries again
    /// in a moment.
    pub(super) fn wait_for_leader(&mut self, call: &mut Call<'_>) -> Transition {
        for node in self.replicas.leaders() {
            call.cx.ask_state(call.now, *node);
        }
        self.pause(call)
    }

    /// Asks `node`. The time of a large question begins later.
    pub(super) fn question(&mut self, call: &mut Call<'_>, node: NodeIndex, body: Body) {
        let who = self.replicas.set_of(node);
        let waits = call.cx.is_bulk(&body) && call.cx.me != Some(node);
        self.unsent = if waits {
            self.unsent.or(who)
        } else {
            self.unsent.without(who)
        };
        call.cx.send(node, join_id(call.id, self.stage), body);
    }

    /// Gives the lock of the key back, if it has asked for it.
    pub(super) fn unlock(&mut self, cx: &mut Context) {
        if let Some(Ticket { leader, id }) = self.ticket.take() {
            let key = Bytes::clone(&self.key);
            cx.send(leader, id, Body::Unlock { key });
        }
    }

    /// The write that carries the task out, if it needs to know nothing of what is there.
    pub(super) fn plain_write(&self, cx: &Context) -> Option<Change> {
        let (value, expire_at, promised) = match &self.task {
            Task::Fill {
                value,
                expire_at,
                lease,
            } => {
                let keeps = cx.rules.keep(Rule::FillsKeepTheirVersion);
                (Some(value), *expire_at, keeps.then_some(lease.version))
            }
            Task::Set { value, expire_at } => (Some(value), *expire_at, None),
            Task::Delete => (None, None, None),
            Task::Get | Task::Exists | Task::Expiry | Task::Lease | Task::Update(_) => return None,
        };
        let answer = match value {
            Some(_) => Answer::Done,
            None => Answer::Count(1),
        };
        Some(Change {
            value: value.cloned(),
            expire_at,
            promised,
            is_effect: true,
            answer,
        })
    }

    /// The replicas that can be chosen as leader, best first: those that may lead, then those that are
    /// merely silent or damped.
    pub(super) fn candidates(&self, cx: &Context, now: Now) -> Vec<NodeIndex> {
        let peers = &cx.peers;
        let serving = |node: &NodeIndex| {
            peers.is_up(*node)
                && !peers.clock_differs(*node)
                && peers.state(*node) == Some(NodeState::Serving)
        };
        let (mut best, mut rest) = (Vec::new(), Vec::new());
        for node in self.replicas.leaders().iter().filter(|node| serving(node)) {
            let list = if peers.may_lead(now.instant, *node) {
                &mut best
            } else {
                &mut rest
            };
            list.push(*node);
        }
        rest.sort_by_key(|node| peers.is_suspect(*node));
        best.append(&mut rest);
        best
    }

    /// Why nothing can be asked: every replica is known to be out of reach.
    pub(super) fn unavailable(&self, cx: &Context) -> Option<Failure> {
        let mut replicas = self.replicas.leaders().iter();
        let is_hopeless = replicas.all(|node| cx.peers.is_down(*node));
        is_hopeless.then(|| cx.unavailable(&self.replicas))
    }
}
