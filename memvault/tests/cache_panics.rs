//! A cache calls code of its user: `Hash`, `Eq`, `Drop`, closures, weights, hooks. When such code panics
//! half-way through an operation and the user catches the panic, a cache that had begun to move things
//! about is left with links into nothing, an entry in the index but not in the order, an object dropped
//! twice, or a sum of weights that drifts for ever. (Of the linked caches on crates.io, several had
//! advisories of this kind.)
//!
//! So: one script of operations, run again and again. In the n-th run the n-th call of user code panics.
//! Whatever n is, the cache must be valid afterwards, and nothing may leak.

use std::cell::Cell;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use memvault::cache::{Cache, Cause, EvictionHook};
use memvault::time::{Duration, ManualClock};

thread_local! {
    /// Calls of user code until one panics; `None` means never.
    static FUSE: Cell<Option<u32>> = const { Cell::new(None) };
    /// Keys and values that are alive.
    static ALIVE: Cell<i64> = const { Cell::new(0) };
}

/// Stands in all user code.
fn burn() {
    let left = FUSE.get();
    FUSE.set(left.map(|left| left.saturating_sub(1)));
    // A second panic while the first unwinds would end the process, no matter whose fault it is.
    if left == Some(0) && !std::thread::panicking() {
        FUSE.set(None);
        resume_unwind(Box::new("fuse"));
    }
}

fn count(alive: i64) {
    ALIVE.set(ALIVE.get() + alive);
}

#[derive(Debug)]
struct Key(u32);

impl Key {
    fn new(number: u32) -> Self {
        count(1);
        Self(number)
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        burn();
        // Few hashes, so that keys are compared as well.
        (self.0 % 4).hash(state);
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        burn();
        self.0 == other.0
    }
}

impl Eq for Key {}

impl Drop for Key {
    fn drop(&mut self) {
        count(-1);
        burn();
    }
}

#[derive(Debug)]
struct Value(usize);

impl Value {
    fn new(weight: usize) -> Self {
        count(1);
        Self(weight)
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        count(-1);
        burn();
    }
}

#[derive(Clone, Copy)]
struct Hook;

impl EvictionHook<Key, Value> for Hook {
    fn on_eviction(&mut self, _: Key, _: Value, _: Cause) {
        burn();
    }
}

fn weigh(_: &Key, value: &Value) -> usize {
    burn();
    value.0
}

type Panicky<'a> = Cache<Key, Value, ahash::RandomState, &'a ManualClock, Hook>;

fn limited_by_entries(clock: &ManualClock) -> Panicky<'_> {
    let builder = Cache::builder().max_entries(8);
    let hasher = ahash::RandomState::with_seeds(1, 2, 3, 4);
    builder.hasher(hasher).clock(clock).hook(Hook).build()
}

fn limited_by_bytes(clock: &ManualClock) -> Panicky<'_> {
    let builder = Cache::builder().max_bytes(2_000, weigh);
    let hasher = ahash::RandomState::with_seeds(1, 2, 3, 4);
    builder.hasher(hasher).clock(clock).hook(Hook).build()
}

/// Something of everything.
fn script(cache: &mut Panicky<'_>, clock: &ManualClock) {
    for number in 0..20 {
        drop(cache.insert(Key::new(number), Value::new(60)));
    }
    drop(cache.insert(Key::new(17), Value::new(200)));
    drop(cache.insert(Key::new(30), Value::new(5_000)));
    cache.get(&Key::new(18));
    if let Some(value) = cache.get_mut(&Key::new(19)) {
        value.0 = 900;
    }
    assert!(!cache.contains(&Key::new(99)));
    let entry = cache.entry(Key::new(17)).and_modify(|value| {
        burn();
        value.0 += 1;
    });
    drop(entry.or_insert_with(|| Value::new(1)));
    for number in [18, 40, 41] {
        drop(cache.get_or_insert_with(Key::new(number), || {
            burn();
            Value::new(70)
        }));
    }
    let short = Duration::from_millis(5);
    for number in 50..54 {
        drop(cache.insert_with_ttl(Key::new(number), Value::new(10), short));
    }
    cache.set_ttl(&Key::new(50), None);
    clock.advance(short);
    cache.get(&Key::new(51));
    drop(cache.insert(Key::new(52), Value::new(10)));
    cache.retain(|key, value| {
        burn();
        value.0 += 5;
        key.0 % 3 != 0
    });
    drop(cache.remove(&Key::new(50)));
    drop(cache.pop_oldest());
    cache.resize(3);
    cache.resize_bytes(1_200);
    drop(cache.insert(Key::new(60), Value::new(20)));
    cache.clear();
    drop(cache.insert(Key::new(61), Value::new(20)));
}

/// Panics unless all ways of looking at the cache agree, and it goes on working.
fn check(cache: &mut Panicky<'_>) {
    drop(cache.insert(Key::new(70), Value::new(0)));
    assert!(cache.len() <= cache.max_entries());
    assert!(cache.max_bytes().is_none_or(|limit| cache.bytes() <= limit));
    let newest_first: Vec<u32> = cache.iter().map(|(key, _)| key.0).collect();
    let mut oldest_first: Vec<u32> = cache.iter().rev().map(|(key, _)| key.0).collect();
    assert!(newest_first.iter().eq(oldest_first.iter().rev()));
    assert_eq!(newest_first.first(), Some(&70));
    for &number in &newest_first {
        assert!(cache.contains(&Key::new(number)), "{number} is not found");
    }
    oldest_first.reverse();
    while let Some((key, _)) = cache.pop_oldest() {
        assert_eq!(oldest_first.pop(), Some(key.0));
    }
    assert!(oldest_first.is_empty() && cache.is_empty());
    let emptied = cache.bytes();
    drop(cache.insert(Key::new(71), Value::new(0)));
    assert_eq!(cache.bytes(), emptied, "no weight is left behind");
}

fn run(make: fn(&ManualClock) -> Panicky<'_>) {
    for calls in 0.. {
        let clock = ManualClock::default();
        let mut cache = make(&clock);
        FUSE.set(Some(calls));
        let result = catch_unwind(AssertUnwindSafe(|| script(&mut cache, &clock)));
        FUSE.set(None);
        check(&mut cache);
        drop(cache);
        assert_eq!(ALIVE.get(), 0, "leaked or dropped twice, at call {calls}");
        if result.is_ok() {
            assert!(calls > 200, "the script calls user code");
            return;
        }
    }
}

#[test]
fn a_cache_limited_by_entries_survives_a_panic_anywhere() {
    run(limited_by_entries);
}

#[test]
fn a_cache_limited_by_bytes_survives_a_panic_anywhere() {
    run(limited_by_bytes);
}

#[test]
fn the_rest_is_dropped_when_one_drop_panics() {
    let clock = ManualClock::default();
    let mut cache = limited_by_entries(&clock);
    for number in 0..8 {
        drop(cache.insert(Key::new(number), Value::new(0)));
    }
    FUSE.set(Some(3));
    assert!(catch_unwind(AssertUnwindSafe(|| cache.clear())).is_err());
    FUSE.set(None);
    assert_eq!((cache.len(), ALIVE.get()), (0, 0));
}
