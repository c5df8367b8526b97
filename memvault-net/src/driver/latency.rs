//! How long something took, many times over.

use std::fmt::Write;
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
/// The largest number that is believed to stand in a text.
const LARGEST_TOLD: u64 = 1 << 48;

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

    /// Adds those that were recorded elsewhere.
    pub fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count = count.saturating_add(*more);
        }
        self.count = self.count.saturating_add(other.count);
        self.sum = self.sum.saturating_add(other.sum);
        self.max = self.max.max(other.max);
    }

    /// All of it in one word: the sum and the longest in microseconds, and how many took as long as each of the
    /// bounds that any reached, such as `sum=32,max=11,5=2,11=2`.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!("sum={},max={}", self.sum, self.max);
        for (bucket, count) in self.counts.iter().enumerate() {
            if *count > 0 {
                // A String takes everything.
                let _ = write!(text, ",{}={count}", upper_bound(bucket));
            }
        }
        text
    }

    /// Reads what [`to_text`](Self::to_text) wrote; passes over what it did not.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        let mut latency = Self::default();
        for (name, value) in text.split(',').filter_map(|pair| pair.split_once('=')) {
            let Ok(value) = value.parse::<u64>() else {
                continue;
            };
            // Whatever a peer says can be added up.
            let value = value.min(LARGEST_TOLD);
            match name {
                "sum" => latency.sum = value,
                "max" => latency.max = value,
                bound => {
                    let bucket = bound.parse().ok().map(bucket);
                    if let Some(count) = bucket.and_then(|bucket| latency.counts.get_mut(bucket)) {
                        *count = value;
                    }
                }
            }
        }
        latency.count = latency.counts.iter().sum();
        latency
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
    fn a_text_tells_all_of_it_and_bad_ones_do_no_harm() {
        let mut latency = Latency::default();
        for micros in [0, 3, 5, 5, 11, 700_000] {
            latency.record(Duration::from_micros(micros));
        }
        let text = latency.to_text();
        assert_eq!(text, "sum=700024,max=700000,0=1,3=1,5=2,11=1,786431=1");
        assert_eq!(Latency::from_text(&text), latency);
        assert_eq!(Latency::from_text(""), Latency::default());
        let bad =
            Latency::from_text("5=2,max=x,-1=1,=,7,18446744073709551615=18446744073709551615");
        assert_eq!((bad.count(), bad.max()), (LARGEST_TOLD + 2, Duration::ZERO));
        // What a hostile peer says is added up without a panic.
        let mut sum = bad.clone();
        sum.add(&bad);
        sum.add(&latency);
    }

    #[test]
    fn what_was_recorded_in_two_places_adds_up() {
        let (mut all, mut parts) = (Latency::default(), [Latency::default(), Latency::default()]);
        for micros in 0..500 {
            all.record(Duration::from_micros(micros));
            parts[micros as usize % 2].record(Duration::from_micros(micros));
        }
        let [mut sum, other] = parts;
        sum.add(&other);
        assert_eq!(sum, all);
    }

    #[test]
    fn nothing_recorded_is_zero() {
        assert_eq!(Latency::default().percentile(99.0), Duration::ZERO);
        assert_eq!(Latency::default().mean(), Duration::ZERO);
    }
}
