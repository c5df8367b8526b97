//! How long clients wait for the server.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::driver::Latency;

/// The times that answers took, on all threads: a sample.
#[derive(Debug, Default)]
pub(super) struct Meter(Mutex<Latency>);

impl Meter {
    /// Adds one.
    pub(super) fn record(&self, duration: Duration) {
        self.lock().record(duration);
    }

    /// All of them.
    pub(super) fn latency(&self) -> Latency {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Latency> {
        // Numbers are as good after a panic as before.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
