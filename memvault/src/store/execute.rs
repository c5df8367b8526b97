//! [`Store`]: carries out commands on the keys of one node without versions.

use alloc::vec::Vec;
use core::hash::BuildHasher;

use ahash::RandomState;

use super::budget::Config;
use super::entries::Entries;
use super::statistics::Statistics;
use crate::command::{CommandError, Data, Read};
use crate::lru::Index;
use crate::resp::{Args, Protocol, encode};
use crate::time::Timestamp;

/// The keys of a node that belongs to no cluster, and the answers to the commands on them.
///
/// Expiry is decided when a command meets an entry: one past its time is not there. Those that none meets go in small
/// steps: a few with each value stored, others before a living entry is evicted for room, and by
/// [`purge_expired`](Self::purge_expired) where nothing is stored. One hash and one look-up per key; a value is copied once, into the reply. Commands that
/// read or set a value make its entry the newest; those on expiry and existence leave its place.
///
/// # Examples
/// ```
/// use memvault::command::Data;
/// use memvault::resp::Protocol;
/// use memvault::store::{Config, Store};
/// use memvault::time::Timestamp;
///
/// let mut store = Store::new(Config::default(), ahash::RandomState::with_seeds(1, 2, 3, 4));
/// let mut reply = Vec::new();
/// let now = Timestamp::from_millis(0);
/// store.execute(now, Protocol::Resp2, &Data::Get(b"greeting"), &mut reply);
/// assert_eq!(reply, b"$-1\r\n");
/// ```
#[derive(Debug)]
pub struct Store<S = RandomState> {
    pub(super) entries: Entries<S>,
    pub(super) statistics: Statistics,
    pub(super) max_reply_len: usize,
}

/// A key that has been looked up.
pub(super) struct Found {
    pub(super) hash: u32,
    /// Its entry, unless that was past its time: then it is removed already.
    pub(super) index: Option<Index>,
}

impl<S: BuildHasher> Store<S> {
    /// Default of [`set_max_reply_len`](Self::set_max_reply_len): 1 GiB.
    pub const MAX_REPLY_LEN: usize = 1 << 30;

    /// A store without entries. Allocates nothing before the first.
    ///
    /// Keys come from strangers: give `hasher` seeds that they cannot know.
    pub fn new(config: Config, hasher: S) -> Self {
        Self {
            entries: Entries::new(config, hasher),
            statistics: Statistics::default(),
            max_reply_len: Self::MAX_REPLY_LEN,
        }
    }

    /// Carries out a command and appends its reply, be it an error, to `out`.
    ///
    /// Replies are those of Redis 7. O(1) per key, beside the copy of values and evictions.
    #[inline]
    pub fn execute(
        &mut self,
        now: Timestamp,
        protocol: Protocol,
        command: &Data<'_>,
        out: &mut Vec<u8>,
    ) {
        self.entries.set_now(now);
        match command {
            Data::Get(key) => self.get(now, protocol, key, out),
            Data::Set {
                key,
                value,
                expire_at,
            } => self.set(now, (key, value, *expire_at), out),
            _ => self.execute_rarer(now, protocol, command, out),
        }
    }

    /// Apart, so that the frame of the many does not weigh on GET and SET.
    #[inline(never)]
    fn execute_rarer(
        &mut self,
        now: Timestamp,
        protocol: Protocol,
        command: &Data<'_>,
        out: &mut Vec<u8>,
    ) {
        match *command {
            Data::Get(key) => self.read(now, protocol, (key, Read::Value), out),
            Data::Set {
                key,
                value,
                expire_at,
            } => self.set(now, (key, value, expire_at), out),
            Data::Read { key, read } => self.read(now, protocol, (key, read), out),
            Data::Update { key, ref update } => self.update(now, protocol, (key, update), out),
            Data::GetMany(keys) => self.get_many(now, protocol, keys, out),
            Data::SetMany(pairs) => self.set_many(now, pairs, out),
            Data::Delete(keys) => encode::integer(out, self.delete(now, keys)),
            Data::Exists(keys) => {
                let there = keys.iter().filter(|key| self.find(now, key).is_some());
                encode::integer(out, there.count() as i64);
            }
            Data::Count => encode::integer(out, self.entries.len() as i64),
            Data::Flush => {
                self.entries.clear();
                encode::ok(out);
            }
            Data::Membership(_) => CommandError::NotInCluster.encode(out),
        }
    }

    /// Finds the entry of `key`; one past its time is removed and not found.
    #[inline]
    pub(super) fn look_up(&mut self, now: Timestamp, key: &[u8]) -> Found {
        let hash = self.entries.hash(key);
        let mut index = self.entries.find(hash, key);
        if let Some(found) = index
            && self.entries.expire_at(found).is_some_and(|at| at <= now)
        {
            self.entries.remove_at(found);
            self.statistics.expired += 1;
            index = None;
        }
        Found { hash, index }
    }

    /// Finds the entry of `key` for a reader: it counts as a hit or a miss.
    #[inline]
    pub(super) fn find(&mut self, now: Timestamp, key: &[u8]) -> Option<Index> {
        let index = self.look_up(now, key).index;
        self.count_read(index.is_some());
        index
    }

    #[inline]
    pub(super) const fn count_read(&mut self, is_hit: bool) {
        if is_hit {
            self.statistics.hits += 1;
        } else {
            self.statistics.misses += 1;
        }
    }

    fn delete(&mut self, now: Timestamp, keys: Args<'_>) -> i64 {
        let mut count = 0;
        for key in keys.iter() {
            if let Some(index) = self.look_up(now, key).index {
                self.entries.remove_at(index);
                count += 1;
            }
        }
        count
    }
}

impl<S: BuildHasher> Store<S> {
    /// What is stored, expired entries that have not been removed yet included.
    #[must_use]
    pub const fn entries(&self) -> &Entries<S> {
        &self.entries
    }

    /// Counters since the start, or since they were last set to zero.
    #[must_use]
    pub const fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// Sets the counters to zero.
    pub fn reset_statistics(&mut self) {
        self.statistics = Statistics::default();
    }

    /// Returns the memory of up to `limit` entries that were flushed. Returns whether there are more. See
    /// [`Entries::drop_cleared`].
    pub fn drop_flushed(&mut self, limit: usize) -> bool {
        self.entries.drop_cleared(limit)
    }

    /// Leaves so much of the budget unused until told otherwise, and evicts up to `limit` entries for it. Returns whether
    /// there are more to evict. See [`Entries::withhold`].
    pub fn withhold(&mut self, bytes: usize, limit: usize) -> bool {
        let (now, statistics) = (self.entries.now, &mut self.statistics);
        let count = &mut |gone: super::EntryRef<'_>| statistics.count_gone(now, &gone);
        self.entries.withhold(bytes, limit, count)
    }

    /// Takes note of so many commands.
    pub const fn count_commands(&mut self, commands: u64) {
        self.statistics.commands += commands;
    }

    /// Changes the limits and evicts what no longer fits, the oldest first of those that lived at the last command; see
    /// [`Entries::set_limits`].
    pub fn set_limits(&mut self, max_bytes: Option<usize>, max_entries: Option<usize>) {
        let (now, statistics) = (self.entries.now, &mut self.statistics);
        let count = &mut |gone: super::EntryRef<'_>| statistics.count_gone(now, &gone);
        self.entries.set_limits(max_bytes, max_entries, count);
    }

    /// Most bytes that the reply of one command with many keys may have; beyond, it is an error instead.
    pub const fn set_max_reply_len(&mut self, bytes: usize) {
        self.max_reply_len = bytes;
    }
}
