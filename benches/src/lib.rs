//! Shared by the benchmarks: the keys that they replay, the caches that they compare, and a table of
//! results.
//!
//! | command | gives |
//! |---|---|
//! | `cargo bench -p memvault-benches` | criterion's report for every subject |
//! | `cargo run --release -p memvault-benches --bin compare` | time and hit ratio of the caches, side by side |
//! | `cargo run --release -p memvault-benches --bin heap` | heap bytes per entry of the caches |
//! | `cargo run --release -p memvault-benches --bin reliability -- all` | the numbers of RELIABILITY.md |
//! | `cargo run --release -p memvault-benches --bin reliability -- load` | the same under load, some 40 minutes |
#![forbid(unsafe_code)]

pub mod peers;
pub mod spread;
pub mod zipf;

/// Entries of the caches to compare: the arguments of the program, or 10 thousand and a million.
#[must_use]
pub fn sizes() -> Vec<usize> {
    let sizes: Vec<usize> = std::env::args()
        .skip(1)
        .filter_map(|size| size.parse().ok())
        .collect();
    if sizes.is_empty() {
        vec![10_000, 1_000_000]
    } else {
        sizes
    }
}
