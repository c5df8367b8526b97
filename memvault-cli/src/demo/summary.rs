//! What the demo has shown, for people and for programs.

use std::fmt::Write;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Serialize;

use super::counters::{Counters, PHASES};
use crate::args::duration;
use crate::output::{Style, grouped};

/// The numbers at the end; times in milliseconds.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    nodes: usize,
    replicas: usize,
    keys: usize,
    requests: u64,
    failed: u64,
    wrong: u64,
    lost_keys: usize,
    /// From the kill to the first acknowledged write to a key that the dead node led.
    failover_ms: Option<f64>,
    /// From the start of the process to the moment when the others use it again.
    rejoin_ms: f64,
    first_problem: Option<String>,
    latencies: Vec<Latency>,
}

/// Latencies of one phase.
#[derive(Debug, Serialize)]
struct Latency {
    phase: &'static str,
    requests: u64,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
}

/// What is known besides the counters.
pub(super) struct Facts {
    pub(super) nodes: usize,
    pub(super) replicas: usize,
    pub(super) keys: usize,
    pub(super) lost_keys: usize,
    pub(super) rejoin: Duration,
}

impl Summary {
    pub(super) fn new(facts: &Facts, counters: &Counters) -> Self {
        let latencies = counters.latencies();
        let latencies = PHASES.iter().zip(&latencies).map(|(phase, histogram)| {
            let millis = |micros: u64| micros as f64 / 1e3;
            Latency {
                phase,
                requests: histogram.len(),
                p50_ms: millis(histogram.value_at_quantile(0.5)),
                p99_ms: millis(histogram.value_at_quantile(0.99)),
                max_ms: millis(histogram.max()),
            }
        });
        Self {
            nodes: facts.nodes,
            replicas: facts.replicas,
            keys: facts.keys,
            requests: counters.requests.load(Ordering::Relaxed),
            failed: counters.failed.load(Ordering::Relaxed),
            wrong: counters.wrong.load(Ordering::Relaxed),
            lost_keys: facts.lost_keys,
            failover_ms: counters
                .taken_over()
                .map(|taken| taken.after.as_secs_f64() * 1e3),
            rejoin_ms: facts.rejoin.as_secs_f64() * 1e3,
            first_problem: counters.first_problem(),
            latencies: latencies.collect(),
        }
    }

    /// Whether nothing failed and nothing is lost.
    pub(super) const fn is_good(&self) -> bool {
        self.failed == 0 && self.wrong == 0 && self.lost_keys == 0
    }

    /// The summary as a person reads it.
    pub(super) fn to_text(&self, style: Style) -> String {
        let count = |count: u64| match count {
            0 => style.green("0"),
            count => style.red(grouped(count)),
        };
        let mut text = format!(
            "\n  requests    {}   failed {}   wrong answers {}   keys lost {} of {}\n",
            style.bold(grouped(self.requests)),
            count(self.failed),
            count(self.wrong),
            count(self.lost_keys as u64),
            grouped(self.keys as u64),
        );
        let failover = self
            .failover_ms
            .map_or_else(|| "not seen".to_owned(), human);
        let _ = writeln!(
            text,
            "  fail over   {} until a write to a key of the dead node was acknowledged",
            style.bold(failover)
        );
        let _ = writeln!(
            text,
            "  rejoin      {} until the restarted node was caught up and used again",
            style.bold(human(self.rejoin_ms))
        );
        let head = format!(
            "  latency     {:<14}{:>10}{:>10}{:>10}{:>10}",
            "", "requests", "p50", "p99", "max"
        );
        let _ = writeln!(text, "{}", style.dim(head));
        for latency in &self.latencies {
            let _ = writeln!(
                text,
                "              {:<14}{:>10}{:>10}{:>10}{:>10}",
                latency.phase,
                grouped(latency.requests),
                human(latency.p50_ms),
                human(latency.p99_ms),
                human(latency.max_ms),
            );
        }
        if let Some(problem) = &self.first_problem {
            let _ = writeln!(text, "  {} {problem}", style.red("first problem:"));
        }
        text
    }
}

fn human(millis: f64) -> String {
    duration::human(Duration::from_secs_f64(millis / 1e3))
}
