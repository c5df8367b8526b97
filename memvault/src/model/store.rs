//! [`Entries`] against a plain list: nothing living goes while something dead is there, and then the oldest.

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
            &[b'k', key % 48],
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
    now: Timestamp,
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
            now: Timestamp::default(),
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
            11 | 12 => self.set_meta(key, meta),
            13 if len < 64 => self.pass_time(len as u64 % 4),
            13 => self.expire(len % 8),
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
        let most = self.real.config().max_entries;
        let full = most.is_some_and(|most| self.naive.len() >= most);
        let mut gone = Vec::new();
        let result = self.real.insert(key, value, &meta, &mut |entry| {
            gone.push(to_owned(entry));
        });
        if result.is_err() {
            assert!(gone.is_empty(), "a refused entry displaces nothing");
            if let Some((at, old)) = old {
                self.naive.insert(at, old);
            }
            return;
        }
        self.naive.push_back((key.to_vec(), value.to_vec(), meta));
        let evictions = self.part_with(gone, key);
        let unlimited = self.real.config().max_bytes.is_none();
        assert!(
            !unlimited || evictions <= usize::from(full),
            "evicts no more than it must"
        );
    }

    fn set_meta(&mut self, key: &[u8], meta: Meta) {
        let mut gone = Vec::new();
        let result = self.real.set_meta(key, &meta, &mut |entry| {
            gone.push(to_owned(entry));
        });
        let is_here = self.find(key).is_some();
        assert!(result.is_err() || result == Ok(is_here));
        self.part_with(gone, key);
        let changed = self.naive.iter_mut().find(|entry| entry.0 == key);
        if let (Some((_, _, old)), Ok(true)) = (changed, result) {
            *old = meta;
        }
    }

    /// Takes out what went while the entry of `spared` was stored or changed; returns how many of these were living.
    fn part_with(&mut self, gone: Vec<Owned>, spared: &[u8]) -> usize {
        let now = self.now;
        let mut living = 0;
        for gone in gone {
            if gone.2.is_expired(now) {
                assert_eq!(self.take(&gone.0), Some(gone), "the dead went as they were");
                continue;
            }
            living += 1;
            let mut others = self.naive.iter().filter(|entry| entry.0 != spared);
            assert_eq!(others.next(), Some(&gone), "the oldest goes first");
            assert!(
                others.all(|entry| !entry.2.is_expired(now)),
                "the dead go before the living"
            );
            self.take(&gone.0);
        }
        living
    }

    fn pass_time(&mut self, millis: u64) {
        self.now = Timestamp::from_millis(self.now.as_millis() + millis);
        self.real.set_now(self.now);
    }

    /// Removes some of the dead, or all that there are.
    fn expire(&mut self, limit: usize) {
        let mut gone = Vec::new();
        let count = self
            .real
            .expire(limit, &mut |entry| gone.push(to_owned(entry)));
        assert_eq!(count, gone.len());
        assert!(count <= limit);
        assert_eq!(self.part_with(gone, b""), 0, "no living entry expires");
        let now = self.now;
        let next = self.real.next_expiry();
        let soonest = self
            .naive
            .iter()
            .filter_map(|entry| entry.2.expire_at)
            .min();
        assert!(soonest.is_none() || next <= soonest);
        if next.is_none_or(|next| next > now) {
            assert!(self.naive.iter().all(|entry| !entry.2.is_expired(now)));
        }
    }

    /// Lowers the limit of bytes for a moment.
    fn shrink(&mut self, percent: usize) {
        let Config {
            max_bytes,
            max_entries,
            ..
        } = *self.real.config();
        let less = self.real.bytes_used() * percent.min(100) / 100;
        let mut gone = Vec::new();
        self.real.set_limits(Some(less), max_entries, &mut |entry| {
            gone.push(to_owned(entry));
        });
        self.part_with(gone, b"");
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

fn to_owned(entry: EntryRef<'_>) -> Owned {
    (entry.key.to_vec(), entry.value.to_vec(), entry.meta)
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
