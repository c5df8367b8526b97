//! How entries past their time go although nobody asks for them, and which entry goes first when room is needed.
//!
//! Place: on [`Soonest`](crate::soonest), which says in which blocks of slots to look, and what was weighed.
//! Cost: the clock is read once more for an insertion without a TTL only if others have one, and then for every
//! [sixteenth](CLOCK_EVERY), or for each that may have to evict.

use core::hash::{BuildHasher, Hash};

use super::{Cache, Cause, EvictionHook, NEVER, Pair};
use crate::lru::Index;
use crate::soonest::{VISITS_PER_EVICTION, VISITS_PER_INSERTION};
use crate::time::Clock;

/// Of so many insertions without a TTL into a cache that is not full, one reads the clock.
const CLOCK_EVERY: u64 = 16;

impl<K, V, S, C, H> Cache<K, V, S, C, H> {
    /// Sets the deadline of an entry, which is [`NEVER`] or was [begun](Self::begin_deadlines).
    #[inline]
    pub(super) fn set_deadline(&mut self, index: Index, deadline: u64) {
        self.deadlines.replace(index, deadline);
        self.soonest.note(index, deadline);
    }

    fn deadline_number(&self, index: Index) -> u64 {
        self.deadlines.get(index).unwrap_or(NEVER)
    }
}

impl<K: Hash + Eq, V, S: BuildHasher, C: Clock, H: EvictionHook<K, V>> Cache<K, V, S, C, H> {
    /// Reads the clock, if that can make a difference to what goes first.
    pub(super) fn look_at_clock(&mut self) {
        if self.soonest.next() != NEVER {
            self.now = self.settings.clock.now().as_micros();
        }
    }

    /// Removes a few of the entries past their time, before one with this deadline is stored.
    #[inline]
    pub(super) fn sweep(&mut self, deadline: u64) {
        if self.soonest.next() == NEVER {
            return;
        }
        // With a TTL, the clock was read just now.
        if deadline == NEVER && self.needs_time() {
            self.look_at_clock();
        }
        self.reclaim(VISITS_PER_INSERTION, VISITS_PER_INSERTION);
    }

    fn needs_time(&self) -> bool {
        self.settings.max_bytes.is_some()
            || self.len() >= self.settings.max_entries
            || self.stats.insertions.is_multiple_of(CLOCK_EVERY)
    }

    /// Removes up to `limit` entries past their time, with so many visits of blocks.
    #[inline]
    pub(super) fn reclaim(&mut self, limit: usize, visits: usize) -> usize {
        if self.soonest.next() > self.now {
            return 0;
        }
        self.reclaim_due(limit, visits)
    }

    #[cold]
    fn reclaim_due(&mut self, limit: usize, visits: usize) -> usize {
        let mut removed = 0;
        for _ in 0..visits {
            let Some(block) = self.soonest.due(self.now) else {
                break;
            };
            let (mut soonest, mut position) = (NEVER, block.start);
            while position < block.end.min(self.len() as u32) {
                let index = Index::new(position);
                let deadline = self.deadline_number(index);
                if deadline <= self.now {
                    if removed == limit {
                        return removed;
                    }
                    // The last one moves here, and is looked at next.
                    let hash = self.hash(&self.lru.entry(index).key);
                    self.remove_expired(index, hash);
                    removed += 1;
                } else {
                    soonest = soonest.min(deadline);
                    position += 1;
                }
            }
            self.soonest.correct(block.start, soonest);
        }
        removed
    }

    /// The entry that goes first when room is needed, but for one that is spared, and why: one past its time, or the
    /// oldest.
    #[inline]
    pub(super) fn victim(&mut self, spare: Option<Index>) -> Option<(Index, Cause)> {
        if self.soonest.next() <= self.now
            && let Some(dead) = self.find_dead(spare)
        {
            return Some((dead, Cause::Expiry));
        }
        self.lru.oldest().map(|oldest| (oldest, Cause::Eviction))
    }

    /// An entry past its time that is not spared, if one is found with a few looks.
    #[cold]
    fn find_dead(&mut self, spare: Option<Index>) -> Option<Index> {
        for _ in 0..VISITS_PER_EVICTION {
            let block = self.soonest.due(self.now)?;
            let mut soonest = NEVER;
            for position in block.start..block.end.min(self.len() as u32) {
                let index = Index::new(position);
                let deadline = self.deadline_number(index);
                if deadline <= self.now && Some(index) != spare {
                    return Some(index);
                }
                soonest = soonest.min(deadline);
            }
            if soonest <= self.now {
                return None;
            }
            self.soonest.correct(block.start, soonest);
        }
        None
    }

    /// Removes the entry that goes first, but for one that is spared unless it is the oldest.
    pub(super) fn evict_one(&mut self, spare: Option<Index>) {
        let Some((victim, cause)) = self.victim(spare) else {
            return;
        };
        let hash = self.hash(&self.lru.entry(victim).key);
        let gone = self.take(victim, hash);
        self.tell(gone, cause);
    }

    /// Counts an entry that has been taken out, and hands it to the hook.
    #[inline]
    pub(super) fn tell(&mut self, Pair { key, value }: Pair<K, V>, cause: Cause) {
        match cause {
            Cause::Expiry => self.stats.expirations += 1,
            Cause::Eviction => self.stats.evictions += 1,
        }
        self.settings.hook.on_eviction(key, value, cause);
    }
}
