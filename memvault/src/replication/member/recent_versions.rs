//! Versions of recent writes: what was accepted and what was refused must be known for as long as anyone may
//! still retry.

use alloc::collections::{BTreeSet, VecDeque};

use crate::time::{Duration, Instant};
use crate::version::Version;

/// A set of versions that forgets each after a while. Insertion and look-up are O(log n).
#[derive(Debug)]
pub(in crate::replication) struct RecentVersions {
    keep: Duration,
    max: usize,
    versions: BTreeSet<Version>,
    /// Invariant: the same versions as in `versions`, in the order in which they were inserted.
    order: VecDeque<(Instant, Version)>,
    dropped: u64,
}

impl RecentVersions {
    pub(in crate::replication) const fn new(keep: Duration, max: usize) -> Self {
        Self {
            keep,
            max,
            versions: BTreeSet::new(),
            order: VecDeque::new(),
            dropped: 0,
        }
    }

    /// Remembers `version`. The oldest goes early if there are more than `max`.
    pub(in crate::replication) fn insert(&mut self, now: Instant, version: Version) {
        self.forget_old(now);
        debug_assert!(
            self.order.back().is_none_or(|(at, _)| *at <= now),
            "time goes on"
        );
        if !self.versions.insert(version) {
            return;
        }
        self.order.push_back((now, version));
        if self.order.len() > self.max {
            self.pop();
            self.dropped += 1;
        }
        debug_assert_eq!(self.versions.len(), self.order.len(), "each once in both");
        debug_assert!(self.order.len() <= self.max, "the oldest goes early");
    }

    pub(in crate::replication) fn contains(&self, version: Version) -> bool {
        self.versions.contains(&version)
    }

    /// How many versions went early for lack of room.
    pub(in crate::replication) const fn dropped(&self) -> u64 {
        self.dropped
    }

    fn forget_old(&mut self, now: Instant) {
        while self
            .order
            .front()
            .is_some_and(|(at, _)| *at + self.keep < now)
        {
            self.pop();
        }
    }

    fn pop(&mut self) {
        if let Some((_, version)) = self.order.pop_front() {
            self.versions.remove(&version);
        }
    }
}
