//! What a [`Store`](super::Store) counts.

/// Counters of a [`Store`](super::Store) since its start, or since they were set to zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Reads that found a value.
    pub hits: u64,
    /// Reads that found none.
    pub misses: u64,
    /// Entries removed because their time was over.
    pub expired: u64,
    /// Entries removed to make room.
    pub evicted: u64,
    /// Commands of any kind, those on the connection included.
    pub commands: u64,
}

impl Statistics {
    /// Adds the counters of another store, such as the one of another thread.
    pub const fn add(&mut self, other: &Self) {
        self.hits += other.hits;
        self.misses += other.misses;
        self.expired += other.expired;
        self.evicted += other.evicted;
        self.commands += other.commands;
    }
}
