//! What is replicated: one version of one key's value.

use alloc::sync::Arc;

use crate::time::Timestamp;
use crate::version::Version;

/// Shared bytes: a value travels to several replicas without being copied for each.
pub type Bytes = Arc<[u8]>;

/// One version of a key: a value, or the fact that the key was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The version of the write that made it.
    pub version: Version,
    /// The value; `None` is a tombstone.
    pub value: Option<Bytes>,
    /// When it expires; `None` is never. The coordinator computes it once, so that all replicas agree.
    pub expire_at: Option<Timestamp>,
}

impl Entry {
    /// Whether a reader sees a value: neither deleted nor past its time.
    #[must_use]
    pub fn is_live(&self, wall: Timestamp) -> bool {
        self.value.is_some() && self.expire_at.is_none_or(|at| at > wall)
    }
}
