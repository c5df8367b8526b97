//! How [`Entries`] part with those past their time, and which goes first when room is needed.
//!
//! Place: on [`Soonest`], which says in which blocks of slots to look. What was weighed is written there.
//! Cost: nothing before the next expiry; then a few visits per insertion and eviction, each of which removes what is
//! dead in a block or finds out when that is to be looked at again. No operation goes through all entries.

use core::hash::BuildHasher;

use super::entries::{Entries, Evicted};
use super::packed::Meta;
use crate::lru::{Index, Lru};
use crate::soonest::{BYTES_PER_SLOT, NEVER, Soonest, VAIN_VISITS_PER_PURGE, VISITS_PER_EVICTION};
use crate::time::Timestamp;

impl<S: BuildHasher> Entries<S> {
    /// Says what time it is: from now on, entries past it go first. Never told, no entry is.
    #[inline]
    pub const fn set_now(&mut self, now: Timestamp) {
        self.now = now;
    }

    /// Removes up to `limit` entries that are past the [time told](Self::set_now), and tells `gone` of each before.
    /// Returns how many these were.
    ///
    /// In small steps: O(`limit`). While [`next_expiry`](Self::next_expiry) is over, there is more to do.
    pub fn expire(&mut self, limit: usize, gone: Evicted<'_>) -> usize {
        self.reclaim(limit, limit.saturating_add(VAIN_VISITS_PER_PURGE), gone)
    }

    /// No entry expires before; `None` if none has an expiry. It may be earlier than any expiry, where an entry has
    /// gone or has been given another one. O(1).
    #[must_use]
    pub fn next_expiry(&self) -> Option<Timestamp> {
        let next = self.soonest.next();
        (next != NEVER).then(|| Timestamp::from_millis(next))
    }
}

/// Which entry goes next, and how those past their time are found.
impl<S: BuildHasher> Entries<S> {
    /// The entry that goes first when room is needed, but for one that is spared: one past its time, or the oldest.
    pub(super) fn victim(&mut self, spare: Option<Index>) -> Option<Index> {
        if let Some(dead) = self.find_dead(spare) {
            return Some(dead);
        }
        let oldest = self.lru.oldest()?;
        if Some(oldest) == spare {
            self.lru.newer(oldest)
        } else {
            Some(oldest)
        }
    }

    /// An entry past its time that is not spared, if one is found with a few looks.
    #[inline]
    fn find_dead(&mut self, spare: Option<Index>) -> Option<Index> {
        if self.soonest.next() > self.now.as_millis() {
            return None;
        }
        self.search_dead(spare)
    }

    #[cold]
    fn search_dead(&mut self, spare: Option<Index>) -> Option<Index> {
        for _ in 0..VISITS_PER_EVICTION {
            let block = self.soonest.due(self.now.as_millis())?;
            let mut soonest = NEVER;
            for position in block.start..block.end.min(self.len() as u32) {
                let index = Index::new(position);
                let at = self.expiry_number(index);
                if at <= self.now.as_millis() && Some(index) != spare {
                    return Some(index);
                }
                soonest = soonest.min(at);
            }
            if soonest <= self.now.as_millis() {
                return None;
            }
            self.soonest.correct(block.start, soonest);
        }
        None
    }

    /// Removes up to `limit` entries past their time, with so many visits of blocks.
    #[inline]
    pub(super) fn reclaim(&mut self, limit: usize, visits: usize, gone: Evicted<'_>) -> usize {
        if self.soonest.next() > self.now.as_millis() {
            return 0;
        }
        self.reclaim_due(limit, visits, gone)
    }

    #[cold]
    fn reclaim_due(&mut self, limit: usize, visits: usize, gone: Evicted<'_>) -> usize {
        let mut removed = 0;
        for _ in 0..visits {
            let Some(block) = self.soonest.due(self.now.as_millis()) else {
                break;
            };
            let (mut soonest, mut position) = (NEVER, block.start);
            while position < block.end.min(self.len() as u32) {
                let index = Index::new(position);
                let at = self.expiry_number(index);
                if at <= self.now.as_millis() {
                    if removed == limit {
                        return removed;
                    }
                    // The last one moves here, and is looked at next.
                    self.evict(index, gone);
                    removed += 1;
                } else {
                    soonest = soonest.min(at);
                    position += 1;
                }
            }
            self.soonest.correct(block.start, soonest);
        }
        removed
    }

    /// When an entry expires, as a number that can be compared.
    fn expiry_number(&self, index: Index) -> u64 {
        self.expire_at(index).map_or(NEVER, Timestamp::as_millis)
    }

    #[inline]
    pub(super) fn note_expiry(&mut self, index: Index, expire_at: Option<Timestamp>) {
        if let Some(at) = expire_at {
            self.soonest.note(index, at.as_millis());
        }
    }

    /// Bytes that a slot takes beside the arena.
    pub(super) const fn beside(&self) -> usize {
        self.is_expiring as usize * BYTES_PER_SLOT
    }

    /// Makes sure that the expiry of an entry to be stored can be noted, which takes room when it is the first of all.
    /// Returns where the entry at `found` is then.
    #[inline]
    pub(super) fn begin_expiring(
        &mut self,
        found: Option<Index>,
        meta: &Meta,
        evicted: Evicted<'_>,
    ) -> Option<Index> {
        if self.is_expiring || meta.expire_at.is_none() {
            return found;
        }
        self.is_expiring = true;
        self.make_room_to_note(found, evicted)
    }

    #[cold]
    fn make_room_to_note(&mut self, found: Option<Index>, evicted: Evicted<'_>) -> Option<Index> {
        let found = found.map(|index| {
            let class = self.size_class(self.lru.entry(index).len());
            self.make_room(index, class, evicted)
        });
        while found.is_none() && self.bytes_used() > self.max_bytes() {
            match self.victim(None) {
                Some(victim) => self.evict(victim, evicted),
                None => self.start_empty(),
            }
        }
        self.fit_soonest();
        found
    }

    /// Suits what is known of expiries to the arena.
    pub(super) fn fit_soonest(&mut self) {
        if self.is_expiring {
            self.soonest.fit(self.lru.slots());
        }
    }

    /// No entries, and no memory.
    pub(super) fn start_empty(&mut self) {
        self.lru = Lru::new();
        self.account = super::budget::Account::default();
        self.soonest = Soonest::new();
    }
}
