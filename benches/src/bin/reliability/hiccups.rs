//! How long a process stood still here while others were measured, as jHiccup tells it: a thread that wants to wake up
//! every millisecond, and how late it did.
//!
//! Where a whole machine stands still for longer than its members wait for each other, all of them lose patience, which
//! says nothing about the death of one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::report::Report;

const PERIOD: Duration = Duration::from_millis(1);
/// Told at once, so that failed requests can be seen beside it.
const LONG: Duration = Duration::from_millis(100);

/// Measures from its start to [`finish`](Self::finish).
pub(crate) struct Hiccups {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Duration>,
}

impl Hiccups {
    pub(crate) fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || longest_until(&stopped));
        Self { stop, thread }
    }

    pub(crate) fn finish(self, what: &str, report: &mut Report) {
        self.stop.store(true, Ordering::Relaxed);
        let longest = self.thread.join().expect("it only sleeps");
        let what = format!("{what}: longest hiccup of this machine");
        report.note(&what, longest.as_secs_f64() * 1000.0, "ms");
    }
}

fn longest_until(stopped: &AtomicBool) -> Duration {
    let mut longest = Duration::ZERO;
    while !stopped.load(Ordering::Relaxed) {
        let asleep = Instant::now();
        std::thread::sleep(PERIOD);
        let late = asleep.elapsed().saturating_sub(PERIOD);
        if late > LONG {
            eprintln!("a thread that sleeps woke up {} ms late", late.as_millis());
        }
        longest = longest.max(late);
    }
    longest
}
