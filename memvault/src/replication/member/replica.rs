//! The data of a member: entries, what it has forgotten, and which versions it has seen.
//!
//! [`Replica::offer`](super::offer) is the only way in. Whatever goes, because it is evicted, past its time or
//! forgotten for another reason, is remembered in the same way: its version raises the floor of its slot.

use super::floors::Floors;
use super::promises::Promises;
use super::recent_versions::RecentVersions;
use super::tombstones::Tombstones;
use crate::hash::{Token, token};
use crate::replication::Now;
use crate::replication::config::Config;
use crate::replication::entry::{Bytes, Entry};
use crate::replication::rules::{Rule, Rules};
use crate::replication::wire::message::{NodeState, OfferKind, Prepare, ReadReply};
use crate::slot::{Slot, slot_of};
use crate::store::{Entries, EntryRef, Meta, TooLarge};
use crate::time::{Duration, Instant, Timestamp};
use crate::version::{Hlc, Version};

/// What a member holds and remembers.
pub(crate) struct Replica {
    pub(crate) state: NodeState,
    pub(crate) entries: Entries,
    pub(in crate::replication) floors: Floors,
    pub(in crate::replication) accepted: RecentVersions,
    pub(in crate::replication) refused: RecentVersions,
    /// Deletions that found a value.
    removed: RecentVersions,
    pub(in crate::replication) promises: Promises,
    /// What was promised to those who fill in what they load: of plain writes alone.
    pub(in crate::replication) leases: Promises,
    pub(in crate::replication) rules: Rules,
    pub(in crate::replication) tombstones: Tombstones,
    pub(in crate::replication) tombstone_grace: Duration,
    /// The version of the latest flush.
    flushed: Version,
    pub(in crate::replication) retry_window: Duration,
    /// Until when the wall clock may be wrong: by it, what has just come may look as if it were an hour old.
    distrusts_wall_until: Instant,
    /// See [`changes`](Self::changes).
    pub(in crate::replication) changes: u64,
    /// Values that went to make room.
    pub(in crate::replication) evicted: u64,
    /// Values that went because their time was over.
    pub(in crate::replication) expired: u64,
}

impl Replica {
    pub(crate) fn new(config: &Config, entries: Entries) -> Self {
        let skew = Duration::from_millis(2 * Hlc::MAX_SKEW_MS);
        let retry_window = config.op_deadline * 2 + skew;
        Self {
            state: NodeState::Warming,
            entries,
            floors: Floors::new(),
            accepted: RecentVersions::new(retry_window, config.max_versions),
            refused: RecentVersions::new(retry_window, config.max_versions),
            removed: RecentVersions::new(retry_window, config.max_versions),
            promises: Promises::new(retry_window, config.max_versions),
            leases: Promises::new(retry_window, config.max_versions),
            rules: Rules::of(config),
            tombstones: Tombstones::new(config.max_tombstones),
            tombstone_grace: config.tombstone_grace,
            flushed: Version::ZERO,
            retry_window,
            distrusts_wall_until: Instant::ZERO,
            changes: 0,
            evicted: 0,
            expired: 0,
        }
    }

    /// How often an entry or a floor has changed: who has looked since need not look again. Evictions count.
    pub(in crate::replication) const fn changes(&self) -> u64 {
        self.changes
    }

    /// Values that went to make room, since the start.
    pub(in crate::replication) const fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Values that went because their time was over, since the start.
    pub(in crate::replication) const fn expired(&self) -> u64 {
        self.expired
    }

    /// Raises the floor of a slot.
    pub(in crate::replication) fn raise_floor(&mut self, slot: Slot, version: Version) {
        self.changes += 1;
        self.floors.raise(slot, version);
    }

    /// Answers a read. An entry past its time is removed here, when it is touched.
    ///
    /// With a `promise` nothing older than that version is stored from now on; if something as new is here
    /// already, or was promised to another, the promise is not given.
    pub(crate) fn read(&mut self, now: Now, key: &[u8], promise: Option<Prepare>) -> ReadReply {
        if self.state == NodeState::Warming && self.rules.keep(Rule::WarmingDoesNotRead) {
            return ReadReply::Loading;
        }
        self.purge(now, key);
        if let Some(prepare) = promise
            && let Err(current) = self.promise(now, key, prepare)
        {
            return ReadReply::Overtaken { current };
        }
        let floor = self.floors.at(slot_of(key));
        let held = self.entries.get(key);
        debug_assert!(
            held.as_ref()
                .and_then(|held| held.meta.expire_at)
                .is_none_or(|at| at > now.wall),
            "what is past its time has just been forgotten"
        );
        let unconfirmed = held.as_ref().is_some_and(|held| held.meta.unconfirmed);
        ReadReply::Holds {
            entry: held.map(|held| to_entry(&held)),
            unconfirmed,
            floor,
            behind: self.state == NodeState::CatchingUp,
        }
    }

    /// Answers a read of a key that this node has yet to take over: it has nothing to tell, but its promise is
    /// worth as much as any.
    pub(in crate::replication) fn read_before_taking_over(
        &mut self,
        now: Now,
        key: &[u8],
        promise: Option<Prepare>,
    ) -> ReadReply {
        let promised = promise.map_or(Ok(()), |prepare| self.promise(now, key, prepare));
        match promised {
            Ok(()) => ReadReply::Pending,
            Err(current) => ReadReply::Overtaken { current },
        }
    }

    /// Promises that nothing older than the version will be stored, or says what is in the way.
    fn promise(&mut self, now: Now, key: &[u8], prepare: Prepare) -> Result<(), Version> {
        let (token, version) = (token(key), prepare.version());
        let current = self.present(key, OfferKind::Write).current;
        let (promised, promises) = match prepare {
            Prepare::Update(_) => (self.promised(token), &mut self.promises),
            // Of two who fill in, neither has to wait for the other.
            Prepare::Fill(_) => (self.promises.at(token), &mut self.leases),
        };
        if version <= current || version < promised {
            return Err(current.max(promised));
        }
        // A version from too far in the future would lock the key; nothing with it will be stored anyway.
        if Hlc::is_believable(version.hlc(), now.wall) {
            promises.raise(now.instant, token, version);
            debug_assert!(promises.at(token) >= version, "a promise binds at once");
        }
        Ok(())
    }

    /// Makes those of `keys` that are here the newest. Returns how many these are.
    pub(in crate::replication) fn touch(&mut self, keys: &[Bytes]) -> u64 {
        let here = keys.iter().filter(|key| self.entries.get(key).is_some());
        here.count() as u64
    }

    /// The lowest version of a plain write that may still be stored under this token.
    pub(in crate::replication) fn promised(&self, token: Token) -> Version {
        let leased = if self.rules.keep(Rule::LeasesAreKept) {
            self.leases.at(token)
        } else {
            Version::ZERO
        };
        self.promises.at(token).max(leased)
    }

    /// Versions that were forgotten early for lack of room.
    pub(in crate::replication) const fn dropped_versions(&self) -> u64 {
        self.accepted.dropped() + self.refused.dropped()
    }

    /// Whether a reader would have found a value before this write; asked again for the same version, the answer is
    /// the same, as far as this replica remembers.
    pub(in crate::replication) fn existed_before(
        &self,
        now: Now,
        key: &[u8],
        entry: &Entry,
    ) -> bool {
        self.removed.contains(entry.version) || self.has_live(now.wall, key)
    }

    /// Whether a reader would find a value.
    fn has_live(&self, wall: Timestamp, key: &[u8]) -> bool {
        self.entries.peek(key).is_some_and(|held| {
            !held.meta.tombstone && held.meta.expire_at.is_none_or(|at| at > wall)
        })
    }

    /// Stores an entry as the newest; whatever has to make room is forgotten.
    pub(crate) fn store(
        &mut self,
        now: Now,
        key: &[u8],
        entry: &Entry,
        unconfirmed: bool,
    ) -> Result<(), TooLarge> {
        if entry.value.is_none() && self.has_live(now.wall, key) {
            self.removed.insert(now.instant, entry.version);
        }
        if let Some(held) = self.entries.peek(key).map(|held| held.meta) {
            self.remember_accepted(now, &held);
        }
        let meta = Meta {
            expire_at: entry.expire_at,
            version: Some(entry.version),
            tombstone: entry.value.is_none(),
            unconfirmed,
        };
        let value = entry.value.as_deref().unwrap_or(&[]);
        self.changes += 1;
        let (entries, mut parting) = self.parting(now);
        entries.insert(key, value, &meta, &mut |gone| parting.remember(&gone))?;
        if entry.value.is_none() {
            self.bury(now, key, entry.version);
        }
        debug_assert!(
            self.entries.peek(key).is_some_and(|held| held.meta == meta)
                || self.floors.at(slot_of(key)) >= entry.version
                || !self.rules.keep(Rule::EvictionIsRemembered)
                || !self.rules.keep(Rule::ExpiryIsRemembered),
            "what was acknowledged is here, or known to be forgotten"
        );
        Ok(())
    }

    /// Changes how much may be stored; whatever has to make room is forgotten. O(entries that go).
    pub(in crate::replication) fn set_limits(
        &mut self,
        now: Now,
        max_bytes: Option<usize>,
        max_entries: Option<usize>,
    ) {
        let (entries, mut parting) = self.parting(now);
        entries.set_limits(max_bytes, max_entries, &mut |gone| parting.remember(&gone));
    }

    /// Leaves so much of the budget unused; up to `limit` entries that have to make room are forgotten. Returns whether
    /// there are more.
    pub(in crate::replication) fn withhold(
        &mut self,
        now: Now,
        bytes: usize,
        limit: usize,
    ) -> bool {
        let (entries, mut parting) = self.parting(now);
        entries.withhold(bytes, limit, &mut |gone| parting.remember(&gone))
    }

    /// Removes an entry and remembers its version as forgotten.
    pub(crate) fn forget(&mut self, now: Now, key: &[u8]) {
        let Some(meta) = self.entries.peek(key).map(|held| held.meta) else {
            return;
        };
        if self.rules.keep(Rule::ExpiryIsRemembered) {
            self.floors
                .raise(slot_of(key), meta.version.unwrap_or(Version::ZERO));
        }
        self.remember_accepted(now, &meta);
        self.changes += 1;
        self.entries.remove(key);
        debug_assert!(self.entries.peek(key).is_none(), "it is gone");
    }

    /// Forgets a key as if it had held `version` last.
    pub(in crate::replication) fn forget_up_to(&mut self, now: Now, key: &[u8], version: Version) {
        self.changes += 1;
        self.forget(now, key);
        self.floors.raise(slot_of(key), version);
        debug_assert!(
            self.floors.at(slot_of(key)) >= version,
            "nothing older comes back"
        );
    }

    /// Forgets an entry that is past its time, or a tombstone past its grace.
    pub(in crate::replication) fn purge(&mut self, now: Now, key: &[u8]) {
        let Some(held) = self.entries.peek(key) else {
            return;
        };
        let expired = held.meta.expire_at.is_some_and(|at| at <= now.wall);
        let (version, has_value) = (
            held.meta.version.unwrap_or(Version::ZERO),
            !held.meta.tombstone,
        );
        self.expired += u64::from(expired && has_value);
        if expired || held.meta.tombstone && !is_recent(now, version, self.tombstone_grace) {
            self.forget(now, key);
        }
    }

    /// Marks an entry as good for a quorum, or not.
    pub(crate) fn mark(&mut self, key: &[u8], unconfirmed: bool) {
        let Some(held) = self.entries.peek(key) else {
            return;
        };
        let meta = Meta {
            unconfirmed,
            ..held.meta
        };
        self.changes += 1;
        let done = self.entries.set_meta(key, &meta, &mut |_| {
            debug_assert!(
                false,
                "nothing is added to the entry, so nothing makes room for it"
            );
        });
        debug_assert!(done.is_ok(), "it fitted before");
    }

    /// Drops the entries for which `is_foreign` holds, of the next `slots` from `cursor` on, without a trace:
    /// nobody asks this node for them any more. Returns where to go on.
    pub(in crate::replication) fn drop_foreign(
        &mut self,
        mut cursor: u32,
        slots: usize,
        is_foreign: impl Fn(&[u8]) -> bool,
    ) -> Option<u32> {
        for _ in 0..slots {
            let (held, next) = self.entries.scan(cursor)?;
            cursor = next;
            if is_foreign(held.key) {
                let key = Bytes::from(held.key);
                self.changes += 1;
                self.entries.remove(&key);
            }
        }
        Some(cursor)
    }

    /// Forgets every entry up to `version`; that it was accepted once stays known. O(n).
    pub(crate) fn flush(&mut self, now: Now, version: Version) {
        self.changes += 1;
        self.flushed = self.flushed.max(version);
        self.floors.raise_all(version);
        let goes = |meta: &Meta| meta.version.is_none_or(|held| held <= version);
        let (mut cursor, mut some_stay) = (0, false);
        while let Some((held, next)) = self.entries.scan(cursor) {
            cursor = next;
            let meta = held.meta;
            some_stay |= !goes(&meta);
            if goes(&meta) {
                self.remember_accepted(now, &meta);
            }
        }
        if !some_stay {
            // Their memory goes bit by bit, which takes longer than all else.
            return self.entries.clear();
        }
        cursor = 0;
        while let Some((held, next)) = self.entries.scan(cursor) {
            cursor = next;
            if goes(&held.meta) {
                let key = Bytes::from(held.key);
                self.entries.remove(&key);
            }
        }
    }

    /// The version of the latest flush.
    pub(in crate::replication) const fn flushed(&self) -> Version {
        self.flushed
    }

    /// Forgets what was written in the time of a clock that has been put right since, and anything that it
    /// may have replaced. O(n).
    pub(crate) fn forget_future(&mut self, now: Now) {
        let latest = now.wall.as_millis() + Hlc::MAX_SKEW_MS;
        let limit = Version::at(Timestamp::from_millis(latest));
        debug_assert!(
            self.distrusts_wall_until >= now.instant,
            "only a clock that was wrong makes a future"
        );
        self.changes += 1;
        self.floors.lower_all(limit);
        self.flushed = self.flushed.min(limit);
        let mut cursor = 0;
        while let Some((held, next)) = self.entries.scan(cursor) {
            cursor = next;
            if held.meta.version.is_some_and(|version| version > limit) {
                let key = Bytes::from(held.key);
                self.floors.raise(slot_of(&key), limit);
                self.changes += 1;
                self.entries.remove(&key);
            }
        }
    }

    /// The wall clock may be wrong, or was until now: for as long as anyone may still retry what came meanwhile, its
    /// word is not taken for what is recent.
    pub(in crate::replication) fn distrust_wall(&mut self, now: Now) {
        self.distrusts_wall_until = now.instant + self.retry_window;
    }

    pub(in crate::replication) fn distrusts_wall(&self, now: Now) -> bool {
        now.instant < self.distrusts_wall_until && self.rules.keep(Rule::WallIsDistrusted)
    }

    /// Notes that an entry that goes was accepted once. What was fetched and never confirmed was not.
    fn remember_accepted(&mut self, now: Now, meta: &Meta) {
        let version = meta.version.unwrap_or(Version::ZERO);
        let is_recent = self.distrusts_wall(now) || is_recent(now, version, self.retry_window);
        if !meta.unconfirmed && is_recent {
            self.accepted.insert(now.instant, version);
        }
    }
}

/// Whether `version` was made less than `window` ago, by the wall clock.
pub(in crate::replication) fn is_recent(now: Now, version: Version, window: Duration) -> bool {
    let made = Duration::from_millis(version.hlc() >> 16);
    made + window >= Duration::from_millis(now.wall.as_millis())
}

/// A copy of a stored entry.
pub(in crate::replication) fn to_entry(held: &EntryRef<'_>) -> Entry {
    Entry {
        version: held.meta.version.unwrap_or(Version::ZERO),
        value: (!held.meta.tombstone).then(|| held.value.into()),
        expire_at: held.meta.expire_at,
    }
}
