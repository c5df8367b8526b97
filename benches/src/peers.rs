//! The caches that are compared, behind one trait: get a value, or insert it.
//!
//! All hash with `ahash` from the same seeds and hold `u64` keys and values. Each is asked by the call that
//! its own documentation gives for the purpose.

use std::num::NonZeroUsize;

use ahash::RandomState;

/// A cache in the race.
pub trait Peer {
    /// Name and version, as on crates.io.
    const NAME: &'static str;
    /// Whether it evicts exactly the least recently used entry.
    const EXACT: bool;

    /// An empty cache for `capacity` entries.
    fn with_capacity(capacity: usize) -> Self;

    /// Gets the value of `key`, or inserts the key itself as one. Returns whether it was there.
    fn get_or_insert(&mut self, key: u64) -> bool;
}

fn hasher() -> RandomState {
    RandomState::with_seeds(1, 2, 3, 4)
}

/// This project's own.
pub struct MemVault(memvault::cache::Cache<u64, u64>);

impl Peer for MemVault {
    const NAME: &'static str = "memvault";
    const EXACT: bool = true;

    fn with_capacity(capacity: usize) -> Self {
        let builder = memvault::cache::Cache::builder().max_entries(capacity);
        Self(builder.hasher(hasher()).build())
    }

    fn get_or_insert(&mut self, key: u64) -> bool {
        let mut hit = true;
        let value = self.0.get_or_insert_with(key, || {
            hit = false;
            key
        });
        std::hint::black_box(value.is_ok_and(|value| *value == key));
        hit
    }
}

/// The yardstick.
pub struct SchnelLru(schnellru::LruMap<u64, u64, schnellru::ByLength, RandomState>);

impl Peer for SchnelLru {
    const NAME: &'static str = "schnellru 0.2";
    const EXACT: bool = true;

    fn with_capacity(capacity: usize) -> Self {
        let limit = schnellru::ByLength::new(capacity as u32);
        Self(schnellru::LruMap::with_hasher(limit, hasher()))
    }

    fn get_or_insert(&mut self, key: u64) -> bool {
        let mut hit = true;
        let value = self.0.get_or_insert(key, || {
            hit = false;
            key
        });
        std::hint::black_box(value.is_some_and(|value| *value == key));
        hit
    }
}

/// The most used one.
pub struct Lru(lru::LruCache<u64, u64, RandomState>);

impl Peer for Lru {
    const NAME: &'static str = "lru 0.19";
    const EXACT: bool = true;

    fn with_capacity(capacity: usize) -> Self {
        let capacity = NonZeroUsize::new(capacity).unwrap_or(NonZeroUsize::MIN);
        Self(lru::LruCache::with_hasher(capacity, hasher()))
    }

    fn get_or_insert(&mut self, key: u64) -> bool {
        let mut hit = true;
        let value = self.0.get_or_insert(key, || {
            hit = false;
            key
        });
        std::hint::black_box(*value == key);
        hit
    }
}

/// A linked hash map; its entry call promotes nothing, so get, then insert.
pub struct HashLink(hashlink::LruCache<u64, u64, RandomState>);

impl Peer for HashLink {
    const NAME: &'static str = "hashlink 0.12";
    const EXACT: bool = true;

    fn with_capacity(capacity: usize) -> Self {
        Self(hashlink::LruCache::with_hasher(capacity, hasher()))
    }

    fn get_or_insert(&mut self, key: u64) -> bool {
        let hit = self.0.get(&key).is_some();
        if !hit {
            self.0.insert(key, key);
        }
        hit
    }
}

/// S3-FIFO rather than LRU: its hit ratio is another.
pub struct QuickCache(quick_cache::unsync::Cache<u64, u64, quick_cache::UnitWeighter, RandomState>);

impl Peer for QuickCache {
    const NAME: &'static str = "quick_cache 0.7";
    const EXACT: bool = false;

    fn with_capacity(capacity: usize) -> Self {
        Self(quick_cache::unsync::Cache::with(
            capacity,
            capacity as u64,
            quick_cache::UnitWeighter,
            hasher(),
            Default::default(),
        ))
    }

    fn get_or_insert(&mut self, key: u64) -> bool {
        let mut hit = true;
        let value = self.0.get_or_insert_with(&key, || {
            hit = false;
            Ok::<_, ()>(key)
        });
        std::hint::black_box(value.is_ok());
        hit
    }
}

/// TinyLFU for many threads, here used by one.
pub struct Moka(moka::sync::Cache<u64, u64, RandomState>);

impl Peer for Moka {
    const NAME: &'static str = "moka 0.12";
    const EXACT: bool = false;

    fn with_capacity(capacity: usize) -> Self {
        let builder = moka::sync::Cache::builder().max_capacity(capacity as u64);
        Self(builder.build_with_hasher(hasher()))
    }

    fn get_or_insert(&mut self, key: u64) -> bool {
        let mut hit = true;
        let value = self.0.get_with(key, || {
            hit = false;
            key
        });
        std::hint::black_box(value == key);
        hit
    }
}

/// Does the same with each peer in turn: `$each::<SomePeer>($arguments)`.
#[macro_export]
macro_rules! for_each_peer {
    ($each:ident($($argument:expr),*)) => {{
        $each::<$crate::peers::MemVault>($($argument),*);
        $each::<$crate::peers::SchnelLru>($($argument),*);
        $each::<$crate::peers::Lru>($($argument),*);
        $each::<$crate::peers::HashLink>($($argument),*);
        $each::<$crate::peers::QuickCache>($($argument),*);
        $each::<$crate::peers::Moka>($($argument),*);
    }};
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits<P: Peer>(hits: &mut Vec<(&str, bool, usize)>) {
        let mut cache = P::with_capacity(100);
        let keys = crate::zipf::keys(20_000, 1_000, 0.9, 3);
        let count = keys.iter().filter(|&&key| cache.get_or_insert(key)).count();
        hits.push((P::NAME, P::EXACT, count));
    }

    #[test]
    fn exact_caches_have_the_same_hits() {
        let mut all = Vec::new();
        for_each_peer!(hits(&mut all));
        let exact: Vec<_> = all.iter().filter(|(_, exact, _)| *exact).collect();
        assert!(exact.iter().all(|peer| peer.2 == exact[0].2), "{exact:?}");
    }
}
