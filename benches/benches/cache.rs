//! Caches beside each other. Dimensions: peer; 10 000 and 1 000 000 entries. One operation is: get the
//! value of the next of the seeded Zipf 0.9 keys, or insert it.
//!
//! For ratios that a busy machine does not spoil, see `src/bin/compare.rs`.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use memvault_benches::peers::Peer;
use memvault_benches::{for_each_peer, zipf};

pub(crate) fn register_benches(criterion: &mut Criterion) {
    for entries in [10_000, 1_000_000] {
        let keys = zipf::keys(entries * 4, entries * 10, 0.9, 42);
        for_each_peer!(get_or_insert(criterion, entries, &keys));
    }
}

fn get_or_insert<P: Peer>(criterion: &mut Criterion, entries: usize, keys: &[u64]) {
    let mut group = criterion.benchmark_group("cache_get_or_insert");
    group.throughput(Throughput::Elements(1));
    group
        .sample_size(20)
        .measurement_time(Duration::from_secs(3));
    group.bench_function(BenchmarkId::new(P::NAME, entries), |bencher| {
        let mut cache = P::with_capacity(entries);
        for &key in keys {
            cache.get_or_insert(key);
        }
        let mut next = keys.iter().cycle();
        bencher.iter(|| next.next().is_some_and(|&key| cache.get_or_insert(key)));
    });
    group.finish();
}
