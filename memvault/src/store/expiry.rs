//! Commands of a [`Store`] on the expiry of keys.

use alloc::vec::Vec;
use core::hash::BuildHasher;

use super::execute::Store;
use super::packed::{EntryRef, Meta};
use crate::command::{CommandError, ExpireCondition, ExpiryForm};
use crate::resp::{Protocol, encode};
use crate::time::Timestamp;

/// Expiry that no command asks for.
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

impl<S: BuildHasher> Store<S> {
    pub(super) fn expire(
        &mut self,
        now: Timestamp,
        key: &[u8],
        at: Timestamp,
        condition: ExpireCondition,
        out: &mut Vec<u8>,
    ) {
        let Some(index) = self.look_up(now, key).index else {
            return encode::integer(out, 0);
        };
        if !condition.allows(self.entries.expire_at(index), at) {
            return encode::integer(out, 0);
        }
        if at <= now {
            self.entries.remove_at(index);
            return encode::integer(out, 1);
        }
        let statistics = &mut self.statistics;
        let count = &mut |gone: EntryRef<'_>| statistics.count_gone(now, &gone);
        let meta = Meta::expiring(Some(at));
        match self.entries.set_meta_at(index, &meta, count) {
            Ok(()) => encode::integer(out, 1),
            Err(reason) => CommandError::TooLarge(reason).encode(out),
        }
    }

    /// Gives a value and changes its expiry. A hit or a miss counts once.
    pub(super) fn get_expire(
        &mut self,
        now: Timestamp,
        protocol: Protocol,
        key: &[u8],
        at: Option<Timestamp>,
        out: &mut Vec<u8>,
    ) {
        let start = out.len();
        self.get(now, protocol, key, out);
        let Some(index) = self.look_up(now, key).index else {
            return;
        };
        if at.is_some_and(|at| at <= now) {
            return self.entries.remove_at(index);
        }
        let statistics = &mut self.statistics;
        let count = &mut |gone: EntryRef<'_>| statistics.count_gone(now, &gone);
        if let Err(reason) = self.entries.set_meta_at(index, &Meta::expiring(at), count) {
            out.truncate(start);
            CommandError::TooLarge(reason).encode(out);
        }
    }

    pub(super) fn persist(&mut self, now: Timestamp, key: &[u8], out: &mut Vec<u8>) {
        let found = self.look_up(now, key).index;
        let expiring = found.filter(|index| self.entries.expire_at(*index).is_some());
        let Some(index) = expiring else {
            return encode::integer(out, 0);
        };
        let shrunk = self
            .entries
            .set_meta_at(index, &Meta::default(), &mut |_| ());
        debug_assert!(shrunk.is_ok(), "the entry takes less room than before");
        encode::integer(out, 1);
    }
}

impl ExpiryForm {
    /// The number in a reply: `expiry` is `None` if there is no such key, `Some(None)` if it never expires.
    #[must_use]
    pub fn number(self, now: Timestamp, expiry: Option<Option<Timestamp>>) -> i64 {
        let at = match expiry {
            None => return NO_SUCH_KEY,
            Some(None) => return NEVER,
            Some(Some(at)) => at,
        };
        let millis = if self.absolute {
            at.as_millis()
        } else {
            at.as_millis().saturating_sub(now.as_millis())
        };
        let number = if self.millis {
            millis
        } else {
            // To the nearest second, as Redis rounds.
            millis.saturating_add(500) / 1000
        };
        i64::try_from(number).unwrap_or(i64::MAX)
    }
}

const NO_SUCH_KEY: i64 = -2;
const NEVER: i64 = -1;
