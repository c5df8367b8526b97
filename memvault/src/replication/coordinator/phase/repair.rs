//! Write-back: a quorum read that found the newest version on too few replicas puts it on a quorum before
//! it answers, so that no later read can see an older one (Attiya, Bar-Noy, Dolev).

use super::found::{Found, Votes};
use super::{Next, Transition};
use crate::replication::context::Context;
use crate::replication::coordinator::operation::{Call, Operation};
use crate::replication::entry::{Bytes, Entry};
use crate::replication::membership::preference::ReplicaSet;
use crate::replication::rules::Rule;
use crate::replication::wire::message::{Body, OfferKind, OfferReply, Refusal};
use crate::ring::NodeIndex;

/// A write-back, as far as it has come.
pub(in crate::replication::coordinator) struct RepairPhase {
    best: Entry,
    holders: ReplicaSet,
    /// Who will not take it: it may have forgotten something newer.
    refused: ReplicaSet,
    /// Who was offered it and has not answered.
    pub(super) asked: ReplicaSet,
}

impl RepairPhase {
    /// Brings `best` to those who are willing to take it.
    pub(super) fn new(cx: &mut Context, best: Entry, votes: Votes) -> Self {
        debug_assert!(
            !votes.holders.is_empty(),
            "somebody holds what is written back"
        );
        debug_assert!(
            votes.holders.and(votes.willing).is_empty(),
            "who holds it need not be asked"
        );
        cx.statistics.read_repairs += 1;
        Self {
            best,
            holders: votes.holders,
            refused: votes.unwilling,
            asked: votes.willing,
        }
    }

    /// Offers the version to everyone who has not answered yet.
    pub(in crate::replication::coordinator) fn ask(
        &mut self,
        operation: &mut Operation,
        call: &mut Call<'_>,
    ) -> Transition {
        let replicas = operation.replicas;
        for node in replicas.members(self.asked) {
            let offer = Body::Offer {
                key: Bytes::clone(&operation.key),
                entry: self.best.clone(),
                kind: OfferKind::Repair,
            };
            operation.question(call, node, offer);
        }
        operation.wait_for_answers(call, true);
        self.evaluate(operation, call)
    }

    pub(in crate::replication::coordinator) fn handle(
        &mut self,
        operation: &mut Operation,
        call: &mut Call<'_>,
        from: NodeIndex,
        reply: OfferReply,
    ) -> Transition {
        let who = operation.replicas.set_of(from);
        match reply {
            OfferReply::Ack { counted } if counted || operation.replicas.is_pending(from) => {
                self.holders = self.holders.or(who);
            }
            OfferReply::Nack {
                held: true,
                current,
                refusal: Refusal::Stale,
                ..
            } => {
                call.cx.observe(call.now, current);
                return Transition::Next(Next::Read);
            }
            OfferReply::Nack {
                refusal: Refusal::Promised,
                current,
                ..
            } => {
                call.cx.observe(call.now, current);
                return operation.take_part();
            }
            OfferReply::Nack { .. } => self.refused = self.refused.or(who),
            OfferReply::Ack { .. } | OfferReply::Silent => {}
        }
        self.asked = self.asked.without(who);
        self.evaluate(operation, call)
    }

    /// Answers once a quorum holds it, or with a miss once too many refused. One that went away has not
    /// refused: then the read starts over, with the members that are there by then.
    pub(in crate::replication::coordinator) fn evaluate(
        &mut self,
        operation: &Operation,
        call: &Call<'_>,
    ) -> Transition {
        let replicas = &operation.replicas;
        let everyone = replicas.current().or(replicas.next());
        let refused = !replicas.is_quorum(everyone.without(self.refused));
        let is_fit = refused && !call.cx.rules.keep(Rule::RefusedWriteBackIsMiss);
        if replicas.is_quorum(self.holders) || is_fit {
            let found = Found {
                entry: Some(self.best.clone()),
                is_on_quorum: true,
                ..Found::default()
            };
            return Transition::Next(Next::Found(found));
        }
        let up = replicas.filter(|node| call.cx.peers.is_up(node));
        self.asked = self.asked.and(up);
        if refused {
            return Transition::Next(Next::Found(Found::default()));
        }
        if !replicas.is_quorum(self.holders.or(self.asked)) {
            return Transition::Next(Next::ReadAfterPause);
        }
        Transition::Wait
    }
}
