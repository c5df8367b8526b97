//! All entries in the order of use.

use core::iter::FusedIterator;

use super::{Cache, Pair};
use crate::lru::Index;
use crate::time::{Clock, Instant};

/// Entries of a [`Cache`] from the newest to the oldest; made by [`Cache::iter`].
pub struct Iter<'a, K, V, S, C, H> {
    cache: &'a Cache<K, V, S, C, H>,
    /// Invariant: the entries from the first to the second are still to come.
    ends: Option<(Index, Index)>,
    now: Option<Instant>,
}

impl<'a, K, V, S, C: Clock, H> Iter<'a, K, V, S, C, H> {
    pub(super) fn new(cache: &'a Cache<K, V, S, C, H>) -> Self {
        let ends = cache.lru.newest().zip(cache.lru.oldest());
        Self {
            cache,
            ends,
            now: None,
        }
    }

    fn is_live(&mut self, index: Index) -> bool {
        let Some(deadline) = self.cache.deadline(index) else {
            return true;
        };
        deadline
            > *self
                .now
                .get_or_insert_with(|| self.cache.settings.clock.now())
    }

    fn pair(&self, index: Index) -> (&'a K, &'a V) {
        let Pair { key, value } = self.cache.lru.entry(index);
        (key, value)
    }
}

impl<'a, K, V, S, C: Clock, H> Iterator for Iter<'a, K, V, S, C, H> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (newest, oldest) = self.ends?;
            let rest = self.cache.lru.older(newest).filter(|_| newest != oldest);
            self.ends = rest.map(|next| (next, oldest));
            if self.is_live(newest) {
                return Some(self.pair(newest));
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.cache.len()))
    }
}

impl<K, V, S, C: Clock, H> DoubleEndedIterator for Iter<'_, K, V, S, C, H> {
    fn next_back(&mut self) -> Option<Self::Item> {
        loop {
            let (newest, oldest) = self.ends?;
            let rest = self.cache.lru.newer(oldest).filter(|_| newest != oldest);
            self.ends = rest.map(|next| (newest, next));
            if self.is_live(oldest) {
                return Some(self.pair(oldest));
            }
        }
    }
}

impl<K, V, S, C: Clock, H> FusedIterator for Iter<'_, K, V, S, C, H> {}

impl<'a, K, V, S, C: Clock, H> IntoIterator for &'a Cache<K, V, S, C, H> {
    type Item = (&'a K, &'a V);
    type IntoIter = Iter<'a, K, V, S, C, H>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
