//! What a member answers to those who ask it.

use super::Member;
use super::pull::{Position, pull};
use crate::hash::token;
use crate::replication::Now;
use crate::replication::action::Link;
use crate::replication::context::Context;
use crate::replication::entry::Entry;
use crate::replication::wire::message::{
    Body, LockReply, NodeState, OfferKind, OfferReply, Prepare, PullReply, ReadReply,
};
use crate::ring::NodeIndex;
use crate::version::Version;

impl Member {
    pub(in crate::replication) fn flush(
        &mut self,
        cx: &mut Context,
        now: Now,
        version: Version,
    ) -> Body {
        if cx.observe(now, version) {
            self.replica.flush(now, version);
        }
        Body::Flushed
    }

    pub(in crate::replication) fn count(&self) -> Body {
        let entries = &self.replica.entries;
        let keys = entries.len() - entries.tombstones();
        Body::Counted { keys: keys as u64 }
    }

    pub(in crate::replication) fn take_offer(
        &mut self,
        cx: &mut Context,
        now: Now,
        key: &[u8],
        entry: &Entry,
        kind: OfferKind,
    ) -> OfferReply {
        cx.observe(now, entry.version);
        let replica = &mut self.replica;
        let warming = replica.state == NodeState::Warming
            || self.pending_floors.is_some() && cx.is_pending(key);
        if warming && let Some(warm_up) = &mut self.warm_up {
            warm_up.handle_write(replica, key);
        }
        replica.offer_as(warming, now, key, entry, kind)
    }

    pub(in crate::replication) fn answer_read(
        &mut self,
        cx: &mut Context,
        now: Now,
        key: &[u8],
        promise: Option<Prepare>,
    ) -> ReadReply {
        if let Some(prepare) = promise {
            cx.observe(now, prepare.version());
        }
        if self.pending_floors.is_some() && cx.is_pending(key) {
            return self.replica.read_before_taking_over(now, key, promise);
        }
        let mut reply = self.replica.read(now, key, promise);
        if let ReadReply::Holds { behind, .. } = &mut reply {
            *behind |= self.is_cut_off;
        }
        let has_value =
            matches!(&reply, ReadReply::Holds { entry: Some(entry), .. } if entry.value.is_some());
        if has_value {
            cx.statistics.replica_hits += 1;
        } else if matches!(reply, ReadReply::Holds { .. }) {
            cx.statistics.replica_misses += 1;
        }
        if has_value && self.replica.entries.is_nearly_full() {
            self.recency_sync.note(cx, key);
        }
        reply
    }

    pub(in crate::replication) fn answer_pull(
        &self,
        cx: &mut Context,
        now: Now,
        to: NodeIndex,
        from: Position,
    ) -> PullReply {
        // One that takes keys over has forgotten nothing that anyone relied on.
        let is_source = self.replica.state != NodeState::Warming || self.pending_floors.is_some();
        let (since, is_first, pending) = (from.since, from.cursor == 0, from.pending);
        let reply = pull(cx, (&self.replica, is_source), now, to, from);
        if let PullReply::Chunk { next, .. } = &reply
            && !pending
        {
            cx.peers.pulled(to, since, is_first, next.is_none());
        }
        reply
    }

    pub(in crate::replication) fn answer_lock(
        &mut self,
        now: Now,
        key: &[u8],
        (link, id): (Link, u64),
    ) -> LockReply {
        match self.replica.state {
            NodeState::Serving => self.key_locks.ask(now.instant, token(key), link, id),
            _ => LockReply::Loading,
        }
    }
}
