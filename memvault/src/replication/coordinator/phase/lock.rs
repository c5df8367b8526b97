//! Waiting for the lock of a key, to change it: the leader lets one coordinator at a time, see
//! [`key_locks`](crate::replication::member::key_locks).

use super::{Next, Transition};
use crate::replication::coordinator::join_id;
use crate::replication::coordinator::operation::{Call, Operation, Ticket};
use crate::replication::entry::Bytes;
use crate::replication::membership::preference::ReplicaSet;
use crate::replication::wire::message::{Body, LockReply};
use crate::ring::NodeIndex;

/// A request for a lock, as far as it has come.
#[derive(Default)]
pub(in crate::replication::coordinator) struct LockPhase {
    pub(super) asked: ReplicaSet,
    /// Whether the leader said that others are first: its silence is none then.
    pub(super) is_queued: bool,
}

impl LockPhase {
    /// Asks the best leader there is.
    pub(in crate::replication::coordinator) fn ask(
        &mut self,
        operation: &mut Operation,
        call: &mut Call<'_>,
    ) -> Transition {
        if let Some(failure) = operation.unavailable(call.cx) {
            return Transition::fail(failure);
        }
        let leader = operation.candidates(call.cx, call.now).first().copied();
        let asked = leader.map_or(ReplicaSet::EMPTY, |leader| {
            operation.replicas.set_of(leader)
        });
        let again = self.is_queued && self.asked == asked;
        if !again {
            operation.unlock(call.cx);
            operation.next_stage();
            *self = Self {
                asked,
                is_queued: false,
            };
        }
        let Some(leader) = leader else {
            return operation.wait_for_leader(call);
        };
        let ticket = Ticket {
            leader,
            id: join_id(call.id, operation.stage),
        };
        operation.ticket = Some(ticket);
        let key = Bytes::clone(&operation.key);
        call.cx.send(leader, ticket.id, Body::Lock { key });
        operation.wait_for_answers(call, false)
    }

    pub(in crate::replication::coordinator) fn handle(
        &mut self,
        operation: &mut Operation,
        call: &mut Call<'_>,
        from: NodeIndex,
        reply: LockReply,
    ) -> Transition {
        match reply {
            LockReply::Granted => Transition::Next(Next::Read),
            LockReply::Queued => {
                self.is_queued = true;
                Transition::Wait
            }
            LockReply::Loading => {
                operation.ticket = None;
                call.note_loading(from);
                self.ask(operation, call)
            }
        }
    }

    /// The leader is silent; in a queue that only means that others are first.
    pub(in crate::replication::coordinator) fn handle_silence(
        &mut self,
        operation: &mut Operation,
        call: &mut Call<'_>,
    ) -> Transition {
        call.cx.statistics.failovers += u64::from(!self.is_queued);
        self.ask(operation, call)
    }
}
