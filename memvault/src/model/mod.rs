//! Naive models of the core's structures, and programs of bytes that run both and compare.
//!
//! Each module has one function `run(program: &[u8])`, called from a seeded property test in the same
//! file and from a one-line fuzz target: whatever one finds, the other can repeat.

pub mod avl;
pub mod cache;
pub mod command;
pub mod connection;
pub mod coordinator;
pub mod link;
pub mod list;
pub mod message;
pub mod replica;
pub mod resp;
pub mod ring;
pub mod store;
