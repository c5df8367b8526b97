//! How long clients wait for the server, and how much it does for them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_io::Timer;

use crate::driver::Latency;

/// What connections call themselves (`CLIENT SETNAME`) that only look. A node does not count the times of their
/// answers.
pub const ASKER_NAME: &[u8] = b"memvault-admin";

/// What is measured on all threads together.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// The times that answers took: a sample.
    latency: Mutex<Latency>,
    /// Commands per second of late.
    rate: AtomicU64,
}

impl Meter {
    /// Adds one.
    pub(super) fn record(&self, duration: Duration) {
        self.lock().record(duration);
    }

    /// All of them.
    pub(super) fn latency(&self) -> Latency {
        self.lock().clone()
    }

    /// Commands per second, of the last second that is over.
    pub(super) fn rate(&self) -> u64 {
        self.rate.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Latency> {
        // Numbers are as good after a panic as before.
        self.latency.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps [`Meter::rate`] true, for ever; `commands` counts them.
pub(super) async fn measure_rate(meter: Arc<Meter>, commands: impl Fn() -> u64) {
    let (mut before, mut at) = (0, Instant::now());
    loop {
        Timer::after(SECOND).await;
        let commands = commands();
        // Counters may have been set to zero meanwhile.
        let done = commands.saturating_sub(std::mem::replace(&mut before, commands));
        let seconds = std::mem::replace(&mut at, Instant::now()).elapsed();
        let rate = (done as f64 / seconds.as_secs_f64()).round() as u64;
        meter.rate.store(rate, Ordering::Relaxed);
    }
}

const SECOND: Duration = Duration::from_secs(1);
