//! Room for what is to be stored: who goes for it, and how arena and index grow.
//!
//! Place: between [`Entries`] and the budget of its [`Config`](super::Config).
//! Cost: O(entries that go), beside the growth of the index.

use core::hash::BuildHasher;

use super::TooLarge;
use super::entries::{Entries, Evicted, expand, rehash};
use super::packed::{MAX_KEY_LEN, Meta, Packed};
use crate::lru::{Index, Lru, MAX_SLOTS};
use crate::soonest::{BYTES_PER_SLOT, Soonest};

impl<S: BuildHasher> Entries<S> {
    /// Leaves so much of [`Config::max_bytes`](super::Config::max_bytes) unused until told otherwise, for a server that
    /// takes more memory than it is to: evicts up to `limit` entries for it, those past their time first. Returns
    /// whether there are more to evict.
    ///
    /// Nothing changes without a limit of bytes. O(`limit`).
    pub fn withhold(&mut self, bytes: usize, limit: usize, evicted: Evicted<'_>) -> bool {
        let Some(most) = self.config.max_bytes else {
            return false;
        };
        let mut count = 0;
        while self.bytes_used().saturating_add(bytes) > most && !self.is_empty() && count < limit {
            self.evict_one(evicted);
            count += 1;
        }
        self.withheld = bytes.min(most.saturating_sub(self.bytes_used()));
        self.withheld < bytes && !self.is_empty()
    }

    /// What is [withheld](Self::withhold) of the budget, in bytes.
    #[must_use]
    pub const fn withheld(&self) -> usize {
        self.withheld
    }

    /// Evicts others, if there are any, until a copy of `len` bytes has room beside the entry at `index`. Returns where
    /// the entry is then.
    ///
    /// A quarter of the budget is not counted: so much may always be under way, and small copies evict nobody.
    pub(crate) fn make_way(&mut self, index: Index, len: usize, evicted: Evicted<'_>) -> Index {
        let counted = self
            .size_class(len)
            .saturating_sub(self.max_bytes() / UNCOUNTED);
        if counted == 0 || self.len() == 1 {
            return index;
        }
        let present = self.size_class(self.lru.entry(index).len());
        self.make_room(index, present + counted, evicted)
    }

    /// The size class of an allocation of `len` bytes, if key and budget allow for it.
    pub(super) fn check(&self, key: &[u8], len: usize, meta: &Meta) -> Result<usize, TooLarge> {
        if key.len() > MAX_KEY_LEN {
            return Err(TooLarge::Key {
                len: key.len(),
                limit: MAX_KEY_LEN,
            });
        }
        if self.config.max_entries == Some(0) {
            return Err(TooLarge::Entries);
        }
        let class = self.size_class(len);
        let limit = self.config.max_bytes.unwrap_or(usize::MAX);
        let beside = if meta.expire_at.is_some() {
            BYTES_PER_SLOT
        } else {
            self.beside()
        };
        let needed = class.saturating_add(Lru::<Packed>::smallest_bytes(beside));
        if needed > limit {
            return Err(TooLarge::Bytes { needed, limit });
        }
        Ok(class)
    }

    /// Withholds less, if that would be in the way of an entry of `class` bytes alone, which [fits](Self::check).
    pub(super) fn let_in(&mut self, class: usize) {
        if self.withheld > 0 {
            let needed = class.saturating_add(Lru::<Packed>::smallest_bytes(BYTES_PER_SLOT));
            let most = self.config.max_bytes.unwrap_or(usize::MAX);
            self.withheld = self.withheld.min(most.saturating_sub(needed));
        }
    }

    /// Evicts until the entry at `index` can change its allocation to `class` bytes. Returns where the
    /// entry is then.
    pub(super) fn make_room(
        &mut self,
        mut index: Index,
        class: usize,
        evicted: Evicted<'_>,
    ) -> Index {
        let old = self.size_class(self.lru.entry(index).len());
        let over = |this: &Self| this.bytes_used() - old + class > this.max_bytes();
        while over(self) {
            let Some(other) = self.victim(Some(index)) else {
                return self.start_afresh(index);
            };
            let last = self.lru.last();
            self.evict(other, evicted);
            // The entry itself may have been moved into the gap.
            index = if Some(index) == last { other } else { index };
        }
        index
    }

    /// Moves the only entry, at `index`, to an arena and an index of the smallest size.
    fn start_afresh(&mut self, index: Index) -> Index {
        let hash = expand(self.lru.entry(index).hash());
        let packed = self.lru.remove(index, hash, rehash);
        self.lru = Lru::new();
        self.soonest = Soonest::new();
        let expire_at = packed.expire_at();
        let index = self.lru.insert(hash, packed, rehash);
        self.note_expiry(index, expire_at);
        index
    }

    /// Evicts, and grows arena and index, until there is room for one more entry of `class` bytes.
    pub(super) fn make_slot(&mut self, class: usize, evicted: Evicted<'_>) {
        let most = self.config.max_entries.unwrap_or(MAX_SLOTS).min(MAX_SLOTS);
        loop {
            let room = self.max_bytes().checked_sub(self.bytes_used() + class);
            let beside = self.beside();
            if room.is_some_and(|room| {
                self.len() < most && self.lru.grow_within(room, most, beside, rehash)
            }) {
                return self.fit_soonest();
            }
            match self.victim(None) {
                Some(victim) => self.evict(victim, evicted),
                // What is in the way is the arena or the index itself, grown for many small entries.
                None if self.bytes_used() > 0 => self.start_empty(),
                None => return,
            }
        }
    }

    /// The entry that goes first, if it has to go for one of `class` bytes, and nothing else: then its slot can be
    /// filled at once.
    pub(super) fn victim_to_recycle(&mut self, class: usize) -> Option<Index> {
        let (used, limit) = (self.bytes_used().saturating_add(class), self.max_bytes());
        let is_full = used > limit || Some(self.len()) == self.config.max_entries;
        let victim = if is_full { self.victim(None) } else { None }?;
        let old = self.size_class(self.lru.entry(victim).len());
        (used - old <= limit && self.lru.has_spare_place()).then_some(victim)
    }

    pub(super) fn evict_one(&mut self, evicted: Evicted<'_>) {
        if let Some(victim) = self.victim(None) {
            self.evict(victim, evicted);
        }
    }

    pub(super) fn evict(&mut self, index: Index, evicted: Evicted<'_>) {
        evicted(self.entry(index));
        self.remove_at(index);
    }

    pub(super) fn size_class(&self, len: usize) -> usize {
        if len == 0 {
            0
        } else {
            (self.config.size_class)(len)
        }
    }

    pub(super) fn max_bytes(&self) -> usize {
        let most = self.config.max_bytes.unwrap_or(usize::MAX);
        most.saturating_sub(self.withheld)
    }
}

/// The share of the budget that a copy may take beyond it.
const UNCOUNTED: usize = 4;
