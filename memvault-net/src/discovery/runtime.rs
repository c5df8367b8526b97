//! What foca needs from outside: a place for what it wants done, timers, random numbers.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use foca::{Notification, OwnedNotification, Runtime, Timer};
use memvault::rng::Rng;
use memvault::time::Instant;

use super::Identity;
use super::frame::Frame;

/// Collects what foca wants done.
#[derive(Default)]
pub(super) struct Wishes {
    now: Instant,
    pub(super) datagrams: VecDeque<(SocketAddr, Vec<u8>)>,
    pub(super) notes: VecDeque<OwnedNotification<Identity>>,
    /// In the order in which they are due, those due at once in the order in which they were set.
    timers: BTreeMap<(Instant, u64), Timer<Identity>>,
    timers_set: u64,
}

impl Wishes {
    /// The same, for something that happens at `now`.
    pub(super) const fn at(&mut self, now: Instant) -> &mut Self {
        self.now = now;
        self
    }

    pub(super) fn next_timer(&self) -> Option<Instant> {
        self.timers.keys().next().map(|(due, _)| *due)
    }

    /// A timer that is due.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Timer<Identity>> {
        let first = self.timers.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    /// Forgets all timers: they were those of another foca.
    pub(super) fn clear_timers(&mut self) {
        self.timers.clear();
    }
}

impl Runtime<Identity> for Wishes {
    fn notify(&mut self, notification: Notification<'_, Identity>) {
        self.notes.push_back(notification.to_owned());
    }

    fn send_to(&mut self, to: Identity, data: &[u8]) {
        self.datagrams
            .push_back((to.address, Frame::Gossip(data).encode()));
    }

    fn submit_after(&mut self, event: Timer<Identity>, after: Duration) {
        self.timers_set += 1;
        self.timers
            .insert((self.now + after, self.timers_set), event);
    }
}

/// Random numbers of the core's kind, for foca.
pub(super) struct Dice(pub(super) Rng);

impl rand::TryRng for Dice {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.0.next_u64() >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.next_u64())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for piece in bytes.chunks_mut(8) {
            let random = self.0.next_u64().to_le_bytes();
            piece.copy_from_slice(&random[..piece.len()]);
        }
        Ok(())
    }
}
