//! The middle of a warm-up: who is asked, and what comes in.

use alloc::vec::Vec;

use super::{Purpose, Source, Staged, WarmUp};
use crate::hash::token;
use crate::replication::Now;
use crate::replication::context::Context;
use crate::replication::member::replica::Replica;
use crate::replication::membership::preference::{Preference, ReplicaSet};
use crate::replication::wire::message::{Body, OfferKind, PullReply, PulledEntry};
use crate::ring::NodeIndex;
use crate::slot::slot_of;
use crate::time::{Duration, Instant};
use crate::version::{Hlc, Version};

/// Sources that are asked at a time. One is enough to keep this node busy; if all were, no member would have time
/// left for clients.
const MAX_PULLS: usize = 1;
/// A source that takes longer than this does not keep others waiting.
const PROMPT: Duration = Duration::from_millis(20);
/// A source that does not answer is asked again after this.
const PULL_TIMEOUT: Duration = Duration::from_millis(300);
/// A source that is not ready is asked again after this.
const RETRY_AFTER: Duration = Duration::from_millis(50);

impl Source {
    /// Whether an answer may be here any moment.
    fn is_answering(&self, now: Now) -> bool {
        self.asked.is_some_and(|(_, at)| now.instant - at < PROMPT)
    }

    fn is_to_be_asked(&self, now: Now) -> bool {
        let is_silent = self
            .asked
            .is_none_or(|(_, at)| now.instant - at > PULL_TIMEOUT);
        !self.done && is_silent && self.retry_at <= now.instant
    }
}

impl WarmUp {
    /// Asks the next sources for their next pieces.
    pub(super) fn pull(&mut self, cx: &mut Context, now: Now) {
        let since = match self.purpose {
            Purpose::WarmUp | Purpose::Pending => 0,
            Purpose::CatchUp { since } => since,
        };
        let pending = self.purpose == Purpose::Pending;
        if !self.throttle.is_open(now.instant) {
            return;
        }
        for node in self.to_be_asked(cx, now) {
            let source = self.sources.entry(node).or_default();
            let id = cx.fresh_id();
            if source.cursor == 0 {
                source.began = now.wall;
            }
            source.asked = Some((id, now.instant));
            source.last_asked = now.instant;
            cx.send(
                node,
                id,
                Body::Pull {
                    cursor: source.cursor,
                    since,
                    pending,
                },
            );
        }
    }

    /// The sources to ask now: those first that have waited longest, and few at a time.
    fn to_be_asked(&self, cx: &Context, now: Now) -> Vec<NodeIndex> {
        let busy = |source: &&Source| source.is_answering(now);
        let free = MAX_PULLS.saturating_sub(self.sources.values().filter(busy).count());
        let mut idle = Vec::new();
        for node in cx.peers.indices() {
            if cx.me == Some(node) || !self.may_answer(cx, node) {
                continue;
            }
            match self.sources.get(&node) {
                None => idle.push((Instant::ZERO, node)),
                Some(source) if source.is_to_be_asked(now) => idle.push((source.last_asked, node)),
                Some(_) => {}
            }
        }
        idle.sort_unstable();
        idle.into_iter().take(free).map(|(_, node)| node).collect()
    }

    /// Whether a member can be a source. One that is taking keys over itself can say what it has got, and
    /// that nobody relies on it for more.
    fn may_answer(&self, cx: &Context, node: NodeIndex) -> bool {
        cx.peers.counts(node)
            || self.purpose == Purpose::WarmUp
                && cx.peers.is_in_view(node)
                && self.gainers.contains(&node)
    }

    /// Takes in one answer.
    pub(in crate::replication) fn handle_pulled(
        &mut self,
        cx: &mut Context,
        replica: &mut Replica,
        now: Now,
        from: NodeIndex,
        id: u64,
        reply: PullReply,
    ) {
        let Some(source) = self.sources.get_mut(&from) else {
            return;
        };
        if source.asked.is_none_or(|(asked, _)| asked != id) {
            return;
        }
        source.asked = None;
        let PullReply::Chunk {
            entries,
            looked_at,
            total,
            next,
            floors,
        } = reply
        else {
            source.retry_at = now.instant + RETRY_AFTER;
            return;
        };
        match next {
            Some(next) => source.cursor = next,
            None => source.done = true,
        }
        let believable = |floor: &Version| Hlc::is_believable(floor.hlc(), now.wall);
        source
            .floors
            .extend(floors.into_iter().filter(|(_, floor)| believable(floor)));
        source.looked_at += u64::from(looked_at);
        source.total = u64::from(total);
        self.last_progress = now.instant;
        self.entries += entries.len() as u64;
        for pulled in entries {
            self.throttle.take(pulled.weight());
            self.merge(cx, replica, now, from, &pulled);
        }
    }

    fn merge(
        &mut self,
        cx: &mut Context,
        replica: &mut Replica,
        now: Now,
        from: NodeIndex,
        pulled: &PulledEntry,
    ) {
        let slot = slot_of(&pulled.key);
        let replicas = *cx.placement.at(slot);
        if !self.purpose.concerns(cx, &replicas) || !cx.observe(now, pulled.entry.version) {
            return;
        }
        let catches_up = self.catches_up();
        let staged = self.staged.entry(token(&pulled.key)).or_insert(Staged {
            slot,
            ..Staged::default()
        });
        let who = replicas.set_of(from);
        if catches_up {
            staged.holders = staged.holders.or(who);
            if !pulled.unconfirmed {
                replica.offer(now, &pulled.key, &pulled.entry, OfferKind::Repair);
            }
            return;
        }
        if pulled.unconfirmed {
            staged.doubtful = true;
        } else {
            staged.holders = staged.holders.or(who);
        }
        if pulled.entry.version > staged.newest {
            staged.newest = pulled.entry.version;
            staged.current = ReplicaSet::EMPTY;
        }
        if pulled.entry.version == staged.newest {
            staged.current = staged.current.or(who);
        }
        let held = replica
            .entries
            .peek(&pulled.key)
            .and_then(|held| held.meta.version);
        if held.is_none_or(|held| held < pulled.entry.version) {
            // An entry that does not fit is one that this node would not have kept either.
            let _ = replica.store(now, &pulled.key, &pulled.entry, true);
        }
        self.settle(cx, replica, &pulled.key, &replicas);
    }

    /// Takes an entry over for good if all sources there are have told what they hold: that leaves little to
    /// decide at the end, when everybody waits.
    fn settle(
        &mut self,
        cx: &mut Context,
        replica: &mut Replica,
        key: &[u8],
        replicas: &Preference,
    ) {
        let token = token(key);
        let others = replicas.filter(|node| cx.me != Some(node));
        let all_hold =
            |staged: &Staged| !staged.doubtful && others.without(staged.holders).is_empty();
        let Some(staged) = self.staged.get(&token).filter(|staged| all_hold(staged)) else {
            return;
        };
        for node in replicas.members(others.without(staged.current)) {
            if self.is_due(node, staged.newest) {
                cx.peers.note_missed(node, staged.newest);
            }
        }
        let held = replica.entries.peek(key).map(|held| held.meta);
        let version = held.and_then(|meta| meta.version).unwrap_or(Version::ZERO);
        if held.is_some() && replica.floors.at(slot_of(key)) <= version {
            replica.mark(key, false);
            self.staged.remove(&token);
            self.written.remove(&token);
        }
    }
}
