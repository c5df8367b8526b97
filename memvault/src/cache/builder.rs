//! How a cache is made to measure.

use core::hash::{BuildHasher, Hash};

use ahash::RandomState;

use super::{Cache, EvictionHook, NoHook};
use crate::time::{Clock, NoClock};

/// Settings of a cache to be; made by [`Cache::builder`].
///
/// # Examples
/// ```
/// use memvault::cache::Cache;
/// use memvault::time::{Duration, ManualClock};
///
/// let clock = ManualClock::default();
/// let mut cache = Cache::builder()
///     .max_bytes(64 << 20, |key: &String, value: &Vec<u8>| key.capacity() + value.capacity())
///     .clock(&clock)
///     .build();
/// cache.insert_with_ttl("session".to_string(), vec![1], Duration::from_secs(60))?;
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(cache.get("session"), None);
/// # Ok::<(), memvault::cache::InsertError<String, Vec<u8>>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct Builder<K, V, S = RandomState, C = NoClock, H = NoHook> {
    pub(super) max_entries: usize,
    pub(super) max_bytes: Option<usize>,
    pub(super) weigh: fn(&K, &V) -> usize,
    /// Whether entries are expected to expire, as the caller supplies a clock.
    pub(super) expiring: bool,
    pub(super) hasher: S,
    pub(super) clock: C,
    pub(super) hook: H,
}

impl<K, V> Builder<K, V> {
    /// No limits, hashing by `ahash`, no clock, no hook.
    pub(super) fn new() -> Self {
        Self {
            max_entries: usize::MAX,
            max_bytes: None,
            weigh: |_, _| 0,
            expiring: false,
            hasher: RandomState::new(),
            clock: NoClock,
            hook: NoHook,
        }
    }
}

impl<K, V, S, C, H> Builder<K, V, S, C, H> {
    /// Most entries. Default: what the arena's 32-bit links allow, some 4.29 billion. Zero stores nothing.
    ///
    /// Memory is not taken in advance, but never for more entries than this.
    pub fn max_entries(mut self, max_entries: usize) -> Self {
        self.max_entries = max_entries;
        self
    }

    /// Most bytes for everything: what keys and values own, the arena and the index. Default: no limit.
    ///
    /// `weigh` says what a key and a value own *beside* their own size, such as a string's capacity: for
    /// plain numbers 0. It is asked once for each value stored, and again after a value was lent out for
    /// change. An entry costs 8 bytes more than without this limit, for the weight that it was given.
    pub fn max_bytes(mut self, max_bytes: usize, weigh: fn(&K, &V) -> usize) -> Self {
        self.max_bytes = Some(max_bytes);
        self.weigh = weigh;
        self
    }

    /// How keys are hashed. Default: `ahash`; without the operating system's randomness, its seeds can be
    /// guessed. Where keys come from strangers, give seeds that they cannot know.
    pub fn hasher<S2: BuildHasher>(self, hasher: S2) -> Builder<K, V, S2, C, H> {
        let Self {
            max_entries,
            max_bytes,
            weigh,
            expiring,
            clock,
            hook,
            ..
        } = self;
        Builder {
            max_entries,
            max_bytes,
            weigh,
            expiring,
            hasher,
            clock,
            hook,
        }
    }

    /// What time it is, for entries with a TTL. Default: [`NoClock`], by which nothing ever expires.
    pub fn clock<C2: Clock>(self, clock: C2) -> Builder<K, V, S, C2, H> {
        let Self {
            max_entries,
            max_bytes,
            weigh,
            hasher,
            hook,
            ..
        } = self;
        Builder {
            max_entries,
            max_bytes,
            weigh,
            expiring: true,
            hasher,
            clock,
            hook,
        }
    }

    /// Who gets the entries that are evicted or expire. Default: they are dropped.
    pub fn hook<H2: EvictionHook<K, V>>(self, hook: H2) -> Builder<K, V, S, C, H2> {
        let Self {
            max_entries,
            max_bytes,
            weigh,
            expiring,
            hasher,
            clock,
            ..
        } = self;
        Builder {
            max_entries,
            max_bytes,
            weigh,
            expiring,
            hasher,
            clock,
            hook,
        }
    }
}

impl<K: Hash + Eq, V, S: BuildHasher, C: Clock, H: EvictionHook<K, V>> Builder<K, V, S, C, H> {
    /// The cache, empty. Allocates nothing before the first entry.
    #[must_use]
    pub fn build(self) -> Cache<K, V, S, C, H> {
        Cache::from_builder(self)
    }
}
