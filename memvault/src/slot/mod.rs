//! The one partition of the keys: 16 384 slots, those of Redis Cluster.
//!
//! ```text
//! key --its {hash tag}, or all of it--> CRC16 --modulo 16 384--> slot --SlotTable--> the nodes that hold it
//! ```
//! Place: members and coordinators place keys, remember what they forgot and move keys by slot. The
//! [ring](crate::ring) decides which nodes hold a slot; a [`SlotTable`] keeps what it says, so that a look-up is an
//! access to a table.
//!
//! A key with a hash tag, the text between its first `{` and the first `}` after it, has the slot of that
//! tag: keys with one tag are on the same nodes. An empty tag does not count. The rule, the polynomial (XMODEM) and
//! the number of slots are those of the [Redis Cluster
//! specification](https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/), so that clients which
//! know them compute the same slots; golden vectors pin them.
//!
//! Cost: a few ns for a short key, some 0.6 ns per byte of a long one; no allocation.
//! Limits: not keyed, so a client that chooses keys can aim them at one slot, and so can a single hash tag for all
//! keys.
//!
//! ```
//! use memvault::slot::slot_of;
//! assert_eq!(slot_of(b"foo").number(), 12_182);
//! assert_eq!(slot_of(b"{user1000}.following"), slot_of(b"{user1000}.followers"));
//! ```

mod crc16;
mod table;

use core::fmt;

use crate::hash::Token;

pub use table::SlotTable;

/// How many slots there are: they are numbered from 0.
pub const SLOTS: u16 = 16_384;

/// The number of a part of the keys.
///
/// Invariant: below [`SLOTS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u16);

impl Slot {
    /// The slot with this number, if there is one.
    #[must_use]
    pub const fn new(number: u16) -> Option<Self> {
        if number < SLOTS {
            Some(Self(number))
        } else {
            None
        }
    }

    /// Its number, below [`SLOTS`].
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }

    /// Its number as a place in an array with one for each slot.
    #[must_use]
    pub const fn as_usize(self) -> usize {
        self.0 as usize
    }

    /// Where it stands on the [ring](crate::ring): slots are evenly spaced, the first one at 0.
    #[must_use]
    pub const fn token(self) -> Token {
        Token((self.0 as u64) << TOKEN_SHIFT)
    }

    /// The last slot at or before a token.
    pub(crate) const fn at(token: Token) -> Self {
        Self((token.0 >> TOKEN_SHIFT) as u16)
    }

    /// The slot before it on the circle.
    pub(crate) const fn before(self) -> Self {
        Self((self.0 + SLOTS - 1) % SLOTS)
    }

    /// All slots in order.
    pub fn all() -> impl DoubleEndedIterator<Item = Self> + ExactSizeIterator + Clone {
        (0..SLOTS).map(Self)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The slot of a key: CRC16 of its hash tag or, if it has none, of the whole key.
#[must_use]
pub fn slot_of(key: &[u8]) -> Slot {
    Slot(crc16::checksum(hashed_part(key)) % SLOTS)
}

/// The hash tag of a key, or else all of it.
fn hashed_part(key: &[u8]) -> &[u8] {
    let place_of = |wanted, bytes: &[u8]| bytes.iter().position(|byte| *byte == wanted);
    let tag = || {
        let behind = key.get(place_of(b'{', key)? + 1..)?;
        behind.get(..place_of(b'}', behind)?)
    };
    tag().filter(|tag| !tag.is_empty()).unwrap_or(key)
}

const TOKEN_SHIFT: u32 = u64::BITS - SLOTS.trailing_zeros();

#[cfg(test)]
mod tests {
    use super::*;

    /// As `CLUSTER KEYSLOT` of Redis says.
    #[test]
    fn slots_are_those_of_redis_cluster() {
        for (key, slot) in [
            ("", 0),
            ("foo", 12_182),
            ("bar", 5061),
            ("hello", 866),
            ("123456789", 0x31c3),
        ] {
            assert_eq!(slot_of(key.as_bytes()).number(), slot, "{key}");
        }
    }

    #[test]
    fn of_a_key_with_a_hash_tag_only_that_counts() {
        for (key, part) in [
            ("{user1000}.following", "user1000"),
            ("{user1000}.followers", "user1000"),
            ("foo{}{bar}", "foo{}{bar}"),
            ("foo{{bar}}zap", "{bar"),
            ("foo{bar}{zap}", "bar"),
            ("foo{bar", "foo{bar"),
            ("foo}bar{", "foo}bar{"),
            ("}foo{bar}", "bar"),
            ("{}", "{}"),
            ("{", "{"),
        ] {
            assert_eq!(hashed_part(key.as_bytes()), part.as_bytes(), "{key}");
        }
    }

    #[test]
    fn slots_are_spaced_evenly_and_in_order() {
        let width = 1 << 50;
        for (slot, number) in Slot::all().zip(0..) {
            assert_eq!(slot.token(), Token(number * width));
            assert_eq!(Slot::at(slot.token()), slot);
            assert_eq!(Slot::at(Token(number * width + (width - 1))), slot);
        }
        assert_eq!(Slot::all().last(), Slot::new(SLOTS - 1));
        assert_eq!(Slot::new(SLOTS), None);
    }
}
