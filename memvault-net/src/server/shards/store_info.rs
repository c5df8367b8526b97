//! What the threads tell of all their stores together.

use memvault::connection::StoreInfo;
use memvault::store::Statistics;

use super::Shards;
use super::limits::Limits;
use super::mailbox::lock;

impl Shards {
    /// The state of all stores: of each as it was after its last turn, so with all that anybody has seen a
    /// reply to.
    pub(super) fn store_info(&self) -> StoreInfo {
        let mut sum = StoreInfo::default();
        for desk in &self.desks {
            sum.add(&lock(&desk.store_info));
        }
        StoreInfo {
            max_bytes: self.limits().max_bytes,
            max_entries: self.limits().max_entries,
            ..sum
        }
    }

    /// Nothing but the limits of all stores together.
    pub(super) fn settings(&self) -> StoreInfo {
        let Limits {
            max_bytes,
            max_entries,
        } = self.limits();
        StoreInfo {
            max_bytes,
            max_entries,
            ..StoreInfo::default()
        }
    }

    pub(super) fn limits(&self) -> Limits {
        *lock(&self.limits)
    }

    /// Shows counters of zero. The threads are told as well; one that is in the middle of a turn shows its
    /// old ones until it has read that.
    pub(super) fn forget_statistics(&self) {
        for desk in &self.desks {
            lock(&desk.store_info).statistics = Statistics::default();
        }
    }
}
