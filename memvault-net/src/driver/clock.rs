//! The operating system's clocks, as the core counts time.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use memvault::replication::Now;
use memvault::time::{self, Timestamp};

/// Monotonic time since a start, and wall-clock time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock(Instant);

impl Clock {
    /// A clock whose start is now.
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn now(self) -> Now {
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Now {
            instant: time::Instant::ZERO + self.0.elapsed(),
            wall: Timestamp::from_millis(u64::try_from(wall.as_millis()).unwrap_or(u64::MAX)),
        }
    }

    /// The point in time as the standard library counts it; `None` if that is beyond its range.
    pub(super) fn to_std(self, at: time::Instant) -> Option<Instant> {
        self.0.checked_add(at - time::Instant::ZERO)
    }
}
