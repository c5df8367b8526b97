//! Somebody else: a client that wants little, one thing after the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::wire::Wire;
use crate::report::{Report, histogram, micros, millis_at};

/// Between two of its requests.
const PERIOD: Duration = Duration::from_millis(2);

/// A thread that sets and gets one key in turn, every two milliseconds while it is answered in time.
pub(super) struct Bystander {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Seen>,
}

/// How it fared.
pub(super) struct Seen {
    /// From the time at which a request was due to its answer, in microseconds.
    pub(super) times: Histogram<u64>,
    pub(super) failed: u64,
    /// How often its connection was closed.
    pub(super) closed: u64,
    /// What the first failure was.
    pub(super) why: Option<String>,
}

impl Bystander {
    pub(super) fn start(port: u16) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || watch(port, &stopped));
        Self { stop, thread }
    }

    /// Looks for this long, with nothing else running.
    pub(super) fn alone(port: u16, time: Duration) -> Seen {
        let bystander = Self::start(port);
        std::thread::sleep(time);
        bystander.finish()
    }

    pub(super) fn finish(self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("it does not panic")
    }
}

impl Seen {
    pub(super) fn longest(&self) -> f64 {
        millis_at(&self.times, 1.0)
    }

    pub(super) fn p99(&self) -> f64 {
        millis_at(&self.times, 0.99)
    }

    /// What it waited, without a judgement.
    pub(super) fn note(&self, what: &str, report: &mut Report) {
        report.note(
            &format!("{what}: bystander p50"),
            millis_at(&self.times, 0.5),
            "ms",
        );
        report.note(&format!("{what}: bystander p99"), self.p99(), "ms");
        report.note(&format!("{what}: bystander longest"), self.longest(), "ms");
    }

    /// Judges failures and the longest wait.
    pub(super) fn judge(&self, what: &str, longest: f64, report: &mut Report) {
        let asked = self.times.len();
        let failed = format!("{what}: bystander, failed of {asked}");
        report.at_most(&failed, 0.0, self.failed as f64, "");
        report.at_most(
            &format!("{what}: bystander, longest"),
            longest,
            self.longest(),
            "ms",
        );
        if let Some(why) = &self.why {
            eprintln!("{what}: the bystander's first failure: {why}");
        }
    }
}

fn watch(port: u16, stopped: &AtomicBool) -> Seen {
    let mut seen = Seen {
        times: histogram(),
        failed: 0,
        closed: 0,
        why: None,
    };
    let mut wire = None;
    let mut due = Instant::now();
    for turn in 0_u64.. {
        let outcome = request(&mut wire, port, turn);
        seen.times.saturating_record(micros(due.elapsed()));
        if let Err(why) = outcome {
            seen.failed += 1;
            if !why.starts_with('-') {
                seen.closed += 1;
                wire = None;
                // Anyone who refuses connections is asked anew a little later.
                std::thread::sleep(PERIOD);
            }
            seen.why.get_or_insert(why);
        }
        if stopped.load(Ordering::Relaxed) {
            break;
        }
        // After a long wait the next request is due at once; those that were not made meanwhile never waited.
        due = (due + PERIOD).max(Instant::now());
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    seen
}

fn request(wire: &mut Option<Wire>, port: u16, turn: u64) -> Result<(), String> {
    let wire = match wire {
        Some(wire) => wire,
        None => wire.insert(Wire::connect(port).map_err(|error| format!("CLOSED: {error}"))?),
    };
    let key = format!("bystander:{port}");
    let asked = if turn.is_multiple_of(2) {
        wire.ask(&[b"SET", key.as_bytes(), b"here"])
    } else {
        wire.ask(&[b"GET", key.as_bytes()])
    };
    asked.map(|_| ())
}
