//! Expiry of a [`Store`]'s entries that no command asks for.

use core::hash::BuildHasher;

use super::execute::Store;
use crate::time::Timestamp;

impl<S: BuildHasher> Store<S> {
    /// Removes up to `limit` entries that are past their time. Returns how many these were.
    ///
    /// For a server that has nothing else to do, in small steps: O(`limit`), some 0.1 to 0.3 microseconds each. While
    /// [`next_expiry`](Self::next_expiry) is over, there is more to do.
    pub fn purge_expired(&mut self, now: Timestamp, limit: usize) -> usize {
        self.entries.set_now(now);
        let expired = &mut self.statistics.expired;
        self.entries.expire(limit, &mut |_| *expired += 1)
    }

    /// No entry expires before; `None` if none has an expiry. See [`Entries::next_expiry`](super::Entries::next_expiry).
    #[must_use]
    pub fn next_expiry(&self) -> Option<Timestamp> {
        self.entries.next_expiry()
    }
}
