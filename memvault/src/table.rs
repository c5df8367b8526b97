//! An index by hash that grows in steps: positions of entries, found by their hash.
//!
//! A hash table that is full is built afresh, with twice the buckets, and putting millions of entries into it takes a
//! twentieth of a second, in which nobody else is served. So a large one is filled bit by bit: while entries move, there
//! are two tables, as in Redis (`dict.c`), and each change moves [`MOVES`] of them, from the last position to the first.
//!
//! ```text
//! positions   0 .. left: in the old table, or moved down meanwhile | left .. : in the new one
//! ```
//! Place: below [`Lru`](crate::lru::Lru), which keeps positions without gaps and knows the hash of each.
//! Cost: all operations O(1); two look-ups for some entries while they move. A new table of n buckets is n bytes to be
//! set, some 0.3 ms per million.

use hashbrown::HashTable;

/// Positions by hash.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    /// Where entries go.
    new: HashTable<u32>,
    /// Where entries are that have not moved. Invariant: each is below `left`.
    old: HashTable<u32>,
    /// Positions that have not been looked at.
    left: u32,
}

/// Entries moved by one change. As a table is full for seven eighths and the next one is for twice as many, or has at
/// least a sixteenth of its places free, all have moved long before it is full.
pub(crate) const MOVES: u32 = 32;
/// A table for fewer is filled at once: that takes less than 2 ms.
pub(crate) const SMALL: usize = 1 << 16;

impl Table {
    /// An empty one; allocates nothing.
    pub(crate) const fn new() -> Self {
        Self {
            new: HashTable::new(),
            old: HashTable::new(),
            left: 0,
        }
    }

    /// Bytes of the table where entries go; one from which they move is not counted.
    pub(crate) fn bytes(&self) -> usize {
        self.new.allocation_size()
    }

    pub(crate) fn buckets(&self) -> usize {
        self.new.num_buckets()
    }

    pub(crate) fn len(&self) -> usize {
        self.new.len() + self.old.len()
    }

    /// Whether it takes one more without being built afresh.
    pub(crate) fn has_spare_place(&self) -> bool {
        self.len() < self.new.capacity()
    }

    /// Whether entries move at present.
    fn is_moving(&self) -> bool {
        self.left > 0
    }

    /// The position under this hash that `eq` accepts.
    #[inline]
    pub(crate) fn find(&self, hash: u64, mut eq: impl FnMut(u32) -> bool) -> Option<u32> {
        let found = self.new.find(hash, |&position| eq(position));
        match found {
            None if !self.old.is_empty() => self.old.find(hash, |&position| eq(position)),
            found => found,
        }
        .copied()
    }

    /// Adds a position, for which there is a [spare place](Self::has_spare_place), or else `rehash` is asked for all.
    #[inline]
    pub(crate) fn insert(&mut self, hash: u64, position: u32, rehash: impl Fn(u32) -> u64) {
        debug_assert!(
            self.has_spare_place() || !self.is_moving(),
            "it moves in time"
        );
        self.new
            .insert_unique(hash, position, |&position| rehash(position));
    }

    /// Removes a position that came in with this hash.
    pub(crate) fn remove(&mut self, hash: u64, position: u32) {
        for table in [&mut self.new, &mut self.old] {
            if let Ok(found) = table.find_entry(hash, |&other| other == position) {
                found.remove();
                return;
            }
        }
        // Somebody changed the key in its place: slow, but nothing may lead to where nothing is.
        for table in [&mut self.new, &mut self.old] {
            table.retain(|&mut other| other != position);
        }
    }

    /// An entry with this hash has another position now, a lower one.
    pub(crate) fn relocate(&mut self, hash: u64, from: u32, to: u32) {
        debug_assert!(to < from, "positions only go down");
        for table in [&mut self.new, &mut self.old] {
            if let Some(place) = table.find_mut(hash, |&position| position == from) {
                *place = to;
                return;
            }
        }
        // As in `remove`.
        for table in [&mut self.new, &mut self.old] {
            let places = table.iter_mut().filter(|place| **place == from);
            places.for_each(|place| *place = to);
        }
    }

    /// From now on entries go to a table for so many, and those that are here move there: at once if they are few.
    /// `len` positions are in use, of which `rehash` knows the hash.
    pub(crate) fn grow(&mut self, capacity: usize, len: u32, rehash: impl Fn(u32) -> u64) {
        // Not before the last move has ended, which it has long ago.
        self.finish(&rehash);
        let fresh = HashTable::with_capacity(capacity);
        self.old = core::mem::replace(&mut self.new, fresh);
        self.left = len;
        if capacity <= SMALL {
            self.finish(rehash);
        }
    }

    /// Moves all entries that are to be moved. O(n).
    pub(crate) fn finish(&mut self, rehash: impl Fn(u32) -> u64) {
        while self.is_moving() {
            self.move_some(&rehash);
        }
    }

    /// Moves some entries, if any are to be moved. Should `rehash` panic, nothing has changed.
    #[inline]
    pub(crate) fn advance(&mut self, rehash: impl Fn(u32) -> u64) {
        if self.is_moving() {
            self.move_some(rehash);
        }
    }

    #[cold]
    fn move_some(&mut self, rehash: impl Fn(u32) -> u64) {
        for _ in 0..MOVES.min(self.left) {
            let position = self.left - 1;
            let hash = rehash(position);
            if self.leave(hash, position) {
                self.new.insert_unique(hash, position, |_| hash);
            }
            self.leave_from(position);
        }
    }

    /// Takes a position out of the old table. Returns whether it was there.
    fn leave(&mut self, hash: u64, position: u32) -> bool {
        if let Ok(found) = self.old.find_entry(hash, |&other| other == position) {
            found.remove();
            return true;
        }
        if self.new.find(hash, |&other| other == position).is_some() {
            return false;
        }
        // As in `remove`.
        let before = self.old.len();
        self.old.retain(|&mut other| other != position);
        self.old.len() < before
    }

    /// Entries at the end are gone: fewer positions are in use.
    #[inline]
    pub(crate) fn shorten(&mut self, len: u32) {
        if self.left > len {
            self.leave_from(len);
        }
    }

    /// Positions from `left` on are in the old table no more; with the last of them it goes.
    fn leave_from(&mut self, left: u32) {
        self.left = left;
        if left == 0 {
            debug_assert!(self.old.is_empty(), "each was below `left`");
            self.old = HashTable::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    /// Positions without gaps and the hash of each, as an [`Lru`](crate::lru::Lru) has them.
    #[derive(Default)]
    struct Owner {
        table: Table,
        hashes: Vec<u64>,
    }

    impl Owner {
        /// Few different ones, so that some are equal.
        fn hash(number: u64) -> u64 {
            (number % 50_000).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        }

        fn advance(&mut self) {
            let hashes = &self.hashes;
            let before = self.table.old.len();
            self.table.advance(|position| hashes[position as usize]);
            let moved = before - self.table.old.len();
            assert!(moved <= MOVES as usize, "{moved} at a time");
        }

        fn push(&mut self, number: u64) {
            let (hash, position) = (Self::hash(number), self.hashes.len() as u32);
            if !self.table.has_spare_place() {
                assert!(!self.table.is_moving(), "it has long ended");
                let hashes = &self.hashes;
                let capacity = (self.table.len() * 2).max(3);
                self.table
                    .grow(capacity, position, |position| hashes[position as usize]);
            }
            self.advance();
            self.table
                .insert(hash, position, |_| unreachable!("there is room"));
            self.hashes.push(hash);
        }

        fn remove(&mut self, position: u32) {
            self.advance();
            self.table.remove(self.hashes[position as usize], position);
            self.hashes.swap_remove(position as usize);
            let last = self.hashes.len() as u32;
            if position != last {
                self.table
                    .relocate(self.hashes[position as usize], last, position);
            }
            self.table.shorten(last);
        }

        fn check(&self) {
            assert_eq!(self.table.len(), self.hashes.len());
            for (position, hash) in (0..).zip(&self.hashes) {
                let found = self.table.find(*hash, |other| other == position);
                assert_eq!(found, Some(position));
            }
            assert!(
                self.table
                    .old
                    .iter()
                    .all(|&position| position < self.table.left)
            );
        }
    }

    #[test]
    fn no_change_moves_more_than_a_few_and_nothing_is_lost_on_the_way() {
        let mut owner = Owner::default();
        let mut rng = crate::rng::Rng::new(1);
        let mut was_moving = 0;
        for number in 0..400_000 {
            owner.push(number);
            was_moving += u32::from(owner.table.is_moving());
            if rng.below(4) == 0 {
                owner.remove(rng.below(owner.hashes.len() as u64) as u32);
            }
            if owner.table.is_moving() && rng.below(2_000) == 0 {
                owner.check();
            }
        }
        assert!(was_moving > 5_000, "{was_moving}");
        owner.check();
        while let Some(last) = owner.hashes.len().checked_sub(1) {
            owner.remove(rng.below(last as u64 + 1) as u32);
        }
        assert_eq!(owner.table.len(), 0);
    }

    #[test]
    fn emptied_while_it_moves_it_is_empty() {
        let mut owner = Owner::default();
        let mut number = 0;
        while !owner.table.is_moving() {
            owner.push(number);
            number += 1;
        }
        while !owner.hashes.is_empty() {
            owner.remove(0);
        }
        assert!(!owner.table.is_moving() && owner.table.len() == 0);
        owner.push(7);
        owner.check();
    }
}
