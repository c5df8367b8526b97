//! The end of a warm-up: what stays of the entries that were fetched or written meanwhile, and what counts as
//! forgotten from then on.

use alloc::collections::BTreeMap;

use super::{Purpose, Stage, Staged, WarmUp};
use crate::hash::token;
use crate::replication::Now;
use crate::replication::context::Context;
use crate::replication::entry::Bytes;
use crate::replication::event::Event;
use crate::replication::member::floors::Floors;
use crate::replication::member::replica::Replica;
use crate::replication::rules::Rule;
use crate::ring::NodeIndex;
use crate::slot::{Slot, slot_of};
use crate::store::EntryRef;
use crate::time::Timestamp;
use crate::version::{Hlc, Version};

/// What becomes of an entry at the end.
enum Judgement {
    Keep,
    Doubt,
    Drop,
}

impl WarmUp {
    /// Whether no source has told of anything that it forgot.
    fn have_forgotten_nothing(&self) -> bool {
        self.sources.values().all(|source| source.floors.is_empty())
    }

    /// Takes over what the sources have forgotten, where this node fetched keys.
    fn take_floors(&self, cx: &Context, replica: &mut Replica) {
        for (slot, floor) in self.sources.values().flat_map(|source| &source.floors) {
            if self.purpose.concerns(cx, cx.placement.at(*slot)) {
                replica.raise_floor(*slot, *floor);
            }
        }
    }

    /// The end of catching up: what a source has forgotten meanwhile is a miss here as well, not an older value.
    pub(super) fn drop_forgotten(&self, cx: &Context, replica: &mut Replica, now: Now) {
        if self.have_forgotten_nothing() {
            return;
        }
        let mut highest = Floors::new();
        for (slot, floor) in self.sources.values().flat_map(|source| &source.floors) {
            highest.raise(*slot, *floor);
        }
        let mut cursor = 0;
        while let Some((held, next)) = replica.entries.scan(cursor) {
            cursor = next;
            let version = held.meta.version.unwrap_or(Version::ZERO);
            // Asked first, as most entries are above it.
            let slot = slot_of(held.key);
            if highest.at(slot) <= version {
                continue;
            }
            let replicas = cx.placement.at(slot);
            let done = replicas.filter(|node| self.is_done(node));
            let staged = self.staged_of(held.key);
            if self.may_have_gone(
                slot,
                replicas.members(done.without(staged.holders)),
                version,
            ) {
                let key = Bytes::from(held.key);
                replica.forget(now, &key);
            }
        }
        self.take_floors(cx, replica);
    }

    /// Whether one of the sources that do not hold a key has forgotten something newer than `version` in its slot.
    fn may_have_gone(
        &self,
        slot: Slot,
        mut others: impl Iterator<Item = NodeIndex>,
        version: Version,
    ) -> bool {
        others.any(|node| self.floor_of(node, slot) > version)
    }

    /// What the sources said of a key.
    fn staged_of(&self, key: &[u8]) -> Staged {
        self.staged.get(&token(key)).copied().unwrap_or_default()
    }

    /// Decides on every entry, takes over what the sources have forgotten, and begins to serve.
    pub(super) fn finish(
        &self,
        cx: &mut Context,
        replica: &mut Replica,
        now: Now,
        progress: &[Stage],
    ) {
        let (mut cursor, mut unconfirmed) = (0, 0);
        while let Some((held, next)) = replica.entries.scan(cursor) {
            cursor = next;
            let is_foreign = self.purpose == Purpose::Pending && !cx.is_pending(held.key);
            if is_foreign || self.is_settled(Some(held)) {
                continue;
            }
            let judgement = self.judge(cx, replica, &held);
            let key = Bytes::from(held.key);
            match judgement {
                Judgement::Keep => replica.mark(&key, false),
                Judgement::Drop => replica.forget(now, &key),
                Judgement::Doubt => {
                    replica.mark(&key, true);
                    unconfirmed += 1;
                }
            }
        }
        self.note_missed(cx);
        if cx.rules.keep(Rule::WarmUpTakesFloors) {
            self.take_floors(cx, replica);
        }
        if progress.contains(&Stage::Degraded) {
            self.raise_floors_of_degraded(cx, replica, now, progress);
            cx.event(Event::DegradedStart { unconfirmed });
        }
    }

    /// Remembers which sources lack what another one holds: who led that write may have died since.
    fn note_missed(&self, cx: &mut Context) {
        for staged in self.staged.values() {
            let replicas = *cx.placement.at(staged.slot);
            let others = replicas.filter(|node| cx.me != Some(node) && self.is_done(node));
            for node in replicas.members(others.without(staged.current)) {
                let holds_older = !replicas.set_of(node).and(staged.holders).is_empty();
                let lacks = holds_older || self.floor_of(node, staged.slot) < staged.newest;
                if lacks && self.is_due(node, staged.newest) {
                    cx.peers.note_missed(node, staged.newest);
                }
            }
        }
    }

    /// Whether a source that does not tell of a version should have, rather than being told of it itself since it was
    /// asked: then the one that leads that write is still at it.
    pub(super) fn is_due(&self, node: NodeIndex, version: Version) -> bool {
        let began = self.sources.get(&node).map(|source| source.began);
        let by_then = began.map_or(0, |began| {
            began.as_millis().saturating_sub(Hlc::MAX_SKEW_MS)
        });
        version < Version::at(Timestamp::from_millis(by_then))
    }

    /// The highest version that a source may have forgotten.
    fn floor_of(&self, node: NodeIndex, slot: Slot) -> Version {
        let source = self.sources.get(&node);
        let floor = source.and_then(|source| source.floors.get(&slot));
        floor.copied().unwrap_or(Version::ZERO)
    }

    fn judge(&self, cx: &Context, replica: &Replica, held: &EntryRef<'_>) -> Judgement {
        let version = held.meta.version.unwrap_or(Version::ZERO);
        let slot = slot_of(held.key);
        let replicas = cx.placement.at(slot);
        let others = replicas.filter(|node| cx.me != Some(node));
        let done = replicas.filter(|node| self.is_done(node)).and(others);
        if !self.suffices(cx, replicas, done) {
            return if version <= self.start_floor {
                Judgement::Doubt
            } else {
                Judgement::Keep
            };
        }
        let staged = self.staged_of(held.key);
        let own_floor = replica.floors.at(slot);
        let is_old = |floors: &Floors| floors.at(slot) == own_floor;
        let own_floor_allows = !held.meta.unconfirmed
            || own_floor <= version
            || self.floors_before.as_ref().is_some_and(is_old);
        let others = replicas.members(done.without(staged.holders));
        let certain = !self.may_have_gone(slot, others, version);
        let certain = certain || !cx.rules.keep(Rule::WarmUpDropsUncertain);
        if certain && own_floor_allows {
            Judgement::Keep
        } else if staged.doubtful {
            Judgement::Doubt
        } else {
            Judgement::Drop
        }
    }

    /// Where it started with too few sources, this node may have forgotten anything up to its start.
    fn raise_floors_of_degraded(
        &self,
        cx: &Context,
        replica: &mut Replica,
        now: Now,
        progress: &[Stage],
    ) {
        let lists = self.lists.iter().zip(progress);
        let degraded = lists.filter(|(_, stage)| **stage == Stage::Degraded);
        let floors: BTreeMap<_, _> = degraded
            .map(|(list, _)| (*list, self.common_floor(cx, now, list)))
            .collect();
        for slot in Slot::all() {
            if let Some(floor) = floors.get(cx.placement.at(slot)) {
                replica.raise_floor(slot, *floor);
            }
        }
    }
}
