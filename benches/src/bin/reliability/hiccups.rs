//! How long this machine stood still while it was measured, as jHiccup tells it: a thread that wants to wake up
//! every millisecond, and how late it did.
//!
//! Members whose machine stands still for longer than they wait for each other lose patience with all others at
//! once, which says nothing about the death of one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::report::{Report, micros};

const PERIOD: Duration = Duration::from_millis(1);
/// Told at once, so that failed requests can be seen beside it.
const LONG: Duration = Duration::from_millis(100);

/// Measured from its start to [`finish`](Self::finish).
pub(crate) struct Hiccups {
    stop: Arc<AtomicBool>,
    longest: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Hiccups {
    pub(crate) fn start() -> Self {
        let (stop, longest) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let (stopped, seen) = (Arc::clone(&stop), Arc::clone(&longest));
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let asleep = Instant::now();
                std::thread::sleep(PERIOD);
                let late = asleep.elapsed().saturating_sub(PERIOD);
                if late >= LONG {
                    eprintln!("this machine stood still for {} ms", late.as_millis());
                }
                seen.fetch_max(micros(late), Ordering::Relaxed);
            }
        });
        Self {
            stop,
            longest,
            thread,
        }
    }

    pub(crate) fn finish(self, what: &str, report: &mut Report) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("it only sleeps");
        let longest = Duration::from_micros(self.longest.load(Ordering::Relaxed));
        let what = format!("{what}: longest hiccup of this machine");
        report.note(&what, longest.as_secs_f64() * 1000.0, "ms");
    }
}
