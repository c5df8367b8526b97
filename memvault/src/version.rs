//! Versions of entries, and the hybrid logical clock that makes them.
//!
//! A version names one write in the whole cluster for ever, and the order of versions decides
//! which of two writes wins. See Kulkarni et al., "Logical Physical Clocks" (2014), for the clock.

use crate::time::Timestamp;

/// The version of one write: totally ordered, unique in the cluster. 12 bytes.
///
/// `hlc` is the hybrid logical time (milliseconds since the Unix epoch in the upper 48 bits, a counter in
/// the lower 16). `writer` is a number that each process draws at random when it starts, so that a
/// restarted process whose wall clock stepped back never mints an old version again.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(Rust, packed(4))]
pub struct Version {
    hlc: u64,
    writer: u32,
}

/// Length of an encoded [`Version`] in bytes.
pub const VERSION_LEN: usize = 12;

impl Version {
    /// Lower than the version of any write.
    pub const ZERO: Self = Self { hlc: 0, writer: 0 };

    /// The version with the given hybrid logical time and writer.
    #[must_use]
    pub const fn new(hlc: u64, writer: u32) -> Self {
        Self { hlc, writer }
    }

    /// The lowest version at wall-clock time `wall`.
    #[must_use]
    pub const fn at(wall: Timestamp) -> Self {
        Self::new(wall.as_millis() << 16, 0)
    }

    /// Hybrid logical time: milliseconds since the Unix epoch, shifted left by 16, plus a counter.
    #[must_use]
    pub const fn hlc(self) -> u64 {
        self.hlc
    }

    /// The process that made it.
    #[must_use]
    pub const fn writer(self) -> u32 {
        self.writer
    }

    /// Big-endian bytes: their order is the order of versions.
    #[must_use]
    pub fn to_bytes(self) -> [u8; VERSION_LEN] {
        let mut bytes = [0; VERSION_LEN];
        let (hlc, writer) = bytes.split_at_mut(8);
        hlc.copy_from_slice(&{ self.hlc }.to_be_bytes());
        writer.copy_from_slice(&{ self.writer }.to_be_bytes());
        bytes
    }

    /// The inverse of [`Version::to_bytes`].
    #[must_use]
    pub fn from_bytes(bytes: [u8; VERSION_LEN]) -> Self {
        let [a, b, c, d, e, f, g, h, w, x, y, z] = bytes;
        Self {
            hlc: u64::from_be_bytes([a, b, c, d, e, f, g, h]),
            writer: u32::from_be_bytes([w, x, y, z]),
        }
    }
}

impl core::fmt::Debug for Version {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let hlc = self.hlc;
        write!(f, "{}.{}@{:08x}", hlc >> 16, hlc & 0xffff, { self.writer })
    }
}

/// A hybrid logical clock: mints [`Version`]s that never repeat and never go backwards.
#[derive(Clone, Debug)]
pub struct Hlc {
    /// Invariant: at least the `hlc` of every version minted or observed so far.
    last: u64,
    writer: u32,
}

impl Hlc {
    /// How far ahead of the local wall clock a foreign version may be, in milliseconds.
    ///
    /// The figure is CockroachDB's; beyond it one bad clock would poison keys for years.
    pub const MAX_SKEW_MS: u64 = 500;

    /// A clock for the process that drew the random number `writer`.
    #[must_use]
    pub const fn new(writer: u32) -> Self {
        Self { last: 0, writer }
    }

    /// Mints the next version: later than every version minted or observed before.
    pub fn tick(&mut self, wall: Timestamp) -> Version {
        self.last = (self.last + 1).max(wall.as_millis() << 16);
        Version::new(self.last, self.writer)
    }

    /// Takes note of a foreign version. Returns whether it was believable; one that is more than
    /// [`MAX_SKEW_MS`](Self::MAX_SKEW_MS) ahead of `wall` is not, and leaves the clock as it was.
    pub fn observe(&mut self, hlc: u64, wall: Timestamp) -> bool {
        let believable = Self::is_believable(hlc, wall);
        if believable {
            self.last = self.last.max(hlc);
        }
        believable
    }

    /// Forgets times that are not believable by a wall clock that has been put right. From then on it mints
    /// under another number, drawn at random: what it minted in the wrong time is never minted again.
    pub fn recover(&mut self, wall: Timestamp, writer: u32) {
        if !Self::is_believable(self.last, wall) {
            self.last = 0;
            self.writer = writer;
        }
    }

    /// Whether `hlc` is at most [`MAX_SKEW_MS`](Self::MAX_SKEW_MS) ahead of `wall`.
    #[must_use]
    pub const fn is_believable(hlc: u64, wall: Timestamp) -> bool {
        hlc >> 16 <= wall.as_millis().saturating_add(Self::MAX_SKEW_MS)
    }

    /// The hybrid logical time last minted or observed.
    #[must_use]
    pub const fn last(&self) -> u64 {
        self.last
    }

    /// The number of this process.
    #[must_use]
    pub const fn writer(&self) -> u32 {
        self.writer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_takes_twelve_bytes_and_survives_encoding_in_order() {
        assert_eq!(size_of::<Version>(), VERSION_LEN);
        let (low, high) = (Version::new(1, u32::MAX), Version::new(2, 0));
        assert!(low < high && low.to_bytes() < high.to_bytes());
        assert_eq!(Version::from_bytes(low.to_bytes()), low);
    }

    #[test]
    fn ticks_rise_even_when_the_wall_clock_steps_back() {
        let mut clock = Hlc::new(7);
        let first = clock.tick(Timestamp::from_millis(1_000));
        let second = clock.tick(Timestamp::from_millis(10));
        assert!(second > first);
    }

    #[test]
    fn a_clock_put_right_mints_in_the_present_under_another_number() {
        let mut clock = Hlc::new(7);
        clock.tick(Timestamp::from_millis(9_000_000));
        let wall = Timestamp::from_millis(1_000);
        clock.recover(wall, 8);
        assert_eq!(clock.tick(wall), Version::new(1_000 << 16, 8));
        clock.recover(wall, 9);
        assert_eq!(clock.writer(), 8, "nothing was wrong");
    }

    #[test]
    fn a_version_from_the_future_is_refused_and_not_merged() {
        let mut clock = Hlc::new(7);
        let wall = Timestamp::from_millis(1_000);
        assert!(clock.observe(1_500 << 16, wall));
        assert!(!clock.observe(1_501 << 16, wall));
        assert_eq!(clock.last(), 1_500 << 16);
    }
}
