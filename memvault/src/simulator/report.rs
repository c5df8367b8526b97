//! What a run came to.

use alloc::string::String;
use alloc::vec::Vec;

use super::violation::Violation;

/// How requests fared in one phase of a load.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnderLoad {
    /// The phase's name.
    pub phase: &'static str,
    /// Requests of the phase.
    pub asked: u64,
    /// Those that were answered within a second.
    pub in_time: u64,
    /// Requests of the bystanders.
    pub bystanders: usize,
    /// Half of the bystanders' requests took no longer, in microseconds.
    pub p50_us: u64,
    /// 99 of a hundred of them took no longer, in microseconds.
    pub p99_us: u64,
    /// The longest of them took so long, in microseconds.
    pub longest_us: u64,
}

/// What a run came to.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// Broken promises; empty if all is well.
    pub violations: Vec<Violation>,
    /// What led to the first violation: the events about its key, in the order of time, at most
    /// [`TRACE_LINES`](super::TRACE_LINES). Empty if all is well.
    pub trace: Vec<String>,
    /// Events handled.
    pub events: u64,
    /// Simulated time, in milliseconds.
    pub simulated_ms: u64,
    /// Writes acknowledged.
    pub writes: u64,
    /// Reads that found a value.
    pub hits: u64,
    /// Hits that were stale: another value had been acknowledged, and the one found had been before that
    /// one was even asked for. At levels QUORUM and ALL a violation, at ONE and AUTO a matter of counting.
    pub stale: u64,
    /// Increments, looks at counters and attempts at locks that were answered.
    pub updates: u64,
    /// Increments and locks whose fate is unknown.
    pub unknown_updates: u64,
    /// Reads that found none.
    pub misses: u64,
    /// Requests that failed.
    pub failures: u64,
    /// Of those, how many were told at once that too much is under way.
    pub refused: u64,
    /// Attempts that were repeated though nobody was dead or silent.
    pub repeated: u64,
    /// Members that were taken for silent, without a fault.
    pub ejections: u64,
    /// How requests fared in each phase of the load, if there is one.
    pub under_load: Vec<UnderLoad>,
    /// Members that crashed and lost their memory.
    pub crashes: u64,
    /// Partitions, swizzles included.
    pub partitions: u64,
    /// Pauses.
    pub pauses: u64,
    /// Changes of the members that were carried out or given up.
    pub changes: u64,
    /// Clocks that jumped by up to an hour.
    pub jumps: u64,
    /// Fingerprint of the whole run: equal for equal seeds.
    pub fingerprint: u64,
}

impl Report {
    /// Adds the counts of another run. Violations and trace stay those of the run that they belong to.
    pub fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.simulated_ms += other.simulated_ms;
        self.writes += other.writes;
        self.hits += other.hits;
        self.stale += other.stale;
        self.updates += other.updates;
        self.unknown_updates += other.unknown_updates;
        self.misses += other.misses;
        self.failures += other.failures;
        self.refused += other.refused;
        self.ejections += other.ejections;
        self.repeated += other.repeated;
        self.crashes += other.crashes;
        self.partitions += other.partitions;
        self.pauses += other.pauses;
        self.changes += other.changes;
        self.jumps += other.jumps;
    }
}
