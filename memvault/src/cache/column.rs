//! One number per slot of the arena, kept beside it: memory only for caches that need it.

use crate::arena::Arena;
use crate::lru::Index;

/// Numbers by slot; none, and no memory, until the column is [begun](Self::fit).
#[derive(Clone, Debug)]
pub(super) struct Column {
    /// Invariant: empty, or one number for each slot of the arena.
    numbers: Arena<u64>,
}

/// Bytes of a column per slot.
pub(super) const NUMBER: usize = size_of::<u64>();

impl Column {
    pub(super) const fn new() -> Self {
        Self {
            numbers: Arena::new(),
        }
    }

    /// The number of a slot, if the column is begun.
    pub(super) fn get(&self, index: Index) -> Option<u64> {
        self.numbers.get(index.position()).copied()
    }

    /// Sets the number of a slot, if the column is begun; returns the old one.
    pub(super) fn replace(&mut self, index: Index, number: u64) -> Option<u64> {
        let place = self.numbers.get_mut(index.position())?;
        Some(core::mem::replace(place, number))
    }

    /// Begins the column, or makes it longer or shorter, to cover `slots`; new slots get `number`.
    pub(super) fn fit(&mut self, slots: usize, number: u64) {
        self.numbers.resize(slots, number);
    }

    /// Moves the number of slot `last` to slot `index`, and leaves `number` there.
    pub(super) fn follow(&mut self, index: Index, last: Index, number: u64) {
        if let Some(moved) = self.replace(last, number) {
            self.replace(index, moved);
        }
    }

    /// Bytes allocated.
    #[cfg(any(test, fuzzing))]
    pub(super) const fn bytes(&self) -> usize {
        self.numbers.bytes()
    }
}
