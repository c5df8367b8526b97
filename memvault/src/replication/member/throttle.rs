//! A limit on how fast data is fetched, so that moving it leaves room for requests.

use crate::time::{Duration, Instant};

/// A bucket of bytes that fills at a fixed rate; the node that fetches draws from it and waits while it is empty.
#[derive(Debug)]
pub(in crate::replication) struct Throttle {
    /// Bytes per second.
    rate: u64,
    /// What may be fetched now; below zero where the last answer was larger than that.
    bytes: i64,
    filled_at: Instant,
}

/// The bucket holds what the rate brings in this time: longer than the pauses between two looks.
const DEPTH: Duration = Duration::from_millis(100);

impl Throttle {
    pub(in crate::replication) const fn new(rate: u64) -> Self {
        Self {
            rate,
            bytes: 0,
            filled_at: Instant::ZERO,
        }
    }

    /// Whether something may be fetched now.
    pub(in crate::replication) fn is_open(&mut self, now: Instant) -> bool {
        let elapsed = (now - self.filled_at).min(DEPTH);
        self.filled_at = now;
        self.bytes = self
            .bytes
            .saturating_add(self.brings(elapsed))
            .min(self.brings(DEPTH));
        self.bytes > 0
    }

    /// Notes that this much was fetched.
    pub(in crate::replication) fn take(&mut self, bytes: usize) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    fn brings(&self, time: Duration) -> i64 {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let bytes = self.rate.saturating_mul(micros).div_ceil(1_000_000);
        i64::try_from(bytes).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_time_it_lets_through_what_the_rate_says() {
        let mut throttle = Throttle::new(1_000_000);
        let mut fetched = 0;
        for millis in (0..10_000).step_by(5) {
            if throttle.is_open(Instant::from_millis(millis)) {
                throttle.take(30_000);
                fetched += 30_000;
            }
        }
        assert!((9_900_000..=10_200_000).contains(&fetched), "{fetched}");
    }
}
