//! The generic heart of every cache here: an index by hash, an arena, and the order of use, growing
//! within a budget.
//!
//! ```text
//! hash --> index: HashTable<u32> --> arena of nodes (entry, newer, older) <-- newest, oldest
//! ```
//! Place: over [`Arena`] and [`List`]; under [`Cache`](crate::cache::Cache) and
//! [`Entries`](crate::store::Entries). Knows recency and what it takes itself, not what an entry is: who
//! calls supplies hashes and comparisons, and decides what goes.
//! Cost: all operations O(1) on average, but for growth, which is O(n) and amortised; 8 bytes of links
//! per entry, and 5.7 to 11.4 of index.
//! Limits: grows only in [`grow_within`](Lru::grow_within), never by itself. Should a comparison or a
//! rehash panic, nothing has changed yet.

use hashbrown::HashTable;

use crate::arena::Arena;
pub(crate) use crate::arena::{Index, MAX_SLOTS};
use crate::list::{List, Node};

/// Entries by hash and in the order of use.
#[derive(Clone, Debug)]
pub(crate) struct Lru<E> {
    /// Invariant: the positions of exactly the nodes in the arena, each under its entry's hash.
    table: HashTable<u32>,
    nodes: Arena<Node<E>>,
    /// Invariant: links exactly the nodes in the arena.
    order: List,
}

impl<E> Lru<E> {
    /// Bytes of a slot in the arena.
    pub(crate) const SLOT: usize = Arena::<Node<E>>::SLOT;

    /// No entries; allocates nothing.
    pub(crate) const fn new() -> Self {
        Self {
            table: HashTable::new(),
            nodes: Arena::new(),
            order: List::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entry with this hash that `eq` accepts.
    pub(crate) fn find(&self, hash: u64, mut eq: impl FnMut(&E) -> bool) -> Option<Index> {
        self.table
            .find(hash, |&i| eq(&self.nodes[Index::new(i)].entry))
            .map(|&i| Index::new(i))
    }

    pub(crate) fn entry(&self, index: Index) -> &E {
        &self.nodes[index].entry
    }

    pub(crate) fn entry_mut(&mut self, index: Index) -> &mut E {
        &mut self.nodes[index].entry
    }

    /// Makes an entry the newest.
    pub(crate) fn promote(&mut self, index: Index) {
        self.order.promote(&mut self.nodes, index);
    }

    /// Adds an entry as the newest. The caller has [made room](Self::grow_within) for it, so that
    /// `rehash` is asked only if that was forgotten.
    pub(crate) fn insert(&mut self, hash: u64, entry: E, rehash: impl Fn(&E) -> u64) -> Index {
        let index = self.nodes.insert(Node::new(entry));
        let nodes = &self.nodes;
        self.table.insert_unique(hash, index.position(), |&i| {
            rehash(&nodes[Index::new(i)].entry)
        });
        self.order.push_newest(&mut self.nodes, index);
        index
    }

    /// Takes an entry out; its slot stays for the next one. `hash` must be the one it came in with.
    pub(crate) fn remove(&mut self, index: Index, hash: u64) -> E {
        match self.table.find_entry(hash, |&i| i == index.position()) {
            Ok(found) => {
                found.remove();
            }
            // Somebody changed the key in its place: slow, but nothing may point to a vacant slot.
            Err(_) => self.table.retain(|&mut i| i != index.position()),
        }
        self.order.unlink(&mut self.nodes, index);
        self.nodes.remove(index).entry
    }

    pub(crate) fn newest(&self) -> Option<Index> {
        self.order.newest()
    }

    pub(crate) fn oldest(&self) -> Option<Index> {
        self.order.oldest()
    }

    pub(crate) fn newer(&self, index: Index) -> Option<Index> {
        self.nodes[index].newer()
    }

    pub(crate) fn older(&self, index: Index) -> Option<Index> {
        self.nodes[index].older()
    }

    /// The first entry at or after position `from` of the arena.
    pub(crate) fn next_slot(&self, from: u32) -> Option<Index> {
        self.nodes.next_occupied(from)
    }
}

/// What it takes, and how it grows.
impl<E> Lru<E> {
    /// Bytes of the index.
    pub(crate) fn table_bytes(&self) -> usize {
        self.table.allocation_size()
    }

    /// Bytes of the arena.
    pub(crate) fn arena_bytes(&self) -> usize {
        self.nodes.bytes()
    }

    /// Slots of the arena, occupied or not.
    pub(crate) fn slots(&self) -> usize {
        self.nodes.capacity()
    }

    /// Least bytes of arena and index that hold one entry, if each slot takes `beside` bytes elsewhere.
    pub(crate) const fn smallest_bytes(beside: usize) -> usize {
        FEWEST_SLOTS * (Self::SLOT + beside) + table_size(FEWEST_BUCKETS)
    }

    /// Makes room for one more entry if arena and index, together, need no more than `room` bytes for it
    /// in addition, where each slot takes `beside` bytes elsewhere. Both grow in steps that amortise;
    /// never beyond `most` entries in the arena.
    pub(crate) fn grow_within(
        &mut self,
        room: usize,
        most: usize,
        beside: usize,
        rehash: impl Fn(&E) -> u64,
    ) -> bool {
        let Some((buckets, table)) = self.table_growth() else {
            return false;
        };
        let Some(room) = room.checked_sub(table) else {
            return false;
        };
        let Some(slots) = self.arena_growth(room / (Self::SLOT + beside), most.min(MAX_SLOTS))
        else {
            return false;
        };
        if let Some(buckets) = buckets {
            let mut fresh = HashTable::with_capacity(full_load(buckets));
            for (index, node) in self.nodes.iter() {
                fresh.insert_unique(rehash(&node.entry), index.position(), |_| 0);
            }
            self.table = fresh;
        }
        if slots > 0 {
            self.nodes.reserve_exact(slots);
        }
        true
    }

    /// Moves all entries to an arena of so many slots, or as many as it takes, and to an index to suit.
    /// They are renumbered from 0, from the oldest to the newest. O(n).
    pub(crate) fn compact(&mut self, slots: usize, rehash: impl Fn(&E) -> u64) {
        let mut table = HashTable::with_capacity(self.len().max(full_load(FEWEST_BUCKETS)));
        let mut next = self.oldest();
        for position in 0.. {
            let Some(index) = next else {
                break;
            };
            table.insert_unique(rehash(self.entry(index)), position, |_| 0);
            next = self.newer(index);
        }
        let mut compact = Self {
            table,
            nodes: Arena::new(),
            order: List::new(),
        };
        compact
            .nodes
            .reserve_exact(slots.max(self.len()).max(FEWEST_SLOTS));
        next = self.oldest();
        while let Some(index) = next {
            next = self.newer(index);
            let moved = compact
                .nodes
                .insert(Node::new(self.nodes.remove(index).entry));
            compact.order.push_newest(&mut compact.nodes, moved);
        }
        *self = compact;
    }

    /// Panics unless index, arena and order hold the same entries.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn check_invariants(&self, rehash: impl Fn(&E) -> u64) {
        let (mut count, mut newer, mut next) = (0, None, self.newest());
        while let Some(index) = next {
            assert_eq!(self.newer(index), newer, "links lead to and fro");
            let hash = rehash(self.entry(index));
            let found = self.table.find(hash, |&i| i == index.position());
            assert!(found.is_some(), "each entry is in the index under its hash");
            (count, newer, next) = (count + 1, next, self.older(index));
        }
        assert_eq!(self.oldest(), newer);
        assert_eq!((self.len(), self.table.len()), (count, count));
    }

    /// How many buckets the index needs if it has to be built afresh for one more entry, and by how many
    /// bytes it grows then.
    fn table_growth(&self) -> Option<(Option<usize>, usize)> {
        if self.table.len() < self.table.capacity() {
            return Some((None, 0));
        }
        let buckets = self.table.num_buckets();
        if buckets < FEWEST_BUCKETS {
            return Some((None, table_size(FEWEST_BUCKETS)));
        }
        // Full, but of marks that deletions leave behind: the same size will do, and lasts for a while.
        if self.table.len() < full_load(buckets) / 16 * 15 {
            return Some((Some(buckets), 0));
        }
        Some((
            Some(buckets * 2),
            table_size(buckets * 2) - table_size(buckets),
        ))
    }

    /// By how many slots the arena grows for one more entry, given memory for `affordable` more.
    fn arena_growth(&self, affordable: usize, most: usize) -> Option<usize> {
        let capacity = self.nodes.capacity();
        if self.nodes.len() < capacity {
            return Some(0);
        }
        let doubled = capacity
            .max(FEWEST_SLOTS)
            .min(most.saturating_sub(capacity).max(1));
        let step = doubled.min(affordable);
        (step == doubled || step > capacity / 16).then_some(step)
    }
}

/// Least slots of an arena that is not empty.
pub(crate) const FEWEST_SLOTS: usize = 4;
const FEWEST_BUCKETS: usize = 4;

/// Bytes of an index of so many buckets: a position and a control byte each, and one group more.
const fn table_size(buckets: usize) -> usize {
    (buckets * 4).next_multiple_of(16) + buckets + 16
}

/// Entries that an index of so many buckets takes.
const fn full_load(buckets: usize) -> usize {
    if buckets <= 8 {
        buckets - 1
    } else {
        buckets / 8 * 7
    }
}
