//! Waiting for the turn to change a key: the leader lets one coordinator at a time, see
//! [`turns`](super::super::turns).

use super::super::Now;
use super::super::context::Context;
use super::super::entry::Bytes;
use super::super::message::{Body, NodeState, TurnReply};
use super::super::preference::ReplicaSet;
use super::operation::{Operation, Phase};
use super::{Coordinator, Step, join_id};
use crate::ring::NodeIndex;

/// A request for a turn, as far as it has come.
pub(super) struct TurnPhase {
    pub(super) asked: ReplicaSet,
    /// Whether the leader said that others are first: its silence is none then.
    pub(super) is_queued: bool,
}

/// A turn, had or asked for: to be given back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    leader: NodeIndex,
    id: u64,
}

impl Operation {
    /// Asks the best leader there is.
    pub(super) fn ask_for_turn(
        &mut self,
        cx: &mut Context,
        timers: &mut Coordinator,
        now: Now,
        id: u64,
    ) -> Step {
        if self.is_hopeless(cx) {
            return Step::Done(Err(cx.unavailable(&self.replicas)));
        }
        let leader = self.candidates(cx, now).first().copied();
        let asked = leader.map_or(ReplicaSet::EMPTY, |leader| self.replicas.set_of(leader));
        let again = match &self.phase {
            Phase::Turn(turn) => turn.is_queued && turn.asked == asked,
            _ => false,
        };
        if !again {
            self.give_turn_back(cx);
            self.stage = self.stage.wrapping_add(1);
            self.phase = Phase::Turn(TurnPhase {
                asked,
                is_queued: false,
            });
        }
        let Some(leader) = leader else {
            return self.wait_for_leader(cx, timers, now, id);
        };
        let ticket = Ticket {
            leader,
            id: join_id(id, self.stage),
        };
        self.ticket = Some(ticket);
        let key = Bytes::clone(&self.key);
        cx.send(leader, ticket.id, Body::Turn { key });
        timers.attempts.start(now.instant, self.timer(id));
        Step::Wait
    }

    pub(super) fn handle_turned(
        &mut self,
        cx: &mut Context,
        timers: &mut Coordinator,
        now: Now,
        id: u64,
        from: NodeIndex,
        reply: TurnReply,
    ) -> Step {
        let Phase::Turn(turn) = &mut self.phase else {
            return Step::Wait;
        };
        match reply {
            TurnReply::Granted => self.begin_read(cx, timers, now, id),
            TurnReply::Queued => {
                turn.is_queued = true;
                Step::Wait
            }
            TurnReply::Loading => {
                self.ticket = None;
                if cx.peers.state(from) == Some(NodeState::Serving) {
                    cx.set_state(now, from, NodeState::Warming);
                }
                self.ask_for_turn(cx, timers, now, id)
            }
        }
    }

    /// The leader is silent; in a queue that only means that others are first.
    pub(super) fn handle_turn_silence(
        &mut self,
        cx: &mut Context,
        timers: &mut Coordinator,
        now: Now,
        id: u64,
    ) -> Step {
        if let Phase::Turn(turn) = &self.phase
            && !turn.is_queued
        {
            cx.statistics.failovers += 1;
        }
        self.ask_for_turn(cx, timers, now, id)
    }

    /// Lets the next one have its turn.
    pub(super) fn give_turn_back(&mut self, cx: &mut Context) {
        if let Some(Ticket { leader, id }) = self.ticket.take() {
            let key = Bytes::clone(&self.key);
            cx.send(leader, id, Body::Yield { key });
        }
    }
}
