//! Slots side by side, named by 32-bit [`Index`].
//!
//! Place: under the recency [`List`](crate::list::List) and the [`Lru`](crate::lru::Lru) heart.
//! Cost: all operations O(1), but for growth, which is O(n) and happens only when it is asked for. A slot
//! takes what its tenant takes, nothing more.
//! Limits: at most [`MAX_SLOTS`] slots. A removal moves the last tenant into the gap, so that indices are
//! good until the next removal only.
//!
//! Why not `slab`: it keeps gaps, so each slot is an enum, and to write a neighbour's link is to read its
//! tag first. The processor then waits for a line that it could have written blindly: look-ups in a large
//! cache took twice the time. Without gaps there is no tag.

use alloc::vec::Vec;
use core::ops;

/// Position of a slot in an [`Arena`].
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

/// Most slots of an arena: the highest position is left for links that lead nowhere.
pub(crate) const MAX_SLOTS: usize = u32::MAX as usize;

#[derive(Clone, Debug)]
pub(crate) struct Arena<T> {
    slots: Vec<T>,
}

impl<T> Arena<T> {
    /// No slots; allocates nothing.
    pub(crate) const fn new() -> Self {
        Self { slots: Vec::new() }
    }

    pub(crate) const fn len(&self) -> usize {
        self.slots.len()
    }

    /// Slots that there is memory for, occupied or not.
    pub(crate) const fn capacity(&self) -> usize {
        self.slots.capacity()
    }

    /// Bytes allocated.
    pub(crate) const fn bytes(&self) -> usize {
        self.capacity() * size_of::<T>()
    }

    /// Makes memory for exactly `slots` more than there are tenants.
    pub(crate) fn reserve_exact(&mut self, slots: usize) {
        self.slots.reserve_exact(slots);
    }

    /// Gives memory back, but for so many slots, or as many as there are tenants.
    pub(crate) fn shrink_to(&mut self, slots: usize) {
        self.slots.shrink_to(slots);
    }

    /// Fills the slot after the last.
    ///
    /// # Panics
    /// If there are [`MAX_SLOTS`] already.
    pub(crate) fn push(&mut self, tenant: T) -> Index {
        let position = self.slots.len();
        assert!(
            position < MAX_SLOTS,
            "more slots than 32-bit links can name"
        );
        self.slots.push(tenant);
        Index(position as u32)
    }

    /// Takes out the last tenant; its slot stays the arena's.
    pub(crate) fn pop(&mut self) -> Option<T> {
        self.slots.pop()
    }

    /// Removes a tenant; the last one moves into its slot.
    ///
    /// # Panics
    /// If there is no such slot.
    pub(crate) fn swap_remove(&mut self, index: Index) -> T {
        self.slots.swap_remove(index.0 as usize)
    }

    /// The slot whose tenant the next removal moves.
    pub(crate) fn last(&self) -> Option<Index> {
        self.slots
            .len()
            .checked_sub(1)
            .map(|position| Index(position as u32))
    }

    /// The tenant at a position, which may lead nowhere: one comparison for both.
    #[inline]
    pub(crate) fn get_mut(&mut self, position: u32) -> Option<&mut T> {
        self.slots.get_mut(position as usize)
    }

    /// All tenants in the order of their positions.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Index, &T)> {
        (0..).map(Index).zip(&self.slots)
    }
}

impl<T> ops::Index<Index> for Arena<T> {
    type Output = T;

    fn index(&self, index: Index) -> &T {
        &self.slots[index.0 as usize]
    }
}

impl<T> ops::IndexMut<Index> for Arena<T> {
    fn index_mut(&mut self, index: Index) -> &mut T {
        &mut self.slots[index.0 as usize]
    }
}
