//! The `memvault` command.
#![forbid(unsafe_code)]
fn main() {}
