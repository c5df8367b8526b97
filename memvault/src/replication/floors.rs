//! Forgetting is remembered: per bucket of keys, the highest version that was ever forgotten.
//!
//! Eviction, expiry and restart destroy versions. A replica that may have forgotten something newer than
//! what others hold says so, and a quorum read becomes a miss instead of stale.

use alloc::vec;
use alloc::vec::Vec;

use crate::hash::Token;
use crate::version::Version;

/// The highest version forgotten in each bucket; a bucket is a range of tokens.
#[derive(Clone, Debug)]
pub(super) struct Floors {
    /// Invariant: the length is a power of two; versions only go down when a clock is put right.
    buckets: Vec<Version>,
}

impl Floors {
    /// Floors of [`Version::ZERO`] for `buckets` buckets, a power of two.
    pub(super) fn new(buckets: usize) -> Self {
        debug_assert!(buckets.is_power_of_two());
        Self {
            buckets: vec![Version::ZERO; buckets],
        }
    }

    /// The bucket of a token: its upper bits.
    pub(super) fn bucket(&self, token: Token) -> usize {
        let bits = self.buckets.len().trailing_zeros();
        usize::try_from(token.0.checked_shr(64 - bits).unwrap_or(0)).unwrap_or(0)
    }

    /// The floor of the bucket of `token`.
    pub(super) fn at(&self, token: Token) -> Version {
        self.buckets
            .get(self.bucket(token))
            .copied()
            .unwrap_or(Version::ZERO)
    }

    /// Raises the floor of the bucket of `token` to at least `version`.
    pub(super) fn raise(&mut self, token: Token, version: Version) {
        self.raise_bucket(self.bucket(token), version);
    }

    /// Raises the floor of a bucket; one that does not exist is left alone.
    pub(super) fn raise_bucket(&mut self, bucket: usize, version: Version) {
        if let Some(floor) = self.buckets.get_mut(bucket) {
            *floor = (*floor).max(version);
        }
    }

    /// The last bucket.
    pub(super) const fn last_bucket(&self) -> usize {
        self.buckets.len().saturating_sub(1)
    }

    /// Raises all floors.
    pub(super) fn raise_all(&mut self, version: Version) {
        for floor in &mut self.buckets {
            *floor = (*floor).max(version);
        }
    }

    /// Lowers all floors to at most `version`.
    pub(super) fn lower_all(&mut self, version: Version) {
        for floor in &mut self.buckets {
            *floor = (*floor).min(version);
        }
    }

    /// The buckets whose floor is above [`Version::ZERO`].
    pub(super) fn raised(&self) -> impl Iterator<Item = (u32, Version)> + '_ {
        (0..)
            .zip(&self.buckets)
            .filter(|(_, floor)| **floor > Version::ZERO)
            .map(|(i, floor)| (i, *floor))
    }
}
