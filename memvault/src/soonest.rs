//! When the next entries expire, by block of slots: what finds the dead without a look at the living.
//!
//! ```text
//!                  next                        a lower bound of all expiries
//!            /      |       \
//!        bound    bound    bound               ... of 16 blocks each, and so on
//!       /  |  \
//!   bound bound bound                          ... of 16 slots each: one block
//! ```
//! Expiry is decided at access, by the entry's own time; this says where it is worth to look for entries that nobody
//! asks for. Weighed against each other: a blind sweep of a few slots per insertion costs a cache miss for each of the
//! living, and finds one dead among a hundred too late; a wheel of lists takes 8 bytes per entry, and a miss for each
//! neighbour when a TTL changes; a queue of hints grows with each write that is overwritten. Bounds take half a
//! byte per slot, and none before the first TTL; blocks of 8 would take a byte, and gain nothing that can be measured.
//! A bound of a block may be too low, never too high:
//! an insertion lowers those above its slot, mostly by one comparison, and a removal leaves them, so that a visit to a
//! block may find nothing; it then [sets](Soonest::correct) them right. A write with a TTL causes one removal or one
//! vain visit, and one more where an entry moves into a gap: a caller that visits up to [`VISITS_PER_INSERTION`] blocks
//! with each insertion keeps up with any load, and is through with a burst of dead after half as many insertions. As
//! nobody looks before `next`, it costs nothing where nothing is due, and dead entries go before any living one is
//! evicted.
//!
//! Place: beside the arena of an [`Lru`](crate::lru::Lru), in a [`Cache`](crate::cache::Cache) and in
//! [`Entries`](crate::store::Entries), which read the expiries themselves. Times are plain numbers.
//! Cost: [`note`](Soonest::note) one comparison, at most one per level; a visit one per slot of the block and, per
//! level, one per child. Levels: log 16 of the blocks.

use alloc::vec::Vec;
use core::mem;
use core::ops::Range;

use crate::arena::Arena;
use crate::lru::Index;

/// The time of what does not expire.
pub(crate) const NEVER: u64 = u64::MAX;

/// Blocks that an insertion visits at most, and dead entries that it removes: twice what a load makes in the long run.
pub(crate) const VISITS_PER_INSERTION: usize = 4;

/// Blocks looked at for a dead entry before a living one is evicted. If there is none in so many, there are few.
pub(crate) const VISITS_PER_EVICTION: usize = 16;

/// Blocks that a purge may visit in vain, beside one for each dead entry that it removes: some 0.1 ms.
pub(crate) const VAIN_VISITS_PER_PURGE: usize = 1024;

/// Bytes charged for each slot of an arena whose entries expire: what is allocated is less.
pub(crate) const BYTES_PER_SLOT: usize = 1;

/// Slots of a block.
const BLOCK: usize = 16;

/// Children of a bound: as many as two cache lines hold.
const FAN_OUT: usize = 16;

/// Lower bounds of expiries by block of slots.
#[derive(Clone, Debug)]
pub(crate) struct Soonest {
    /// The bounds of the blocks, those of each [`FAN_OUT`] of these, and so on; no level if one bound does for all.
    /// Invariant: none of a block is above the expiry of an entry in it, and each other is the least of those below.
    levels: Vec<Arena<u64>>,
    /// Invariant: the least of the highest level, or not above any expiry.
    next: u64,
}

impl Soonest {
    /// Nothing expires; allocates nothing.
    pub(crate) const fn new() -> Self {
        Self {
            levels: Vec::new(),
            next: NEVER,
        }
    }

    /// Nothing expires before.
    #[inline]
    pub(crate) const fn next(&self) -> u64 {
        self.next
    }

    /// Takes note that the entry in a slot expires at `at`; [`NEVER`] is none.
    #[inline]
    pub(crate) fn note(&mut self, index: Index, at: u64) {
        let mut child = index.position() / BLOCK as u32;
        for level in &mut self.levels {
            let Some(bound) = level.get_mut(child) else {
                break;
            };
            if *bound <= at {
                return;
            }
            *bound = at;
            child /= FAN_OUT as u32;
        }
        self.next = self.next.min(at);
    }

    /// Suits the bounds to an arena of so many slots. O(1) for each slot that there are more or fewer.
    pub(crate) fn fit(&mut self, slots: usize) {
        let blocks = slots.div_ceil(BLOCK);
        let (mut len, mut depth) = (if blocks > 1 { blocks } else { 0 }, 0);
        while len > 0 {
            self.fit_level(depth, len);
            (len, depth) = (len_above(len), depth + 1);
        }
        self.levels.truncate(depth);
        if let Some(top) = self.levels.last() {
            self.next = least(top.group(0, FAN_OUT));
        }
    }

    /// Makes a level so long; the one below is already.
    fn fit_level(&mut self, depth: usize, len: usize) {
        if let Some(level) = self.levels.get_mut(depth) {
            let before = level.len();
            level.resize(len, NEVER);
            if len < before && depth > 0 {
                self.raise(depth, len - 1);
            }
            return;
        }
        let mut level = Arena::new();
        level.resize(len, NEVER);
        self.levels.push(level);
        if depth == 0 {
            self.levels[0][Index::new(0)] = self.next;
        } else {
            (0..len).for_each(|at| self.raise(depth, at));
        }
    }

    /// Sets a bound to the least of those below.
    fn raise(&mut self, depth: usize, at: usize) {
        let bound = least(self.levels[depth - 1].group(at * FAN_OUT, FAN_OUT));
        self.levels[depth][Index::new(at as u32)] = bound;
    }

    /// The slots of a block in which something may be due at `now`; they may be more than the arena has.
    pub(crate) fn due(&self, now: u64) -> Option<Range<u32>> {
        if self.next > now {
            return None;
        }
        let mut child = 0;
        for level in self.levels.iter().rev() {
            let first = child * FAN_OUT;
            let bounds = level.group(first, FAN_OUT);
            child = first + bounds.iter().position(|&at| at <= now)?;
        }
        let start = (child * BLOCK) as u32;
        Some(start..start.saturating_add(BLOCK as u32))
    }

    /// Sets the bound of the block that begins with slot `start` to the soonest expiry in it, and those above to suit.
    pub(crate) fn correct(&mut self, start: u32, soonest: u64) {
        let (mut child, mut bound) = (start as usize / BLOCK, soonest);
        for level in &mut self.levels {
            let place = &mut level[Index::new(child as u32)];
            if mem::replace(place, bound) == bound {
                return;
            }
            child /= FAN_OUT;
            bound = least(level.group(child * FAN_OUT, FAN_OUT));
        }
        self.next = bound;
    }

    /// Bytes allocated.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn bytes(&self) -> usize {
        self.levels.iter().map(Arena::bytes).sum()
    }

    /// Panics if the entry in a slot, which expires at `at`, could be overlooked.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn check(&self, index: Index, at: u64) {
        let mut child = index.position() / BLOCK as u32;
        for level in &self.levels {
            assert!(level[Index::new(child)] <= at, "a bound is too high");
            child /= FAN_OUT as u32;
        }
        assert!(self.next <= at, "the lowest bound is too high");
    }
}

/// Bounds above so many of one level; none if [`Soonest::next`] is the bound of these.
const fn len_above(len: usize) -> usize {
    if len <= FAN_OUT {
        0
    } else {
        len.div_ceil(FAN_OUT)
    }
}

fn least(bounds: &[u64]) -> u64 {
    bounds.iter().copied().fold(NEVER, u64::min)
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    /// Removes the dead from a list of expiries by slot, and returns how many blocks were visited.
    fn purge(soonest: &mut Soonest, slots: &mut [u64], now: u64) -> usize {
        let mut visits = 0;
        while let Some(block) = soonest.due(now) {
            visits += 1;
            let len = slots.len();
            let block = &mut slots[block.start as usize..len.min(block.end as usize)];
            block
                .iter_mut()
                .filter(|at| **at <= now)
                .for_each(|at| *at = NEVER);
            let start = soonest.due(now).map_or(0, |block| block.start);
            soonest.correct(start, least(block));
        }
        visits
    }

    fn random(state: &mut u64) -> u64 {
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        *state >> 33
    }

    #[test]
    fn all_that_is_due_is_found_and_nothing_else_for_long() {
        for count in [1, 15, 16, 17, 256, 257, 4_096, 4_097, 10_000] {
            let (mut soonest, mut slots, mut state) = (Soonest::new(), vec![NEVER; count], 7);
            soonest.fit(count);
            for now in 0..200 {
                for _ in 0..count / 8 + 1 {
                    let slot = random(&mut state) as usize % count;
                    let at = now + 1 + random(&mut state) % 100;
                    slots[slot] = at;
                    soonest.note(Index::new(slot as u32), at);
                }
                for (slot, &at) in slots.iter().enumerate() {
                    soonest.check(Index::new(slot as u32), at);
                }
                let visits = purge(&mut soonest, &mut slots, now);
                assert!(visits <= count.div_ceil(BLOCK));
                assert!(slots.iter().all(|&at| at > now), "the dead are found");
                assert!(soonest.next() > now);
            }
            assert!(count <= BLOCK || soonest.bytes() <= count * BYTES_PER_SLOT);
        }
    }

    #[test]
    fn bounds_follow_an_arena_that_grows_and_shrinks() {
        let (mut soonest, mut state) = (Soonest::new(), 3);
        let mut slots = vec![];
        for len in [4, 16, 17, 40, 300, 5_000, 300, 17, 16, 4, 70_000] {
            soonest.fit(len);
            slots.resize(len, NEVER);
            for (slot, at) in slots.iter_mut().enumerate() {
                soonest.check(Index::new(slot as u32), *at);
                *at = random(&mut state);
                soonest.note(Index::new(slot as u32), *at);
            }
            assert!(soonest.next() <= least(&slots));
        }
    }
}
