//! The result of a measurement, for people and for programs.

use std::fmt::Write;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::tally::Tally;
use crate::args::bench::Bench;
use crate::args::{duration, size};
use crate::output::{Style, grouped};

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

    /// The report as a person reads it.
    pub(super) fn to_text(&self) -> String {
        let style = Style::of_stdout();
        let mut text = self.headline(style);
        let head = ["requests", "mean", "p50", "p90", "p99", "p99.9", "max"];
        let _ = write!(text, "\n  {:5}", "");
        for title in head {
            let _ = write!(text, "{}", style.dim(format_args!("{title:>12}")));
        }
        text.push('\n');
        for (name, latency) in [("GET", &self.get), ("SET", &self.set), ("all", &self.all)] {
            if latency.requests > 0 {
                text.push_str(&latency.row(name));
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

    fn row(&self, name: &str) -> String {
        let mut row = format!("  {name:5}{:>12}", grouped(self.requests));
        for micros in [
            self.mean_us,
            self.p50_us,
            self.p90_us,
            self.p99_us,
            self.p999_us,
            self.max_us,
        ] {
            let time = duration::human(Duration::from_secs_f64(micros / 1e6));
            let _ = write!(row, "{time:>12}");
        }
        row.push('\n');
        row
    }
}
