//! What a node counts.

/// Counters of a [`Node`](super::Node) since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeStatistics {
    /// Requests begun.
    pub requests: u64,
    /// Requests that ended with a failure.
    pub failed_requests: u64,
    /// Requests refused because more waited than could be carried out in time.
    pub overloaded: u64,
    /// Reads that found a value.
    pub hits: u64,
    /// Reads that found none.
    pub misses: u64,
    /// Reads that this member answered from its own entries, with a value.
    pub replica_hits: u64,
    /// Reads that this member answered from its own entries, without a value.
    pub replica_misses: u64,
    /// Writes that this member was asked to lead.
    pub led_writes: u64,
    /// Operations that went on with another replica because one was lost or silent.
    pub failovers: u64,
    /// Operations that were repeated although nobody was lost or silent.
    pub retries: u64,
    /// Writes that started over under a new version.
    pub rewrites: u64,
    /// Writes acknowledged by fewer replicas than a quorum.
    pub degraded_writes: u64,
    /// Replicas offered a newer version by a reader.
    pub read_repairs: u64,
    /// Keys of which followers were told that they were read.
    pub touches_sent: u64,
    /// Keys that a leader said were read and that are here: they are evicted later for it.
    pub touches_taken: u64,
    /// Versions from too far in the future.
    pub clock_skews: u64,
    /// Values removed to make room.
    pub evicted: u64,
    /// Values removed because their time was over.
    pub expired: u64,
    /// Tombstones forgotten early because they took more than their share.
    pub dropped_tombstones: u64,
    /// Versions forgotten early because there were more than `max_versions`.
    pub dropped_versions: u64,
}
