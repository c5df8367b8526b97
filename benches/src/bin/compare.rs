//! Time per operation and hit ratio of each cache beside `schnellru`: get a key's value, or insert it.
//!
//! Run with `cargo run --release -p memvault-benches --bin compare [ENTRIES...]`, default 10000 and
//! 1000000. Keys are Zipf 0.9 over ten times as many keys as there are entries, seed 42. Each peer in turn
//! runs alternating slices of the same keys with `schnellru`, in one process and on one thread; a ratio is
//! taken slice by slice, and what is printed is the median with the quartiles. So a disturbance hits both,
//! or falls out as an outlier.
#![forbid(unsafe_code)]

use std::time::Instant;

use memvault_benches::peers::{Peer, SchnelLru};
use memvault_benches::spread::Spread;
use memvault_benches::{for_each_peer, sizes, zipf};

/// Keys per slice.
const SLICE: usize = 100_000;

fn main() {
    println!("get or insert, u64 keys and values, Zipf 0.9 over 10x the entries, one thread");
    for entries in sizes() {
        // Long enough for every index to show what many removals leave behind in it.
        let count = (entries * 24).max(16_000_000);
        let keys = zipf::keys(count, entries * 10, 0.9, 42);
        println!("\n{entries} entries  ns/op  schnellru  ratio [quartiles]  hit ratio");
        for_each_peer!(race(entries, &keys));
    }
}

/// Runs one peer against the yardstick and prints a line.
fn race<P: Peer>(entries: usize, keys: &[u64]) {
    let (mut peer, mut yardstick) = (P::with_capacity(entries), SchnelLru::with_capacity(entries));
    // Caches are full, and their order is in use, long before the first half has passed.
    let (warm_up, measured) = keys.split_at(keys.len() / 2);
    replay(&mut peer, warm_up);
    replay(&mut yardstick, warm_up);
    let (mut times, mut yardsticks, mut ratios, mut hits) = (vec![], vec![], vec![], 0);
    for (turn, slice) in measured.chunks_exact(SLICE).enumerate() {
        let (time, other);
        if turn % 2 == 0 {
            time = replay(&mut peer, slice);
            other = replay(&mut yardstick, slice);
        } else {
            other = replay(&mut yardstick, slice);
            time = replay(&mut peer, slice);
        }
        hits += time.1;
        times.push(time.0);
        yardsticks.push(other.0);
        ratios.push(time.0 / other.0);
    }
    let ratio = Spread::of(ratios);
    println!(
        "{:<16} {:>7.1} {:>7.1} {:>8.2} [{:.2} {:.2}] {:>9.4}",
        P::NAME,
        Spread::of(times).median,
        Spread::of(yardsticks).median,
        ratio.median,
        ratio.low,
        ratio.high,
        hits as f64 / (measured.len() / SLICE * SLICE) as f64,
    );
}

/// Nanoseconds per key, and hits.
#[inline(never)]
fn replay<P: Peer>(cache: &mut P, keys: &[u64]) -> (f64, usize) {
    let start = Instant::now();
    let hits = keys.iter().filter(|&&key| cache.get_or_insert(key)).count();
    (start.elapsed().as_nanos() as f64 / keys.len() as f64, hits)
}
