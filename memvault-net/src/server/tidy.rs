//! Memory that goes back while nobody asks for anything.

use std::rc::Rc;
use std::time::Duration;

use async_io::Timer;

use super::clients::Clients;

/// Returns the memory of what was flushed, in small steps, for ever.
pub(super) async fn tidy(clients: Rc<Clients>) {
    loop {
        let has_more = clients.backend.drop_flushed(ENTRIES_PER_STEP);
        Timer::after(if has_more { PAUSE } else { IDLE }).await;
    }
}

/// Entries of one step: clients wait for that long, some 0.4 ms.
const ENTRIES_PER_STEP: usize = 8192;
/// Between two steps: a million entries go within a second.
const PAUSE: Duration = Duration::from_millis(5);
/// How soon it is noticed that there is something to do.
const IDLE: Duration = Duration::from_millis(250);
