//! One number per slot of the arena, kept beside it: memory only for caches that need it.

use alloc::vec::Vec;

use crate::lru::Index;

/// Numbers by slot; none, and no memory, until the column is [begun](Self::fit).
#[derive(Clone, Debug)]
pub(super) struct Column {
    /// Invariant: empty, or one number for each slot of the arena.
    numbers: Vec<u64>,
}

/// Bytes of a column per slot.
pub(super) const NUMBER: usize = size_of::<u64>();

impl Column {
    pub(super) const fn new() -> Self {
        Self {
            numbers: Vec::new(),
        }
    }

    /// The number of a slot, if the column is begun.
    pub(super) fn get(&self, index: Index) -> Option<u64> {
        self.numbers.get(index.position() as usize).copied()
    }

    /// Sets the number of a slot, if the column is begun; returns the old one.
    pub(super) fn replace(&mut self, index: Index, number: u64) -> Option<u64> {
        let place = self.numbers.get_mut(index.position() as usize)?;
        Some(core::mem::replace(place, number))
    }

    /// Begins the column, or stretches it, so that it covers `slots`; new slots get `number`.
    pub(super) fn fit(&mut self, slots: usize, number: u64) {
        if let Some(new) = slots.checked_sub(self.numbers.len()) {
            self.numbers.reserve_exact(new);
            self.numbers.resize(slots, number);
        }
    }

    /// The numbers of these slots, in this order, for an arena of `slots`.
    pub(super) fn gather(&self, order: impl Iterator<Item = Index>, slots: usize) -> Self {
        let mut numbers = Vec::new();
        if !self.numbers.is_empty() {
            numbers.reserve_exact(slots);
            numbers.extend(order.filter_map(|index| self.get(index)));
        }
        Self { numbers }
    }

    /// Bytes allocated.
    #[cfg(any(test, fuzzing))]
    pub(super) const fn bytes(&self) -> usize {
        self.numbers.capacity() * NUMBER
    }
}
