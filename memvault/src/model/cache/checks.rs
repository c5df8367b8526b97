//! What the list must agree with the cache on after each step, and what it makes of what went.

use super::{ABSENT, Cause, InsertError, Item, Pair, Reason, Stats, Value};

impl Pair<'_> {
    /// Makes the cache weigh what it lent out.
    pub(super) fn settle(&mut self) {
        assert_eq!(self.real.remove(&ABSENT), None);
    }

    /// How many evictions an entry of this key and weight can cost at most.
    pub(super) fn most_evictions(&self, key: u8, weight: usize) -> usize {
        let weights: usize = self.naive.iter().map(|item| item.value.weight).sum();
        let is_full = self.naive.len() >= self.real.max_entries();
        let is_new = self.find(key).is_none_or(|item| !self.is_live(item));
        match self.real.max_bytes() {
            // However arena and index grow, it is not by more than this.
            Some(limit) if 4 * self.real.bytes() + weights + weight + 400 > limit => usize::MAX,
            _ => usize::from(is_full && is_new),
        }
    }

    /// Removes from the list what the cache found past its time.
    pub(super) fn expire(&mut self) {
        let is_expiry = |gone: &&(u8, Value, Cause)| gone.2 == Cause::Expiry;
        let expired = self.gone.borrow().iter().take_while(is_expiry).count();
        for (key, value, _) in self.gone.borrow_mut().drain(..expired) {
            let at = self.naive.iter().position(|item| item.key == key);
            let item = at.and_then(|at| self.naive.remove(at));
            let item = item.unwrap_or_else(|| panic!("{key} has no entry to expire"));
            assert_eq!(item.value, value);
            assert!(
                item.deadline.is_some_and(|at| at <= self.clock.now.get()),
                "not due"
            );
            self.stats.expirations += 1;
        }
    }

    /// Removes from the list what the cache evicted: the oldest, and no more than `most`.
    pub(super) fn evict(&mut self, most: usize) {
        self.expire();
        let evicted = core::mem::take(&mut *self.gone.borrow_mut());
        assert!(evicted.len() <= most, "evicts no more than it must");
        self.stats.evictions += evicted.len() as u64;
        for gone in evicted {
            let mut others = self.naive.iter().take(self.naive.len().saturating_sub(1));
            assert!(
                others.all(|item| self.is_live(item)),
                "the dead go before the living"
            );
            let oldest = self.naive.pop_front();
            let oldest = oldest.map(|item| (item.key, item.value, Cause::Eviction));
            assert_eq!(oldest, Some(gone), "the oldest goes first");
        }
    }

    pub(super) fn expect_refusal(
        &mut self,
        key: u8,
        value: Value,
        refused: InsertError<u8, Value>,
    ) {
        assert_eq!((refused.key, refused.value), (key, value), "both come back");
        match refused.reason {
            Reason::Entries => assert_eq!(self.real.max_entries(), 0),
            Reason::Bytes { needed, limit } => {
                assert!(needed > limit && self.real.max_bytes() == Some(limit));
                assert!(value.weight + 400 > limit, "refused without need");
            }
        }
        assert!(
            self.gone.borrow().is_empty(),
            "a refused entry displaces nothing"
        );
    }

    /// Takes the entry of a key out, after the cache had its turn.
    pub(super) fn take(&mut self, key: u8) -> Option<Item> {
        self.expire();
        let at = self.naive.iter().position(|item| item.key == key)?;
        let item = self.naive.remove(at)?;
        assert!(
            self.is_live(&item),
            "an entry past its time was not removed"
        );
        Some(item)
    }

    /// Moves an entry to the newest end, and counts a hit; else a miss.
    pub(super) fn touch(&mut self, key: u8) -> Option<Value> {
        let found = self.take(key);
        let count = match found {
            Some(_) => &mut self.stats.hits,
            None => &mut self.stats.misses,
        };
        *count += 1;
        self.naive.extend(found);
        found.map(|item| item.value)
    }

    pub(super) fn push(&mut self, key: u8, value: Value, ttl: Option<u64>, most_evictions: usize) {
        let deadline = ttl.map(|ttl| self.clock.now.get() + ttl);
        self.naive.push_back(Item {
            key,
            value,
            deadline,
        });
        self.stats.insertions += 1;
        self.evict(most_evictions);
    }

    pub(super) fn find(&self, key: u8) -> Option<&Item> {
        self.naive.iter().find(|item| item.key == key)
    }

    pub(super) fn is_live(&self, item: &Item) -> bool {
        item.deadline.is_none_or(|at| at > self.clock.now.get())
    }

    pub(super) fn compare(&self) {
        self.real.check_invariants();
        assert_eq!(self.real.len(), self.naive.len());
        let live = || {
            let newest_first = self.naive.iter().rev();
            newest_first
                .filter(|item| self.is_live(item))
                .map(|item| (&item.key, &item.value))
        };
        assert!(
            self.real.iter().eq(live()),
            "the order from newest to oldest"
        );
        assert!(self.real.iter().rev().eq(live().rev()), "and back");
        let stats = Stats {
            bytes: self.real.bytes(),
            ..self.stats
        };
        assert_eq!(self.real.stats(), stats);
    }
}
