//! Hashing of what strangers choose.

/// A hasher with seeds that nobody knows.
pub(crate) fn seeded() -> ahash::RandomState {
    let seed = || fastrand::u64(..);
    ahash::RandomState::with_seeds(seed(), seed(), seed(), seed())
}
