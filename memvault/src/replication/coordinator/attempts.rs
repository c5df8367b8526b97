//! Writes of one operation whose fate is not known.

use alloc::vec::Vec;

use crate::replication::request::Answer;
use crate::version::Version;

/// What an operation that changes a value has tried so far.
#[derive(Default)]
pub(super) struct Attempts(Vec<(Version, Answer)>);

impl Attempts {
    /// Notes that a write with this version may or may not have been stored.
    pub(super) fn add(&mut self, version: Version, answer: Answer) {
        self.0.push((version, answer));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The attempts, in order: the version and the answer of each.
    pub(super) fn iter(&self) -> impl Iterator<Item = &(Version, Answer)> {
        self.0.iter()
    }
}
