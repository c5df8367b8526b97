//! The summary at the end, for people and for programs.

use std::fmt::Write;
use std::time::Duration;

use memvault::simulator::Violation;
use serde_json::{Value, json};

use super::plan::Plan;
use super::tally::{Broken, Sums, Tally};
use crate::args::duration;
use crate::output::{Style, grouped};

/// Everything that the summary tells.
pub(super) struct Summary<'a> {
    pub(super) plan: &'a Plan,
    pub(super) tally: &'a Tally,
    pub(super) wall: Duration,
    pub(super) threads: usize,
}

/// Of one run, this many broken promises are printed.
const MOST_LINES: usize = 5;

impl Summary<'_> {
    pub(super) fn to_text(&self, style: Style) -> String {
        let mut text = self.headline(style);
        let titles = [
            "runs",
            "crashes",
            "partitions",
            "pauses",
            "requests",
            "hits",
            "failed",
            "broken",
        ];
        let mut head = format!("  {:<14}", "scenario");
        for title in titles {
            let _ = write!(head, "{title:>13}");
        }
        let _ = writeln!(text, "\n{}", style.dim(head));
        for (name, sums) in &self.tally.by_scenario {
            text += &row(name, sums);
        }
        if self.tally.by_scenario.len() > 1 {
            text += &row("all", &self.tally.all);
        }
        text.push('\n');
        for (seed, broken) in &self.tally.broken {
            self.write_broken(&mut text, *seed, broken, style);
        }
        text + &self.verdict(style)
    }

    fn headline(&self, style: Style) -> String {
        let sums = &self.tally.all;
        let last = self.plan.first_seed.wrapping_add(self.plan.runs - 1);
        let interrupted = match sums.runs {
            runs if runs < self.plan.runs => {
                let planned =
                    format_args!("interrupted, {} planned; ", grouped(self.plan.runs)).to_string();
                style.red(planned)
            }
            _ => String::new(),
        };
        format!(
            "{}, {interrupted}scenario {}, seeds {} to {last}: {:.2} cluster-hours\n",
            style.bold(format_args!("{} runs", grouped(sums.runs))),
            self.plan.name(),
            self.plan.first_seed,
            sums.hours(),
        )
    }

    fn write_broken(&self, text: &mut String, seed: u64, broken: &Broken, style: Style) {
        let label = style.red("BROKEN");
        let _ = writeln!(text, "  {label}  seed {seed}, scenario {}", broken.scenario);
        for violation in broken.violations.iter().take(MOST_LINES) {
            let _ = writeln!(text, "          {violation}");
        }
        if broken.violations.len() > MOST_LINES {
            let more = broken.violations.len() - MOST_LINES;
            let _ = writeln!(text, "          and {} more", grouped(more as u64));
        }
        for line in broken.panic.iter().chain(&broken.trace) {
            let _ = writeln!(text, "          {}", style.dim(line));
        }
        let _ = writeln!(text, "          again: {}\n", self.plan.command_for(seed));
    }

    fn verdict(&self, style: Style) -> String {
        let sums = &self.tally.all;
        let kept = match sums.broken {
            0 => style.green("every promise was kept"),
            1 => style.red("1 run broke a promise"),
            runs => style.red(format_args!("{} runs broke a promise", grouped(runs))),
        };
        format!(
            "  {kept}\n  {} on {} thread{}: {} simulated seconds per second\n",
            duration::human(self.wall),
            self.threads,
            if self.threads == 1 { "" } else { "s" },
            style.bold(grouped(self.speed() as u64)),
        )
    }

    /// Simulated seconds per second.
    fn speed(&self) -> f64 {
        self.tally.all.simulated.as_secs_f64() / self.wall.as_secs_f64().max(1e-3)
    }

    pub(super) fn to_json(&self) -> Value {
        let tally = self.tally;
        let scenarios = tally.by_scenario.iter();
        let scenarios = scenarios.map(|(name, sums)| with_name(name, counts(sums)));
        let broken = tally.broken.iter().map(|(seed, broken)| {
            json!({
                "seed": seed,
                "scenario": broken.scenario,
                "broken": broken.violations.iter().map(violation).collect::<Vec<_>>(),
                "panic": broken.panic,
                "trace": broken.trace,
                "command": self.plan.command_for(*seed),
            })
        });
        let mut all = counts(&tally.all);
        for (field, value) in [
            ("command", json!(self.plan.command())),
            ("scenario", json!(self.plan.name())),
            ("first_seed", json!(self.plan.first_seed)),
            ("planned_runs", json!(self.plan.runs)),
            ("fingerprint", json!(format!("{:016x}", tally.fingerprint))),
            ("scenarios", scenarios.collect()),
            ("violations", broken.collect()),
            ("wall_seconds", json!(self.wall.as_secs_f64())),
            ("wall_threads", json!(self.threads)),
            ("speed", json!(self.speed())),
        ] {
            all[field] = value;
        }
        all
    }
}

fn violation(violation: &Violation) -> Value {
    json!({
        "promise": violation.promise.name(),
        "key": violation.key,
        "at_ms": violation.at.as_micros() / 1000,
        "values": violation.values,
        "what": violation.what,
    })
}

fn row(name: &str, sums: &Sums) -> String {
    let counts = &sums.counts;
    let mut row = format!("  {name:<14}");
    for count in [
        sums.runs,
        counts.crashes,
        counts.partitions,
        counts.pauses,
        sums.requests(),
    ] {
        let _ = write!(row, "{:>13}", grouped(count));
    }
    let hits = sums
        .hit_ratio()
        .map_or_else(|| "-".to_owned(), |ratio| format!("{:.1} %", ratio * 100.0));
    let _ = writeln!(
        row,
        "{hits:>13}{:>11.2} %{:>13}",
        sums.failure_ratio() * 100.0,
        grouped(sums.broken)
    );
    row
}

fn counts(sums: &Sums) -> Value {
    let counts = &sums.counts;
    json!({
        "runs": sums.runs,
        "broken_runs": sums.broken,
        "simulated_seconds": sums.simulated.as_secs_f64(),
        "events": counts.events,
        "requests": sums.requests(),
        "writes": counts.writes,
        "hits": counts.hits,
        "stale_hits": counts.stale,
        "misses": counts.misses,
        "updates": counts.updates,
        "unknown_updates": counts.unknown_updates,
        "failures": counts.failures,
        "refused": counts.refused,
        "ejections": counts.ejections,
        "crashes": counts.crashes,
        "partitions": counts.partitions,
        "pauses": counts.pauses,
        "clock_jumps": counts.jumps,
        "updates": counts.updates,
        "unknown_updates": counts.unknown_updates,
        "member_changes": counts.changes,
    })
}

fn with_name(name: &str, mut counts: Value) -> Value {
    counts["name"] = json!(name);
    counts
}
