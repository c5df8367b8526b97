//! Entries past their time go from the store of an idle node too.
//!
//! Place: a task per thread, beside what each value stored does by itself. A member of a cluster has its own
//! [timer](memvault::replication::Node::poll_timeout) for it.
//! Cost: nothing but a look once a second while no key has a TTL.

use std::rc::Rc;
use std::time::{Duration, Instant};

use async_io::Timer;
use memvault::time::Timestamp;

use super::clients::Clients;
use crate::clock::wall;

/// Longest time that clients wait for one step.
const STEP: Duration = Duration::from_micros(500);
/// Pause between two steps while there is more to do: a tenth of a processor, and a million entries in a few seconds.
const BREATH: Duration = Duration::from_millis(5);
/// Pauses while there is nothing to do: until the next expiry, within these limits.
const SHORTEST_SLEEP: Duration = Duration::from_millis(100);
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
/// Entries after which the clock is read, so that large values do not make a step long.
const SLICE: usize = 16;

/// Removes what nobody asks for any more, for ever.
pub(super) async fn purge_expired(clients: Rc<Clients>) {
    // A member's own timer does it, and a gateway has no entries.
    if clients.backend.driver().is_some() {
        return;
    }
    loop {
        let begun = Instant::now();
        let next = clients
            .backend
            .purge_expired(SLICE, || begun.elapsed() < STEP);
        Timer::after(pause(wall(), next)).await;
    }
}

/// How long there is nothing to do, if nothing expires before `next`.
fn pause(now: Timestamp, next: Option<Timestamp>) -> Duration {
    match next {
        Some(next) if next <= now => BREATH,
        Some(next) => Duration::from_millis(next.as_millis() - now.as_millis())
            .clamp(SHORTEST_SLEEP, LONGEST_SLEEP),
        None => LONGEST_SLEEP,
    }
}
