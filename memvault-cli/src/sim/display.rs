//! What a person sees while the runs go on: a bar and the sums so far, on standard error.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::tally::Tally;
use crate::output::{Style, grouped};

/// The live line; hidden where standard error is no terminal.
pub(super) struct Display {
    bar: ProgressBar,
    style: Style,
}

impl Display {
    /// With `is_silent` nothing is shown.
    pub(super) fn new(is_silent: bool, runs: u64) -> Self {
        let bar = if is_silent {
            ProgressBar::hidden()
        } else {
            ProgressBar::new(runs)
        };
        let template = "  {bar:24} {percent:>3} %  {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("██░"));
        }
        Self {
            bar,
            style: Style::of_stderr(),
        }
    }

    pub(super) fn update(&self, tally: &Tally, elapsed: Duration) {
        if self.bar.is_hidden() {
            return;
        }
        let sums = &tally.all;
        let hits = sums.hit_ratio().unwrap_or(0.0) * 100.0;
        let broken = match sums.broken {
            0 => self.style.green("0 violations"),
            count => self
                .style
                .red(format_args!("{} violations", grouped(count))),
        };
        let speed = sums.simulated.as_secs_f64() / elapsed.as_secs_f64().max(0.001);
        self.bar.set_position(sums.runs);
        self.bar.set_message(format!(
            "{} seeds  {:.2} h  {} crashes  {} requests  {hits:.0} % hits  {:.1} % failed  {broken}  {} s/s",
            grouped(sums.runs),
            sums.hours(),
            grouped(sums.counts.crashes),
            grouped(sums.requests()),
            sums.failure_ratio() * 100.0,
            grouped(speed as u64),
        ));
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
