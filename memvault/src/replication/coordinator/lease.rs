//! The coordinator's part of filling a key in with what was loaded elsewhere, from a database perhaps.
//!
//! ```text
//! lease   choose a tag; a read quorum promises to store no plain write that is older, and holds nothing now
//! load    whatever it takes; nobody waits for it, and nothing is held meanwhile
//! fill    a write with this tag, which replicas refuse if they hold or have forgotten anything newer
//! ```
//!
//! These are the two halves of an [update](super::update), with the load in between. A SET or DEL that begins after
//! the lease gets a newer tag, or no quorum stores it: so whoever changes the database and then deletes the key
//! has deleted what was loaded before the change, whether it was filled in already or comes late. The idea of a lease
//! for this is memcached's (Nishtala et al., "Scaling Memcache at Facebook", 2013); there one node gives it.
//!
//! Promises are forgotten after the window of retries, which is longer than clocks may differ: by then any new
//! tag is newer by itself.

use super::super::Now;
use super::super::context::Context;
use super::super::request::{Answer, Lease};
use super::operation::{AsksFor, Operation, Task};
use super::read::Found;
use super::{Coordinator, Step};
use crate::version::Version;

impl Operation {
    /// The value, if a quorum holds one; else the lease.
    pub(super) fn finish_lease(
        &mut self,
        cx: &mut Context,
        timers: &mut Coordinator,
        now: Now,
        id: u64,
        found: Found,
    ) -> Step {
        let live = found.entry.as_ref().filter(|entry| entry.is_live(now.wall));
        let Some(value) = live.and_then(|entry| entry.value.clone()) else {
            let tag = found.promised.unwrap_or(Version::ZERO);
            return match self.asks_for {
                AsksFor::Leases => Step::Done(Ok(Answer::Leased(Lease { tag }))),
                // What was to be confirmed is gone meanwhile.
                _ => self.begin_lease(cx, timers, now, id),
            };
        };
        if !found.settled && self.asks_for == AsksFor::Leases {
            // Too few hold it: it takes part in the updates to bring it to a quorum.
            return self.take_part(cx, timers, now, id);
        }
        self.confirm(cx, timers, now, id, found, Answer::Value(Some(value)))
    }

    fn begin_lease(
        &mut self,
        cx: &mut Context,
        timers: &mut Coordinator,
        now: Now,
        id: u64,
    ) -> Step {
        self.asks_for = AsksFor::Leases;
        self.begin_read_after_pause(cx, timers, now, id)
    }

    /// Whether this operation fills in what was loaded.
    pub(super) const fn is_fill(&self) -> bool {
        matches!(self.task, Task::Fill { .. })
    }
}
