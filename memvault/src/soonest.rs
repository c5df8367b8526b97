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
//! neighbour when a TTL changes; a queue of hints grows with each write that is overwritten. Bounds take half a byte
//! per slot, and none before the first TTL. A bound may be too low, never too high: an insertion lowers those above its
//! slot, mostly by one comparison, and a removal leaves them, so that a visit to a block may find nothing; it then
//! [sets](Soonest::settle) them right. A write with a TTL causes one removal or one vain visit, and one more where an
//! entry moves into a gap: whoever visits up to [`VISITS_PER_INSERTION`] blocks with each insertion keeps up with any
//! load, and is through with a burst of dead after half as many insertions. As nobody looks before `next`, it costs
//! nothing where nothing is due, and dead entries go before any living one is evicted.
//!
//! Place: beside the arena of an [`Lru`](crate::lru::Lru), in a [`Cache`](crate::cache::Cache) and in
//! [`Entries`](crate::store::Entries), which read the expiries themselves. Times are plain numbers.
//! Cost: [`note`](Soonest::note) one comparison, at most one per level; a visit one per slot of the block and, per
//! level, one per child. Levels: log 16 of the slots.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

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

/// Slots of a block, and children of a bound: as many as two cache lines hold.
const FAN_OUT: usize = 16;

/// Levels of bounds above the most blocks that there can be.
const MAX_LEVELS: usize = 7;

/// Lower bounds of expiries by block of slots.
#[derive(Clone, Debug)]
pub(crate) struct Soonest {
    /// Level after level, that of the blocks first. Invariant: none is above the expiry of an entry below it.
    bounds: Vec<u64>,
    /// Blocks that have a bound of their own; 0 if one bound does for all.
    blocks: usize,
    /// Invariant: not above any bound.
    next: u64,
}

/// The part of the bounds that each level takes.
type Levels = ([Range<usize>; MAX_LEVELS], usize);

impl Soonest {
    /// Nothing expires; allocates nothing.
    pub(crate) const fn new() -> Self {
        Self {
            bounds: Vec::new(),
            blocks: 0,
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
        let mut child = index.position() as usize / FAN_OUT;
        let (mut start, mut len) = (0, self.blocks);
        while len > 0 {
            let Some(bound) = self.bounds.get_mut(start + child) else {
                break;
            };
            if *bound <= at {
                return;
            }
            *bound = at;
            child /= FAN_OUT;
            (start, len) = (start + len, len_above(len));
        }
        self.next = self.next.min(at);
    }

    /// Suits the bounds to an arena of so many slots. O(slots / 16), with the growth of the arena.
    pub(crate) fn fit(&mut self, slots: usize) {
        let blocks = match slots.div_ceil(FAN_OUT) {
            0 | 1 => 0,
            blocks => blocks,
        };
        if blocks == self.blocks {
            return;
        }
        let (mut total, mut len) = (0, blocks);
        while len > 0 {
            (total, len) = (total + len, len_above(len));
        }
        let mut bounds = vec![NEVER; total];
        let kept = self.blocks.min(blocks);
        bounds[..kept].copy_from_slice(&self.bounds[..kept]);
        if let Some(first) = bounds.first_mut()
            && self.blocks == 0
        {
            *first = self.next;
        }
        (self.bounds, self.blocks) = (bounds, blocks);
        self.raise_all();
    }

    /// The slots of a block in which something may be due at `now`; they may be more than the arena has.
    pub(crate) fn due(&self, now: u64) -> Option<Range<u32>> {
        if self.next > now {
            return None;
        }
        let (levels, count) = self.levels();
        let mut child = 0;
        for (depth, level) in levels[..count].iter().rev().enumerate() {
            let bounds = &self.bounds[level.clone()];
            let first = if depth == 0 { 0 } else { child * FAN_OUT };
            let last = bounds.len().min(first + FAN_OUT);
            child = first + bounds[first..last].iter().position(|&at| at <= now)?;
        }
        let start = (child * FAN_OUT) as u32;
        Some(start..start.saturating_add(FAN_OUT as u32))
    }

    /// Sets the bound of the block that begins with slot `start` to the soonest expiry in it, and those above to suit.
    pub(crate) fn settle(&mut self, start: u32, soonest: u64) {
        let (levels, count) = self.levels();
        let (mut child, mut bound) = (start as usize / FAN_OUT, soonest);
        for level in &levels[..count] {
            let bounds = &mut self.bounds[level.clone()];
            if core::mem::replace(&mut bounds[child], bound) == bound {
                return;
            }
            child /= FAN_OUT;
            let first = child * FAN_OUT;
            bound = least(&bounds[first..bounds.len().min(first + FAN_OUT)]);
        }
        self.next = bound;
    }

    /// Sets the bounds above the blocks right.
    fn raise_all(&mut self) {
        let (levels, count) = self.levels();
        for pair in levels[..count].windows(2) {
            let (below, above) = self.bounds.split_at_mut(pair[1].start);
            for (bound, children) in above.iter_mut().zip(below[pair[0].clone()].chunks(FAN_OUT)) {
                *bound = least(children);
            }
        }
        if let Some(top) = levels[..count].last() {
            self.next = least(&self.bounds[top.clone()]);
        }
    }

    fn levels(&self) -> Levels {
        let mut levels = [const { 0..0 }; MAX_LEVELS];
        let (mut start, mut len, mut count) = (0, self.blocks, 0);
        while len > 0 {
            levels[count] = start..start + len;
            (start, len, count) = (start + len, len_above(len), count + 1);
        }
        (levels, count)
    }

    /// Bytes allocated.
    #[cfg(any(test, fuzzing))]
    pub(crate) const fn bytes(&self) -> usize {
        self.bounds.capacity() * size_of::<u64>()
    }

    /// Panics if the entry in a slot, which expires at `at`, could be overlooked.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn check(&self, index: Index, at: u64) {
        let (levels, count) = self.levels();
        let mut child = index.position() as usize / FAN_OUT;
        for level in &levels[..count] {
            assert!(
                self.bounds[level.clone()][child] <= at,
                "a bound is too high"
            );
            child /= FAN_OUT;
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
            soonest.settle(start, least(block));
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
                assert!(visits <= count.div_ceil(FAN_OUT));
                assert!(slots.iter().all(|&at| at > now), "the dead are found");
                assert!(soonest.next() > now);
            }
            assert!(count <= FAN_OUT || soonest.bytes() <= count * BYTES_PER_SLOT);
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
