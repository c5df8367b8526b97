//! Recency: an index by hash, an arena and the order of use, growing within a budget.

use hashbrown::HashTable;
use slab::Slab;

/// Position of an entry in the arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Index(u32);

impl Index {
    pub(crate) const fn position(self) -> u32 {
        self.0
    }
}

#[derive(Debug)]
struct Slot<E> {
    entry: E,
    newer: u32,
    older: u32,
}

const NONE: u32 = u32::MAX;

#[derive(Debug)]
pub(crate) struct Lru<E> {
    table: HashTable<u32>,
    slots: Slab<Slot<E>>,
    newest: u32,
    oldest: u32,
}

impl<E> Lru<E> {
    pub(crate) fn new() -> Self {
        Self {
            table: HashTable::new(),
            slots: Slab::new(),
            newest: NONE,
            oldest: NONE,
        }
    }
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }
    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }
    pub(crate) fn find(&self, hash: u64, mut eq: impl FnMut(&E) -> bool) -> Option<Index> {
        self.table
            .find(hash, |&i| eq(&self.slots[i as usize].entry))
            .map(|&i| Index(i))
    }
    fn unlink(&mut self, i: u32) {
        let Slot { newer, older, .. } = self.slots[i as usize];
        if newer == NONE {
            self.newest = older
        } else {
            self.slots[newer as usize].older = older
        }
        if older == NONE {
            self.oldest = newer
        } else {
            self.slots[older as usize].newer = newer
        }
    }
    fn link(&mut self, i: u32) {
        let old = self.newest;
        let slot = &mut self.slots[i as usize];
        slot.newer = NONE;
        slot.older = old;
        self.newest = i;
        if old == NONE {
            self.oldest = i
        } else {
            self.slots[old as usize].newer = i
        }
    }
    pub(crate) fn promote(&mut self, index: Index) {
        if self.newest != index.0 {
            self.unlink(index.0);
            self.link(index.0);
        }
    }
    pub(crate) fn entry(&self, index: Index) -> &E {
        &self.slots[index.0 as usize].entry
    }
    pub(crate) fn entry_mut(&mut self, index: Index) -> &mut E {
        &mut self.slots[index.0 as usize].entry
    }
    pub(crate) fn insert(&mut self, hash: u64, entry: E, rehash: impl Fn(&E) -> u64) -> Index {
        let i = self.slots.insert(Slot {
            entry,
            newer: NONE,
            older: NONE,
        }) as u32;
        let slots = &self.slots;
        self.table
            .insert_unique(hash, i, |&i| rehash(&slots[i as usize].entry));
        self.link(i);
        Index(i)
    }
    pub(crate) fn remove(&mut self, index: Index, hash: u64) -> E {
        if let Ok(found) = self.table.find_entry(hash, |&i| i == index.0) {
            found.remove();
        }
        self.unlink(index.0);
        self.slots.remove(index.0 as usize).entry
    }
    pub(crate) fn oldest(&self) -> Option<Index> {
        (self.oldest != NONE).then_some(Index(self.oldest))
    }
    pub(crate) fn newer(&self, index: Index) -> Option<Index> {
        let newer = self.slots[index.0 as usize].newer;
        (newer != NONE).then_some(Index(newer))
    }
    pub(crate) fn next_slot(&self, from: u32) -> Option<Index> {
        (from..self.slots.capacity() as u32)
            .find(|&i| self.slots.contains(i as usize))
            .map(Index)
    }
    pub(crate) fn table_bytes(&self) -> usize {
        self.table.allocation_size()
    }
    pub(crate) fn arena_bytes(&self) -> usize {
        self.slots.capacity() * Self::SLOT
    }

    /// Bytes of a slot in the arena: as `slab` lays it out where `E` has a niche.
    const SLOT: usize = size_of::<Option<Slot<E>>>();

    /// Least bytes of arena and index that hold one entry.
    pub(crate) fn smallest_bytes() -> usize {
        FEWEST_SLOTS * Self::SLOT + table_size(FEWEST_BUCKETS)
    }

    /// Makes room for one more entry if arena and index, together, need no more than `room` bytes for it
    /// in addition. Both grow in steps that amortise; never beyond `most` entries in the arena.
    pub(crate) fn grow_within(
        &mut self,
        room: usize,
        most: usize,
        rehash: impl Fn(&E) -> u64,
    ) -> bool {
        let Some((buckets, table)) = self.table_growth() else {
            return false;
        };
        let Some(room) = room.checked_sub(table) else {
            return false;
        };
        let Some(slots) = self.arena_growth(room, most) else {
            return false;
        };
        if slots > 0 {
            self.slots.reserve_exact(slots);
        }
        if let Some(buckets) = buckets {
            let mut fresh = HashTable::with_capacity(full_load(buckets));
            for (i, slot) in &self.slots {
                fresh.insert_unique(rehash(&slot.entry), i as u32, |_| 0);
            }
            self.table = fresh;
        }
        true
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

    fn arena_growth(&self, room: usize, most: usize) -> Option<usize> {
        let capacity = self.slots.capacity();
        if self.slots.len() < capacity {
            return Some(0);
        }
        let doubled = capacity
            .max(FEWEST_SLOTS)
            .min(most.saturating_sub(capacity).max(1));
        let step = doubled.min(room / Self::SLOT);
        (step == doubled || step > capacity / 16).then_some(step)
    }
}

const FEWEST_SLOTS: usize = 4;
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
