//! What a person sees while the demo runs: lines that stay, and one live line below them.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::counters::Counters;
use crate::args::duration;
use crate::output::{self, Style, grouped};

/// The screen.
pub(super) struct Display {
    /// Hidden where standard error is no terminal; then the live line is left out.
    live: ProgressBar,
    is_silent: bool,
    began: Instant,
    pub(super) style: Style,
}

impl Display {
    /// With `is_silent` nothing is shown.
    pub(super) fn new(is_silent: bool) -> Self {
        let live = if is_silent {
            ProgressBar::hidden()
        } else {
            ProgressBar::new_spinner()
        };
        if let Ok(style) = ProgressStyle::with_template("  {spinner} {msg}") {
            live.set_style(style);
        }
        Self {
            live,
            is_silent,
            began: Instant::now(),
            style: Style::of_stdout(),
        }
    }

    /// Adds a line that stays, with the time since the start.
    pub(super) fn say(&self, text: impl std::fmt::Display) {
        if !self.is_silent {
            let at = format!("{:5.1} s ", self.began.elapsed().as_secs_f64());
            let line = format!("{} {text}", self.style.dim(at));
            self.live.suspend(|| output::line(line));
        }
    }

    /// Adds a line as it is.
    pub(super) fn line(&self, text: impl std::fmt::Display) {
        if !self.is_silent {
            self.live.suspend(|| output::line(text));
        }
    }

    /// Shows the counters in the live line.
    pub(super) fn update(&self, counters: &Counters, note: &str) {
        let requests = counters.requests.load(Ordering::Relaxed);
        let failed = counters.failed.load(Ordering::Relaxed);
        let wrong = counters.wrong.load(Ordering::Relaxed);
        let count = |count, text: String| match count {
            0 => self.style.green(text),
            _ => self.style.red(text),
        };
        self.live.set_message(format!(
            "{} requests   {}   {}   {note}",
            self.style.bold(grouped(requests)),
            count(failed, format!("{} failed", grouped(failed))),
            count(wrong, format!("{} wrong", grouped(wrong))),
        ));
        self.live.tick();
    }

    /// Removes the live line.
    pub(super) fn finish(&self) {
        self.live.finish_and_clear();
    }
}

/// A duration for a line of the demo.
pub(super) fn time(duration: Duration) -> String {
    duration::human(duration)
}
