//! What goes on inside when an entry is looked up: finding, promoting, expiring and taking out.

use core::borrow::Borrow;
use core::hash::{BuildHasher, Hash};

use super::{Cache, Cause, EvictionHook, NEVER, Pair};
use crate::lru::Index;
use crate::time::{Clock, Duration, Instant};

impl<K, V, S, C, H> Cache<K, V, S, C, H> {
    #[inline]
    pub(super) fn deadline(&self, index: Index) -> Option<Instant> {
        self.deadlines
            .get(index)
            .filter(|&deadline| deadline != NEVER)
            .map(Instant::from_micros)
    }
}

impl<K: Hash + Eq, V, S: BuildHasher, C: Clock, H: EvictionHook<K, V>> Cache<K, V, S, C, H> {
    #[inline]
    pub(super) fn hash<Q: Hash + ?Sized>(&self, key: &Q) -> u64 {
        self.settings.hasher.hash_one(key)
    }

    #[inline]
    pub(super) fn find<Q>(&self, hash: u64, key: &Q) -> Option<Index>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        self.lru.find(hash, |pair| pair.key.borrow() == key)
    }

    pub(super) fn find_live<Q>(&self, key: &Q) -> Option<Index>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.find(self.hash(key), key)
            .filter(|&index| !self.is_due(index))
    }

    /// Finds a live entry, makes it the newest and counts a hit; else a miss.
    #[inline]
    pub(super) fn touch<Q>(&mut self, hash: u64, key: &Q) -> Option<Index>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        self.settle();
        let found = self
            .find(hash, key)
            .and_then(|index| self.expire(index, hash));
        match found {
            Some(index) => {
                self.stats.hits += 1;
                self.lru.promote(index);
            }
            None => self.stats.misses += 1,
        }
        found
    }

    #[inline]
    fn is_due(&self, index: Index) -> bool {
        self.deadline(index)
            .is_some_and(|deadline| deadline <= self.settings.clock.now())
    }

    /// The deadline of an entry stored now with this TTL.
    pub(super) fn after(&mut self, ttl: Duration) -> u64 {
        let now = self.settings.clock.now();
        self.now = now.as_micros();
        (now + ttl).as_micros()
    }

    /// Removes the entry if it is past its time; else gives it back.
    #[inline]
    pub(super) fn expire(&mut self, index: Index, hash: u64) -> Option<Index> {
        if self.is_due(index) {
            self.remove_expired(index, hash);
            return None;
        }
        Some(index)
    }

    #[cold]
    pub(super) fn remove_expired(&mut self, index: Index, hash: u64) {
        let gone = self.take(index, hash);
        self.tell(gone, Cause::Expiry);
    }

    /// Removes an entry past its time, or one that `keep` does not want; returns whether it stays.
    pub(super) fn keep_if(
        &mut self,
        index: Index,
        mut keep: impl FnMut(&K, &mut V) -> bool,
    ) -> bool {
        let hash = self.hash(&self.lru.entry(index).key);
        if self.expire(index, hash).is_none() {
            return false;
        }
        self.note_lent(index);
        let Pair { key, value } = self.lru.entry_mut(index);
        let keeps = keep(key, value);
        if keeps {
            self.weigh_again();
        } else {
            self.take(index, hash);
        }
        keeps
    }

    /// Takes an entry out; the [last](crate::lru::Lru::last) moves into its slot.
    pub(super) fn take(&mut self, index: Index, hash: u64) -> Pair<K, V> {
        let last = self.lru.last().unwrap_or(index);
        let hasher = &self.settings.hasher;
        let pair = self
            .lru
            .remove(index, hash, |pair| hasher.hash_one(&pair.key));
        self.lent = None;
        self.note_weight(index, 0);
        if last != index {
            self.weights.follow(index, last, 0);
            self.deadlines.follow(index, last, NEVER);
            if let Some(moved) = self.deadlines.get(index) {
                self.soonest.note(index, moved);
            }
        }
        pair
    }
}
