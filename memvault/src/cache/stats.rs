//! What a cache has done since its start, and what it takes.

/// Counters of a cache; each only ever grows until [`reset_stats`](super::Cache::reset_stats).
///
/// [`peek`](super::Cache::peek), [`contains`](super::Cache::contains), [`ttl`](super::Cache::ttl) and
/// iteration leave no trace here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Look-ups that found a live entry: `get`, `get_mut`, `entry` and its short forms.
    pub hits: u64,
    /// Look-ups of these that found none, or one past its time.
    pub misses: u64,
    /// Values stored, those that replaced another included.
    pub insertions: u64,
    /// Living entries that left to make room.
    pub evictions: u64,
    /// Entries removed because they were past their time, however that was found out; each once.
    pub expirations: u64,
    /// Bytes in use now: see [`Cache::bytes`](super::Cache::bytes).
    pub bytes: usize,
}

impl Stats {
    /// Hits as a share of all look-ups, from 0 to 1; `None` before the first.
    #[must_use]
    pub fn hit_ratio(&self) -> Option<f64> {
        let lookups = self.hits + self.misses;
        (lookups > 0).then(|| self.hits as f64 / lookups as f64)
    }
}
