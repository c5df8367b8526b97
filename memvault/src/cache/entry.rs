//! The place of a key in a cache, after one look-up.

use core::fmt;
use core::hash::{BuildHasher, Hash};

use super::{Cache, EvictionHook, InsertError, NEVER, Pair};
use crate::lru::Index;
use crate::time::{Clock, Duration};

/// Where a key's entry is, or would be; made by [`Cache::entry`].
///
/// # Examples
/// ```
/// use memvault::cache::{Cache, Entry};
///
/// let mut words = Cache::with_max_entries(100);
/// for word in ["to", "be", "or", "not", "to", "be"] {
///     *words.entry(word).or_insert_with(|| 0)? += 1;
/// }
/// assert_eq!(words.get("to"), Some(&2));
///
/// if let Entry::Occupied(entry) = words.entry("not") {
///     assert_eq!(entry.remove(), 1);
/// }
/// assert_eq!(words.len(), 3);
/// # Ok::<(), memvault::cache::InsertError<&str, u32>>(())
/// ```
pub enum Entry<'a, K, V, S, C, H> {
    /// There is an entry, and it has become the newest.
    Occupied(OccupiedEntry<'a, K, V, S, C, H>),
    /// There is none, or there was one past its time, which is gone.
    Vacant(VacantEntry<'a, K, V, S, C, H>),
}

/// An entry that is there.
pub struct OccupiedEntry<'a, K, V, S, C, H> {
    cache: &'a mut Cache<K, V, S, C, H>,
    index: Index,
    hash: u64,
}

/// The place for an entry that is not there.
pub struct VacantEntry<'a, K, V, S, C, H> {
    cache: &'a mut Cache<K, V, S, C, H>,
    key: K,
    hash: u64,
}

/// Why [`try_get_or_insert_with`](Cache::try_get_or_insert_with) stored nothing.
#[derive(Clone, PartialEq, Eq)]
pub enum TryInsertError<K, V, E> {
    /// The value could not be made: the caller's own error.
    Make(E),
    /// The limits do not allow for the value that was made.
    Refused(InsertError<K, V>),
}

impl<'a, K, V, S, C, H> Entry<'a, K, V, S, C, H>
where
    K: Hash + Eq,
    S: BuildHasher,
    C: Clock,
    H: EvictionHook<K, V>,
{
    pub(super) fn new(cache: &'a mut Cache<K, V, S, C, H>, key: K, hash: u64) -> Self {
        match cache.touch(hash, &key) {
            Some(index) => Self::Occupied(OccupiedEntry { cache, index, hash }),
            None => Self::Vacant(VacantEntry { cache, key, hash }),
        }
    }

    /// The value, stored now if there is none. What [`get_mut`](Cache::get_mut) says of weights holds here
    /// and for all that lends values out for change.
    ///
    /// # Errors
    /// [`InsertError`] if the limits do not allow for the entry even alone.
    pub fn or_insert(self, value: V) -> Result<&'a mut V, InsertError<K, V>> {
        self.or_insert_with(|| value)
    }

    /// The value, made and stored now if there is none.
    ///
    /// # Errors
    /// [`InsertError`] if the limits do not allow for the entry even alone.
    pub fn or_insert_with(self, make: impl FnOnce() -> V) -> Result<&'a mut V, InsertError<K, V>> {
        match self {
            Self::Occupied(entry) => Ok(entry.into_mut()),
            Self::Vacant(entry) => entry.insert(make()),
        }
    }

    /// The value, made and stored now if there is none and it can be made.
    ///
    /// # Errors
    /// [`TryInsertError::Make`] with the error of `make`, or [`TryInsertError::Refused`].
    pub fn or_try_insert_with<E>(
        self,
        make: impl FnOnce() -> Result<V, E>,
    ) -> Result<&'a mut V, TryInsertError<K, V, E>> {
        match self {
            Self::Occupied(entry) => Ok(entry.into_mut()),
            Self::Vacant(entry) => {
                let value = make().map_err(TryInsertError::Make)?;
                entry.insert(value).map_err(TryInsertError::Refused)
            }
        }
    }

    /// Changes the value if there is one.
    #[must_use = "what follows is the use of it"]
    pub fn and_modify(mut self, modify: impl FnOnce(&mut V)) -> Self {
        if let Self::Occupied(entry) = &mut self {
            modify(entry.get_mut());
        }
        self
    }

    /// The key asked for, or the equal one that is stored.
    pub fn key(&self) -> &K {
        match self {
            Self::Occupied(entry) => entry.key(),
            Self::Vacant(entry) => entry.key(),
        }
    }
}

impl<'a, K, V, S, C, H> OccupiedEntry<'a, K, V, S, C, H>
where
    K: Hash + Eq,
    S: BuildHasher,
    C: Clock,
    H: EvictionHook<K, V>,
{
    /// The stored key.
    #[must_use]
    pub fn key(&self) -> &K {
        &self.cache.lru.entry(self.index).key
    }

    /// The value.
    #[must_use]
    pub fn get(&self) -> &V {
        &self.cache.lru.entry(self.index).value
    }

    /// The value, for change.
    pub fn get_mut(&mut self) -> &mut V {
        self.cache.lend(self.index)
    }

    /// The value, for change as long as the cache is borrowed.
    #[must_use]
    pub fn into_mut(self) -> &'a mut V {
        self.cache.lend(self.index)
    }

    /// Removes the entry and returns its value.
    #[must_use = "to drop the value at once, say so"]
    pub fn remove(self) -> V {
        let (key, value) = self.remove_entry();
        drop(key);
        value
    }

    /// Removes the entry and returns key and value.
    #[must_use = "to drop them at once, say so"]
    pub fn remove_entry(self) -> (K, V) {
        let Pair { key, value } = self.cache.take(self.index, self.hash);
        (key, value)
    }
}

impl<'a, K, V, S, C, H> VacantEntry<'a, K, V, S, C, H>
where
    K: Hash + Eq,
    S: BuildHasher,
    C: Clock,
    H: EvictionHook<K, V>,
{
    /// The key asked for.
    #[must_use]
    pub const fn key(&self) -> &K {
        &self.key
    }

    /// The key back, unused.
    #[must_use]
    pub fn into_key(self) -> K {
        self.key
    }

    /// Stores an entry without a TTL.
    ///
    /// # Errors
    /// [`InsertError`], with key and value, if the limits do not allow for the entry even alone.
    pub fn insert(self, value: V) -> Result<&'a mut V, InsertError<K, V>> {
        self.fill(value, NEVER)
    }

    /// Stores an entry that expires after `ttl`.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn insert_with_ttl(self, value: V, ttl: Duration) -> Result<&'a mut V, InsertError<K, V>> {
        let deadline = self.cache.after(ttl);
        self.fill(value, deadline)
    }

    fn fill(self, value: V, deadline: u64) -> Result<&'a mut V, InsertError<K, V>> {
        let Self { cache, key, hash } = self;
        match cache.admit(&key, &value) {
            Ok(weight) => {
                cache.sweep(deadline);
                let index = cache.add(hash, Pair { key, value }, weight, deadline);
                Ok(cache.lend(index))
            }
            Err(reason) => Err(InsertError { key, value, reason }),
        }
    }
}

impl<K: fmt::Debug, V: fmt::Debug, S, C, H> fmt::Debug for Entry<'_, K, V, S, C, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Occupied(entry) => entry.fmt(f),
            Self::Vacant(entry) => entry.fmt(f),
        }
    }
}

impl<K: fmt::Debug, V: fmt::Debug, S, C, H> fmt::Debug for OccupiedEntry<'_, K, V, S, C, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Pair { key, value } = self.cache.lru.entry(self.index);
        f.debug_struct("OccupiedEntry")
            .field("key", key)
            .field("value", value)
            .finish()
    }
}

impl<K: fmt::Debug, V, S, C, H> fmt::Debug for VacantEntry<'_, K, V, S, C, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("VacantEntry").field(&self.key).finish()
    }
}

impl<K, V, E: fmt::Debug> fmt::Debug for TryInsertError<K, V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Make(error) => f.debug_tuple("Make").field(error).finish(),
            Self::Refused(refused) => f.debug_tuple("Refused").field(refused).finish(),
        }
    }
}

impl<K, V, E: fmt::Display> fmt::Display for TryInsertError<K, V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Make(error) => error.fmt(f),
            Self::Refused(refused) => refused.fmt(f),
        }
    }
}

impl<K, V, E: core::error::Error> core::error::Error for TryInsertError<K, V, E> {}
