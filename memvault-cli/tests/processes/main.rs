//! Real processes of the command `memvault`, as clients see them: some are killed, some stand still.
#![cfg(unix)]

mod cluster;
mod exact_lru;
mod kill_nodes;
mod process;
mod redis;
mod worker;

use std::time::{Duration, Instant};

/// How long anything may take that is waited for: generous, as test machines are slow and shared.
const DEADLINE: Duration = Duration::from_secs(60);

/// Waits until `condition` holds.
///
/// # Panics
/// If it still does not after [`DEADLINE`].
fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < end, "not within {DEADLINE:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
