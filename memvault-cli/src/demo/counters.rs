//! What the demo counts while it runs.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

/// Part of the demo that a request falls into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// All nodes live.
    Before,
    /// The victim is dead.
    Dead,
    /// The victim runs again, and catches up.
    Back,
}

/// Names of the phases in the summary, in order.
pub(super) const PHASES: [&str; 3] = ["all nodes up", "one dead", "coming back"];

/// Shared by all workers.
#[derive(Default)]
pub(super) struct Counters {
    phase: AtomicUsize,
    pub(super) requests: AtomicU64,
    pub(super) failed: AtomicU64,
    /// Reads that gave no value, or an older one than was acknowledged.
    pub(super) wrong: AtomicU64,
    details: Mutex<Details>,
}

#[derive(Default)]
struct Details {
    /// Microseconds, by phase.
    latencies: Vec<Histogram<u64>>,
    first_problem: Option<String>,
    /// Just before the kill, and when the process was certainly gone.
    killed: Option<(Instant, Instant)>,
    taken_over: Option<TakeOver>,
}

/// The first write to a key of the dead node that was acknowledged.
#[derive(Clone, Debug)]
pub(super) struct TakeOver {
    pub(super) key: String,
    /// Since the kill.
    pub(super) after: Duration,
}

impl Counters {
    pub(super) fn new() -> Self {
        let counters = Self::default();
        counters.with(|details| {
            let histogram = || Histogram::new_with_bounds(1, 60_000_000, 3).expect("in order");
            details.latencies = PHASES.iter().map(|_| histogram()).collect();
        });
        counters
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.phase.store(phase as usize, Ordering::Relaxed);
    }

    /// Notes that the victim, killed at `at`, is gone: requests on its keys that begin from now on tell when
    /// others have taken over.
    pub(super) fn mark_dead(&self, at: Instant) {
        self.with(|details| details.killed = Some((at, Instant::now())));
    }

    /// Counts a request that was answered.
    pub(super) fn answered(&self, began: Instant) {
        let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        let phase = self.phase.load(Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.with(|details| details.latencies[phase].saturating_record(micros));
    }

    /// Notes that a write to a key of the victim was acknowledged.
    pub(super) fn wrote_to_victims_key(&self, key: &str, began: Instant) {
        self.with(|details| {
            if let Some((killed, gone)) = details.killed
                && details.taken_over.is_none()
                && began >= gone
            {
                details.taken_over = Some(TakeOver {
                    key: key.to_owned(),
                    after: killed.elapsed(),
                });
            }
        });
    }

    /// Counts a request that failed.
    pub(super) fn fail(&self, problem: &str) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.failed.fetch_add(1, Ordering::Relaxed);
        self.note(problem);
    }

    /// Counts an answer that is wrong.
    pub(super) fn wrong(&self, problem: &str) {
        self.wrong.fetch_add(1, Ordering::Relaxed);
        self.note(problem);
    }

    fn note(&self, problem: &str) {
        self.with(|details| {
            let line = || problem.replace("\n  ", " ");
            details.first_problem.get_or_insert_with(line);
        });
    }

    pub(super) fn first_problem(&self) -> Option<String> {
        self.with(|details| details.first_problem.clone())
    }

    pub(super) fn taken_over(&self) -> Option<TakeOver> {
        self.with(|details| details.taken_over.clone())
    }

    /// Latencies in microseconds, by phase.
    pub(super) fn latencies(&self) -> Vec<Histogram<u64>> {
        self.with(|details| details.latencies.clone())
    }

    fn with<T>(&self, f: impl FnOnce(&mut Details) -> T) -> T {
        f(&mut self.details.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
