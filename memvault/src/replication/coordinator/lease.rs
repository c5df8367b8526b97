//! The coordinator's part of filling a key in with what was loaded elsewhere, from a database perhaps.
//!
//! ```text
//! lease   choose a version; a read quorum promises to store no plain write that is older, and holds nothing now
//! load    whatever it takes; nobody waits for it, and nothing is held meanwhile
//! fill    a write with this version, which replicas refuse if they hold or have forgotten anything newer
//! ```
//!
//! These are the two halves of an [update](super::update), with the load in between. A SET or DEL that begins after
//! the lease gets a newer version, or no quorum stores it: so a program that changes the database and then deletes the
//! key has deleted what was loaded before the change, whether it was filled in already or comes late. The idea of a
//! lease for this is memcached's (Nishtala et al., "Scaling Memcache at Facebook", 2013); there one node gives it.
//!
//! Promises are forgotten after the window of retries, which is longer than clocks may differ: by then any new
//! version is newer by itself.

use super::operation::Operation;
use super::phase::found::Found;
use super::phase::{Next, Transition};
use super::task::{AsksFor, Task};
use super::update::confirm;
use crate::replication::Now;
use crate::replication::request::{Answer, Lease};
use crate::version::Version;

impl Operation {
    /// The value, if a quorum holds one; else the lease.
    pub(super) fn finish_lease(&mut self, now: Now, found: Found) -> Transition {
        let live = found.entry.as_ref().filter(|entry| entry.is_live(now.wall));
        let Some(value) = live.and_then(|entry| entry.value.clone()) else {
            if self.asks_for == AsksFor::Leases {
                let version = found.promised.unwrap_or(Version::ZERO);
                return Transition::Done(Ok(Answer::Leased(Lease { version })));
            }
            // What was to be confirmed is gone meanwhile.
            self.asks_for = AsksFor::Leases;
            return Transition::Next(Next::ReadAfterPause);
        };
        if !found.is_on_quorum && self.asks_for == AsksFor::Leases {
            // Too few hold it: it takes part in the updates to bring it to a quorum.
            return self.take_part();
        }
        confirm(found, Answer::Value(Some(value)))
    }

    /// Whether this operation fills in what was loaded.
    pub(super) const fn is_fill(&self) -> bool {
        matches!(self.task, Task::Fill { .. })
    }
}
