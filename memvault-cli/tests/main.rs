//! The command `memvault` and its subcommands, run as a user runs them. What is killed and frozen is in `processes/`
//! and `chaos/`, programs of their own.

mod bench;
mod local;
mod query;
mod ring;
mod shell;
mod sim;
mod support;
mod usage;
