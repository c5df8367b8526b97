//! The end of a warm-up: what stays of the entries that were fetched or written meanwhile, and what counts as
//! forgotten from then on.

use alloc::vec::Vec;

use super::super::Now;
use super::super::context::Context;
use super::super::entry::Bytes;
use super::super::event::Event;
use super::super::floors::Floors;
use super::super::preference::{Preference, ReplicaSet};
use super::super::replica::Replica;
use super::super::rules::Rule;
use super::{Purpose, Stage, WarmUp};
use crate::hash::{Token, token};
use crate::ring::NodeIndex;
use crate::store::EntryRef;
use crate::version::Version;

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
        // In a large cluster it takes long to find out which buckets are concerned.
        if self.have_forgotten_nothing() {
            return;
        }
        let touched = buckets_of(cx, replica, &self.lists);
        for (bucket, floor) in self.sources.values().flat_map(|source| &source.floors) {
            let bucket = *bucket as usize;
            if touched.get(bucket).copied().unwrap_or(false) {
                replica.raise_floor(bucket, *floor);
            }
        }
    }

    /// The end of catching up: what a source has forgotten meanwhile is a miss here as well, not an older value.
    pub(super) fn drop_forgotten(&self, cx: &Context, replica: &mut Replica, now: Now) {
        if self.have_forgotten_nothing() {
            return;
        }
        let mut highest = Floors::new(replica.floors.last_bucket() + 1);
        for (bucket, floor) in self.sources.values().flat_map(|source| &source.floors) {
            highest.raise_bucket(*bucket as usize, *floor);
        }
        let mut cursor = 0;
        while let Some((held, next)) = replica.entries.scan(cursor) {
            cursor = next;
            let version = held.meta.version.unwrap_or(Version::ZERO);
            // Asked first, as most entries are above it and who holds a key takes a walk on the ring.
            let token = token(held.key);
            if highest.at(token) <= version {
                continue;
            }
            let replicas = cx.preference(held.key);
            let done = replicas.filter(|node| self.is_done(node));
            if self.may_have_gone(replica, (token, &replicas, done), version) {
                let key = Bytes::from(held.key);
                replica.forget(now, &key);
            }
        }
        self.take_floors(cx, replica);
    }

    /// Whether one of the sources that are `done` and do not hold a key has forgotten something newer than
    /// `version` in its bucket.
    fn may_have_gone(
        &self,
        replica: &Replica,
        (token, replicas, done): (Token, &Preference, ReplicaSet),
        version: Version,
    ) -> bool {
        let staged = self.staged.get(&token).copied().unwrap_or_default();
        replicas
            .members(done.without(staged.holders))
            .any(|node| self.floor_of(replica, node, token) > version)
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
            let is_foreign = self.purpose == Purpose::Gain && !cx.gains(held.key);
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
        self.note_missed(cx, replica);
        if cx.rules.keep(Rule::WarmUpTakesFloors) {
            self.take_floors(cx, replica);
        }
        if progress.contains(&Stage::Degraded) {
            self.raise_floors_of_degraded(cx, replica, progress);
            cx.event(Event::DegradedStart { unconfirmed });
        }
    }

    /// Remembers which sources lack what another one holds: who led that write may have died since.
    fn note_missed(&self, cx: &mut Context, replica: &Replica) {
        for (token, staged) in &self.staged {
            let replicas = cx.placement.at(*token);
            let others = replicas.filter(|node| cx.me != Some(node) && self.is_done(node));
            for node in replicas.members(others.without(staged.current)) {
                let holds_older = !replicas.set_of(node).and(staged.holders).is_empty();
                if holds_older || self.floor_of(replica, node, *token) < staged.newest {
                    cx.peers.note_missed(node, staged.newest);
                }
            }
        }
    }

    /// The highest version that a source may have forgotten.
    fn floor_of(&self, replica: &Replica, node: NodeIndex, token: Token) -> Version {
        let bucket = u32::try_from(replica.floors.bucket(token)).unwrap_or(u32::MAX);
        let source = self.sources.get(&node);
        let floor = source.and_then(|source| source.floors.get(&bucket));
        floor.copied().unwrap_or(Version::ZERO)
    }

    fn judge(&self, cx: &Context, replica: &Replica, held: &EntryRef<'_>) -> Judgement {
        let version = held.meta.version.unwrap_or(Version::ZERO);
        let (token, replicas) = (token(held.key), cx.preference(held.key));
        let others = replicas.filter(|node| cx.me != Some(node));
        let done = replicas.filter(|node| self.is_done(node)).and(others);
        if !self.suffices(cx, &replicas, done) {
            return if version <= self.boot_floor {
                Judgement::Doubt
            } else {
                Judgement::Keep
            };
        }
        let staged = self.staged.get(&token).copied().unwrap_or_default();
        let own_floor = replica.floors.at(token);
        let is_old = |floors: &Floors| floors.at(token) == own_floor;
        let own_floor_allows = !held.meta.unconfirmed
            || own_floor <= version
            || self.floors_before.as_ref().is_some_and(is_old);
        let certain = !self.may_have_gone(replica, (token, &replicas, done), version);
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
    fn raise_floors_of_degraded(&self, cx: &Context, replica: &mut Replica, progress: &[Stage]) {
        let degraded: Vec<_> = self
            .lists
            .iter()
            .zip(progress)
            .filter(|(_, stage)| **stage == Stage::Degraded)
            .map(|(list, _)| *list)
            .collect();
        let touched = buckets_of(cx, replica, &degraded);
        for (bucket, _) in touched.iter().enumerate().filter(|(_, is)| **is) {
            replica.raise_floor(bucket, self.boot_floor);
        }
    }
}

/// The buckets in which there are keys with one of these preference lists, which are sorted.
fn buckets_of(cx: &Context, replica: &Replica, lists: &[Preference]) -> Vec<bool> {
    let mut touched = alloc::vec![false; replica.floors.last_bucket() + 1];
    let mut touch = |from: usize, to: usize| {
        for is in touched.iter_mut().take(to + 1).skip(from) {
            *is = true;
        }
    };
    // The first segment begins behind the last token and goes round through zero.
    let (mut from, mut wraps, mut is_first) = (0, false, true);
    for (end, list) in cx.placement.segments() {
        let to = replica.floors.bucket(end);
        if lists.binary_search(&list).is_ok() {
            touch(from, to);
            wraps |= is_first;
        }
        (from, is_first) = (to, false);
    }
    if wraps {
        touch(from, replica.floors.last_bucket());
    }
    touched
}
