//! The result of a measurement, for people and for programs.

use std::fmt::Write;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::tally::Tally;
use crate::args::bench::Bench;
use crate::args::{duration, size};
use crate::output::{Style, grouped, wrap};

/// Everything that was asked for and measured; times in microseconds.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    server: String,
    connections: usize,
    pipeline: usize,
    threads: usize,
    keys: usize,
    zipf: f64,
    gets_to_sets: String,
    value_bytes: usize,
    seed: u64,
    seconds: f64,
    requests: u64,
    errors: u64,
    requests_per_second: f64,
    /// Fraction of the GETs that found a value; none without GETs.
    hit_ratio: Option<f64>,
    get: Latency,
    set: Latency,
    all: Latency,
}

/// Percentiles of one command's latency, in microseconds.
#[derive(Debug, Serialize)]
struct Latency {
    requests: u64,
    mean_us: f64,
    p50_us: f64,
    p90_us: f64,
    p99_us: f64,
    p999_us: f64,
    max_us: f64,
}

impl Report {
    pub(super) fn new(args: &Bench, server: String, tally: &Tally, took: Duration) -> Self {
        let all = tally.all();
        let gets = tally.gets.len();
        Self {
            server,
            connections: args.load.connections,
            pipeline: args.load.pipeline,
            threads: args.load.threads.min(args.load.connections),
            keys: args.data.keys,
            zipf: args.data.zipf,
            gets_to_sets: format!("{}:{}", args.data.ratio.gets, args.data.ratio.sets),
            value_bytes: args.data.value_size,
            seed: args.data.seed,
            seconds: took.as_secs_f64(),
            requests: all.len(),
            errors: tally.errors,
            requests_per_second: all.len() as f64 / took.as_secs_f64().max(1e-9),
            hit_ratio: (gets > 0).then(|| tally.hits as f64 / gets as f64),
            get: Latency::of(&tally.gets),
            set: Latency::of(&tally.sets),
            all: Latency::of(&all),
        }
    }

    /// The report as a person reads it, on a terminal of so many columns.
    pub(super) fn to_text(&self, style: Style, columns: usize) -> String {
        let mut text = String::new();
        for line in self.headline(style).lines() {
            let rest = line.trim_start();
            wrap(&mut text, &line[..line.len() - rest.len()], rest, columns);
        }
        let titles = ["requests", "mean", "p50", "p90", "p99", "p99.9", "max"];
        let titles = titles.map(str::to_owned);
        let _ = writeln!(text, "\n{}", style.dim(row("", &titles, columns)));
        for (name, latency) in [("GET", &self.get), ("SET", &self.set), ("all", &self.all)] {
            if latency.requests > 0 {
                let _ = writeln!(text, "{}", row(name, &latency.cells(), columns));
            }
        }
        text
    }

    fn headline(&self, style: Style) -> String {
        let plural = |count: usize, noun: &str| {
            let s = if count == 1 { "" } else { "s" };
            format!("{} {noun}{s}", grouped(count as u64))
        };
        let popularity = match self.zipf {
            0.0 => "all alike".to_owned(),
            zipf => format!("Zipf {zipf}"),
        };
        let hits = self.hit_ratio.map_or_else(String::new, |ratio| {
            format!(", {:.1} % of GETs hit", ratio * 100.0)
        });
        let errors = match self.errors {
            0 => style.green("no errors"),
            errors => style.red(plural(errors as usize, "error")),
        };
        format!(
            "{}  {}, pipeline {}, {}\n{}, {popularity}, GET:SET {}, values of {}\n\n  {} requests in {}: {}, {errors}{hits}\n",
            style.bold(&self.server),
            plural(self.connections, "connection"),
            self.pipeline,
            plural(self.threads, "thread"),
            plural(self.keys, "key"),
            self.gets_to_sets,
            size::human(self.value_bytes as u64),
            grouped(self.requests),
            duration::human(Duration::from_secs_f64(self.seconds)),
            style.bold(format_args!(
                "{} requests/s",
                grouped(self.requests_per_second as u64)
            )),
        )
    }
}

impl Latency {
    fn of(histogram: &Histogram<u64>) -> Self {
        let micros = |nanos: u64| nanos as f64 / 1e3;
        let at = |quantile| micros(histogram.value_at_quantile(quantile));
        Self {
            requests: histogram.len(),
            mean_us: histogram.mean() / 1e3,
            p50_us: at(0.5),
            p90_us: at(0.9),
            p99_us: at(0.99),
            p999_us: at(0.999),
            max_us: micros(histogram.max()),
        }
    }

    fn cells(&self) -> [String; 7] {
        let time = |micros: f64| duration::human(Duration::from_secs_f64(micros / 1e6));
        [
            grouped(self.requests),
            time(self.mean_us),
            time(self.p50_us),
            time(self.p90_us),
            time(self.p99_us),
            time(self.p999_us),
            time(self.max_us),
        ]
    }
}

/// A line of the table. Where there is little room the p90 goes.
fn row(name: &str, cells: &[String; 7], columns: usize) -> String {
    let (first, others, hidden) = match columns {
        91.. => (12, 12, None),
        72..91 => (11, 9, None),
        _ => (11, 8, Some(3)),
    };
    let mut row = format!("  {name:5}{:>first$}", cells[0]);
    for (number, cell) in cells.iter().enumerate().skip(1) {
        if Some(number) != hidden {
            let _ = write!(row, "{cell:>others$}");
        }
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_fits_the_terminal() {
        let latency = |requests| Latency {
            requests,
            mean_us: 999.0,
            p50_us: 99_900.0,
            p90_us: 999_000.0,
            p99_us: 1_250_000.0,
            p999_us: 9_990_000.0,
            max_us: 99_900_000.0,
        };
        let report = Report {
            server: "127.0.0.1:6379".to_owned(),
            connections: 1000,
            pipeline: 16,
            threads: 2,
            keys: 1_000_000,
            zipf: 0.99,
            gets_to_sets: "9:1".to_owned(),
            value_bytes: 1024,
            seed: 1,
            seconds: 12.5,
            requests: 100_000_000,
            errors: 12_345,
            requests_per_second: 1_234_567.0,
            hit_ratio: Some(0.5),
            get: latency(90_000_000),
            set: latency(10_000_000),
            all: latency(100_000_000),
        };
        for columns in [60, 80, 100, usize::MAX] {
            let text = report.to_text(Style::plain(), columns);
            for line in text.lines() {
                assert!(line.chars().count() <= columns, "{columns}: {line}");
            }
            for part in ["100 000 000 requests", "1.25 s", "p99.9"] {
                assert!(text.contains(part), "{columns}: {text}");
            }
            assert_eq!(text.contains("p90"), columns > 60, "{text}");
        }
    }
}
