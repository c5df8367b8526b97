//! Packed entries under a budget of bytes: many more keys than fit.

use memvault::store::{Config, Entries, Meta};

pub fn run() {
    let config = Config {
        max_bytes: Some(64 << 10),
        ..Config::default()
    };
    let mut entries = Entries::new(config, ahash::RandomState::with_seeds(1, 2, 3, 4));
    let mut evictions = 0;
    for number in 0..10_000_u32 {
        let key = number.to_be_bytes();
        let inserted = entries.insert(&key, b"value", &Meta::default(), &mut |_| evictions += 1);
        assert!(inserted.is_ok());
        assert!(entries.bytes_used() <= 64 << 10);
    }
    assert_eq!(entries.len() + evictions, 10_000);
    let newest = entries.get(&9_999_u32.to_be_bytes());
    assert_eq!(newest.map(|entry| entry.value), Some(&b"value"[..]));
    assert!(entries.get(&0_u32.to_be_bytes()).is_none());
}
