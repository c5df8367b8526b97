//! Real processes, real sockets and real faults, judged by the checker of the simulator.
//!
//! ```text
//! plan (seed) --> nemesis --kill, freeze--> members, gateway    clients --records--> verdict
//!                    +------cut, slow-----> network                (history, checked per key)
//! ```
//!
//! `MEMVAULT_CHAOS_SECONDS` (default 4) is how long each scenario lasts, `MEMVAULT_CHAOS_SEED` repeats the
//! plan of a run that failed: the same faults at the same times, though the processes will not take the same
//! steps. Each scenario is a test, and `cargo test -p memvault-server --test chaos -- --nocapture` prints what
//! happened in it. A failure prints the seed, the faults and the history of the keys that went wrong.
#![cfg(unix)]

mod clients;
mod cluster;
mod history;
mod nemesis;
mod network;
mod plan;
mod recipes;
mod scenario;
mod verdict;

// What the other tests of the command use.
#[path = "../processes/redis.rs"]
mod redis;
#[path = "../support/mod.rs"]
mod support;

use network::{Namespaces, Proxies};
use scenario::{Faults, Scenario};

/// Members die all the time, half of them come back within milliseconds, and each takes its whole memory
/// with it: at the default level no request fails, nothing is lost, and nothing stale is read.
#[test]
fn kills_and_quick_restarts() {
    Scenario::new("kills", Faults::Kills).run(&Proxies::new());
}

/// Everything at once, through proxies that stop, delay and hold back bytes: at level QUORUM what is read is
/// linearizable, and nothing is lost.
#[test]
fn everything_at_once_through_proxies() {
    Scenario::new("proxies", Faults::Everything).run(&Proxies::new());
}

/// The same with packets that are really lost: each process in a network of its own.
#[test]
fn everything_at_once_in_network_namespaces() {
    match Namespaces::new() {
        Ok(network) => Scenario::new("namespaces", Faults::Everything).run(&network),
        Err(why) => support::skipped(&format!(
            "no network namespaces here ({why}): partitions are tested through proxies only"
        )),
    }
}
