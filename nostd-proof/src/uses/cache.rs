//! The cache: recency, a budget, a time to live by a clock of our own.

use alloc::string::{String, ToString};

use memvault::cache::Cache;
use memvault::time::{Duration, ManualClock};

pub fn run() {
    let clock = ManualClock::default();
    let mut cache = Cache::<u32, String>::builder()
        .max_entries(100)
        .clock(&clock)
        .build();
    for number in 0..1_000 {
        assert!(cache.insert(number, number.to_string()).is_ok());
    }
    assert_eq!(cache.len(), 100);
    assert_eq!(cache.get(&900).map(String::as_str), Some("900"));
    assert_eq!(cache.pop_oldest().map(|(key, _)| key), Some(901));
    let short = cache.insert_with_ttl(1, "brief".into(), Duration::from_secs(1));
    assert!(short.is_ok() && cache.contains(&1));
    clock.advance(Duration::from_secs(1));
    assert!(cache.get(&1).is_none());
}
