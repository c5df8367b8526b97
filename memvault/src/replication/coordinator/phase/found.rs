//! What replicas know of a key, as the phases tell each other.

use crate::replication::entry::Entry;
use crate::replication::membership::preference::ReplicaSet;
use crate::version::Version;

/// What those who answered have to do with one version.
#[derive(Debug, Default)]
pub(super) struct Votes {
    pub(super) holders: ReplicaSet,
    pub(super) willing: ReplicaSet,
    pub(super) unwilling: ReplicaSet,
}

/// What a read found out.
#[derive(Debug, Default)]
pub(in crate::replication::coordinator) struct Found {
    /// The entry; may be a tombstone or past its time, which is a miss.
    pub(in crate::replication::coordinator) entry: Option<Entry>,
    /// Whether a quorum holds it.
    pub(in crate::replication::coordinator) is_on_quorum: bool,
    /// The version that was promised, if promises were asked for.
    pub(in crate::replication::coordinator) promised: Option<Version>,
    /// The newest version that any of those who answered holds or may have forgotten.
    pub(in crate::replication::coordinator) newest: Version,
}
