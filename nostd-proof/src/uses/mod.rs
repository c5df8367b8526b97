//! Uses of the core, one module per part; each panics if an answer is wrong.

mod cache;
mod entries;
mod replication;
mod resp;
mod ring;
mod store;

use core::fmt::Write;

use crate::runtime::Output;

/// Runs all of them.
pub fn all() {
    let parts: [(&str, fn()); _] = [
        ("cache", cache::run),
        ("ring", ring::run),
        ("resp", resp::run),
        ("entries", entries::run),
        ("store", store::run),
        ("replication", replication::run),
    ];
    for (name, run) in parts {
        run();
        let _ = writeln!(Output, "nostd-proof: {name} works without std");
    }
}
