//! Who gets what a cache removes of its own accord.

/// Takes over entries that leave without having been asked to.
///
/// Not told: what [`insert`](super::Cache::insert) replaces, and what `remove`, `pop_oldest`, `retain` and
/// `clear` take out, as the caller knows of those. Any `FnMut(K, V, Cause)` is a hook.
///
/// # Examples
/// ```
/// use memvault::cache::{Cache, Cause};
///
/// let mut gone = Vec::new();
/// let mut cache = Cache::<&str, u32>::builder()
///     .max_entries(1)
///     .hook(|key, value, cause| gone.push((key, value, cause)))
///     .build();
/// cache.insert("a", 1)?;
/// cache.insert("b", 2)?;
/// drop(cache);
/// assert_eq!(gone, [("a", 1, Cause::Eviction)]);
/// # Ok::<(), memvault::cache::InsertError<&str, u32>>(())
/// ```
pub trait EvictionHook<K, V> {
    /// Is given an entry that has just been taken out of the cache, and why. Should it panic, the cache
    /// is valid and the entry is gone.
    fn on_eviction(&mut self, key: K, value: V, cause: Cause);
}

impl<K, V, F: FnMut(K, V, Cause)> EvictionHook<K, V> for F {
    fn on_eviction(&mut self, key: K, value: V, cause: Cause) {
        self(key, value, cause);
    }
}

/// Drops what leaves: the default hook.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHook;

impl<K, V> EvictionHook<K, V> for NoHook {
    fn on_eviction(&mut self, _: K, _: V, _: Cause) {}
}

/// Why a cache removed an entry of its own accord.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// It was the oldest of the living when room was needed.
    Eviction,
    /// It was found past its time.
    Expiry,
}
