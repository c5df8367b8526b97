//! Deletions are remembered, but not at the expense of values: tombstones have a share of the room, and those
//! stored first go first.
//!
//! A tombstone that goes is [forgotten](super::replica::Replica::forget) as any entry, so the floor of its slot knows of it,
//! and what it deleted cannot come back at QUORUM.

use alloc::collections::VecDeque;

use crate::store::Entries;
use crate::version::Version;

/// The tombstones of a replica, in the order in which they were stored. 16 bytes each.
pub(in crate::replication) struct Tombstones {
    /// Hash and version. Some may have been replaced or evicted meanwhile: fewer than half, and a few.
    pub(super) queue: VecDeque<(u32, Version)>,
    /// The share of the limits that they may take, in percent.
    max_percent: usize,
    pub(super) dropped: u64,
}

/// Records looked at per tick for tombstones past their time.
pub(super) const LOOKS: usize = 1024;
/// So many outdated records are always allowed.
pub(super) const SLACK: usize = 64;

impl Tombstones {
    pub(in crate::replication) const fn new(max_percent: u8) -> Self {
        Self {
            queue: VecDeque::new(),
            max_percent: max_percent as usize,
            dropped: 0,
        }
    }

    /// Tombstones forgotten before their time for lack of room.
    pub(in crate::replication) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Notes a tombstone that was stored. O(1) on average.
    pub(super) fn add(&mut self, entries: &Entries, key: &[u8], version: Version) {
        self.queue.push_back((entries.hash(key), version));
        if self.queue.len() > 2 * entries.tombstones() + SLACK {
            let is_here = |(hash, version): &(u32, Version)| {
                entries.find_tombstone(*hash, *version).is_some()
            };
            self.queue.retain(is_here);
        }
        debug_assert!(
            self.queue.back().is_some_and(|(_, last)| *last == version),
            "the one just stored is here, so its record stays"
        );
    }

    /// Whether there are more than there may be. One is always allowed.
    pub(super) fn are_too_many(&self, entries: &Entries) -> bool {
        let records = self.queue.len() * size_of::<(u32, Version)>();
        let (count, bytes) = (entries.tombstones(), entries.tombstone_bytes() + records);
        let over = |used: usize, limit: Option<usize>| {
            limit.is_some_and(|limit| {
                used > limit / 100 * self.max_percent + limit % 100 * self.max_percent / 100
            })
        };
        let config = entries.config();
        count > 1 && (over(bytes, config.max_bytes) || over(count, config.max_entries))
    }
}
