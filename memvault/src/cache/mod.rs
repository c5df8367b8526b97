//! [`Cache`]: any keys to any values, exact LRU, limited by entries, by bytes or by both, with a TTL per
//! entry.
//!
//! ```
//! use memvault::cache::Cache;
//!
//! let mut cache = Cache::with_max_entries(2);
//! cache.insert("a", 1)?;
//! cache.insert("b", 2)?;
//! assert_eq!(cache.get("a"), Some(&1)); // now the newest
//! cache.insert("c", 3)?; // evicts the oldest
//! assert!(!cache.contains("b"));
//! assert!(cache.iter().eq([(&"c", &3), (&"a", &1)])); // newest to oldest
//! # Ok::<(), memvault::cache::InsertError<&str, i32>>(())
//! ```
//! Place: the face of the `lru` heart for Rust programs; the server keeps its entries in
//! [`Entries`](crate::store::Entries) on the same heart.
//! Cost: all operations O(1) on average, but for growth of arena and index, which is O(n) and amortised,
//! and for what says otherwise. Per entry: key, value, 8 bytes of links, 5.7 to 11.4 bytes of index;
//! 8 bytes more in a cache with a budget of bytes, and 8.5 more once a TTL is used.
//! Limits: one owner (`&mut self`), and no timer: an entry past its time is never found, but stays in memory until it
//! is asked for, a few insertions later, or [`purge_expired`](Cache::purge_expired). It goes before any living one.
//!
//! # Panics in the caller's code
//! Hashing, comparing, weighing, dropping, closures and hooks may panic: the cache stays valid, within
//! its limits, and loses at most the entry at hand. A key must not change its hash or its order while it
//! is stored; if it does, that entry may no longer be found, and nothing worse.

mod builder;
mod column;
mod entry;
mod hook;
mod insert_error;
mod iter;
mod lookup;
mod reclaim;
mod room;
mod stats;

use core::borrow::Borrow;
use core::fmt;
use core::hash::{BuildHasher, Hash};

use ahash::RandomState;

use crate::lru::{Index, Lru, MAX_SLOTS};
use crate::soonest::{NEVER, Soonest, VAIN_VISITS_PER_PURGE};
use crate::time::{Clock, Duration, NoClock};
use column::Column;

pub use builder::Builder;
pub use entry::{Entry, OccupiedEntry, TryInsertError, VacantEntry};
pub use hook::{Cause, EvictionHook, NoHook};
pub use insert_error::{InsertError, Reason};
pub use iter::Iter;
pub use stats::Stats;

/// Entries in the order of their last use; see the [module](self) for its costs.
///
/// `S` hashes keys, `C` tells the time for entries with a TTL, `H` gets what is evicted or expires.
#[derive(Clone)]
pub struct Cache<K, V, S = RandomState, C = NoClock, H = NoHook> {
    lru: Lru<Pair<K, V>>,
    /// When entries expire, in microseconds of the clock, or [`NEVER`]; begun with the first TTL.
    deadlines: Column,
    /// Where to look for entries past their time.
    soonest: Soonest,
    /// The time when the clock was last read for those, in its microseconds.
    now: u64,
    /// The weight each entry was last given; begun if there is a budget of bytes.
    weights: Column,
    /// Invariant: the sum of `weights` over all entries.
    weight: usize,
    /// An entry whose value was lent out for change, so that its weight may be another by now.
    lent: Option<Index>,
    settings: Builder<K, V, S, C, H>,
    stats: Stats,
}

#[derive(Clone)]
struct Pair<K, V> {
    key: K,
    value: V,
}

/// How long an entry still lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ttl {
    /// It was stored without a TTL.
    Forever,
    /// So long, by the cache's clock.
    Left(Duration),
}

impl<K: Hash + Eq, V> Cache<K, V> {
    /// An empty cache for at most `max_entries`; for other limits, TTL and hooks see
    /// [`builder`](Self::builder).
    #[must_use]
    pub fn with_max_entries(max_entries: usize) -> Self {
        Self::builder().max_entries(max_entries).build()
    }
}

impl<K, V> Cache<K, V> {
    /// Settings to choose from; without any, the cache grows without limit.
    pub fn builder() -> Builder<K, V> {
        Builder::new()
    }
}

impl<K, V, S, C, H> Cache<K, V, S, C, H> {
    /// Number of entries, those past their time included until they are removed: at most a few of these while there are
    /// insertions as often as entries expire; none after [`purge_expired`](Self::purge_expired).
    #[must_use]
    pub fn len(&self) -> usize {
        self.lru.len()
    }

    /// Whether there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lru.is_empty()
    }

    /// Most entries.
    #[must_use]
    pub const fn max_entries(&self) -> usize {
        self.settings.max_entries
    }

    /// Most bytes, if there is a budget.
    #[must_use]
    pub const fn max_bytes(&self) -> Option<usize> {
        self.settings.max_bytes
    }

    /// Counters since the start or the last [`reset_stats`](Self::reset_stats), and bytes in use.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            bytes: self.bytes(),
            ..self.stats
        }
    }

    /// Sets all counters to zero.
    pub fn reset_stats(&mut self) {
        self.stats = Stats::default();
    }
}

/// Looking things up.
impl<K: Hash + Eq, V, S: BuildHasher, C: Clock, H: EvictionHook<K, V>> Cache<K, V, S, C, H> {
    /// The value of `key`, whose entry becomes the newest.
    ///
    /// An entry past its time is a miss, and is removed.
    pub fn get<Q>(&mut self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let index = self.touch(self.hash(key), key)?;
        Some(&self.lru.entry(index).value)
    }

    /// As [`get`](Self::get), and lends the value out for change.
    ///
    /// In a cache with a budget of bytes, the entry is weighed again by the next operation that takes
    /// `&mut self`, which evicts what no longer fits, oldest first, in the end even this entry itself.
    /// [`bytes`](Self::bytes) takes the change into account at once.
    pub fn get_mut<Q>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let index = self.touch(self.hash(key), key)?;
        Some(self.lend(index))
    }

    /// The value of `key`, whose entry keeps its place in the order of eviction.
    pub fn peek<Q>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let index = self.find_live(key)?;
        Some(&self.lru.entry(index).value)
    }

    /// Whether `key` has an entry, which keeps its place in the order of eviction.
    pub fn contains<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.find_live(key).is_some()
    }

    /// How long the entry of `key` still lives; `None` if there is none.
    pub fn ttl<Q>(&self, key: &Q) -> Option<Ttl>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let index = self.find(self.hash(key), key)?;
        let Some(deadline) = self.deadline(index) else {
            return Some(Ttl::Forever);
        };
        let left = deadline.saturating_since(self.settings.clock.now());
        (left > Duration::ZERO).then_some(Ttl::Left(left))
    }
}

/// Storing and removing.
impl<K: Hash + Eq, V, S: BuildHasher, C: Clock, H: EvictionHook<K, V>> Cache<K, V, S, C, H> {
    /// Stores an entry without a TTL as the newest, and returns the value that it replaces.
    ///
    /// Removes a few of the entries past their time, and then evicts, oldest first, what has to go. The key of a
    /// replaced entry stays, as in a `HashMap`.
    ///
    /// # Errors
    /// [`InsertError`], with key and value, if the limits do not allow for the entry even alone; nothing
    /// changes then.
    pub fn insert(&mut self, key: K, value: V) -> Result<Option<V>, InsertError<K, V>> {
        self.put(key, value, NEVER)
    }

    /// As [`insert`](Self::insert), for an entry that expires after `ttl`, to the microsecond.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn insert_with_ttl(
        &mut self,
        key: K,
        value: V,
        ttl: Duration,
    ) -> Result<Option<V>, InsertError<K, V>> {
        let deadline = self.after(ttl);
        self.put(key, value, deadline)
    }

    /// Gives the entry of `key` another TTL, or none; it keeps its place in the order of eviction.
    /// Returns whether there is such an entry.
    pub fn set_ttl<Q>(&mut self, key: &Q, ttl: Option<Duration>) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.settle();
        let hash = self.hash(key);
        let deadline = ttl.map_or(NEVER, |ttl| self.after(ttl));
        // The first TTL of all may take memory that entries have to make room for, even this one.
        self.begin_deadlines(deadline);
        self.keep_to_budget();
        let Some(index) = self
            .find(hash, key)
            .and_then(|index| self.expire(index, hash))
        else {
            return false;
        };
        self.set_deadline(index, deadline);
        true
    }

    /// Removes the entry of `key` and returns its value.
    pub fn remove<Q>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.settle();
        let hash = self.hash(key);
        let index = self
            .find(hash, key)
            .and_then(|index| self.expire(index, hash))?;
        let Pair { value, .. } = self.take(index, hash);
        Some(value)
    }

    /// Removes the oldest entry that is not past its time.
    pub fn pop_oldest(&mut self) -> Option<(K, V)> {
        self.settle();
        while let Some(oldest) = self.lru.oldest() {
            let hash = self.hash(&self.lru.entry(oldest).key);
            if let Some(live) = self.expire(oldest, hash) {
                let Pair { key, value } = self.take(live, hash);
                return Some((key, value));
            }
        }
        None
    }

    /// Removes the entries for which `keep` returns `false`, asking from the newest to the oldest. O(n).
    ///
    /// Entries past their time are removed without asking.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        self.settle();
        let mut next = self.lru.newest();
        while let Some(index) = next {
            let last = self.lru.last();
            next = self.lru.older(index);
            if !self.keep_if(index, &mut keep) && next == last {
                // The next one has moved into the gap.
                next = Some(index);
            }
        }
        self.keep_to_budget();
    }

    /// Removes up to `limit` entries that are past their time, hands them to the hook, and returns how many these were.
    ///
    /// Insertions do so by themselves, 4 entries at most each; this is for a program that has nothing to insert, as
    /// from a timer: without it, what nobody asks for any more keeps its memory. O(`limit`), however many entries there
    /// are: the living are not gone through. Call it again while it returns `limit`; fewer are all that were due,
    /// unless very many TTLs were changed or removed before their time.
    ///
    /// ```
    /// use memvault::cache::Cache;
    /// use memvault::time::{Duration, ManualClock};
    ///
    /// let clock = ManualClock::default();
    /// let mut sessions = Cache::builder().clock(&clock).build();
    /// for user in 0..1_000 {
    ///     sessions.insert_with_ttl(user, "a session", Duration::from_secs(60))?;
    /// }
    /// sessions.insert(1_000, "for ever")?;
    /// clock.advance(Duration::from_secs(60));
    /// assert_eq!(sessions.len(), 1_001); // nobody has asked
    /// while sessions.purge_expired(100) == 100 {
    ///     // Something more urgent can be done here.
    /// }
    /// assert_eq!((sessions.len(), sessions.stats().expirations), (1, 1_000));
    /// # Ok::<(), memvault::cache::InsertError<i32, &str>>(())
    /// ```
    pub fn purge_expired(&mut self, limit: usize) -> usize {
        self.settle();
        self.look_at_clock();
        self.reclaim(limit, limit.saturating_add(VAIN_VISITS_PER_PURGE))
    }

    /// Removes all entries and returns all their memory, arena and index included. O(n).
    pub fn clear(&mut self) {
        // Dropped last: should a key or a value panic there, the cache is empty already.
        drop(self.start_afresh());
    }

    /// Changes the limit of entries; evicts, oldest first, what is too many, and gives memory back if the
    /// arena has become larger than the limit: O(n) then.
    pub fn resize(&mut self, max_entries: usize) {
        self.settle();
        let max_entries = max_entries.min(MAX_SLOTS);
        self.settings.max_entries = max_entries;
        self.look_at_clock();
        while self.len() > max_entries {
            self.evict_one(None);
        }
        if self.lru.slots() > max_entries {
            self.compact(max_entries);
        }
    }

    /// Changes the budget of bytes; evicts, oldest first, what no longer fits. O(n) if arena or index have
    /// to shrink for it.
    ///
    /// Returns `false`, and changes nothing, if the cache was built [without a
    /// budget](Builder::max_bytes): it has no weights to go by. For no limit give `usize::MAX`.
    pub fn resize_bytes(&mut self, max_bytes: usize) -> bool {
        if self.settings.max_bytes.is_none() {
            return false;
        }
        self.settle();
        self.look_at_clock();
        self.settings.max_bytes = Some(max_bytes);
        self.shrink_to_budget();
        true
    }

    /// The entry of `key`, to look at, change or fill in after a single look-up. An entry that is there
    /// becomes the newest.
    pub fn entry(&mut self, key: K) -> Entry<'_, K, V, S, C, H> {
        let hash = self.hash(&key);
        Entry::new(self, key, hash)
    }

    /// The value of `key`, made and stored by `make` if there is none; one look-up.
    ///
    /// # Errors
    /// [`InsertError`] if the limits do not allow for what was made even alone.
    pub fn get_or_insert_with(
        &mut self,
        key: K,
        make: impl FnOnce() -> V,
    ) -> Result<&mut V, InsertError<K, V>> {
        self.entry(key).or_insert_with(make)
    }

    /// As [`get_or_insert_with`](Self::get_or_insert_with), for values that may fail to be made; nothing
    /// is stored then.
    ///
    /// # Errors
    /// [`TryInsertError::Make`] with the error of `make`, or [`TryInsertError::Refused`] if the limits do
    /// not allow for what was made even alone.
    pub fn try_get_or_insert_with<E>(
        &mut self,
        key: K,
        make: impl FnOnce() -> Result<V, E>,
    ) -> Result<&mut V, TryInsertError<K, V, E>> {
        self.entry(key).or_try_insert_with(make)
    }
}

/// Going through all entries.
impl<K, V, S, C: Clock, H> Cache<K, V, S, C, H> {
    /// All entries from the newest to the oldest, which keep their places; from the other end with
    /// [`rev`](Iterator::rev).
    ///
    /// Entries past their time are left out; the clock is read once, if at all.
    pub fn iter(&self) -> Iter<'_, K, V, S, C, H> {
        Iter::new(self)
    }
}

impl<K: fmt::Debug, V: fmt::Debug, S, C: Clock, H> fmt::Debug for Cache<K, V, S, C, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
