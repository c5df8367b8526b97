//! Heap bytes per entry of each cache, full of `u64` keys and values.
//!
//! Run with `cargo run --release -p memvault-benches --bin heap [ENTRIES...]`, default 10000 and 1000000.
//! Of its own binary, so that counting does not slow down what `compare` times. The counter is the
//! `stats_alloc` crate: it counts what is asked of the allocator, byte by byte, where the resident size of
//! a process would count pages, and what the allocator keeps for later.
#![forbid(unsafe_code)]

use std::alloc::System;

use memvault_benches::peers::Peer;
use memvault_benches::{for_each_peer, sizes, zipf};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    println!("heap bytes per entry, u64 keys and values, full after a Zipf 0.9 replay");
    for entries in sizes() {
        let keys = zipf::keys(entries * 8, entries * 10, 0.9, 42);
        for_each_peer!(measure(entries, &keys));
    }
}

fn measure<P: Peer>(entries: usize, keys: &[u64]) {
    let region = Region::new(ALLOCATOR);
    let mut cache = P::with_capacity(entries);
    for &key in keys {
        cache.get_or_insert(key);
    }
    let change = region.change();
    let bytes = change.bytes_allocated as f64 - change.bytes_deallocated as f64;
    println!(
        "{:<16} {entries:>9} entries {:>7.1} B/entry",
        P::NAME,
        bytes / entries as f64
    );
}
