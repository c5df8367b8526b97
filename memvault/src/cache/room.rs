//! What goes on inside when an entry is stored: weighing, making room, growing and shrinking.
//!
//! Order of steps: the caller's code (hash, comparison, weight, clock) runs before anything changes, and
//! what leaves is handed to the hook or dropped when it is out. So a panic finds the cache valid.

use core::hash::{BuildHasher, Hash};
use core::mem;

use super::column::NUMBER;
use super::{Builder, Cache, Cause, Column, EvictionHook, InsertError, NEVER, Pair, Reason, Stats};
use crate::lru::{Index, Lru, MAX_SLOTS};
use crate::soonest::{BYTES_PER_SLOT, Soonest};
use crate::time::Clock;

impl<K, V, S, C, H> Cache<K, V, S, C, H> {
    pub(super) fn from_builder(mut settings: Builder<K, V, S, C, H>) -> Self {
        settings.max_entries = settings.max_entries.min(MAX_SLOTS);
        // Without a budget to plan for, deadlines can wait for the first TTL.
        settings.expiring &= settings.max_bytes.is_some();
        Self {
            lru: Lru::new(),
            deadlines: Column::new(),
            soonest: Soonest::new(),
            now: 0,
            weights: Column::new(),
            weight: 0,
            lent: None,
            settings,
            stats: Stats::default(),
        }
    }

    /// Bytes in use: what keys and values own by the weight of the [budget](Builder::max_bytes), if there
    /// is one, and what the cache itself has allocated, at full capacity. O(1).
    ///
    /// While arena or index grow, the old copy lives beside the new one; this counts the new one only.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let mut weight = self.weight;
        if let Some(index) = self.lent {
            let Pair { key, value } = self.lru.entry(index);
            weight -= self.weight_of(index);
            weight = weight.saturating_add((self.settings.weigh)(key, value));
        }
        self.own_bytes(self.settings.expiring)
            .saturating_add(weight)
    }

    fn weight_of(&self, index: Index) -> usize {
        self.weights.get(index).unwrap_or(0) as usize
    }

    /// The entry's value, to be [settled](Self::settle) later.
    #[inline]
    pub(super) fn lend(&mut self, index: Index) -> &mut V {
        self.note_lent(index);
        &mut self.lru.entry_mut(index).value
    }

    pub(super) const fn note_lent(&mut self, index: Index) {
        if self.settings.max_bytes.is_some() {
            self.lent = Some(index);
        }
    }

    /// Gives the lent-out entry the weight that it has now.
    pub(super) fn weigh_again(&mut self) {
        // Taken first: a weight that panics must not make every later operation panic.
        if let Some(index) = self.lent.take() {
            let Pair { key, value } = self.lru.entry(index);
            let weight = (self.settings.weigh)(key, value);
            self.note_weight(index, weight);
        }
    }

    pub(super) fn note_weight(&mut self, index: Index, weight: usize) {
        if let Some(old) = self.weights.replace(index, weight as u64) {
            self.weight = self
                .weight
                .saturating_sub(old as usize)
                .saturating_add(weight);
        }
    }

    /// Leaves no entry and no memory; returns what held them.
    pub(super) fn start_afresh(&mut self) -> Lru<Pair<K, V>> {
        self.lent = None;
        self.weight = 0;
        self.deadlines = Column::new();
        self.soonest = Soonest::new();
        self.weights = Column::new();
        mem::replace(&mut self.lru, Lru::new())
    }

    /// Bytes that each slot takes beside the arena, if entries expire or not.
    const fn beside(&self, expiring: bool) -> usize {
        expiring as usize * (NUMBER + BYTES_PER_SLOT)
            + self.settings.max_bytes.is_some() as usize * NUMBER
    }

    /// Bytes that the cache itself takes if entries expire or not.
    fn own_bytes(&self, expiring: bool) -> usize {
        self.lru.arena_bytes() + self.lru.table_bytes() + self.lru.slots() * self.beside(expiring)
    }
}

impl<K: Hash + Eq, V, S: BuildHasher, C: Clock, H: EvictionHook<K, V>> Cache<K, V, S, C, H> {
    /// The weight of an entry, if the limits allow for it.
    pub(super) fn admit(&self, key: &K, value: &V) -> Result<usize, Reason> {
        if self.settings.max_entries == 0 {
            return Err(Reason::Entries);
        }
        let Some(limit) = self.settings.max_bytes else {
            return Ok(0);
        };
        let weight = (self.settings.weigh)(key, value);
        let needed = weight.saturating_add(Lru::<Pair<K, V>>::smallest_bytes(
            2 * NUMBER + BYTES_PER_SLOT,
        ));
        if needed > limit {
            return Err(Reason::Bytes { needed, limit });
        }
        Ok(weight)
    }

    pub(super) fn put(
        &mut self,
        key: K,
        value: V,
        deadline: u64,
    ) -> Result<Option<V>, InsertError<K, V>> {
        self.settle();
        let hash = self.hash(&key);
        let weight = match self.admit(&key, &value) {
            Ok(weight) => weight,
            Err(reason) => return Err(InsertError { key, value, reason }),
        };
        // Before an index is found: entries move.
        self.sweep(deadline);
        let found = self.find(hash, &key);
        match found.and_then(|index| self.expire(index, hash)) {
            Some(index) => {
                let old = self.replace(index, value, weight, deadline);
                // Before there is a result, which would leak should this panic.
                drop(key);
                Ok(Some(old))
            }
            None => {
                self.add(hash, Pair { key, value }, weight, deadline);
                Ok(None)
            }
        }
    }

    /// Gives an entry another value, and makes it the newest.
    fn replace(&mut self, index: Index, value: V, weight: usize, deadline: u64) -> V {
        self.lru.promote(index);
        self.begin_deadlines(deadline);
        let newest = self.lru.newest().unwrap_or(index);
        self.make_room(
            weight.saturating_sub(self.weight_of(newest)),
            self.settings.expiring,
        );
        // The newest is spared, but may have moved.
        let index = self.lru.newest().unwrap_or(index);
        self.note_weight(index, weight);
        self.set_deadline(index, deadline);
        self.stats.insertions += 1;
        mem::replace(&mut self.lru.entry_mut(index).value, value)
    }

    /// Adds an entry as the newest; the caller has looked that there is none and [admitted](Self::admit)
    /// it.
    #[inline]
    pub(super) fn add(
        &mut self,
        hash: u64,
        pair: Pair<K, V>,
        weight: usize,
        deadline: u64,
    ) -> Index {
        self.begin_deadlines(deadline);
        self.stats.insertions += 1;
        if let Some((victim, cause)) = self.victim_to_recycle() {
            self.recycle(victim, cause, hash, pair, deadline);
            return victim;
        }
        self.make_slot(weight);
        let hasher = &self.settings.hasher;
        let index = self
            .lru
            .insert(hash, pair, |pair| hasher.hash_one(&pair.key));
        self.note_weight(index, weight);
        self.set_deadline(index, deadline);
        index
    }

    /// The entry that has to go for a new one, and nothing else, and why: then its slot can be filled at once.
    #[inline]
    fn victim_to_recycle(&mut self) -> Option<(Index, Cause)> {
        let is_full = self.len() == self.settings.max_entries && self.settings.max_bytes.is_none();
        if is_full && self.lru.has_spare_place() {
            self.victim(None)
        } else {
            None
        }
    }

    /// Removes an entry and puts another in its place.
    #[inline]
    fn recycle(&mut self, victim: Index, cause: Cause, hash: u64, pair: Pair<K, V>, deadline: u64) {
        let old_hash = self.hash(&self.lru.entry(victim).key);
        let hasher = &self.settings.hasher;
        let gone = self.lru.recycle(victim, (old_hash, hash), pair, |pair| {
            hasher.hash_one(&pair.key)
        });
        self.set_deadline(victim, deadline);
        self.tell(gone, cause);
    }

    /// Makes sure that this deadline can be noted. The newest entry is spared, but may move.
    #[inline]
    pub(super) fn begin_deadlines(&mut self, deadline: u64) {
        if deadline != NEVER && !self.settings.expiring {
            self.begin_expiring();
        }
    }

    #[cold]
    fn begin_expiring(&mut self) {
        self.make_room(0, true);
        self.settings.expiring = true;
        self.fit_columns();
    }

    /// Weighs what was lent out, and evicts what no longer fits.
    #[inline]
    pub(super) fn settle(&mut self) {
        if self.lent.is_some() {
            self.settle_lent();
        }
    }

    #[cold]
    fn settle_lent(&mut self) {
        self.weigh_again();
        self.look_at_clock();
        self.keep_to_budget();
    }

    /// Whether the budget allows for `more` bytes.
    fn fits(&self, more: usize, expiring: bool) -> bool {
        let used = self
            .own_bytes(expiring)
            .saturating_add(self.weight)
            .saturating_add(more);
        self.settings.max_bytes.is_none_or(|limit| used <= limit)
    }

    /// Evicts, oldest first, until the budget is kept, in the end all.
    pub(super) fn keep_to_budget(&mut self) {
        self.make_room(0, self.settings.expiring);
        if !self.fits(0, self.settings.expiring) {
            self.evict_one(None);
            self.start_afresh();
        }
    }

    /// Evicts, oldest first, until the budget is kept by an arena and an index of just the right size, if
    /// they are larger than that. O(n) then.
    pub(super) fn shrink_to_budget(&mut self) {
        let expiring = self.settings.expiring;
        while !self.fits(0, expiring) && !self.lru.is_empty() {
            let least = self.lru.least_bytes(self.beside(expiring));
            let limit = self.settings.max_bytes.unwrap_or(usize::MAX);
            if least.saturating_add(self.weight) <= limit {
                return self.compact(0);
            }
            self.evict_one(None);
        }
        self.keep_to_budget();
    }

    /// Evicts, oldest first, until there is room for `more` bytes, but spares the newest entry.
    fn make_room(&mut self, more: usize, expiring: bool) {
        while !self.fits(more, expiring) && self.lru.oldest() != self.lru.newest() {
            self.evict_one(self.lru.newest());
            self.shrink();
        }
        if !self.fits(more, expiring) {
            self.compact(0);
        }
    }

    /// Evicts, and grows arena and index, until there is room for one more entry of this weight.
    fn make_slot(&mut self, weight: usize) {
        while !self.grow(weight) {
            if !self.lru.is_empty() {
                self.evict_one(None);
                self.shrink();
            } else if self.lru.slots() > 0 {
                self.start_afresh();
            } else {
                return;
            }
        }
    }

    fn grow(&mut self, weight: usize) -> bool {
        let expiring = self.settings.expiring;
        if self.len() >= self.settings.max_entries || !self.fits(weight, expiring) {
            return false;
        }
        let used = self.own_bytes(expiring) + self.weight + weight;
        let room = self
            .settings
            .max_bytes
            .map_or(usize::MAX, |limit| limit - used);
        let (most, beside) = (self.settings.max_entries, self.beside(expiring));
        let hasher = &self.settings.hasher;
        let grown = self
            .lru
            .grow_within(room, most, beside, |pair| hasher.hash_one(&pair.key));
        if grown {
            self.fit_columns();
        }
        grown
    }

    fn fit_columns(&mut self) {
        let slots = self.lru.slots();
        if self.settings.max_bytes.is_some() {
            self.weights.fit(slots, 0);
        }
        if self.settings.expiring {
            self.deadlines.fit(slots, NEVER);
            self.soonest.fit(slots);
        }
    }

    /// Gives memory of an arena that has become sparse back to the budget. O(n), amortised.
    fn shrink(&mut self) {
        if self.settings.max_bytes.is_some() && self.len() < self.lru.slots() / 4 {
            self.compact(self.len() * 2);
        }
    }

    /// Gives memory back, but for so many slots, or as many as it takes. O(n).
    pub(super) fn compact(&mut self, slots: usize) {
        let hasher = &self.settings.hasher;
        self.lru.compact(slots, |pair| hasher.hash_one(&pair.key));
        self.fit_columns();
    }

    /// Panics unless all that the cache keeps agrees, within the limits.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn check_invariants(&self) {
        self.lru.check_invariants(|pair| self.hash(&pair.key));
        let mut weight = 0;
        let mut next = self.lru.newest();
        while let Some(index) = next {
            let Pair { key, value } = self.lru.entry(index);
            assert_eq!(
                self.find(self.hash(key), key),
                Some(index),
                "each key is found"
            );
            if self.lent != Some(index) && self.settings.max_bytes.is_some() {
                assert_eq!(self.weight_of(index), (self.settings.weigh)(key, value));
            }
            if let Some(deadline) = self.deadline(index) {
                self.soonest.check(index, deadline.as_micros());
            }
            weight += self.weight_of(index);
            next = self.lru.older(index);
        }
        assert_eq!(self.weight, weight, "the weight is the sum of the entries'");
        let columns = self.deadlines.bytes() + self.weights.bytes();
        let slots = self.lru.slots();
        let mut beside = slots * self.beside(self.settings.expiring);
        if self.settings.expiring {
            beside -= slots * BYTES_PER_SLOT;
            assert!(self.soonest.bytes() <= slots * BYTES_PER_SLOT);
        }
        assert_eq!(columns, beside, "columns are as long as the arena");
        assert!(self.lent.is_some() || self.fits(0, self.settings.expiring));
        assert!(self.len() <= self.settings.max_entries);
    }
}
