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
        self.with_limits(sum)
    }

    /// Nothing but the limits of all stores together.
    pub(super) fn settings(&self) -> StoreInfo {
        self.with_limits(StoreInfo::default())
    }

    fn with_limits(&self, mut info: StoreInfo) -> StoreInfo {
        let limits = self.limits();
        (info.max_bytes, info.max_entries) = (limits.max_bytes, limits.max_entries);
        info
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
