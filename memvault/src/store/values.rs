//! Commands of a [`Store`] that read and set values.

use alloc::vec::Vec;
use core::hash::BuildHasher;

use super::budget::TooLarge;
use super::execute::{Found, Store};
use super::packed::{EntryRef, Meta};
use crate::command::{CommandError, Condition, Data, Edit, Edited, Expiry, Set, SetReply, range};
use crate::resp::{Args, Protocol, encode};
use crate::time::Timestamp;

impl<S: BuildHasher> Store<S> {
    #[inline]
    pub(super) fn get(
        &mut self,
        now: Timestamp,
        protocol: Protocol,
        key: &[u8],
        out: &mut Vec<u8>,
    ) {
        match self.read(now, key) {
            Some(index) => {
                self.entries.promote(index);
                encode::bulk(out, self.entries.value(index));
            }
            None => encode::null(out, protocol),
        }
    }

    pub(super) fn get_range(
        &mut self,
        now: Timestamp,
        key: &[u8],
        start: i64,
        end: i64,
        out: &mut Vec<u8>,
    ) {
        let found = self.read(now, key);
        if let Some(index) = found {
            self.entries.promote(index);
        }
        let value = found.map_or(&[][..], |index| self.entries.value(index));
        encode::bulk(out, range(value, start, end));
    }

    /// Makes a new value of the present one; its expiry stays.
    pub(super) fn edit(
        &mut self,
        now: Timestamp,
        key: &[u8],
        (edit, max_len): (Edit<&[u8]>, usize),
        out: &mut Vec<u8>,
    ) {
        let Found { hash, mut index } = self.look_up(now, key);
        if let Some(found) = &mut index {
            // The new value is made beside the present one, and then packed: one copy more than what is stored.
            let len = edit.len_after(self.entries.value(*found).len());
            let statistics = &mut self.statistics;
            let count = &mut |gone: EntryRef<'_>| statistics.count_gone(now, &gone);
            *found = self.entries.make_way(*found, len.min(max_len), count);
        }
        let present = index.map(|index| self.entries.value(index));
        let Edited { value, number } = match edit.apply(present, max_len) {
            Ok(edited) => edited,
            Err(reason) => return CommandError::Edit(reason).encode(out),
        };
        if let Some(value) = value {
            let meta = Meta::expiring(index.and_then(|index| self.entries.expire_at(index)));
            let put = self.put(now, &Found { hash, index }, key, &value, &meta);
            if let Err(reason) = put {
                return CommandError::TooLarge(reason).encode(out);
            }
        }
        encode::integer(out, number);
    }

    pub(super) fn get_many(
        &mut self,
        now: Timestamp,
        protocol: Protocol,
        keys: Args<'_>,
        out: &mut Vec<u8>,
    ) {
        let (start, limit) = (out.len(), self.max_reply_len);
        encode::array(out, keys.len());
        for key in keys.iter() {
            self.get(now, protocol, key, out);
            if out.len() - start > limit {
                out.truncate(start);
                return CommandError::ReplyTooLong { limit }.encode(out);
            }
        }
    }

    #[inline]
    pub(super) fn set(
        &mut self,
        now: Timestamp,
        protocol: Protocol,
        set: &Set<'_>,
        out: &mut Vec<u8>,
    ) {
        let found = self.look_up(now, set.key);
        if set.condition == Condition::Always && set.reply == SetReply::Done {
            match self.store(now, set, &found) {
                Ok(()) => encode::ok(out),
                Err(reason) => CommandError::TooLarge(reason).encode(out),
            }
        } else {
            self.set_if(now, protocol, set, &found, out);
        }
    }

    fn set_if(
        &mut self,
        now: Timestamp,
        protocol: Protocol,
        set: &Set<'_>,
        found: &Found,
        out: &mut Vec<u8>,
    ) {
        let start = out.len();
        let holds = match set.condition {
            Condition::Always => true,
            Condition::IfAbsent => found.index.is_none(),
            Condition::IfPresent => found.index.is_some(),
        };
        match (set.reply, holds) {
            (SetReply::Done, true) => encode::ok(out),
            (SetReply::Done, false) => encode::null(out, protocol),
            (SetReply::Flag, _) => encode::integer(out, i64::from(holds)),
            (SetReply::Former, _) => match found.index {
                Some(index) => encode::bulk(out, self.entries.value(index)),
                None => encode::null(out, protocol),
            },
        }
        if set.reply == SetReply::Former {
            let (hits, misses) = (&mut self.statistics.hits, &mut self.statistics.misses);
            *(if found.index.is_some() { hits } else { misses }) += 1;
        }
        if holds && let Err(reason) = self.store(now, set, found) {
            out.truncate(start);
            CommandError::TooLarge(reason).encode(out);
        }
    }

    /// Stores the value of a `SET` whose conditions hold; a value whose time is over is not stored at all.
    #[inline]
    fn store(&mut self, now: Timestamp, set: &Set<'_>, found: &Found) -> Result<(), TooLarge> {
        let expire_at = match set.expiry {
            Expiry::None => None,
            Expiry::Keep => found.index.and_then(|index| self.entries.expire_at(index)),
            Expiry::At(at) => Some(at),
        };
        if expire_at.is_some_and(|at| at <= now) {
            if let Some(index) = found.index {
                self.entries.remove_at(index);
            }
            return Ok(());
        }
        self.put(now, found, set.key, set.value, &Meta::expiring(expire_at))
    }

    /// Stores an entry whose key has been looked up, and counts what goes for it.
    #[inline]
    fn put(
        &mut self,
        now: Timestamp,
        found: &Found,
        key: &[u8],
        value: &[u8],
        meta: &Meta,
    ) -> Result<(), TooLarge> {
        let statistics = &mut self.statistics;
        let count = &mut |gone: EntryRef<'_>| statistics.count_gone(now, &gone);
        self.entries
            .put(found.hash, found.index, key, value, meta, count)
    }

    /// Why a command on many keys is refused before the first is changed: an entry that would never fit.
    pub(crate) fn refusal(&self, command: &Data<'_>) -> Option<CommandError<'static>> {
        let Data::SetMany(pairs) = command else {
            return None;
        };
        let keys = pairs.iter().step_by(2);
        let values = pairs.iter().skip(1).step_by(2);
        let meta = Meta::default();
        keys.zip(values).find_map(|(key, value)| {
            let fits = self.entries.fits(key, value, &meta);
            fits.err().map(CommandError::TooLarge)
        })
    }

    /// Sets all or, if one of them would never fit, none.
    pub(super) fn set_many(&mut self, now: Timestamp, pairs: Args<'_>, out: &mut Vec<u8>) {
        if let Some(refusal) = self.refusal(&Data::SetMany(pairs)) {
            return refusal.encode(out);
        }
        let meta = Meta::default();
        for at in (0..pairs.len()).step_by(2) {
            let (Some(key), Some(value)) = (pairs.get(at), pairs.get(at + 1)) else {
                break;
            };
            let found = self.look_up(now, key);
            let put = self.put(now, &found, key, value, &meta);
            debug_assert!(put.is_ok(), "whether it fits was asked before");
        }
        encode::ok(out);
    }
}
