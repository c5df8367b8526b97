//! [`Cache`] against a plain list with weights and deadlines: nothing living goes while something dead is there, and
//! then the oldest.

mod checks;

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use ahash::RandomState;

use crate::cache::{
    Cache, Cause, Entry, EvictionHook, InsertError, Reason, Stats, TryInsertError, Ttl,
};
use crate::time::{Clock, Duration, Instant};

/// Runs `program` against [`Cache`] and a list in the order of use, and compares all that can be seen.
///
/// The first two bytes choose the limits, then four bytes each choose an operation, a key, a weight and a
/// TTL.
///
/// # Panics
/// If the two differ, or an invariant is broken.
pub fn run(program: &[u8]) {
    let (limits, operations) = program.split_at(program.len().min(2));
    let limit = |at: usize, unit: usize| {
        let chosen = limits.get(at).map(|&byte| usize::from(byte));
        chosen.filter(|&n| n < 200).map(|n| n * unit)
    };
    let (clock, gone) = (CountingClock::default(), RefCell::default());
    let mut pair = Pair::new(limit(0, 1).map(|n| n / 8), limit(1, 24), &clock, &gone);
    for operation in operations.chunks_exact(4) {
        if let &[operation, key, weight, ttl] = operation {
            pair.step(operation % 16, key % 48, usize::from(weight), ttl);
        }
    }
}

/// A clock that knows how often it was read.
#[derive(Debug, Default)]
struct CountingClock {
    now: Cell<u64>,
    reads: Cell<u64>,
}

impl Clock for CountingClock {
    fn now(&self) -> Instant {
        self.reads.set(self.reads.get() + 1);
        Instant::from_micros(self.now.get())
    }
}

/// Writes down what the cache removed of its own accord.
#[derive(Clone)]
struct Gone<'a>(&'a RefCell<Vec<(u8, Value, Cause)>>);

impl EvictionHook<u8, Value> for Gone<'_> {
    fn on_eviction(&mut self, key: u8, value: Value, cause: Cause) {
        self.0.borrow_mut().push((key, value, cause));
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Value {
    number: u32,
    weight: usize,
}

#[derive(Clone, Copy, Debug)]
struct Item {
    key: u8,
    value: Value,
    deadline: Option<u64>,
}

struct Pair<'a> {
    real: Cache<u8, Value, RandomState, &'a CountingClock, Gone<'a>>,
    /// Oldest first.
    naive: VecDeque<Item>,
    stats: Stats,
    clock: &'a CountingClock,
    gone: &'a RefCell<Vec<(u8, Value, Cause)>>,
    /// Numbers the values, so that no two are alike.
    steps: u32,
    had_ttl: bool,
}

/// A key that is never stored.
const ABSENT: u8 = u8::MAX;

impl<'a> Pair<'a> {
    fn new(
        max_entries: Option<usize>,
        max_bytes: Option<usize>,
        clock: &'a CountingClock,
        gone: &'a RefCell<Vec<(u8, Value, Cause)>>,
    ) -> Self {
        let mut builder = Cache::builder();
        if let Some(max_entries) = max_entries {
            builder = builder.max_entries(max_entries);
        }
        if let Some(max_bytes) = max_bytes {
            builder = builder.max_bytes(max_bytes, |_, value: &Value| value.weight);
        }
        let real = builder
            .hasher(RandomState::with_seeds(1, 2, 3, 4))
            .clock(clock)
            .hook(Gone(gone))
            .build();
        let (naive, stats) = (VecDeque::new(), Stats::default());
        Self {
            real,
            naive,
            stats,
            clock,
            gone,
            steps: 0,
            had_ttl: false,
        }
    }

    fn step(&mut self, operation: u8, key: u8, weight: usize, ttl: u8) {
        self.steps += 1;
        let value = Value {
            number: self.steps,
            weight,
        };
        let ttl = ttl.is_multiple_of(3).then(|| u64::from(ttl));
        let before = self.clock.reads.get();
        let mut timeless =
            ttl.is_none() && self.find(key).is_none_or(|item| item.deadline.is_none());
        // What is stored looks for others past their time, in a cache that had any with a TTL.
        timeless &= !self.had_ttl || matches!(operation, 4 | 6);
        self.had_ttl |= ttl.is_some();
        match operation {
            0..=3 => self.insert(key, value, ttl),
            4 => self.get(key),
            5 => self.get_mut(key, value),
            6 => self.look(key),
            7 => self.remove(key),
            8 | 9 => self.get_or_insert(key, value, operation == 9),
            10 => self.entry(key, value, ttl),
            11 => self.set_ttl(key, ttl),
            _ => {
                timeless = false;
                match operation {
                    12 => self.retain(value),
                    13 => self.resize(weight),
                    14 if weight.is_multiple_of(8) => self.purge(weight / 32),
                    14 => self.pop_or_clear(weight),
                    _ => self
                        .clock
                        .now
                        .set(self.clock.now.get() + value.weight as u64 / 4),
                }
            }
        }
        assert!(
            !timeless || self.clock.reads.get() == before,
            "without a TTL no clock is read"
        );
        self.compare();
    }

    fn insert(&mut self, key: u8, value: Value, ttl: Option<u64>) {
        let most = self.most_evictions(key, value.weight);
        let result = match ttl {
            Some(ttl) => self
                .real
                .insert_with_ttl(key, value, Duration::from_micros(ttl)),
            None => self.real.insert(key, value),
        };
        match result {
            Ok(replaced) => {
                assert_eq!(replaced, self.take(key).map(|item| item.value));
                self.push(key, value, ttl, most);
            }
            Err(refused) => self.expect_refusal(key, value, refused),
        }
    }

    fn get(&mut self, key: u8) {
        let got = self.real.get(&key).copied();
        assert_eq!(got, self.touch(key));
    }

    fn get_mut(&mut self, key: u8, value: Value) {
        let bytes = self.real.bytes();
        let mut got = None;
        if let Some(lent) = self.real.get_mut(&key) {
            got = Some(core::mem::replace(lent, value));
        }
        assert_eq!(got, self.touch(key));
        if let Some(old) = got {
            if self.real.max_bytes().is_some() {
                assert_eq!(self.real.bytes() + old.weight, bytes + value.weight);
            }
            if let Some(newest) = self.naive.back_mut() {
                newest.value = value;
            }
            self.settle();
            let grown = self.real.max_bytes().is_some() && value.weight > old.weight;
            self.evict(if grown { usize::MAX } else { 0 });
        }
    }

    fn look(&self, key: u8) {
        let live = self.find(key).filter(|item| self.is_live(item));
        assert_eq!(self.real.peek(&key), live.map(|item| &item.value));
        assert_eq!(self.real.contains(&key), live.is_some());
        let ttl = live.map(|item| match item.deadline {
            Some(at) => Ttl::Left(Duration::from_micros(at - self.clock.now.get())),
            None => Ttl::Forever,
        });
        assert_eq!(self.real.ttl(&key), ttl);
    }

    fn remove(&mut self, key: u8) {
        let removed = self.real.remove(&key);
        assert_eq!(removed, self.take(key).map(|item| item.value));
    }

    fn get_or_insert(&mut self, key: u8, value: Value, fails: bool) {
        let most = self.most_evictions(key, value.weight);
        let make = || if fails { Err("no value") } else { Ok(value) };
        let got = self
            .real
            .try_get_or_insert_with(key, make)
            .map(|value| *value);
        match (self.touch(key), got) {
            (Some(found), got) => assert_eq!(got, Ok(found)),
            (None, Ok(got)) => {
                assert_eq!(got, value);
                self.push(key, value, None, most);
            }
            (None, Err(TryInsertError::Make(error))) => assert!(fails && error == "no value"),
            (None, Err(TryInsertError::Refused(refused))) => {
                self.expect_refusal(key, value, refused);
            }
        }
        self.settle();
    }

    /// Removes an entry that is there; stores one that is not.
    fn entry(&mut self, key: u8, value: Value, ttl: Option<u64>) {
        let most = self.most_evictions(key, value.weight);
        let (mut removed, mut stored) = (None, None);
        match self.real.entry(key) {
            Entry::Occupied(mut entry) => {
                assert_eq!((*entry.key(), *entry.get()), (key, *entry.get_mut()));
                removed = Some(entry.remove());
            }
            Entry::Vacant(entry) => {
                assert_eq!(*entry.key(), key);
                let result = match ttl {
                    Some(ttl) => entry.insert_with_ttl(value, Duration::from_micros(ttl)),
                    None => entry.insert(value),
                };
                stored = Some(result.map(|value| *value));
            }
        }
        assert_eq!(removed, self.touch(key));
        match stored {
            None => drop(self.naive.pop_back()),
            Some(Ok(stored)) => {
                assert_eq!(stored, value);
                self.push(key, value, ttl, most);
            }
            Some(Err(refused)) => self.expect_refusal(key, value, refused),
        }
        self.settle();
    }

    fn set_ttl(&mut self, key: u8, ttl: Option<u64>) {
        let set = self.real.set_ttl(&key, ttl.map(Duration::from_micros));
        self.expire();
        let deadline = ttl.map(|ttl| self.clock.now.get() + ttl);
        let found = self.naive.iter_mut().find(|item| item.key == key);
        assert_eq!(set, found.is_some());
        if let Some(item) = found {
            item.deadline = deadline;
        }
    }

    fn retain(&mut self, value: Value) {
        let keep = |key: u8| !(value.number + u32::from(key)).is_multiple_of(4);
        let mut asked = self.naive.clone();
        asked.retain(|item| self.is_live(item));
        self.real.retain(|&key, stored| {
            let item = asked.pop_back().map(|item| (item.key, item.value));
            assert_eq!(item, Some((key, *stored)));
            stored.weight = value.weight;
            keep(key)
        });
        assert!(asked.is_empty(), "all are asked");
        self.expire();
        self.naive.retain(|item| keep(item.key));
        for item in &mut self.naive {
            item.value.weight = value.weight;
        }
        self.evict(if self.real.max_bytes().is_some() {
            usize::MAX
        } else {
            0
        });
    }

    /// Lowers, then raises a limit.
    fn resize(&mut self, percent: usize) {
        let (entries, bytes) = (self.real.max_entries(), self.real.max_bytes());
        if percent.is_multiple_of(2) {
            let fewer = self.naive.len() * percent / 200;
            self.real.resize(fewer);
            self.evict(self.naive.len() - fewer.min(self.naive.len()));
            assert!(self.real.len() <= fewer);
        } else {
            let less = self.real.bytes() * percent / 200;
            assert_eq!(self.real.resize_bytes(less), bytes.is_some());
            self.evict(if bytes.is_some() { usize::MAX } else { 0 });
            assert!(bytes.is_none() || self.real.bytes() <= less);
        }
        self.compare();
        self.real.resize(entries);
        if let Some(bytes) = bytes {
            assert!(self.real.resize_bytes(bytes));
        }
    }

    fn pop_or_clear(&mut self, weight: usize) {
        if weight % 32 == 1 {
            self.real.clear();
            self.naive.clear();
            assert_eq!(self.real.bytes(), 0);
        } else {
            let popped = self.real.pop_oldest();
            self.expire();
            let oldest = self.naive.pop_front().map(|item| (item.key, item.value));
            assert_eq!(popped, oldest);
        }
    }

    /// Removes some of those past their time, or all that there are.
    fn purge(&mut self, limit: usize) {
        let due = |naive: &VecDeque<Item>| naive.iter().any(|item| !self.is_live(item));
        let any = due(&self.naive);
        let purged = self.real.purge_expired(limit);
        assert!(purged <= limit);
        assert!(
            !any || limit < 4 || purged > 0,
            "blocks are few: the dead are found"
        );
        let before = self.stats.expirations;
        self.expire();
        assert_eq!(self.stats.expirations - before, purged as u64);
        assert!(self.gone.borrow().is_empty(), "nothing living goes");
    }
}

#[cfg(test)]
mod tests {
    use quickcheck::{Gen, QuickCheck};

    use super::*;

    #[test]
    fn a_cache_behaves_as_a_list_in_the_order_of_use() {
        fn property(program: Vec<u8>) {
            run(&program);
        }
        QuickCheck::new()
            .rng(Gen::from_size_and_seed(4_000, 2))
            .tests(400)
            .quickcheck(property as fn(Vec<u8>));
    }
}
