//! The operating system's clocks, as the core counts time.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use memvault::replication::Now;
use memvault::time::{self, Timestamp};

/// Monotonic time since a start, and wall-clock time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Instant);

impl Clock {
    /// A clock whose start is now.
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn now(self) -> Now {
        Now {
            instant: time::Instant::ZERO + self.0.elapsed(),
            wall: wall(),
        }
    }

    /// The point in time as the standard library counts it; `None` if that is beyond its range.
    pub(crate) fn to_std(self, at: time::Instant) -> Option<Instant> {
        self.0.checked_add(at - time::Instant::ZERO)
    }
}

/// Wall-clock time; before the epoch it stands still at it.
pub(crate) fn wall() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
