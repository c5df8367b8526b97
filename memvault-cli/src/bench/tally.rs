//! What a load generator counts.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::workload::Kind;

/// Counters and latencies of a thread; those of several can be added up.
pub(super) struct Tally {
    /// Latencies in nanoseconds, three digits.
    pub(super) gets: Histogram<u64>,
    pub(super) sets: Histogram<u64>,
    pub(super) hits: u64,
    pub(super) errors: u64,
    /// The text of the first error.
    pub(super) first_error: Option<String>,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            gets: histogram(),
            sets: histogram(),
            hits: 0,
            errors: 0,
            first_error: None,
        }
    }

    /// Counts a reply.
    pub(super) fn count(&mut self, kind: Kind, latency: Duration, is_error: bool, is_null: bool) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        let histogram = match kind {
            Kind::Get => &mut self.gets,
            Kind::Set => &mut self.sets,
        };
        histogram.saturating_record(nanos);
        self.errors += u64::from(is_error);
        self.hits += u64::from(kind == Kind::Get && !is_error && !is_null);
    }

    /// Notes what an error reply says, if it is the first.
    pub(super) fn note_error(&mut self, reply: &[u8]) {
        self.first_error.get_or_insert_with(|| {
            let text = String::from_utf8_lossy(reply);
            text.trim_start_matches('-').trim_end().to_owned()
        });
    }

    /// Adds another thread's counts.
    pub(super) fn add(&mut self, other: &Self) {
        merge(&mut self.gets, &other.gets);
        merge(&mut self.sets, &other.sets);
        self.hits += other.hits;
        self.errors += other.errors;
        if self.first_error.is_none() {
            self.first_error.clone_from(&other.first_error);
        }
    }

    /// Both commands together.
    pub(super) fn all(&self) -> Histogram<u64> {
        let mut all = self.gets.clone();
        merge(&mut all, &self.sets);
        all
    }
}

/// Nanoseconds up to an hour.
fn histogram() -> Histogram<u64> {
    const HOUR: u64 = 3_600_000_000_000;
    Histogram::new_with_bounds(1, HOUR, 3).expect("the bounds are in order")
}

fn merge(into: &mut Histogram<u64>, from: &Histogram<u64>) {
    into.add(from).expect("all histograms have the same bounds");
}
