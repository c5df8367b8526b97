//! Commands of a [`Store`] on the expiry of keys.

use alloc::vec::Vec;
use core::hash::BuildHasher;

use super::execute::Store;
use super::packed::Meta;
use crate::command::{CommandError, ExpireCondition, ExpiryForm};
use crate::resp::{Protocol, encode};
use crate::time::Timestamp;

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
        let evicted = &mut self.statistics.evicted;
        let count = &mut |_: super::EntryRef<'_>| *evicted += 1;
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
        let evicted = &mut self.statistics.evicted;
        let count = &mut |_: super::EntryRef<'_>| *evicted += 1;
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
