//! The ring. Dimensions: 3, 10 and 100 nodes with the default number of virtual nodes. Operations: the
//! owner of a key, the first three replicas of a key, and building the ring from nothing.

use criterion::{BenchmarkId, Criterion};
use memvault::ring::Ring;

pub(crate) fn register_benches(criterion: &mut Criterion) {
    let keys: Vec<[u8; 16]> = (0..4096_u128)
        .map(|n| (n * 0x9e37_79b9).to_le_bytes())
        .collect();
    let mut group = criterion.benchmark_group("ring");
    for nodes in [3, 10, 100] {
        let ring = build(nodes);
        let mut next = keys.iter().cycle();
        group.bench_function(BenchmarkId::new("owner", nodes), |bencher| {
            bencher.iter(|| next.next().map(|key| ring.owner(key)));
        });
        group.bench_function(BenchmarkId::new("three_replicas", nodes), |bencher| {
            bencher.iter(|| next.next().map(|key| ring.replicas(key, 3).count()));
        });
        group.bench_function(BenchmarkId::new("rebuild", nodes), |bencher| {
            bencher.iter(|| build(nodes));
        });
    }
    group.finish();
}

fn build(nodes: usize) -> Ring {
    let mut ring = Ring::new();
    for node in 0..nodes {
        // Ids are all different, so none is refused.
        let _ = ring.add(&format!("cache-{node}:7001"), 1);
    }
    ring
}
