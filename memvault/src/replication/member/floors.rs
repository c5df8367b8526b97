//! Forgetting is remembered: per slot, the highest version that was ever forgotten of its keys.
//!
//! Eviction, expiry and restart destroy versions. A replica that may have forgotten something newer than
//! what others hold says so, and a quorum read becomes a miss instead of stale.

use alloc::vec;
use alloc::vec::Vec;

use crate::slot::{SLOTS, Slot};
use crate::version::Version;

/// The highest version forgotten in each slot. 192 KiB.
#[derive(Clone, Debug)]
pub(in crate::replication) struct Floors {
    /// Invariant: one for each slot; versions only go down when a clock is put right.
    slots: Vec<Version>,
}

impl Floors {
    /// Floors of [`Version::ZERO`].
    pub(in crate::replication) fn new() -> Self {
        Self {
            slots: vec![Version::ZERO; usize::from(SLOTS)],
        }
    }

    /// The floor of a slot.
    pub(in crate::replication) fn at(&self, slot: Slot) -> Version {
        self.slots[slot.as_usize()]
    }

    /// Raises the floor of a slot to at least `version`.
    pub(in crate::replication) fn raise(&mut self, slot: Slot, version: Version) {
        debug_assert_eq!(self.slots.len(), usize::from(SLOTS), "one for each slot");
        let floor = &mut self.slots[slot.as_usize()];
        *floor = (*floor).max(version);
    }

    /// Raises all floors.
    pub(in crate::replication) fn raise_all(&mut self, version: Version) {
        for floor in &mut self.slots {
            *floor = (*floor).max(version);
        }
    }

    /// Lowers all floors to at most `version`.
    pub(in crate::replication) fn lower_all(&mut self, version: Version) {
        for floor in &mut self.slots {
            *floor = (*floor).min(version);
        }
    }

    /// The slots whose floor is above [`Version::ZERO`].
    pub(in crate::replication) fn raised(&self) -> impl Iterator<Item = (Slot, Version)> + '_ {
        let floors = Slot::all().zip(self.slots.iter().copied());
        floors.filter(|(_, floor)| *floor > Version::ZERO)
    }
}
