//! All benchmarks in one binary: `cargo bench -p memvault-benches [-- FILTER]`.
#![forbid(unsafe_code)]

mod cache;
mod resp;
mod ring;
mod store;

use criterion::Criterion;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    cache::register_benches(&mut criterion);
    resp::register_benches(&mut criterion);
    ring::register_benches(&mut criterion);
    store::register_benches(&mut criterion);
    criterion.final_summary();
}
