//! What the history says.

use std::fmt;
use std::time::Duration;

use memvault::simulator::Violation;
use memvault::simulator::history::{Act, Record, check_durability, check_hits};
use memvault::time::Instant;

use crate::clients::OF_ONE_MEMBER;
use crate::cluster::Cluster;
use crate::history::{Group, History};
use crate::scenario::Faults;

/// Counters and violations of a run.
pub(crate) struct Verdict {
    faults: Faults,
    requests: usize,
    kills: usize,
    others: usize,
    degraded_starts: usize,
    /// Reads at the default level that returned something older than they might have.
    stale: usize,
    reads_at_default: usize,
    /// Requests at the default level that failed and had no reason to.
    failures: Vec<String>,
    failed: usize,
    violations: Vec<(Group, Violation)>,
}

impl Verdict {
    pub(crate) fn of(faults: Faults, history: &History, cluster: &Cluster<'_>) -> Self {
        let events = history.faults();
        let count = |word: &str| events.iter().filter(|event| event.contains(word)).count();
        let mut verdict = Self {
            faults,
            requests: 0,
            kills: count("ms kill "),
            others: count(" for "),
            degraded_starts: cluster.degraded_starts(),
            stale: 0,
            reads_at_default: 0,
            failures: Vec::new(),
            failed: 0,
            violations: Vec::new(),
        };
        for group in Group::ALL {
            let records = history.records(group);
            verdict.requests += records.len();
            verdict.failed += history.errors(group).len();
            verdict.judge(group, &records);
        }
        // When members only die, others answer at the default level.
        if faults == Faults::Kills {
            let errors = history.errors(Group::Default).into_iter();
            let failed = errors.filter(|error| !error.contains(OF_ONE_MEMBER));
            verdict.failures = failed.collect();
        }
        verdict
    }

    fn judge(&mut self, group: Group, records: &[Record]) {
        let is_default = group == Group::Default;
        let mut hits = check_hits(records);
        if is_default {
            // What nobody wrote is never right; what is old, the default level may return now and then.
            let all = hits.len();
            hits.retain(|violation| violation.what.contains("never written"));
            self.stale = all - hits.len();
            let is_read = |record: &&Record| !matches!(record.act, Act::Write(_));
            self.reads_at_default = records.iter().filter(is_read).count();
        }
        self.blame(group, hits);
        // With fewer sources than it takes to be certain, a member starts with less than was promised.
        let durable = group == Group::Strict || is_default && self.faults == Faults::Kills;
        if durable && self.degraded_starts == 0 {
            self.blame(group, check_durability(records));
        }
    }

    fn blame(&mut self, group: Group, violations: Vec<Violation>) {
        let of_group = violations.into_iter().map(|violation| (group, violation));
        self.violations.extend(of_group);
    }

    /// One stale read in a million is promised at kills, and a single one may always happen.
    fn too_many_stale(&self) -> bool {
        self.faults == Faults::Kills && self.stale > 1 + self.reads_at_default / 1_000_000
    }

    /// # Panics
    /// If a promise was broken, with all that is needed to find out why.
    pub(crate) fn assert_good(&self, seed: u64, history: &History) {
        if self.violations.is_empty() && self.failures.is_empty() && !self.too_many_stale() {
            return;
        }
        let mut report = format!("repeat with MEMVAULT_CHAOS_SEED={seed}\n{self}\n");
        if self.too_many_stale() {
            report += "more stale reads at the default level than promised\n";
        }
        for failure in &self.failures {
            report += &format!("failed: {failure}\n");
        }
        for (group, violation) in &self.violations {
            report += &format!("{group:?}: {}\n", violation.what);
        }
        for (group, violation) in self.violations.iter().take(3) {
            report += &story(history, *group, violation);
        }
        report += &format!("faults:\n{}", history.faults().join("\n"));
        panic!("{report}");
    }
}

/// What happened to the key of a violation in the seconds around it.
fn story(history: &History, group: Group, violation: &Violation) -> String {
    let Some(key) = violation.key else {
        return String::new();
    };
    let around = |at: Instant| at - violation.at < AROUND && violation.at - at < AROUND;
    let mut records = history.records(group);
    records.retain(|record| record.key == key && around(record.asked));
    records.sort_by_key(|record| record.asked);
    let mut story = format!("history of {}, microseconds:\n", group.key(key));
    for record in records {
        let answered = record.answered.map(|at| at.as_micros().to_string());
        let answered = answered.unwrap_or_else(|| "unknown".to_owned());
        let asked = record.asked.as_micros();
        story += &format!("  {asked} to {answered}: {:?}\n", record.act);
    }
    story
}

const AROUND: Duration = Duration::from_secs(3);

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} requests answered or of unknown fate, {} failed, {} kills, {} freezes and network faults, \
             {} degraded starts, {} stale of {} reads at the default level, {} violations",
            self.requests,
            self.failed,
            self.kills,
            self.others,
            self.degraded_starts,
            self.stale,
            self.reads_at_default,
            self.violations.len()
        )
    }
}
