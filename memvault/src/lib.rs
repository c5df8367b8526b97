//! MemVault's core: exact LRU cache, consistent-hash ring and replication, without I/O.
//!
//! ```text
//! bytes --decode--> arguments --parse--> Command --execute(now)--> reply --encode--> bytes
//!       resp/                 command/           store/                   resp/encode
//! ```
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

pub mod chance;
pub mod time;

mod arena;
pub mod cache;
mod list;
mod lru;
mod soonest;

pub mod avl;
pub mod hash;
pub mod ring;

pub mod version;

pub mod command;
pub mod connection;
pub mod resp;
pub mod store;

pub mod replication;
pub mod simulator;
pub mod transport;

pub mod cluster;

#[cfg(any(test, fuzzing))]
pub mod model;
