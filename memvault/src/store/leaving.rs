//! [`Leaving`]: what a store held before it was cleared, until it is dropped in small steps.
//!
//! Place: beside the entries of [`Entries`](super::Entries), which serve meanwhile.
//! Cost: to clear millions of entries, or gigabytes, in one go takes as long as thousands of requests. A step takes some
//! 50 ns per entry and 0.1 us per KiB, in units of which an entry is one and each KiB of it another; the last step of an
//! arena returns the arena.
//! Limits: not part of the budget. Each insertion drops more than it takes, so that both together stay below what the
//! store held before.

use alloc::vec::Vec;

use super::packed::Packed;
use crate::arena::Arena;
use crate::list::Node;

/// Entries that nobody can find any more.
#[derive(Debug, Default)]
pub(super) struct Leaving {
    /// Invariant: none is empty.
    arenas: Vec<Arena<Node<Packed>>>,
}

impl Leaving {
    /// Takes in all that a store held, and drops the first of it.
    pub(super) fn take_in(&mut self, arena: Arena<Node<Packed>>) {
        if arena.len() > 0 {
            self.arenas.push(arena);
            self.drop_some(AT_ONCE);
        }
    }

    /// Drops entries of `limit` units, or one more. Returns whether there are more.
    pub(super) fn drop_some(&mut self, mut limit: usize) -> bool {
        while let Some(arena) = self.arenas.last_mut() {
            while limit > 0
                && let Some(node) = arena.pop()
            {
                limit = limit.saturating_sub(1 + node.entry.len() / 1024);
            }
            if arena.len() > 0 {
                return true;
            }
            self.arenas.pop();
        }
        false
    }

    /// Drops some, as `bytes` are about to be allocated.
    #[inline]
    pub(super) fn make_way(&mut self, bytes: usize) {
        if !self.arenas.is_empty() {
            self.drop_some(AT_LEAST + (bytes / LEAST_BYTES).min(AT_MOST));
        }
    }
}

/// Units that go with the clearing itself.
const AT_ONCE: usize = 4096;
/// Units that go with each insertion, beside those for its weight: a million small entries are gone after 62 500.
const AT_LEAST: usize = 16;
/// Most units that go for the weight of one insertion: some 1.5 ms.
const AT_MOST: usize = 32 << 10;
/// What an entry takes at least, with its slot.
const LEAST_BYTES: usize = 48;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Meta;

    fn arena(entries: usize) -> Arena<Node<Packed>> {
        let mut arena = Arena::new();
        for _ in 0..entries {
            arena.push(Node::new(Packed::new(
                1,
                b"key",
                b"value",
                &Meta::default(),
            )));
        }
        arena
    }

    #[test]
    fn a_small_store_goes_at_once_and_a_large_one_in_steps() {
        let mut leaving = Leaving::default();
        leaving.take_in(arena(AT_ONCE));
        assert!(!leaving.drop_some(0), "nothing is left");
        leaving.take_in(arena(AT_ONCE + 25));
        leaving.take_in(arena(AT_ONCE + 10));
        assert!(leaving.drop_some(30), "five are left");
        assert!(!leaving.drop_some(5));
    }

    #[test]
    fn a_large_entry_counts_for_many() {
        let mut leaving = Leaving::default();
        let mut arena = arena(10);
        for _ in 0..3 {
            let value = [0; 1 << 20];
            arena.push(Node::new(Packed::new(1, b"k", &value, &Meta::default())));
        }
        leaving.arenas.push(arena);
        assert!(leaving.drop_some(2000), "two went");
        assert_eq!(leaving.arenas[0].len(), 11);
        assert!(leaving.drop_some(1), "the third went");
        assert!(!leaving.drop_some(10));
    }

    #[test]
    fn each_insertion_drops_at_least_what_it_takes() {
        let mut leaving = Leaving::default();
        leaving.take_in(arena(3 * AT_ONCE));
        leaving.make_way(AT_ONCE * LEAST_BYTES);
        assert!(leaving.drop_some(AT_ONCE - AT_LEAST - 1), "one is left");
        leaving.make_way(1);
        assert!(leaving.arenas.is_empty());
    }
}
