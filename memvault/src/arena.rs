//! Slots that keep their place, named by 32-bit [`Index`].
//!
//! Place: under the recency [`List`](crate::list::List) and the [`Lru`](crate::lru::Lru) heart; a thin
//! face of [`Slab`], for links of half the size and for the exact bytes a slot takes.
//! Cost: all operations O(1), but for growth, which is O(n) and happens only when it is asked for.
//! Limits: at most [`MAX_SLOTS`] slots. An index is only good until its slot is removed: using it later
//! panics, or finds the slot's next tenant.

use slab::Slab;

/// Position of an occupied slot in an [`Arena`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Index(u32);

impl Index {
    pub(crate) const fn new(position: u32) -> Self {
        Self(position)
    }

    pub(crate) const fn position(self) -> u32 {
        self.0
    }
}

/// Most slots of an arena: the two highest positions are left for links that lead nowhere.
pub(crate) const MAX_SLOTS: usize = u32::MAX as usize - 2;

#[derive(Clone, Debug)]
pub(crate) struct Arena<T> {
    slots: Slab<T>,
}

impl<T> Arena<T> {
    /// Bytes of a slot: as [`Slab`] lays it out, free of charge where `T` has a niche.
    pub(crate) const SLOT: usize = size_of::<Slot<T>>();

    /// No slots; allocates nothing.
    pub(crate) const fn new() -> Self {
        Self { slots: Slab::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Slots that there is memory for, occupied or not.
    pub(crate) fn capacity(&self) -> usize {
        self.slots.capacity()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.capacity() * Self::SLOT
    }

    /// Makes memory for exactly `slots` more than [`len`](Self::len).
    pub(crate) fn reserve_exact(&mut self, slots: usize) {
        self.slots.reserve_exact(slots);
    }

    /// Fills a vacant slot.
    ///
    /// # Panics
    /// If there are [`MAX_SLOTS`] already.
    pub(crate) fn insert(&mut self, tenant: T) -> Index {
        let vacant = self.slots.vacant_entry();
        let position = vacant.key();
        assert!(
            position < MAX_SLOTS,
            "more slots than 32-bit links can name"
        );
        vacant.insert(tenant);
        Index(position as u32)
    }

    /// Vacates a slot; its memory stays for the next tenant.
    ///
    /// # Panics
    /// If the slot is vacant.
    pub(crate) fn remove(&mut self, index: Index) -> T {
        self.slots.remove(index.0 as usize)
    }

    /// The first occupied slot at or after `position`. O(n) over vacant slots.
    pub(crate) fn next_occupied(&self, position: u32) -> Option<Index> {
        (position..self.slots.capacity() as u32)
            .find(|&i| self.slots.contains(i as usize))
            .map(Index)
    }

    /// All tenants in the order of their positions.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Index, &T)> {
        self.slots
            .iter()
            .map(|(i, tenant)| (Index(i as u32), tenant))
    }
}

impl<T> core::ops::Index<Index> for Arena<T> {
    type Output = T;

    fn index(&self, index: Index) -> &T {
        &self.slots[index.0 as usize]
    }
}

impl<T> core::ops::IndexMut<Index> for Arena<T> {
    fn index_mut(&mut self, index: Index) -> &mut T {
        &mut self.slots[index.0 as usize]
    }
}

/// Of the same size as a slot of [`Slab`], which keeps its own type to itself.
enum Slot<T> {
    #[expect(dead_code, reason = "only its size is used")]
    Vacant(usize),
    #[expect(dead_code, reason = "only its size is used")]
    Occupied(T),
}
