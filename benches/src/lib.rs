//! Shared by the benchmarks: the keys that they replay, the caches that they compare, and a table of
//! results.
//!
//! | command | gives |
//! |---|---|
//! | `cargo bench -p memvault-benches` | criterion's report for every subject |
//! | `cargo run --release -p memvault-benches --bin compare` | time and hit ratio of the caches, side by side |
//! | `cargo run --release -p memvault-benches --bin heap` | heap bytes per entry of the caches |
#![forbid(unsafe_code)]

pub mod peers;
pub mod spread;
pub mod zipf;
