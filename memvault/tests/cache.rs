//! What a user of [`Cache`] relies on, through its public face. The same operations in any order, against a
//! naive model: `src/model/cache.rs`.

use std::cell::Cell;
use std::collections::VecDeque;

use memvault::cache::{Cache, Cause, Reason, Ttl};
use memvault::rng::Rng;
use memvault::time::{Clock, Duration, Instant, ManualClock};

/// Counts how often it is read.
#[derive(Default)]
struct CountingClock(Cell<u32>);

impl Clock for CountingClock {
    fn now(&self) -> Instant {
        self.0.set(self.0.get() + 1);
        Instant::ZERO
    }
}

#[test]
fn a_cache_without_a_ttl_reads_no_clock_and_beside_others_only_what_is_stored_does() {
    let clock = CountingClock::default();
    let builder = Cache::<u32, u32>::builder().max_entries(4);
    let mut cache = builder.clock(&clock).build();
    for key in 0..8 {
        cache.insert(key, key).unwrap();
    }
    assert_eq!(clock.0.get(), 0);
    cache.insert_with_ttl(0, 0, Duration::from_secs(1)).unwrap();
    let reads = clock.0.get();
    for key in 1..4 {
        cache.insert(key, key).unwrap();
    }
    assert!(
        clock.0.get() - reads <= 3,
        "to know whether something is due"
    );
    let reads = clock.0.get();
    assert_eq!(cache.get(&1), Some(&1));
    assert_eq!(cache.peek(&2), Some(&2));
    assert_eq!(cache.ttl(&3), Some(Ttl::Forever));
    *cache.get_mut(&2).unwrap() = 22;
    *cache.entry(3).or_insert(0).unwrap() = 33;
    assert_eq!(cache.get(&9), None);
    assert_eq!(clock.0.get(), reads);
    assert_eq!(
        *cache.get_or_insert_with(4, || 44).unwrap(),
        44,
        "evicts the one with a TTL"
    );
    let reads = clock.0.get();
    assert_eq!(cache.remove(&3), Some(33));
    assert_eq!(cache.pop_oldest(), Some((1, 1)));
    assert!(cache.iter().eq([(&4, &44), (&2, &22)]));
    assert_eq!(clock.0.get(), reads);
}

#[test]
fn a_trace_has_exactly_the_hits_of_a_naive_lru() {
    for capacity in [1, 2, 10, 100, 1_000] {
        let mut rng = Rng::new(7);
        let mut cache = Cache::with_max_entries(capacity);
        let mut naive: VecDeque<u64> = VecDeque::new();
        for _ in 0..20_000 {
            // Twice: the lower a number, the more often it comes.
            let bound = rng.below(2_000) + 1;
            let key = rng.below(bound);
            let place = naive.iter().position(|&stored| stored == key);
            let hit = cache.get(&key).is_some();
            assert_eq!(hit, place.is_some());
            if hit {
                naive.remove(place.unwrap());
            } else {
                cache.insert(key, ()).unwrap();
            }
            naive.push_front(key);
            naive.truncate(capacity);
        }
        let stats = cache.stats();
        assert_eq!(stats.hits + stats.misses, 20_000);
        assert_eq!(stats.insertions, stats.misses);
        assert_eq!(stats.evictions, stats.insertions - naive.len() as u64);
    }
}

#[test]
fn what_is_too_heavy_comes_back_and_displaces_nothing() {
    let builder = Cache::<String, Vec<u8>>::builder();
    let mut cache = builder
        .max_bytes(1_000, |key, value| key.capacity() + value.capacity())
        .build();
    cache.insert("small".to_string(), vec![1; 10]).unwrap();
    let refused = cache
        .insert("small".to_string(), vec![2; 5_000])
        .unwrap_err();
    assert_eq!(
        (refused.key.as_str(), refused.value.len()),
        ("small", 5_000)
    );
    assert!(matches!(refused.reason, Reason::Bytes { needed, limit: 1_000 } if needed > 5_000));
    assert_eq!(cache.peek("small"), Some(&vec![1; 10]));

    let mut none = Cache::with_max_entries(0);
    assert_eq!(none.insert(1, 2).unwrap_err().reason, Reason::Entries);
}

#[test]
fn a_value_that_grows_while_lent_out_makes_others_go() {
    let builder = Cache::<u32, Vec<u8>>::builder().max_bytes(2_000, |_, value| value.capacity());
    let mut gone = Vec::new();
    let hook = |key, _, cause| gone.push((key, cause));
    let mut cache = builder.hook(hook).build();
    for key in 0..4 {
        cache.insert(key, Vec::with_capacity(300)).unwrap();
    }
    let before = cache.bytes();
    cache.get_mut(&0).unwrap().reserve_exact(900);
    assert_eq!(cache.bytes(), before + 600, "counted at once");
    assert_eq!(cache.get(&9), None, "any operation settles it");
    assert!(cache.bytes() <= 2_000 && cache.contains(&0));

    cache.get_mut(&0).unwrap().reserve_exact(9_000);
    assert_eq!(cache.get(&0), None, "too heavy even alone");
    assert_eq!(cache.bytes(), 0);
    drop(cache);
    assert_eq!(gone.len(), 4);
    assert_eq!(
        (gone[0], gone[3]),
        ((1, Cause::Eviction), (0, Cause::Eviction))
    );
}

#[test]
fn a_budget_of_bytes_is_kept_when_few_large_entries_follow_many_small_ones() {
    let builder = Cache::<u32, Vec<u8>>::builder().max_bytes(100_000, |_, value| value.capacity());
    let mut cache = builder.build();
    for key in 0..10_000 {
        cache.insert(key, Vec::new()).unwrap();
        assert!(cache.bytes() <= 100_000);
    }
    assert!(cache.len() > 1_000);
    for key in 0..1_000 {
        cache.insert(key, Vec::with_capacity(9_000)).unwrap();
        assert!(cache.bytes() <= 100_000);
    }
    assert!(
        cache.len() >= 9,
        "the arena has given its memory back: {}",
        cache.len()
    );
}

#[test]
fn an_entry_lives_up_to_its_ttl_and_not_through_it() {
    let clock = ManualClock::default();
    let mut cache = Cache::builder().clock(&clock).build();
    cache
        .insert_with_ttl("a", 1, Duration::from_micros(2))
        .unwrap();
    cache.insert_with_ttl("b", 2, Duration::MAX).unwrap();
    clock.advance(Duration::from_micros(1));
    assert_eq!(cache.ttl("a"), Some(Ttl::Left(Duration::from_micros(1))));
    assert_eq!(cache.get("a"), Some(&1));
    clock.advance(Duration::from_micros(1));
    assert_eq!(
        (cache.peek("a"), cache.ttl("a"), cache.len()),
        (None, None, 2)
    );
    assert_eq!(cache.get("a"), None);
    assert_eq!(cache.len(), 1, "removed when found out");
    assert_eq!(cache.stats().expirations, 1);
    assert_eq!(
        cache.ttl("b"),
        Some(Ttl::Forever),
        "an absurd TTL means never"
    );
    assert!(cache.set_ttl("b", Some(Duration::ZERO)));
    assert_eq!(cache.get("b"), None);
}

#[test]
fn a_cache_without_a_ttl_or_a_budget_has_no_memory_for_them() {
    let full = |mut cache: Cache<u64, u64>| {
        for key in 0..1_000 {
            cache.insert(key, key).unwrap();
        }
        cache.bytes()
    };
    let plain = full(Cache::with_max_entries(1_000));
    // 24 bytes for key, value and links, and an index of 2048 places of 5 bytes.
    assert_eq!(plain, 24 * 1_000 + 5 * 2_048 + 16);
    let weighed = full(
        Cache::builder()
            .max_entries(1_000)
            .max_bytes(1 << 20, |_, _| 0)
            .build(),
    );
    assert_eq!(weighed, plain + 8 * 1_000);
}

#[test]
fn half_the_bytes_hold_about_half_the_entries() {
    let mut cache = Cache::<u64, u64>::builder()
        .max_bytes(1 << 20, |_, _| 0)
        .build();
    for key in 0..100_000 {
        cache.insert(key, key).unwrap();
    }
    let before = cache.len();
    assert!(cache.resize_bytes(1 << 19));
    assert!(cache.bytes() <= 1 << 19);
    assert!(
        cache.len() >= before * 45 / 100,
        "{} of {before}",
        cache.len()
    );
    assert!(cache.contains(&99_999));
}

#[test]
fn what_nobody_asks_for_goes_with_insertions() {
    const SESSIONS: usize = 1_000;
    let clock = ManualClock::default();
    let mut cache = Cache::builder().clock(&clock).build();
    let mut most = 0;
    for round in 0..50 {
        for session in 0..SESSIONS {
            let id = round * SESSIONS + session;
            cache
                .insert_with_ttl(id, "session", Duration::from_millis(300))
                .unwrap();
            clock.advance(Duration::from_millis(1));
            most = most.max(cache.len());
        }
    }
    assert!(most <= 310, "{most} entries, of which 300 live");
    let stats = cache.stats();
    assert_eq!(stats.insertions, stats.expirations + cache.len() as u64);
    assert_eq!(stats.evictions, 0);
}

#[test]
fn the_dead_make_room_before_the_living() {
    let clock = ManualClock::default();
    let mut cache = Cache::builder().max_entries(2_000).clock(&clock).build();
    for key in 0..1_000 {
        cache.insert(key, 0).unwrap();
    }
    for key in 1_000..2_000 {
        let ttl = Duration::from_millis(300);
        cache.insert_with_ttl(key, 0, ttl).unwrap();
    }
    clock.advance(Duration::from_millis(300));
    // Without a TTL: none of these says what time it is.
    for key in 2_000..3_000 {
        cache.insert(key, 0).unwrap();
    }
    let stats = cache.stats();
    assert_eq!((stats.evictions, stats.expirations), (0, 1_000));
    assert!((0..1_000).all(|key| cache.contains(&key)));
}

#[test]
fn ttls_that_are_overwritten_all_the_time_hide_no_dead_entry() {
    let clock = ManualClock::default();
    let mut cache = Cache::builder().clock(&clock).build();
    for key in 0..10_000 {
        let ttl = Duration::from_secs(1 + key % 7);
        cache.insert_with_ttl(key, 0, ttl).unwrap();
        if key % 3 == 0 {
            cache.set_ttl(&(key / 2), Some(Duration::from_secs(9)));
            cache.remove(&(key / 3));
        }
    }
    clock.advance(Duration::from_secs(8));
    while cache.purge_expired(100) > 0 {}
    let left = cache.len();
    assert_eq!(left, cache.iter().count(), "only the living");
    assert!(left > 1_000);
    clock.advance(Duration::from_secs(1));
    while cache.purge_expired(100) > 0 {}
    assert!(cache.is_empty());
}
