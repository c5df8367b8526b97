//! What was measured, beside what was aimed at.

use std::time::Duration;

use hdrhistogram::Histogram;

/// A table that is printed line by line.
pub(crate) struct Report {
    json: bool,
    all_hold: bool,
}

impl Report {
    pub(crate) fn new(json: bool) -> Self {
        if !json {
            println!("{:<58} {:>14} {:>14}  ", "what", "target", "measured");
        }
        Self {
            json,
            all_hold: true,
        }
    }

    /// A number that must not be above its target.
    pub(crate) fn at_most(&mut self, what: &str, target: f64, measured: f64, unit: &str) {
        self.line(
            what,
            &format!("<= {target} {unit}"),
            measured,
            unit,
            Some(measured <= target),
        );
    }

    /// A number that must not be below its target.
    pub(crate) fn at_least(&mut self, what: &str, target: f64, measured: f64, unit: &str) {
        self.line(
            what,
            &format!(">= {target} {unit}"),
            measured,
            unit,
            Some(measured >= target),
        );
    }

    /// A number without a target.
    pub(crate) fn note(&mut self, what: &str, measured: f64, unit: &str) {
        self.line(what, "", measured, unit, None);
    }

    fn line(&mut self, what: &str, target: &str, measured: f64, unit: &str, holds: Option<bool>) {
        self.all_hold &= holds != Some(false);
        if self.json {
            let line = serde_json::json!({
                "what": what, "target": target, "measured": measured, "unit": unit, "holds": holds,
            });
            println!("{line}");
        } else {
            let measured = if measured.fract() == 0.0 {
                format!("{measured}")
            } else {
                format!("{measured:.2}")
            };
            let mark = if holds == Some(false) { "MISSED" } else { "" };
            println!(
                "{what:<58} {target:>14} {:>14}  {mark}",
                format!("{measured} {unit}")
            );
        }
    }

    /// Whether no target was missed.
    pub(crate) const fn all_hold(&self) -> bool {
        self.all_hold
    }
}

/// Latencies in microseconds, three digits, up to a minute.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3).expect("the bounds are in order")
}

/// Microseconds of a duration.
pub(crate) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// The latency in milliseconds below which this part of all is.
pub(crate) fn millis_at(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    histogram.value_at_quantile(quantile) as f64 / 1000.0
}
