//! [`Entries`] against a plain list.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::store::{Config, Entries, EntryRef, Meta};
use crate::time::Timestamp;
use crate::version::Version;

/// Runs `program` against [`Entries`] and a list in the order of use, and compares all that can be seen.
///
/// The first two bytes choose the limits, then four bytes each choose an operation, a key, a length and
/// meta data.
///
/// # Panics
/// If the two differ, or an invariant is broken.
pub fn run(program: &[u8]) {
    let (limits, operations) = program.split_at(program.len().min(2));
    let limit = |at: usize, unit: usize| {
        limits
            .get(at)
            .map(|&byte| usize::from(byte))
            .filter(|&n| n < 200)
            .map(|n| n * unit)
    };
    let mut pair = Pair::new(limit(0, 24), limit(1, 1).map(|n| n / 8));
    for operation in operations.chunks_exact(4) {
        let &[operation, key, len, meta] = operation else {
            continue;
        };
        pair.step(
            operation,
            &[b'k', key % 24],
            usize::from(len),
            decode_meta(meta),
        );
    }
}

/// A stored entry: key, value, meta data.
type Owned = (Vec<u8>, Vec<u8>, Meta);

struct Pair {
    real: Entries,
    /// Oldest first.
    naive: VecDeque<Owned>,
}

impl Pair {
    fn new(max_bytes: Option<usize>, max_entries: Option<usize>) -> Self {
        let config = Config {
            max_bytes,
            max_entries,
            ..Config::default()
        };
        let hasher = ahash::RandomState::with_seeds(1, 2, 3, 4);
        Self {
            real: Entries::new(config, hasher),
            naive: VecDeque::new(),
        }
    }

    fn step(&mut self, operation: u8, key: &[u8], len: usize, meta: Meta) {
        match operation % 16 {
            0..=5 => self.insert(
                key,
                &key[1..].repeat(len * usize::from(operation % 6) / 2),
                meta,
            ),
            6 | 7 => {
                let found = self.take(key);
                assert_eq!(self.real.get(key), found.as_ref().map(borrow));
                self.naive.extend(found);
            }
            8 => assert_eq!(self.real.peek(key), self.find(key).map(borrow)),
            9 | 10 => assert_eq!(self.real.remove(key), self.take(key).is_some()),
            11..=13 => self.set_meta(key, meta),
            14 if len == 0 => {
                self.real.clear();
                self.naive.clear();
                assert_eq!(self.real.bytes_used(), 0);
            }
            14 => self.shrink(len),
            _ => self.scan(),
        }
        self.real.check_invariants();
        assert_eq!(self.real.len(), self.naive.len());
        assert_eq!(self.real.oldest(), self.naive.front().map(borrow));
    }

    fn insert(&mut self, key: &[u8], value: &[u8], meta: Meta) {
        let old = self.take_keeping_place(key);
        let naive = &mut self.naive;
        let full = self
            .real
            .config()
            .max_entries
            .is_some_and(|most| naive.len() >= most);
        let mut evictions = 0;
        let result = self.real.insert(key, value, &meta, &mut |entry| {
            evictions += 1;
            expect_oldest(naive, entry);
        });
        match (result, old) {
            (Ok(()), _) => {
                let unlimited = self.real.config().max_bytes.is_none();
                assert!(
                    !unlimited || evictions <= usize::from(full),
                    "evicts no more than it must"
                );
                naive.push_back((key.to_vec(), value.to_vec(), meta));
            }
            (Err(_), old) => {
                assert_eq!(evictions, 0, "a refused entry displaces nothing");
                if let Some((at, old)) = old {
                    naive.insert(at, old);
                }
            }
        }
    }

    fn set_meta(&mut self, key: &[u8], meta: Meta) {
        let Some((at, (_, value, old))) = self.take_keeping_place(key) else {
            assert_eq!(self.real.set_meta(key, &meta, &mut |_| ()), Ok(false));
            return;
        };
        let naive = &mut self.naive;
        let mut gone_below = 0;
        let result = self.real.set_meta(key, &meta, &mut |entry| {
            gone_below += 1;
            expect_oldest(naive, entry);
        });
        let meta = if result.is_ok() { meta } else { old };
        naive.insert(at.saturating_sub(gone_below), (key.to_vec(), value, meta));
    }

    /// Lowers the limit of bytes for a moment.
    fn shrink(&mut self, percent: usize) {
        let Config {
            max_bytes,
            max_entries,
            ..
        } = *self.real.config();
        let less = self.real.bytes_used() * percent.min(100) / 100;
        let naive = &mut self.naive;
        self.real.set_limits(Some(less), max_entries, &mut |entry| {
            expect_oldest(naive, entry)
        });
        self.real.check_invariants();
        self.real.set_limits(max_bytes, max_entries, &mut |_| {
            panic!("a wider limit evicts nothing")
        });
    }

    fn scan(&self) {
        let (mut seen, mut cursor) = (0, 0);
        while let Some((entry, next)) = self.real.scan(cursor) {
            assert!(next > cursor && self.find(entry.key).map(borrow) == Some(entry));
            (seen, cursor) = (seen + 1, next);
        }
        assert_eq!(seen, self.naive.len());
    }

    fn find(&self, key: &[u8]) -> Option<&Owned> {
        self.naive.iter().find(|entry| entry.0 == key)
    }

    fn take(&mut self, key: &[u8]) -> Option<Owned> {
        self.take_keeping_place(key).map(|(_, entry)| entry)
    }

    fn take_keeping_place(&mut self, key: &[u8]) -> Option<(usize, Owned)> {
        let at = self.naive.iter().position(|entry| entry.0 == key)?;
        self.naive.remove(at).map(|entry| (at, entry))
    }
}

fn expect_oldest(naive: &mut VecDeque<Owned>, entry: EntryRef<'_>) {
    let oldest = naive.pop_front();
    assert_eq!(
        oldest.as_ref().map(borrow),
        Some(entry),
        "the oldest goes first"
    );
}

fn borrow((key, value, meta): &Owned) -> EntryRef<'_> {
    EntryRef {
        key,
        value,
        meta: *meta,
    }
}

fn decode_meta(byte: u8) -> Meta {
    let number = u64::from(byte >> 4);
    Meta {
        expire_at: (byte & 1 != 0).then(|| Timestamp::from_millis(number)),
        version: (byte & 2 != 0).then(|| Version::new(number, 7)),
        tombstone: byte & 4 != 0,
        unconfirmed: byte & 8 != 0,
    }
}

#[cfg(test)]
mod tests {
    use quickcheck::{Gen, QuickCheck};

    use super::*;

    #[test]
    fn entries_behave_as_a_list_in_the_order_of_use() {
        fn property(program: Vec<u8>) {
            run(&program);
        }
        QuickCheck::new()
            .rng(Gen::from_size_and_seed(4_000, 1))
            .tests(400)
            .quickcheck(property as fn(Vec<u8>));
    }
}
