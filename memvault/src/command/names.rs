//! Look-up of a command by its name: a perfect hash, made when the table is compiled.
//!
//! Cost: a look-up compares two machine words and allocates nothing.

use super::spec::Spec;
use super::table::TABLE;

/// Finds a command by its name, in any case.
///
/// ```
/// use memvault::command::{Name, lookup};
///
/// assert_eq!(lookup(b"GeT").map(|spec| spec.id), Some(Name::Get));
/// assert!(lookup(b"gets").is_none());
/// ```
#[must_use]
#[inline]
pub fn lookup(name: &[u8]) -> Option<&'static Spec> {
    let words = Words::of(name)?;
    let position = SLOTS[words.slot(MULTIPLIER)];
    let spec = TABLE.get(usize::from(position))?;
    (WORDS[usize::from(position)] == words).then_some(spec)
}

/// A name of at most 16 bytes as two words, its first and its last half, which may overlap; letters in lower
/// case. Only letters become letters by setting [`LOWER`], so that no other name is taken for one of the table's.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Words {
    first: u64,
    last: u64,
    len: usize,
}

const LOWER: u64 = 0x2020_2020_2020_2020;

impl Words {
    #[inline]
    const fn of(name: &[u8]) -> Option<Self> {
        let len = name.len();
        let (first, last) = if len > 16 {
            return None;
        } else if let (Some(first), Some(last)) = (name.first_chunk(), name.last_chunk()) {
            (u64::from_le_bytes(*first), u64::from_le_bytes(*last))
        } else if let (Some(first), Some(last)) = (name.first_chunk(), name.last_chunk()) {
            (
                u32::from_le_bytes(*first) as u64,
                u32::from_le_bytes(*last) as u64,
            )
        } else if let (Some(first), Some(last)) = (name.first_chunk(), name.last_chunk()) {
            (
                u16::from_le_bytes(*first) as u64,
                u16::from_le_bytes(*last) as u64,
            )
        } else {
            return None;
        };
        Some(Self {
            first: first | LOWER,
            last: last | LOWER,
            len,
        })
    }

    /// Where to look for the name among the [`SLOTS`].
    #[inline]
    const fn slot(self, multiplier: u64) -> usize {
        let mixed = self.first ^ self.last.rotate_left(32) ^ self.len as u64;
        (mixed.wrapping_mul(multiplier) >> (64 - SLOT_BITS)) as usize
    }
}

/// So many slots that every tenth multiplier, or so, gives each name one of its own.
const SLOT_BITS: u32 = (TABLE.len() * TABLE.len() / 4).ilog2();

/// No two names of the table share a slot with this one.
const MULTIPLIER: u64 = {
    let (mut candidate, mut tried) = (0x9e37_79b9_7f4a_7c15_u64, 0);
    while !separates(candidate) {
        tried += 1;
        assert!(tried < 10_000, "no multiplier separates the names");
        candidate = candidate.wrapping_mul(0xd134_2543_de82_ef95) | 1;
    }
    candidate
};

const fn separates(multiplier: u64) -> bool {
    let (mut taken, mut at) = ([false; 1 << SLOT_BITS], 0);
    while at < TABLE.len() {
        let slot = WORDS[at].slot(multiplier);
        if taken[slot] {
            return false;
        }
        taken[slot] = true;
        at += 1;
    }
    true
}

/// The position of the command in the table, by the slot of its name; beyond the table if there is none.
static SLOTS: [u8; 1 << SLOT_BITS] = {
    let (mut slots, mut at) = ([u8::MAX; 1 << SLOT_BITS], 0);
    assert!(TABLE.len() < u8::MAX as usize, "positions have eight bits");
    while at < TABLE.len() {
        slots[WORDS[at].slot(MULTIPLIER)] = at as u8;
        at += 1;
    }
    slots
};

static WORDS: [Words; TABLE.len()] = {
    let (mut words, mut at) = (
        [Words {
            first: 0,
            last: 0,
            len: 0,
        }; TABLE.len()],
        0,
    );
    while at < TABLE.len() {
        match Words::of(TABLE[at].name.as_bytes()) {
            Some(found) => words[at] = found,
            None => panic!("names have 2 to 16 bytes"),
        }
        at += 1;
    }
    words
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Name, all};

    #[test]
    fn every_command_is_found_under_its_name_and_in_its_place() {
        for (position, spec) in all().iter().enumerate() {
            assert_eq!(spec.id as usize, position, "{spec}");
            assert_eq!(spec.id.spec().name, spec.name);
            for name in [
                spec.name.to_ascii_lowercase(),
                spec.name.to_ascii_uppercase(),
            ] {
                assert_eq!(lookup(name.as_bytes()).map(|found| found.id), Some(spec.id));
            }
        }
        assert!(all().is_sorted_by_key(|spec| spec.name));
    }

    #[test]
    fn what_only_resembles_a_name_is_not_found() {
        for name in [
            "",
            "g",
            "ge",
            "gett",
            "get ",
            "\u{7}et",
            "get\0",
            "s\u{5}t",
            "ttL\0",
            "expiretim",
            "expiretimes",
            "pexpireaa",
            "node.hello",
            "\0\0\0",
            "ECHO\0\0\0\0",
        ] {
            assert!(lookup(name.as_bytes()).is_none(), "{name:?}");
        }
    }

    #[test]
    fn arity_is_exact_or_a_minimum() {
        let get = Name::Get.spec();
        assert!(get.takes(2) && !get.takes(1) && !get.takes(3));
        let del = Name::Del.spec();
        assert!(del.takes(2) && del.takes(500) && !del.takes(1));
    }
}
