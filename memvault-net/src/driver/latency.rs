//! How long something took, many times over.

use std::time::Duration;

/// A histogram of durations with a relative error of at most an eighth. 1.3 KiB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latency {
    /// By size: four buckets for each power of two of microseconds.
    counts: [u64; BUCKETS],
    count: u64,
    sum: u64,
    max: u64,
}

const BUCKETS: usize = 160;

impl Default for Latency {
    fn default() -> Self {
        Self {
            counts: [0; BUCKETS],
            count: 0,
            sum: 0,
            max: 0,
        }
    }
}

impl Latency {
    /// Adds one. O(1).
    pub fn record(&mut self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        if let Some(count) = self.counts.get_mut(bucket(micros)) {
            *count += 1;
        }
        self.count += 1;
        self.sum = self.sum.saturating_add(micros);
        self.max = self.max.max(micros);
    }

    /// How many were recorded.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Those that were recorded after a copy was made, `earlier`. Their maximum is the bound of its bucket.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut later = self.clone();
        for (count, before) in later.counts.iter_mut().zip(&earlier.counts) {
            *count = count.saturating_sub(*before);
        }
        let last = later.counts.iter().rposition(|count| *count > 0);
        later.count = later.counts.iter().sum();
        later.sum = later.sum.saturating_sub(earlier.sum);
        later.max = last.map_or(0, |bucket| upper_bound(bucket).min(self.max));
        later
    }

    /// Their sum.
    #[must_use]
    pub const fn sum(&self) -> Duration {
        Duration::from_micros(self.sum)
    }

    /// How many took less than `2^power` microseconds, for 2 and more.
    #[must_use]
    pub fn below(&self, power: u32) -> u64 {
        let end = (power as usize - 1) * 4;
        self.counts.iter().take(end).sum()
    }

    /// Their mean; zero if there are none.
    #[must_use]
    pub fn mean(&self) -> Duration {
        Duration::from_micros(self.sum.checked_div(self.count).unwrap_or(0))
    }

    /// The longest.
    #[must_use]
    pub const fn max(&self) -> Duration {
        Duration::from_micros(self.max)
    }

    /// What `percent` of them did not exceed, such as 50 or 99; zero if there are none.
    ///
    /// ```
    /// use memvault_net::driver::Latency;
    /// use std::time::Duration;
    ///
    /// let mut latency = Latency::default();
    /// (1..=1000).for_each(|ms| latency.record(Duration::from_millis(ms)));
    /// let p99 = latency.percentile(99.0).as_millis();
    /// assert!((990..=1000).contains(&p99), "{p99}");
    /// ```
    #[must_use]
    pub fn percentile(&self, percent: f64) -> Duration {
        let rank = (self.count as f64 * percent / 100.0).ceil() as u64;
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank && seen > 0 {
                return Duration::from_micros(upper_bound(bucket).min(self.max));
            }
        }
        Duration::ZERO
    }
}

/// Where a duration of this many microseconds is counted; durations above 12 days share the last bucket.
fn bucket(micros: u64) -> usize {
    if micros < 4 {
        return micros as usize;
    }
    let exponent = micros.ilog2();
    let quarter = (micros >> (exponent - 2)) & 0b11;
    let bucket = (exponent as usize - 1) * 4 + quarter as usize;
    bucket.min(BUCKETS - 1)
}

/// The longest duration of a bucket, in microseconds.
const fn upper_bound(bucket: usize) -> u64 {
    if bucket < 4 {
        return bucket as u64;
    }
    let (exponent, quarter) = (bucket / 4 + 1, bucket as u64 % 4);
    ((4 + quarter + 1) << (exponent - 2)) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_lies_within_its_bucket() {
        for micros in (0..5_000).chain((12..40).map(|bit| (1 << bit) + 1)) {
            let bucket = bucket(micros);
            assert!(micros <= upper_bound(bucket), "{micros}");
            assert!(bucket == 0 || micros > upper_bound(bucket - 1), "{micros}");
        }
    }

    #[test]
    fn powers_of_two_are_ends_of_buckets() {
        let mut latency = Latency::default();
        (0..100).for_each(|micros| latency.record(Duration::from_micros(micros)));
        let below: Vec<u64> = (2..8).map(|power| latency.below(power)).collect();
        assert_eq!(below, [4, 8, 16, 32, 64, 100]);
        assert_eq!(latency.sum(), Duration::from_micros(99 * 50));
    }

    #[test]
    fn nothing_recorded_is_zero() {
        assert_eq!(Latency::default().percentile(99.0), Duration::ZERO);
        assert_eq!(Latency::default().mean(), Duration::ZERO);
    }
}
