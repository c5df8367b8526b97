//! One entry in one allocation: expiry, version, key and value side by side.
//!
//! ```text
//! [expiry: 8 bytes]? [version: 12 bytes]? key ... value ...        which of the two are there: flags
//! ```
//! Place: the entry type of [`Entries`](super::Entries); knows nothing of recency or budgets.
//! Cost: 24 bytes beside the allocation, 32 with the two links of the recency list.
//! Limits: keys up to [`MAX_KEY_LEN`] bytes, values up to what memory holds.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;

use super::budget::Counted;
use crate::time::Timestamp;
use crate::version::{VERSION_LEN, Version};

/// What an entry carries beside key and value.
///
/// [`Entries`](super::Entries) stores it and never acts on it: whether an entry is past its time, and what
/// a tombstone means, is for the caller to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// When the entry expires; `None` means never. Costs 8 bytes when present.
    pub expire_at: Option<Timestamp>,
    /// The write that made the entry, in a cluster. Costs 12 bytes when present.
    pub version: Option<Version>,
    /// Whether the entry records that the key was deleted.
    pub tombstone: bool,
    /// Whether the write is not yet known to have reached its quorum.
    pub unconfirmed: bool,
}

impl Meta {
    /// The meta data of an entry that expires at `expire_at` and has nothing else.
    #[must_use]
    pub const fn expiring(expire_at: Option<Timestamp>) -> Self {
        Self {
            expire_at,
            version: None,
            tombstone: false,
            unconfirmed: false,
        }
    }

    /// Whether the entry is past its time at `now`: an entry lives up to, not through, its expiry.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expire_at.is_some_and(|at| at <= now)
    }

    /// What the account counts of it.
    pub(super) const fn counted(&self) -> Counted {
        Counted {
            expire_at: self.expire_at,
            tombstone: self.tombstone,
        }
    }

    /// Bytes that this takes in front of the key.
    const fn encoded_len(&self) -> usize {
        let expiry = if self.expire_at.is_some() {
            EXPIRY_LEN
        } else {
            0
        };
        let version = if self.version.is_some() {
            VERSION_LEN
        } else {
            0
        };
        expiry + version
    }

    const fn flags(&self) -> u32 {
        (if self.expire_at.is_some() { EXPIRY } else { 0 })
            | (if self.version.is_some() { VERSION } else { 0 })
            | (if self.tombstone { TOMBSTONE } else { 0 })
            | (if self.unconfirmed { UNCONFIRMED } else { 0 })
    }
}

/// A stored entry, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryRef<'a> {
    /// The key.
    pub key: &'a [u8],
    /// The value; empty in a tombstone.
    pub value: &'a [u8],
    /// Expiry, version and flags.
    pub meta: Meta,
}

/// Longest key that an entry can hold, in bytes: the upper four bits of the length are flags.
pub const MAX_KEY_LEN: usize = KEY_LEN_MASK as usize;

/// An entry as it lies in the arena.
#[derive(Debug)]
pub(super) struct Packed {
    /// Invariant: `encoded_len` of the flags, then `key_len` bytes of key, then the value; nothing else.
    bytes: Box<[u8]>,
    /// Hash of the key, so that neither a rehash nor an eviction touches `bytes`.
    hash: u32,
    /// Length of the key in the lower 28 bits, flags above.
    key_len: u32,
}

impl Packed {
    /// Packs an entry into one allocation of [`total_len`] bytes.
    ///
    /// The caller has checked that the key is no longer than [`MAX_KEY_LEN`].
    pub(super) fn new(hash: u32, key: &[u8], value: &[u8], meta: &Meta) -> Self {
        let mut bytes = Vec::with_capacity(total_len(key, value, meta));
        if let Some(at) = meta.expire_at {
            bytes.extend_from_slice(&at.as_millis().to_le_bytes());
        }
        if let Some(version) = meta.version {
            bytes.extend_from_slice(&version.to_bytes());
        }
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(value);
        Self {
            bytes: bytes.into_boxed_slice(),
            hash,
            key_len: key.len() as u32 | meta.flags(),
        }
    }

    /// An entry without an allocation, to stand in for one whose memory has to be freed first.
    pub(super) fn hollow(hash: u32) -> Self {
        Self {
            bytes: Box::default(),
            hash,
            key_len: 0,
        }
    }

    /// Overwrites meta data and value where they lie. Returns `false`, and changes nothing, if the entry
    /// has another length or another set of fields than the new one needs.
    pub(super) fn overwrite(&mut self, value: &[u8], meta: &Meta) -> bool {
        let fits = self.value().len() == value.len() && (self.key_len ^ meta.flags()) & FIELDS == 0;
        if fits {
            self.write_meta(meta);
            let start = self.value_start();
            self.bytes[start..].copy_from_slice(value);
        }
        fits
    }

    /// Replaces the meta data. Returns `false`, and changes nothing, if it takes another set of fields.
    pub(super) fn overwrite_meta(&mut self, meta: &Meta) -> bool {
        let fits = (self.key_len ^ meta.flags()) & FIELDS == 0;
        if fits {
            self.write_meta(meta);
        }
        fits
    }

    /// Replaces the meta data; reallocates, as another set of fields takes another length.
    pub(super) fn refit(&mut self, meta: &Meta) {
        let (old, new) = (self.key_start(), meta.encoded_len());
        let mut bytes = mem::take(&mut self.bytes).into_vec();
        let payload = bytes.len() - old;
        if new > old {
            bytes.reserve_exact(new - old);
            bytes.resize(new + payload, 0);
        }
        bytes.copy_within(old..old + payload, new);
        bytes.truncate(new + payload);
        self.bytes = bytes.into_boxed_slice();
        self.write_meta(meta);
    }

    fn write_meta(&mut self, meta: &Meta) {
        let mut at = 0;
        if let Some(expire_at) = meta.expire_at {
            self.bytes[..EXPIRY_LEN].copy_from_slice(&expire_at.as_millis().to_le_bytes());
            at = EXPIRY_LEN;
        }
        if let Some(version) = meta.version {
            self.bytes[at..at + VERSION_LEN].copy_from_slice(&version.to_bytes());
        }
        self.key_len = (self.key_len & KEY_LEN_MASK) | meta.flags();
    }

    /// Hash of the key.
    pub(super) const fn hash(&self) -> u32 {
        self.hash
    }

    /// Whether this is the entry of `key`, whose hash is `hash`.
    pub(super) fn is(&self, hash: u32, key: &[u8]) -> bool {
        self.hash == hash && self.key() == key
    }

    /// Length of the allocation in bytes.
    pub(super) const fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn key(&self) -> &[u8] {
        let start = self.key_start();
        &self.bytes[start..start + (self.key_len & KEY_LEN_MASK) as usize]
    }

    pub(super) fn value(&self) -> &[u8] {
        &self.bytes[self.value_start()..]
    }

    pub(super) fn expire_at(&self) -> Option<Timestamp> {
        if self.key_len & EXPIRY == 0 {
            return None;
        }
        let (bytes, _) = self.bytes.split_first_chunk::<EXPIRY_LEN>()?;
        Some(Timestamp::from_millis(u64::from_le_bytes(*bytes)))
    }

    fn version(&self) -> Option<Version> {
        if self.key_len & VERSION == 0 {
            return None;
        }
        let start = if self.key_len & EXPIRY == 0 {
            0
        } else {
            EXPIRY_LEN
        };
        let (bytes, _) = self.bytes[start..].split_first_chunk::<VERSION_LEN>()?;
        Some(Version::from_bytes(*bytes))
    }

    pub(super) fn counted(&self) -> Counted {
        Counted {
            expire_at: self.expire_at(),
            tombstone: self.key_len & TOMBSTONE != 0,
        }
    }

    pub(super) fn meta(&self) -> Meta {
        Meta {
            expire_at: self.expire_at(),
            version: self.version(),
            tombstone: self.key_len & TOMBSTONE != 0,
            unconfirmed: self.key_len & UNCONFIRMED != 0,
        }
    }

    pub(super) fn entry(&self) -> EntryRef<'_> {
        EntryRef {
            key: self.key(),
            value: self.value(),
            meta: self.meta(),
        }
    }

    fn key_start(&self) -> usize {
        // Without a branch: this is on the way of every look-up.
        let flag = |flag: u32| ((self.key_len & flag) >> flag.trailing_zeros()) as usize;
        flag(EXPIRY) * EXPIRY_LEN + flag(VERSION) * VERSION_LEN
    }

    fn value_start(&self) -> usize {
        self.key_start() + (self.key_len & KEY_LEN_MASK) as usize
    }
}

/// Bytes of the allocation that holds such an entry.
pub(super) const fn total_len(key: &[u8], value: &[u8], meta: &Meta) -> usize {
    meta.encoded_len() + key.len() + value.len()
}

const EXPIRY_LEN: usize = 8;
const EXPIRY: u32 = 1 << 31;
const VERSION: u32 = 1 << 30;
const TOMBSTONE: u32 = 1 << 29;
const UNCONFIRMED: u32 = 1 << 28;
/// The flags that stand for bytes in front of the key.
const FIELDS: u32 = EXPIRY | VERSION;
const KEY_LEN_MASK: u32 = UNCONFIRMED - 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn metas() -> impl Iterator<Item = Meta> {
        (0..16u8).map(|bits| Meta {
            expire_at: (bits & 1 != 0).then(|| Timestamp::from_millis(u64::MAX - 1)),
            version: (bits & 2 != 0).then(|| Version::new(77, 9)),
            tombstone: bits & 4 != 0,
            unconfirmed: bits & 8 != 0,
        })
    }

    #[test]
    fn every_set_of_fields_survives_packing() {
        for meta in metas() {
            for (key, value) in [
                (&b""[..], &b""[..]),
                (b"k", b""),
                (b"", b"v"),
                (b"key", b"value"),
            ] {
                let packed = Packed::new(5, key, value, &meta);
                assert_eq!(packed.entry(), EntryRef { key, value, meta });
                assert_eq!(packed.len(), total_len(key, value, &meta));
            }
        }
    }

    #[test]
    fn an_overwrite_in_place_changes_all_or_nothing() {
        for before in metas() {
            for after in metas() {
                let mut packed = Packed::new(5, b"key", b"old", &before);
                let same_fields = before.encoded_len() == after.encoded_len();
                assert_eq!(packed.overwrite(b"new", &after), same_fields);
                let (value, meta): (&[u8], _) = if same_fields {
                    (b"new", after)
                } else {
                    (b"old", before)
                };
                assert_eq!(
                    packed.entry(),
                    EntryRef {
                        key: b"key",
                        value,
                        meta
                    }
                );
                assert!(!packed.overwrite(b"longer", &meta));
            }
        }
    }

    #[test]
    fn fields_can_be_added_and_taken_away() {
        for before in metas() {
            for meta in metas() {
                let mut packed = Packed::new(5, b"key", b"value", &before);
                packed.refit(&meta);
                assert_eq!(
                    packed.entry(),
                    EntryRef {
                        key: b"key",
                        value: b"value",
                        meta
                    }
                );
                assert_eq!(packed.len(), total_len(b"key", b"value", &meta));
            }
        }
    }

    #[test]
    fn an_entry_with_its_links_fits_32_bytes() {
        assert_eq!(size_of::<Packed>(), 24);
        assert_eq!(
            size_of::<Option<Packed>>(),
            24,
            "the box's niche marks a vacant slot"
        );
    }
}
