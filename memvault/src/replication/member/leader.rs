//! The leader's part of a write: offer it to itself, then to the followers, and count.

use hashbrown::HashMap;

use super::replica::Replica;
use crate::replication::Now;
use crate::replication::action::Link;
use crate::replication::budget::MESSAGE_BYTES;
use crate::replication::context::Context;
use crate::replication::entry::{Bytes, Entry};
use crate::replication::membership::preference::{Preference, ReplicaSet};
use crate::replication::rules::Rule;
use crate::replication::timers::TimerQueue;
use crate::replication::wire::message::{
    Body, NodeState, OfferKind, OfferReply, Refusal, Write, WriteReply,
};
use crate::ring::NodeIndex;
use crate::time::{Duration, Instant, Timestamp};
use crate::version::{Hlc, Version};

/// Writes that this node leads at present.
pub(in crate::replication) struct Leader {
    pending: HashMap<u64, Pending, ahash::RandomState>,
    by_version: HashMap<Version, u64, ahash::RandomState>,
    resend: TimerQueue<u64>,
    expire: TimerQueue<u64>,
}

/// One write under way.
struct Pending {
    reply_to: Option<(Link, u64)>,
    write: Write,
    replicas: Preference,
    /// Offered as a write or a fill, or only asked about because this node refused it itself.
    kind: OfferKind,
    /// Who has it, and whose word counts.
    acks: ReplicaSet,
    counted_acks: ReplicaSet,
    nacks: ReplicaSet,
    /// Who was offered it.
    offered: ReplicaSet,
    /// To whom the kernel has yet to take the whole of the offer.
    unsent: ReplicaSet,
    current: Version,
    existed: bool,
}

/// Pause before a silent follower gets the same offer again.
const RESEND_AFTER: Duration = Duration::from_millis(50);

impl Leader {
    pub(in crate::replication) fn new(op_deadline: Duration, hasher: &ahash::RandomState) -> Self {
        Self {
            pending: HashMap::with_hasher(hasher.clone()),
            by_version: HashMap::with_hasher(hasher.clone()),
            resend: TimerQueue::new(RESEND_AFTER),
            expire: TimerQueue::new(op_deadline),
        }
    }

    /// Begins a write, or joins the one already under way with the same version.
    pub(in crate::replication) fn handle_write(
        &mut self,
        cx: &mut Context,
        replica: &mut Replica,
        now: Now,
        from: (Link, u64),
        write: Write,
    ) {
        let replicas = cx.preference(&write.key);
        if let Some(reply) = Self::refusal(cx, replica, now, &replicas, &write) {
            return cx.answer(from.0, from.1, Body::Wrote(reply));
        }
        if let Some(&id) = self.by_version.get(&write.entry.version) {
            debug_assert!(self.pending.contains_key(&id), "each write by its version");
            if let Some(pending) = self.pending.get_mut(&id) {
                if pending.write.key != write.key {
                    // Two processes drew the same number at their start, once in some billions: the second takes
                    // another version.
                    let current = write.entry.version;
                    let stale = WriteReply::Stale {
                        current,
                        untouched: true,
                    };
                    return cx.answer(from.0, from.1, Body::Wrote(stale));
                }
                pending.reply_to = Some(from);
                pending.write.need = write.need;
                pending.write.next_need = write.next_need;
            }
            return self.conclude(cx, id);
        }
        let Some(mut pending) = Self::begin(cx, replica, now, from, write, replicas) else {
            return;
        };
        let id = cx.fresh_id();
        self.by_version.insert(pending.write.entry.version, id);
        pending.offer_to_others(cx, id);
        self.pending.insert(id, pending);
        self.resend.start(now.instant, id);
        self.expire.start(now.instant, id);
        debug_assert_eq!(
            self.pending.len(),
            self.by_version.len(),
            "each write by its version"
        );
        self.conclude(cx, id);
    }

    /// What speaks against leading this write at all.
    fn refusal(
        cx: &mut Context,
        replica: &Replica,
        now: Now,
        replicas: &Preference,
        write: &Write,
    ) -> Option<WriteReply> {
        if replica.state != NodeState::Serving || cx.peers.is_own_clock_wrong() {
            return Some(WriteReply::Loading);
        }
        if !cx.me.is_some_and(|me| replicas.leaders().contains(&me)) {
            return Some(WriteReply::WrongNode);
        }
        let latest = write.deadline.as_millis().saturating_add(Hlc::MAX_SKEW_MS);
        if now.wall > Timestamp::from_millis(latest) {
            return Some(WriteReply::Expired);
        }
        (!cx.observe(now, write.entry.version)).then_some(WriteReply::Skew)
    }

    /// Offers the write to this node itself; answers at once where that already decides it.
    fn begin(
        cx: &mut Context,
        replica: &mut Replica,
        now: Now,
        from: (Link, u64),
        write: Write,
        replicas: Preference,
    ) -> Option<Pending> {
        let me = replicas.set_of(cx.me?);
        debug_assert!(!me.is_empty(), "only a replica leads");
        debug_assert_eq!(
            replica.state,
            NodeState::Serving,
            "only one that serves leads"
        );
        let existed = replica.existed_before(now, &write.key, &write.entry);
        let kind = if write.is_fill {
            OfferKind::Fill
        } else {
            OfferKind::Write
        };
        let reply = replica.offer(now, &write.key, &write.entry, kind);
        let mut pending = Pending {
            reply_to: Some(from),
            write,
            replicas,
            kind,
            acks: ReplicaSet::EMPTY,
            counted_acks: ReplicaSet::EMPTY,
            nacks: ReplicaSet::EMPTY,
            offered: ReplicaSet::EMPTY,
            unsent: ReplicaSet::EMPTY,
            current: Version::ZERO,
            existed,
        };
        match reply {
            OfferReply::Ack { .. } => {
                pending.acks = me;
                pending.counted_acks = me;
            }
            OfferReply::Nack {
                refusal: Refusal::TooLarge,
                ..
            } => {
                cx.answer(from.0, from.1, Body::Wrote(WriteReply::TooLarge));
                return None;
            }
            OfferReply::Nack { current, .. }
                if pending.write.first || !cx.rules.keep(Rule::RefusedRetriesAreAskedAbout) =>
            {
                let untouched = true;
                let stale = WriteReply::Stale { current, untouched };
                cx.answer(from.0, from.1, Body::Wrote(stale));
                return None;
            }
            OfferReply::Nack { current, .. } => {
                pending.kind = OfferKind::Fence;
                pending.nacks = me;
                pending.current = current;
            }
            OfferReply::Silent => return None,
        }
        Some(pending)
    }

    /// Counts a follower's answer.
    pub(in crate::replication) fn handle_offered(
        &mut self,
        cx: &mut Context,
        now: Now,
        from: NodeIndex,
        id: u64,
        reply: OfferReply,
    ) {
        let Some(pending) = self.pending.get_mut(&id) else {
            return;
        };
        let who = pending.replicas.set_of(from);
        // One that has yet to take the key over keeps what it is given meanwhile, and refuses for ever.
        let is_pending = pending.replicas.is_pending(from);
        match reply {
            OfferReply::Ack { counted } => {
                pending.acks = pending.acks.or(who);
                if counted || is_pending {
                    pending.counted_acks = pending.counted_acks.or(who);
                }
            }
            // Refused for now, not for ever: with the clocks put right it may be accepted yet.
            OfferReply::Nack {
                refusal: Refusal::Skew,
                ..
            } => {}
            OfferReply::Nack {
                current,
                counted,
                refusal,
                ..
            } => {
                // A refusal for something from a wrong clock says nothing.
                let tells = matches!(refusal, Refusal::Stale | Refusal::Promised);
                let believable = !tells || cx.observe(now, current);
                if (counted || is_pending) && believable {
                    pending.nacks = pending.nacks.or(who.without(pending.acks));
                    pending.current = pending.current.max(current);
                }
            }
            OfferReply::Silent => {}
        }
        self.conclude(cx, id);
    }

    /// The kernel has the last byte of a large offer.
    pub(in crate::replication) fn handle_sent(&mut self, node: NodeIndex, id: u64) {
        if let Some(pending) = self.pending.get_mut(&id) {
            let who = pending.replicas.set_of(node);
            pending.unsent = pending.unsent.without(who);
        }
    }

    /// A follower went away: writes that cannot succeed any more are answered now.
    pub(in crate::replication) fn handle_lost(&mut self, cx: &mut Context) {
        let mut ids: alloc::vec::Vec<u64> = self.pending.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            if let Some(pending) = self.pending.get_mut(&id) {
                // What was on its way there is lost, and who comes back is asked as if for the first time.
                let up = pending.replicas.filter(|node| cx.peers.is_up(node));
                pending.offered = pending.offered.and(up);
                pending.unsent = pending.unsent.and(up);
            }
            self.conclude(cx, id);
        }
    }

    /// The members have changed: acknowledgements stay with those that gave them, others are asked as well.
    pub(in crate::replication) fn handle_change(&mut self, cx: &mut Context) {
        let mut ids: alloc::vec::Vec<u64> = self.pending.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            let Some(pending) = self.pending.get_mut(&id) else {
                continue;
            };
            pending.follow(cx.preference(&pending.write.key));
            if cx
                .me
                .is_some_and(|me| pending.replicas.leaders().contains(&me))
            {
                pending.offer_to_others(cx, id);
                self.conclude(cx, id);
                continue;
            }
            if let Some((link, request)) = pending.reply_to.take() {
                cx.answer(link, request, Body::Wrote(WriteReply::WrongNode));
            }
            self.remove(cx, id);
        }
    }

    /// Answers a write as soon as its fate is known.
    fn conclude(&mut self, cx: &mut Context, id: u64) {
        let Some(pending) = self.pending.get_mut(&id) else {
            return;
        };
        let Some((reply, decided)) = pending.verdict(cx) else {
            return;
        };
        if let Some((link, request)) = pending.reply_to.take() {
            cx.answer(link, request, Body::Wrote(reply));
        }
        if decided || pending.missing(cx).is_empty() && matches!(reply, WriteReply::Done { .. }) {
            self.remove(cx, id);
        }
    }

    fn remove(&mut self, cx: &mut Context, id: u64) {
        if let Some(pending) = self.pending.remove(&id) {
            pending.note_missed(cx);
            let removed = self.by_version.remove(&pending.write.entry.version);
            debug_assert_eq!(removed, Some(id), "each write by its version");
        }
    }

    /// Repeats offers to silent followers, and gives up on writes past their time.
    pub(in crate::replication) fn handle_timeout(&mut self, cx: &mut Context, now: Now) {
        while let Some(id) = self.resend.pop_due(now.instant) {
            if let Some(pending) = self.pending.get_mut(&id) {
                pending.offer_to_others(cx, id);
                self.resend.start(now.instant, id);
            }
        }
        while let Some(id) = self.expire.pop_due(now.instant) {
            let asked = self
                .pending
                .get_mut(&id)
                .and_then(|pending| pending.reply_to.take());
            if let Some((link, request)) = asked {
                cx.answer(link, request, Body::Wrote(WriteReply::Expired));
            }
            self.remove(cx, id);
        }
        let pending = &self.pending;
        self.resend.drop_stale(|id| pending.contains_key(id));
        self.expire.drop_stale(|id| pending.contains_key(id));
    }

    /// Timers and writes that have not ended.
    pub(in crate::replication) fn unfinished(&self) -> usize {
        self.pending.len() + self.by_version.len() + self.resend.len() + self.expire.len()
    }

    pub(in crate::replication) fn next_timeout(&self) -> Option<Instant> {
        [self.resend.next(), self.expire.next()]
            .into_iter()
            .flatten()
            .min()
    }
}

impl Pending {
    /// The answer, once it is known, and whether nothing is left to do after it.
    fn verdict(&self, cx: &Context) -> Option<(WriteReply, bool)> {
        debug_assert!(
            self.counted_acks.without(self.acks).is_empty(),
            "who counts has it"
        );
        debug_assert!(
            self.unsent.without(self.offered).is_empty(),
            "what is on its way was offered"
        );
        debug_assert!(
            self.write.need > 0,
            "the decoder and the coordinator see to that"
        );
        let acks = if self.write.need == Write::ALL {
            self.acks
        } else {
            self.counted_acks
        };
        if self.is_enough(cx, acks) {
            return Some((
                WriteReply::Done {
                    existed: self.existed,
                },
                false,
            ));
        }
        if self.replicas.is_read_quorum(self.nacks) {
            return Some((
                WriteReply::Stale {
                    current: self.current,
                    untouched: false,
                },
                true,
            ));
        }
        let within_reach = self
            .replicas
            .filter(|node| cx.acknowledges(&self.replicas, node));
        let possible = acks.or(within_reach).without(self.nacks);
        if self.is_enough(cx, possible) {
            return None;
        }
        let reply = if self.nacks.is_empty() {
            WriteReply::Unreachable
        } else {
            WriteReply::Undecided {
                current: self.current,
            }
        };
        Some((reply, false))
    }

    /// Counts by another preference list from now on.
    fn follow(&mut self, list: Preference) {
        for set in [
            &mut self.acks,
            &mut self.counted_acks,
            &mut self.nacks,
            &mut self.offered,
            &mut self.unsent,
        ] {
            *set = list.translate(&self.replicas, *set);
        }
        self.replicas = list;
    }

    /// Whether the acknowledgements of these suffice.
    fn is_enough(&self, cx: &Context, acks: ReplicaSet) -> bool {
        let (list, write) = (&self.replicas, &self.write);
        let has =
            |part: ReplicaSet, need: u8| acks.and(part).len() >= usize::from(need).min(part.len());
        let is_joint = cx.rules.keep(Rule::QuorumsAreJoint);
        has(list.current(), write.need) && (!is_joint || has(list.next(), write.next_need))
    }

    /// The followers within reach that have not answered yet.
    fn missing(&self, cx: &Context) -> ReplicaSet {
        let asked = self
            .replicas
            .filter(|node| cx.me != Some(node) && cx.peers.is_up(node));
        asked.without(self.acks.or(self.nacks))
    }

    /// Remembers who has not confirmed what this node itself holds.
    fn note_missed(&self, cx: &mut Context) {
        if self.kind == OfferKind::Fence {
            return;
        }
        let known = self.acks.or(self.nacks);
        let others = self.replicas.filter(|node| cx.me != Some(node));
        for node in self.replicas.members(others.without(known)) {
            cx.peers.note_missed(node, self.write.entry.version);
        }
    }

    /// Offers the write to everyone who has not answered yet: again only as far as the budget of repeated work goes,
    /// and not while the last offer is still on its way out.
    fn offer_to_others(&mut self, cx: &mut Context, id: u64) {
        let replicas = self.replicas;
        let len = MESSAGE_BYTES + self.len();
        for node in replicas.members(self.missing(cx).without(self.unsent)) {
            let who = replicas.set_of(node);
            if self.offered.and(who).is_empty() {
                cx.budget.earn(len);
            } else if !cx.can_afford(len) {
                continue;
            }
            self.offered = self.offered.or(who);
            let offer = self.offer();
            if cx.rules.keep(Rule::TimeCountsFromSending) && cx.is_bulk(&offer) {
                self.unsent = self.unsent.or(who);
            }
            cx.send(node, id, offer);
        }
    }

    /// Bytes of key and value.
    fn len(&self) -> usize {
        let value = self.write.entry.value.as_ref();
        self.write.key.len() + value.map_or(0, |value| value.len())
    }

    fn offer(&self) -> Body {
        let Write { key, entry, .. } = &self.write;
        let entry = match self.kind {
            OfferKind::Fence => Entry {
                value: None,
                ..entry.clone()
            },
            _ => entry.clone(),
        };
        Body::Offer {
            key: Bytes::clone(key),
            entry,
            kind: self.kind,
        }
    }
}

impl Write {
    /// As `need`: every replica must have it, also those that are warming up.
    pub const ALL: u8 = u8::MAX;
}
