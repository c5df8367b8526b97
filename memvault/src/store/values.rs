//! Commands of a [`Store`] that read and set values.

use alloc::vec::Vec;
use core::hash::BuildHasher;

use super::TooLarge;
use super::execute::{Found, Store};
use super::packed::{EntryRef, Meta};
use crate::command::{
    Change, CommandError, Data, Decision, Present, Read, Reply, ReplyValue, Update,
};
use crate::lru::Index;
use crate::resp::{Args, Protocol, encode};
use crate::time::Timestamp;

impl<S: BuildHasher> Store<S> {
    /// The short way of [`Read::Value`].
    #[inline]
    pub(super) fn get(
        &mut self,
        now: Timestamp,
        protocol: Protocol,
        key: &[u8],
        out: &mut Vec<u8>,
    ) {
        match self.find(now, key) {
            Some(index) => {
                self.entries.promote(index);
                encode::bulk(out, self.entries.value(index));
            }
            None => encode::null(out, protocol),
        }
    }

    /// The short way of an [`Update::Set`]; a value whose time is over is not stored at all.
    #[inline]
    pub(super) fn set(
        &mut self,
        now: Timestamp,
        (key, value, expire_at): (&[u8], &[u8], Option<Timestamp>),
        out: &mut Vec<u8>,
    ) {
        let found = self.look_up(now, key);
        if expire_at.is_some_and(|at| at <= now) {
            if let Some(index) = found.index {
                self.entries.remove_at(index);
            }
            return encode::ok(out);
        }
        match self.put(now, &found, key, value, &Meta::expiring(expire_at)) {
            Ok(()) => encode::ok(out),
            Err(reason) => CommandError::TooLarge(reason).encode(out),
        }
    }

    /// Reads one key; who gets a value makes the entry the newest.
    pub(super) fn read(
        &mut self,
        now: Timestamp,
        protocol: Protocol,
        (key, read): (&[u8], Read),
        out: &mut Vec<u8>,
    ) {
        let found = self.find(now, key);
        let reply = read.reply(found.map(|index| self.present(index)), now);
        let gives_value = matches!(reply, Reply::Value(_));
        reply.encode(protocol, out);
        if let (Some(index), true) = (found, gives_value) {
            self.entries.promote(index);
        }
    }

    /// Changes one key. A reply with what was there counts as a hit or a miss.
    pub(super) fn update(
        &mut self,
        now: Timestamp,
        protocol: Protocol,
        (key, update): (&[u8], &Update<&[u8]>),
        out: &mut Vec<u8>,
    ) {
        let mut found = self.look_up(now, key);
        if let (Some(index), Update::Edit { edit, max_len }) = (&mut found.index, update) {
            // The new value is made beside the present one, and then packed: one copy more than what is stored.
            let len = edit.len_after(self.entries.value(*index).len());
            let statistics = &mut self.statistics;
            let count = &mut |gone: EntryRef<'_>| statistics.count_gone(now, &gone);
            *index = self.entries.make_way(*index, len.min(*max_len), count);
        }
        let present = found.index.map(|index| self.present(index));
        let Decision { change, reply } = update.decide(present, now);
        let is_read = matches!(reply, Reply::Value(None | Some(ReplyValue::Present)));
        let start = out.len();
        let value = present.map_or(&[][..], |found| found.value);
        reply.map(|told| told.bytes(value)).encode(protocol, out);
        if is_read {
            self.count_read(found.index.is_some());
            if let Some(index) = found.index {
                self.entries.promote(index);
            }
        }
        if let Err(reason) = self.apply(now, &found, (key, update), change) {
            out.truncate(start);
            CommandError::TooLarge(reason).encode(out);
        }
    }

    /// Changes the entry of a key that has been looked up.
    fn apply(
        &mut self,
        now: Timestamp,
        found: &Found,
        (key, update): (&[u8], &Update<&[u8]>),
        change: Change,
    ) -> Result<(), TooLarge> {
        match (change, found.index) {
            (Change::Put { value, expire_at }, _) => {
                let value = value.bytes(update.brought().copied().unwrap_or(&[]));
                self.put(now, found, key, value, &Meta::expiring(expire_at))
            }
            (Change::Expire(at), Some(index)) => {
                let statistics = &mut self.statistics;
                let count = &mut |gone: EntryRef<'_>| statistics.count_gone(now, &gone);
                self.entries.set_meta_at(index, &Meta::expiring(at), count)
            }
            (Change::Remove, Some(index)) => {
                self.entries.remove_at(index);
                Ok(())
            }
            (change, _) => {
                debug_assert_eq!(change, Change::Keep, "there is nothing to change");
                Ok(())
            }
        }
    }

    /// What there is of an entry that has been looked up.
    fn present(&self, index: Index) -> Present<'_> {
        Present {
            value: self.entries.value(index),
            expire_at: self.entries.expire_at(index),
        }
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
