//! What a [`Store`](super::Store) counts.

use super::packed::EntryRef;
use crate::time::Timestamp;

/// Counters of a [`Store`](super::Store) since its start, or since they were set to zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Reads that found a value.
    pub hits: u64,
    /// Reads that found none.
    pub misses: u64,
    /// Entries removed because their time was over, however that was found out; each once.
    pub expired: u64,
    /// Living entries removed to make room.
    pub evicted: u64,
    /// Commands of any kind, those on the connection included.
    pub commands: u64,
}

impl Statistics {
    /// Counts an entry that goes of the store's own accord.
    pub(super) fn count_gone(&mut self, now: Timestamp, gone: &EntryRef<'_>) {
        let is_expired = gone.meta.is_expired(now);
        *(if is_expired {
            &mut self.expired
        } else {
            &mut self.evicted
        }) += 1;
    }

    /// Adds the counters of another store, such as the one of another thread.
    pub const fn add(&mut self, other: &Self) {
        self.hits += other.hits;
        self.misses += other.misses;
        self.expired += other.expired;
        self.evicted += other.evicted;
        self.commands += other.commands;
    }
}
