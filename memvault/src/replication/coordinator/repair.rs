//! Write-back: a quorum read that found the newest version on too few replicas puts it on a quorum before
//! it answers, so that no later read can see an older one (Attiya, Bar-Noy, Dolev).

use super::super::Now;
use super::super::context::Context;
use super::super::entry::{Bytes, Entry};
use super::super::message::{Body, OfferKind, OfferReply, Refusal};
use super::super::preference::ReplicaSet;
use super::super::rules::Rule;
use super::operation::{Operation, Phase};
use super::read::{Found, Votes};
use super::{Coordinator, Step};
use crate::ring::NodeIndex;

/// A write-back, as far as it has come.
pub(super) struct RepairPhase {
    best: Entry,
    holders: ReplicaSet,
    /// Who will not take it: it may have forgotten something newer.
    refused: ReplicaSet,
    /// Who was offered it and has not answered.
    pub(super) asked: ReplicaSet,
}

impl Operation {
    pub(super) fn begin_repair(
        &mut self,
        cx: &mut Context,
        timers: &mut Coordinator,
        now: Now,
        id: u64,
        best: Entry,
    ) -> Step {
        let Phase::Read(read) = &self.phase else {
            return Step::Wait;
        };
        let Votes {
            holders,
            willing,
            unwilling,
        } = read.votes_on(&self.replicas, best.version);
        cx.statistics.read_repairs += 1;
        self.stage = self.stage.wrapping_add(1);
        self.phase = Phase::Repair(RepairPhase {
            best,
            holders,
            refused: unwilling,
            asked: willing,
        });
        self.repeat_repair(cx, timers, now, id)
    }

    /// Offers the version to everyone who has not answered yet.
    pub(super) fn repeat_repair(
        &mut self,
        cx: &mut Context,
        timers: &mut Coordinator,
        now: Now,
        id: u64,
    ) -> Step {
        let Phase::Repair(repair) = &self.phase else {
            return Step::Wait;
        };
        let (replicas, asked) = (self.replicas, repair.asked);
        let best = repair.best.clone();
        for node in replicas.members(asked) {
            let offer = Body::Offer {
                key: Bytes::clone(&self.key),
                entry: best.clone(),
                kind: OfferKind::Repair,
            };
            self.question(cx, node, id, offer);
        }
        timers.read_attempts.start(now.instant, self.timer(id));
        self.evaluate_repair(cx, timers, now, id)
    }

    pub(super) fn handle_repaired(
        &mut self,
        cx: &mut Context,
        timers: &mut Coordinator,
        now: Now,
        id: u64,
        from: NodeIndex,
        reply: OfferReply,
    ) -> Step {
        let who = self.replicas.set_of(from);
        let Phase::Repair(repair) = &mut self.phase else {
            return Step::Wait;
        };
        match reply {
            OfferReply::Ack { counted } if counted || self.replicas.gains(from) => {
                repair.holders = repair.holders.or(who);
            }
            OfferReply::Nack {
                held: true,
                current,
                refusal: Refusal::Stale,
                ..
            } => {
                cx.observe(now, current);
                return self.begin_read(cx, timers, now, id);
            }
            OfferReply::Nack {
                refusal: Refusal::Promised,
                current,
                ..
            } => {
                cx.observe(now, current);
                return self.take_part(cx, timers, now, id);
            }
            OfferReply::Nack { .. } => repair.refused = repair.refused.or(who),
            OfferReply::Ack { .. } | OfferReply::Silent => {}
        }
        repair.asked = repair.asked.without(who);
        self.evaluate_repair(cx, timers, now, id)
    }

    /// Answers once a quorum holds it, or with a miss once too many refused. One that went away has not
    /// refused: then the read starts over, for whoever is there by then.
    pub(super) fn evaluate_repair(
        &mut self,
        cx: &mut Context,
        timers: &mut Coordinator,
        now: Now,
        id: u64,
    ) -> Step {
        let Phase::Repair(repair) = &mut self.phase else {
            return Step::Wait;
        };
        let replicas = &self.replicas;
        let everyone = replicas.current().or(replicas.next());
        let refused = !replicas.is_quorum(everyone.without(repair.refused));
        let is_fit = refused && !cx.rules.keep(Rule::RefusedWriteBackIsMiss);
        if replicas.is_quorum(repair.holders) || is_fit {
            let found = Found {
                entry: Some(repair.best.clone()),
                settled: true,
                ..Found::default()
            };
            return self.finish_read(cx, timers, now, id, found);
        }
        let up = replicas.filter(|node| cx.peers.is_up(node));
        repair.asked = repair.asked.and(up);
        if refused {
            return self.finish_read(cx, timers, now, id, Found::default());
        }
        if !replicas.is_quorum(repair.holders.or(repair.asked)) {
            return self.begin_read_after_pause(cx, timers, now, id);
        }
        Step::Wait
    }
}
