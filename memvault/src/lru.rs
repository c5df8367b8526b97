//! The generic heart of every cache here: an index by hash, an arena, and the order of use, growing
//! within a budget.
//!
//! ```text
//! hash --> index: Table --> arena of nodes (entry, newer, older) <-- newest, oldest
//! ```
//! Place: over [`Arena`] and [`List`]; under [`Cache`](crate::cache::Cache) and
//! [`Entries`](crate::store::Entries). Knows recency and what it takes itself, not what an entry is: who
//! calls supplies hashes and comparisons, and decides what goes.
//! Cost: all operations O(1); 8 bytes of links per entry, and 5.7 to 11.4 of index.
//! Limits: grows only in [`grow_within`](Lru::grow_within), never by itself. Should a comparison or a
//! rehash panic, nothing has changed yet.

use core::mem;

use crate::arena::Arena;
pub(crate) use crate::arena::{Index, MAX_SLOTS};
use crate::list::{List, Node};
use crate::table::Table;

/// Entries by hash and in the order of use.
#[derive(Clone, Debug)]
pub(crate) struct Lru<E> {
    /// Invariant: the positions of exactly the nodes in the arena, each under its entry's hash.
    table: Table,
    nodes: Arena<Node<E>>,
    /// Invariant: links exactly the nodes in the arena.
    order: List,
}

impl<E> Lru<E> {
    /// Bytes of a slot in the arena.
    pub(crate) const SLOT: usize = size_of::<Node<E>>();

    /// No entries; allocates nothing.
    pub(crate) const fn new() -> Self {
        Self {
            table: Table::new(),
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
    #[inline]
    pub(crate) fn find(&self, hash: u64, mut eq: impl FnMut(&E) -> bool) -> Option<Index> {
        let found = self
            .table
            .find(hash, |i| eq(&self.nodes[Index::new(i)].entry));
        found.map(Index::new)
    }

    pub(crate) fn entry(&self, index: Index) -> &E {
        &self.nodes[index].entry
    }

    pub(crate) fn entry_mut(&mut self, index: Index) -> &mut E {
        &mut self.nodes[index].entry
    }

    /// Makes an entry the newest.
    #[inline]
    pub(crate) fn promote(&mut self, index: Index) {
        self.order.promote(&mut self.nodes, index);
    }

    /// Adds an entry as the newest. The caller has [made room](Self::grow_within) for it, so that
    /// `rehash` is asked only if that was forgotten.
    pub(crate) fn insert(&mut self, hash: u64, entry: E, rehash: impl Fn(&E) -> u64) -> Index {
        let nodes = &self.nodes;
        let rehash = |i| rehash(&nodes[Index::new(i)].entry);
        self.table.advance(rehash);
        self.table.insert(hash, nodes.len() as u32, rehash);
        let index = self.nodes.push(Node::new(entry));
        self.order.push_newest(&mut self.nodes, index);
        index
    }

    /// Takes an entry out, and [moves the last one](Self::last) into its slot. `hash` must be the one it
    /// came in with.
    pub(crate) fn remove(&mut self, index: Index, hash: u64, rehash: impl Fn(&E) -> u64) -> E {
        let moved = self.last().filter(|&last| last != index);
        let moved = moved.map(|last| (last, rehash(self.entry(last))));
        self.advance(rehash);
        self.table.remove(hash, index.position());
        self.order.unlink(&mut self.nodes, index);
        let node = self.nodes.swap_remove(index);
        if let Some((last, hash)) = moved {
            self.order.follow(&mut self.nodes, index);
            self.table.relocate(hash, last.position(), index.position());
        }
        self.table.shorten(self.nodes.len() as u32);
        node.entry
    }

    /// Moves some entries on to a larger index, if there is one that they have to move to.
    #[inline]
    fn advance(&mut self, rehash: impl Fn(&E) -> u64) {
        let nodes = &self.nodes;
        self.table.advance(|i| rehash(&nodes[Index::new(i)].entry));
    }

    /// Puts an entry in the place of another, as the newest; returns the other. Needs a
    /// [spare place](Self::has_spare_place) in the index. `old_hash` must be the one the other came in with.
    #[inline]
    pub(crate) fn recycle(
        &mut self,
        index: Index,
        (old_hash, hash): (u64, u64),
        entry: E,
        rehash: impl Fn(&E) -> u64,
    ) -> E {
        self.advance(rehash);
        self.table.remove(old_hash, index.position());
        self.table.insert(hash, index.position(), |_| hash);
        self.order.promote(&mut self.nodes, index);
        mem::replace(&mut self.nodes[index].entry, entry)
    }

    /// Whether the index takes one more entry without being built afresh.
    pub(crate) fn has_spare_place(&self) -> bool {
        self.table.has_spare_place()
    }

    /// The last entry whose position is below `position`.
    pub(crate) fn below(&self, position: u32) -> Option<Index> {
        let position = self.len().min(position as usize);
        position
            .checked_sub(1)
            .map(|position| Index::new(position as u32))
    }

    /// The slot whose entry moves into the gap when another one is removed.
    pub(crate) fn last(&self) -> Option<Index> {
        self.nodes.last()
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
}

/// What it takes, and how it grows.
impl<E> Lru<E> {
    /// Bytes of the index; of one that is being left, none.
    pub(crate) fn table_bytes(&self) -> usize {
        self.table.bytes()
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

    /// What arena and index would take if they were [compact](Self::compact).
    pub(crate) fn least_bytes(&self, beside: usize) -> usize {
        let slots = self.len().max(FEWEST_SLOTS);
        let buckets = buckets_for(self.len()).min(self.table.buckets());
        slots * (Self::SLOT + beside) + table_size(buckets)
    }

    /// Makes room for one more entry if arena and index, together, need no more than `room` bytes for it
    /// in addition, where each slot takes `beside` bytes elsewhere. The index doubles, the arena grows by a piece;
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
            self.move_to(full_load(buckets), rehash);
        }
        if slots > 0 {
            self.nodes.reserve_exact(slots);
        }
        true
    }

    /// Gives back pieces of the arena that have become empty. Returns whether it did. Amortised over removals, O(1).
    #[inline]
    pub(crate) fn trim(&mut self) -> bool {
        self.nodes.trim()
    }

    /// Gives memory back: shrinks the arena to so many slots, or as many as it takes, and the index to
    /// suit. Entries keep their positions. O(n).
    pub(crate) fn compact(&mut self, slots: usize, rehash: impl Fn(&E) -> u64) {
        let capacity = self.len().max(full_load(FEWEST_BUCKETS));
        if buckets_for(capacity) < self.table.buckets() {
            self.move_to(capacity, &rehash);
            let nodes = &self.nodes;
            self.table.finish(|i| rehash(&nodes[Index::new(i)].entry));
        }
        self.nodes.shrink_to(slots.max(FEWEST_SLOTS));
    }

    /// Leaves the entries alone, in no order: to be dropped in steps.
    pub(crate) fn into_arena(self) -> Arena<Node<E>> {
        self.nodes
    }

    /// Begins to move all entries to an index that has room for so many.
    fn move_to(&mut self, capacity: usize, rehash: impl Fn(&E) -> u64) {
        let nodes = &self.nodes;
        let rehash = |i| rehash(&nodes[Index::new(i)].entry);
        self.table.grow(capacity, nodes.len() as u32, rehash);
    }

    /// Panics unless index, arena and order hold the same entries.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn check_invariants(&self, rehash: impl Fn(&E) -> u64) {
        let (mut count, mut newer, mut next) = (0, None, self.newest());
        while let Some(index) = next {
            assert_eq!(self.newer(index), newer, "links lead to and fro");
            let hash = rehash(self.entry(index));
            let found = self.table.find(hash, |i| i == index.position());
            assert!(found.is_some(), "each entry is in the index under its hash");
            (count, newer, next) = (count + 1, next, self.older(index));
        }
        assert_eq!(self.oldest(), newer);
        assert_eq!((self.len(), self.table.len()), (count, count));
    }

    /// How many buckets the index needs if it has to be built afresh for one more entry, and by how many
    /// bytes it grows then.
    fn table_growth(&self) -> Option<(Option<usize>, usize)> {
        if self.has_spare_place() {
            return Some((None, 0));
        }
        let buckets = self.table.buckets();
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
        // Twice as many up to a whole piece, and then piece by piece, which copies nothing.
        let piece = Arena::<Node<E>>::PIECE;
        let wanted = (capacity.max(FEWEST_SLOTS))
            .min(piece - capacity % piece)
            .min(most.saturating_sub(capacity).max(1));
        let step = wanted.min(affordable);
        (step == wanted || step > capacity.min(piece) / 16).then_some(step)
    }
}

/// Least slots of an arena that is not empty.
pub(crate) const FEWEST_SLOTS: usize = 4;
const FEWEST_BUCKETS: usize = 4;

/// Bytes of an index of so many buckets: a position and a control byte each, and one group more.
const fn table_size(buckets: usize) -> usize {
    (buckets * 4).next_multiple_of(16) + buckets + 16
}

/// Buckets of an index that takes so many entries.
const fn buckets_for(capacity: usize) -> usize {
    let mut buckets = FEWEST_BUCKETS;
    while full_load(buckets) < capacity {
        buckets *= 2;
    }
    buckets
}

/// Entries that an index of so many buckets takes.
const fn full_load(buckets: usize) -> usize {
    if buckets <= 8 {
        buckets - 1
    } else {
        buckets / 8 * 7
    }
}
