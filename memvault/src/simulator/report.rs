//! What a run came to.

use alloc::string::String;
use alloc::vec::Vec;

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Broken promises, in words; empty if all is well.
    pub violations: Vec<String>,
    /// Misses of keys that were written before and never deleted.
    pub lost: Vec<String>,
    /// What was wrong inside a member: versions or floors that went down, versions with two values, events
    /// without end.
    pub inconsistencies: Vec<String>,
    /// Events handled.
    pub events: u64,
    /// Writes acknowledged.
    pub writes: u64,
    /// Reads that found a value.
    pub hits: u64,
    /// Reads that found none.
    pub misses: u64,
    /// Requests that failed.
    pub failures: u64,
    /// Members that crashed and lost their memory.
    pub crashes: u64,
    /// Partitions.
    pub partitions: u64,
    /// Pauses.
    pub pauses: u64,
    /// Fingerprint of the whole run: equal for equal seeds.
    pub fingerprint: u64,
}

impl Report {
    /// Adds the counts of another run.
    pub fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.writes += other.writes;
        self.hits += other.hits;
        self.misses += other.misses;
        self.failures += other.failures;
        self.crashes += other.crashes;
        self.partitions += other.partitions;
        self.pauses += other.pauses;
    }
}
