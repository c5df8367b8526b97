//! What the runs came to together, whatever the order in which they ended.

use std::collections::BTreeMap;
use std::time::Duration;

use memvault::simulator::{Report, Violation};

/// Sums over runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Sums {
    pub(super) runs: u64,
    /// Runs that broke a promise.
    pub(super) broken: u64,
    pub(super) simulated: Duration,
    pub(super) counts: Report,
}

/// A run that broke a promise.
#[derive(Clone, Debug)]
pub(super) struct Broken {
    pub(super) scenario: &'static str,
    pub(super) violations: Vec<Violation>,
    /// What led to the first violation.
    pub(super) trace: Vec<String>,
    /// What the simulation panicked with, if it did.
    pub(super) panic: Option<String>,
}

/// Everything that is known of the runs so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) all: Sums,
    pub(super) by_scenario: BTreeMap<&'static str, Sums>,
    /// By seed: the first [`MOST_BROKEN`].
    pub(super) broken: BTreeMap<u64, Broken>,
    /// Of all runs.
    pub(super) fingerprint: u64,
}

/// One finished run.
pub(super) struct Finished {
    pub(super) seed: u64,
    pub(super) scenario: &'static str,
    pub(super) simulated: Duration,
    pub(super) report: Report,
    pub(super) panic: Option<String>,
}

/// More runs that broke a promise are counted, but not told one by one.
pub(super) const MOST_BROKEN: usize = 20;

impl Tally {
    pub(super) fn add(&mut self, run: Finished) {
        let is_broken = !run.report.violations.is_empty() || run.panic.is_some();
        let of_scenario = self.by_scenario.entry(run.scenario).or_default();
        for sums in [&mut self.all, of_scenario] {
            sums.runs += 1;
            sums.broken += u64::from(is_broken);
            sums.simulated += run.simulated;
            sums.counts.add(&run.report);
        }
        // A sum does not depend on the order; the seed makes the same fingerprints of different runs differ.
        let mixed = run.report.fingerprint.rotate_left((run.seed % 64) as u32);
        self.fingerprint = self.fingerprint.wrapping_add(mixed ^ run.seed);
        if is_broken {
            let broken = Broken {
                scenario: run.scenario,
                violations: run.report.violations,
                trace: run.report.trace,
                panic: run.panic,
            };
            self.broken.insert(run.seed, broken);
            if self.broken.len() > MOST_BROKEN {
                self.broken.pop_last();
            }
        }
    }
}

impl Sums {
    pub(super) const fn requests(&self) -> u64 {
        let counts = &self.counts;
        counts.writes + counts.hits + counts.misses + counts.updates + counts.failures
    }

    /// Reads that found a value, of those that were answered.
    pub(super) fn hit_ratio(&self) -> Option<f64> {
        let reads = self.counts.hits + self.counts.misses;
        (reads > 0).then(|| self.counts.hits as f64 / reads as f64)
    }

    pub(super) fn failure_ratio(&self) -> f64 {
        self.counts.failures as f64 / self.requests().max(1) as f64
    }

    pub(super) fn hours(&self) -> f64 {
        self.simulated.as_secs_f64() / 3600.0
    }
}
