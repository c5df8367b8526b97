//! [`Entries`]: byte keys to byte values, exact LRU, within a budget of bytes and entries.
//!
//! Place: packed entries on the [`Lru`] heart; under [`Store`](super::Store) and under a replica.
//! Version and flags are stored, not interpreted. Whether an entry may still be read is for the caller to say; but
//! once [told the time](Entries::set_now), those past theirs go: some with each insertion, all others before a living
//! one is evicted, as far as a [bounded look](crate::soonest) finds them.
//! Cost: all operations O(1) on average beside the copy of the value, but for the growth of arena and
//! index, which goes in steps; one hash and one look-up each; reading allocates nothing.
//! Limits: one owner (`&mut self`); see [`Config`] for the budget.

use core::hash::{BuildHasher, Hasher};
use core::mem;

use ahash::RandomState;

use super::TooLarge;
use super::budget::{Account, Config, Counted};
use super::leaving::Leaving;
use super::packed::{EntryRef, Meta, Packed, total_len};
use crate::lru::{Index, Lru};
use crate::soonest::{Soonest, VISITS_PER_INSERTION};
use crate::time::Timestamp;
use crate::version::Version;

/// Entries in the order of their last use, each in one allocation, within a budget that never overshoots.
///
/// # Examples
/// ```
/// use memvault::store::{Config, Entries, Meta};
///
/// let config = Config { max_entries: Some(2), ..Config::default() };
/// let mut entries = Entries::new(config, ahash::RandomState::with_seeds(1, 2, 3, 4));
/// for key in [b"a", b"b", b"c"] {
///     entries.insert(key, b"value", &Meta::default(), &mut |evicted| assert_eq!(evicted.key, b"a"))?;
/// }
/// assert!(entries.get(b"a").is_none());
/// assert_eq!(entries.get(b"b").map(|entry| entry.value), Some(&b"value"[..]));
/// # Ok::<(), memvault::store::TooLarge>(())
/// ```
#[derive(Debug)]
pub struct Entries<S = RandomState> {
    pub(super) lru: Lru<Packed>,
    /// What was there before it was cleared.
    leaving: Leaving,
    pub(super) account: Account,
    /// Most bytes that were in use after an insertion.
    most_used: usize,
    /// Invariant: the present entries keep to it.
    pub(super) config: Config,
    /// Bytes of the budget that may not be used at present.
    pub(super) withheld: usize,
    hasher: S,
    /// By which entries are past their time.
    pub(super) now: Timestamp,
    /// When the next entries expire, in Unix milliseconds.
    pub(super) soonest: Soonest,
    /// Whether there is or was an entry with an expiry, so that `soonest` is charged for.
    pub(super) is_expiring: bool,
}

/// Is told of each entry that has to go, to make room or because it is past its time, just before it goes.
pub type Evicted<'a> = &'a mut dyn FnMut(EntryRef<'_>);

impl<S: BuildHasher> Entries<S> {
    /// No entries. Allocates nothing before the first.
    ///
    /// Keys come from strangers: give `hasher` seeds that they cannot know.
    pub fn new(config: Config, hasher: S) -> Self {
        Self {
            lru: Lru::new(),
            leaving: Leaving::default(),
            account: Account::default(),
            most_used: 0,
            config,
            withheld: 0,
            hasher,
            now: Timestamp::default(),
            soonest: Soonest::new(),
            is_expiring: false,
        }
    }

    /// The entry of `key`, which becomes the newest.
    pub fn get(&mut self, key: &[u8]) -> Option<EntryRef<'_>> {
        let index = self.find(self.hash(key), key)?;
        self.promote(index);
        Some(self.entry(index))
    }

    /// The entry of `key`, which keeps its place in the order of eviction.
    pub fn peek(&self, key: &[u8]) -> Option<EntryRef<'_>> {
        self.find(self.hash(key), key)
            .map(|index| self.entry(index))
    }

    /// Stores an entry as the newest, in place of the one that `key` had. One that is past its time already may go at
    /// once.
    ///
    /// The memory of a replaced entry is used again if the length is the same. `evicted` is told of each
    /// entry that has to go, before anything is allocated; it is not told of the replaced one.
    ///
    /// # Errors
    /// [`TooLarge`] if the budget could not hold the entry even alone; nothing changes then.
    pub fn insert(
        &mut self,
        key: &[u8],
        value: &[u8],
        meta: &Meta,
        evicted: Evicted<'_>,
    ) -> Result<(), TooLarge> {
        let hash = self.hash(key);
        let found = self.find(hash, key);
        self.put(hash, found, key, value, meta, evicted)
    }

    /// Replaces expiry, version and flags of the entry of `key`; value and place in the order of eviction
    /// stay. Returns whether there is such an entry.
    ///
    /// `evicted` is told of entries that have to go because fields are added.
    ///
    /// # Errors
    /// [`TooLarge`] if the budget could not hold the longer entry even alone; nothing changes then.
    pub fn set_meta(
        &mut self,
        key: &[u8],
        meta: &Meta,
        evicted: Evicted<'_>,
    ) -> Result<bool, TooLarge> {
        match self.find(self.hash(key), key) {
            Some(index) => self.set_meta_at(index, meta, evicted).map(|()| true),
            None => Ok(false),
        }
    }

    /// Removes the entry of `key`. Returns whether there was one.
    pub fn remove(&mut self, key: &[u8]) -> bool {
        let found = self.find(self.hash(key), key);
        if let Some(index) = found {
            self.remove_at(index);
        }
        found.is_some()
    }

    /// Removes all entries. The memory of the first few thousand and of the index is returned at once; that of the
    /// others bit by bit, with each insertion and by [`drop_cleared`](Self::drop_cleared). It is not counted any more.
    pub fn clear(&mut self) {
        let lru = mem::replace(&mut self.lru, Lru::new());
        self.start_empty();
        self.is_expiring = false;
        self.leaving.take_in(lru.into_arena());
    }

    /// Returns the memory of some entries that were [cleared](Self::clear): up to `limit`, fewer if they are large, as
    /// each KiB counts like an entry. Returns whether there are more.
    ///
    /// For a server that has nothing else to do. O(`limit`), some 50 ns each.
    pub fn drop_cleared(&mut self, limit: usize) -> bool {
        self.leaving.drop_some(limit)
    }

    /// Changes the limits and evicts what no longer fits: what is past its time, then the oldest.
    ///
    /// Index and arena shrink only if they alone break the new limit; then every entry goes.
    pub fn set_limits(
        &mut self,
        max_bytes: Option<usize>,
        max_entries: Option<usize>,
        evicted: Evicted<'_>,
    ) {
        self.config.max_bytes = max_bytes;
        self.config.max_entries = max_entries;
        self.withheld = 0;
        let most = max_entries.unwrap_or(usize::MAX);
        while self.len() > most || (self.bytes_used() > self.max_bytes() && !self.is_empty()) {
            self.evict_one(evicted);
        }
        if self.bytes_used() > self.max_bytes() {
            self.clear();
        }
    }

    /// The next entry after `cursor` in the order of the arena, from its end, and the cursor to go on from.
    ///
    /// Start with 0; `None` is the end. An entry that is there from the first call to the last is met,
    /// whatever is inserted, replaced or removed meanwhile; and met once, unless the removal of an entry
    /// that was still to come has moved it there. O(1).
    #[must_use]
    pub fn scan(&self, cursor: u32) -> Option<(EntryRef<'_>, u32)> {
        let index = self.lru.below(u32::MAX - cursor)?;
        Some((self.entry(index), u32::MAX - index.position()))
    }

    /// The entry that would be evicted first, if none is past its time.
    #[must_use]
    pub fn oldest(&self) -> Option<EntryRef<'_>> {
        self.lru.oldest().map(|index| self.entry(index))
    }

    /// Number of entries, whatever their flags.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lru.len()
    }

    /// Whether there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lru.is_empty()
    }

    /// Bytes in use by entries, arena and index, as [`Config::max_bytes`] counts them. O(1).
    #[must_use]
    pub fn bytes_used(&self) -> usize {
        let beside = self.lru.slots() * self.beside();
        self.account.boxes + self.lru.arena_bytes() + self.lru.table_bytes() + beside
    }

    /// Most bytes that were [in use](Self::bytes_used) at a time. O(1).
    #[must_use]
    pub const fn most_bytes_used(&self) -> usize {
        self.most_used
    }

    /// Whether over three quarters of a limit are in use: the next insertions may have to make room. O(1).
    #[must_use]
    pub fn is_nearly_full(&self) -> bool {
        let over =
            |used: usize, limit: Option<usize>| limit.is_some_and(|limit| used > limit / 4 * 3);
        let max_bytes = self.config.max_bytes.map(|_| self.max_bytes());
        over(self.bytes_used(), max_bytes) || over(self.len(), self.config.max_entries)
    }

    /// The limits in force.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Number of entries that have an expiry, and the sum of these expiries in Unix milliseconds.
    #[must_use]
    pub const fn expiring(&self) -> (usize, u128) {
        (self.account.expiring, self.account.expiry_sum)
    }

    /// Number of tombstones among the entries.
    #[must_use]
    pub const fn tombstones(&self) -> usize {
        self.account.tombstones
    }
}

impl<S: BuildHasher> Entries<S> {
    /// Bytes of the tombstones' allocations and slots; their part of the index is not counted. O(1).
    #[must_use]
    pub const fn tombstone_bytes(&self) -> usize {
        self.account.tombstone_boxes + self.account.tombstones * Lru::<Packed>::SLOT
    }

    /// The key of the tombstone with this version whose key has this hash.
    pub(crate) fn find_tombstone(&self, hash: u32, version: Version) -> Option<&[u8]> {
        let is_it = |packed: &Packed| {
            let meta = packed.entry().meta;
            packed.hash() == hash && meta.tombstone && meta.version == Some(version)
        };
        let index = self.lru.find(expand(hash), is_it)?;
        Some(self.entry(index).key)
    }
}

/// The same operations by hash and index, for callers that look up once and then decide.
impl<S: BuildHasher> Entries<S> {
    pub(crate) fn hash(&self, key: &[u8]) -> u32 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(key);
        (hasher.finish() >> 32) as u32
    }

    pub(crate) fn find(&self, hash: u32, key: &[u8]) -> Option<Index> {
        self.lru.find(expand(hash), |packed| packed.is(hash, key))
    }

    pub(crate) fn entry(&self, index: Index) -> EntryRef<'_> {
        self.lru.entry(index).entry()
    }

    pub(crate) fn expire_at(&self, index: Index) -> Option<Timestamp> {
        self.lru.entry(index).expire_at()
    }

    pub(crate) fn value(&self, index: Index) -> &[u8] {
        self.lru.entry(index).value()
    }

    pub(crate) fn promote(&mut self, index: Index) {
        self.lru.promote(index);
    }

    /// [`insert`](Self::insert) for a key that has already been looked up: `found` is its entry.
    pub(crate) fn put(
        &mut self,
        hash: u32,
        found: Option<Index>,
        key: &[u8],
        value: &[u8],
        meta: &Meta,
        evicted: Evicted<'_>,
    ) -> Result<(), TooLarge> {
        if let Some(index) = found {
            let old = self.lru.entry(index).counted();
            if self.lru.entry_mut(index).overwrite(value, meta) {
                self.recount(index, old, meta);
                self.lru.promote(index);
                self.note_expiry(index, meta.expire_at);
                self.reclaim(VISITS_PER_INSERTION, VISITS_PER_INSERTION, evicted);
                return Ok(());
            }
        }
        let class = self.check(key, total_len(key, value, meta), meta)?;
        self.let_in(class);
        self.leaving.make_way(class);
        let found = self.begin_expiring(found, meta, evicted);
        let index = if let Some(index) = found {
            self.lru.promote(index);
            let index = self.make_room(index, class, evicted);
            self.forget(index);
            // Two steps: the old allocation is returned before the new one is asked for.
            *self.lru.entry_mut(index) = Packed::hollow(hash);
            *self.lru.entry_mut(index) = Packed::new(hash, key, value, meta);
            index
        } else if let Some(victim) = self.victim_to_recycle(class) {
            evicted(self.entry(victim));
            self.forget(victim);
            let old_hash = expand(self.lru.entry(victim).hash());
            // Two steps, as above.
            self.lru.recycle(
                victim,
                (old_hash, expand(hash)),
                Packed::hollow(hash),
                rehash,
            );
            *self.lru.entry_mut(victim) = Packed::new(hash, key, value, meta);
            victim
        } else {
            self.make_slot(class, evicted);
            let packed = Packed::new(hash, key, value, meta);
            self.lru.insert(expand(hash), packed, rehash)
        };
        self.take_in(class, meta.counted());
        self.note_expiry(index, meta.expire_at);
        self.reclaim(VISITS_PER_INSERTION, VISITS_PER_INSERTION, evicted);
        Ok(())
    }

    /// [`set_meta`](Self::set_meta) for an entry that has already been looked up.
    pub(crate) fn set_meta_at(
        &mut self,
        index: Index,
        meta: &Meta,
        evicted: Evicted<'_>,
    ) -> Result<(), TooLarge> {
        let old = self.lru.entry(index).counted();
        if self.lru.entry_mut(index).overwrite_meta(meta) {
            self.recount(index, old, meta);
            self.note_expiry(index, meta.expire_at);
            return Ok(());
        }
        let EntryRef { key, value, .. } = self.entry(index);
        let class = self.check(key, total_len(key, value, meta), meta)?;
        self.let_in(class);
        let found = self.begin_expiring(Some(index), meta, evicted);
        let index = self.make_room(found.unwrap_or(index), class, evicted);
        self.forget(index);
        self.lru.entry_mut(index).refit(meta);
        self.take_in(class, meta.counted());
        self.note_expiry(index, meta.expire_at);
        Ok(())
    }

    /// Whether such an entry could be stored if all others went.
    pub(crate) fn fits(&self, key: &[u8], value: &[u8], meta: &Meta) -> Result<(), TooLarge> {
        self.check(key, total_len(key, value, meta), meta)
            .map(|_| ())
    }

    pub(crate) fn remove_at(&mut self, index: Index) {
        self.forget(index);
        let hash = self.lru.entry(index).hash();
        let moved = self.lru.last().filter(|&last| last != index);
        let moved_expires_at = moved.and_then(|last| self.expire_at(last));
        self.lru.remove(index, expand(hash), rehash);
        self.note_expiry(index, moved_expires_at);
        if self.lru.trim() {
            self.fit_soonest();
        }
    }

    /// Notes that the entry at `index` changed within its allocation.
    fn recount(&mut self, index: Index, old: Counted, meta: &Meta) {
        let new = meta.counted();
        if old != new {
            let class = self.size_class(self.lru.entry(index).len());
            self.account.replace(class, old, new);
        }
    }

    /// Takes an allocation into the account.
    fn take_in(&mut self, class: usize, entry: Counted) {
        self.account.add(class, entry);
        self.most_used = self.most_used.max(self.bytes_used());
    }

    /// Takes the entry at `index` out of the account.
    pub(super) fn forget(&mut self, index: Index) {
        let packed = self.lru.entry(index);
        let (class, counted) = (self.size_class(packed.len()), packed.counted());
        self.account.remove(class, counted);
    }

    /// Panics unless the account is the sum of what is stored, within the limits.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn check_invariants(&self) {
        let (mut account, mut count, mut cursor) = (Account::default(), 0, 0);
        while let Some((entry, next)) = self.scan(cursor) {
            let len = total_len(entry.key, entry.value, &entry.meta);
            account.add(self.size_class(len), entry.meta.counted());
            assert_eq!(
                self.peek(entry.key),
                Some(entry),
                "each entry is found under its key"
            );
            if let Some(at) = entry.meta.expire_at {
                self.soonest
                    .check(Index::new(u32::MAX - next), at.as_millis());
            }
            (count, cursor) = (count + 1, next);
        }
        assert_eq!(
            account, self.account,
            "the account is the sum of the entries"
        );
        assert_eq!(count, self.len());
        assert!(
            self.bytes_used() <= self.max_bytes(),
            "within the budget of bytes"
        );
        assert!(self.len() <= self.config.max_entries.unwrap_or(usize::MAX));
    }
}

pub(super) fn rehash(packed: &Packed) -> u64 {
    expand(packed.hash())
}

/// Spreads a cached hash over 64 bits: the index takes its tag from the top and its position from below.
pub(super) const fn expand(hash: u32) -> u64 {
    (hash as u64) << 32 | hash as u64
}
