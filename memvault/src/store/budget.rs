//! What entries may cost, and what they do cost: a pure function of what is stored.
//!
//! Place: asked by [`Entries`](super::Entries) before it allocates anything, so that the account never
//! passes the limit, not even for an instant. No allocator is asked: the same operations give the same
//! numbers on every machine.
//! Limits: while the arena or the table grows, its old copy lives until the new one is filled; the
//! account holds the new one only.

use crate::time::Timestamp;

/// How much entries may take. Both limits can hold at once; then the tighter one decides.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Most bytes that entries, index and arena may take together; `None` means no limit.
    ///
    /// Counted are each allocation rounded up by [`size_class`](Self::size_class), the arena and the
    /// index at their full capacity. Room for at least one entry is taken for granted: an entry that does
    /// not fit is refused.
    pub max_bytes: Option<usize>,
    /// Most entries; `None` means no limit but the arena's of `u32::MAX - 1`. Zero stores nothing.
    pub max_entries: Option<usize>,
    /// Bytes that the allocator spends on an allocation of the given length; at least that length.
    pub size_class: fn(usize) -> usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_bytes: None,
            max_entries: None,
            size_class: round_up_to_16,
        }
    }
}

/// Rounds the length of an allocation up to a multiple of 16: what most allocators do for small ones.
#[must_use]
pub const fn round_up_to_16(len: usize) -> usize {
    len.saturating_add(15) & !15
}

/// The running account of all entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Account {
    /// Invariant: the sum of the size classes of all entries' allocations.
    pub(super) boxes: usize,
    /// Invariant: how many entries have an expiry.
    pub(super) expiring: usize,
    /// Invariant: the sum of the expiries of all entries that have one, in Unix milliseconds.
    pub(super) expiry_sum: u128,
    /// Invariant: how many entries are tombstones.
    pub(super) tombstones: usize,
    /// Invariant: the sum of the size classes of their allocations.
    pub(super) tombstone_boxes: usize,
}

/// What is counted of an entry, beside its allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) expire_at: Option<Timestamp>,
    pub(super) tombstone: bool,
}

impl Account {
    /// Takes in an allocation of `class` bytes.
    pub(super) fn add(&mut self, class: usize, entry: Counted) {
        self.boxes += class;
        self.tombstones += usize::from(entry.tombstone);
        self.tombstone_boxes += if entry.tombstone { class } else { 0 };
        if let Some(at) = entry.expire_at {
            self.expiring += 1;
            self.expiry_sum += u128::from(at.as_millis());
        }
    }

    /// Takes out an allocation that was taken in with the same arguments.
    pub(super) fn remove(&mut self, class: usize, entry: Counted) {
        self.boxes -= class;
        self.tombstones -= usize::from(entry.tombstone);
        self.tombstone_boxes -= if entry.tombstone { class } else { 0 };
        if let Some(at) = entry.expire_at {
            self.expiring -= 1;
            self.expiry_sum -= u128::from(at.as_millis());
        }
    }

    /// Notes that an allocation of `class` bytes that stays holds another entry.
    pub(super) fn replace(&mut self, class: usize, old: Counted, new: Counted) {
        self.remove(class, old);
        self.add(class, new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_never_gives_less_than_asked_and_never_overflows() {
        for (len, class) in [(0, 0), (1, 16), (16, 16), (17, 32)] {
            assert_eq!(round_up_to_16(len), class);
        }
        assert!(round_up_to_16(usize::MAX) >= usize::MAX - 15);
    }
}
