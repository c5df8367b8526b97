#![doc = include_str!("../README.md")]
//!
//! ## How it fits together
//!
//! ```text
//! bytes --decode--> arguments --parse--> Command --execute(now)--> reply --encode--> bytes
//!       resp/                 command/           store/                   resp/encode
//! ```
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(feature = "simulator"),
    allow(dead_code, unused_imports, reason = "the parts above a feature use it")
)]

extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

pub mod rng;
pub mod time;

mod arena;
pub mod cache;
mod list;
mod lru;
mod soonest;
mod table;

pub mod avl;
pub mod hash;
pub mod ring;
pub mod slot;

#[cfg(feature = "resp")]
pub mod resp;

#[cfg(feature = "store")]
pub mod command;
#[cfg(feature = "store")]
pub mod connection;
#[cfg(feature = "store")]
pub mod consistency;
#[cfg(feature = "store")]
pub mod store;
#[cfg(feature = "store")]
pub mod version;

#[cfg(feature = "replication")]
pub mod cluster;
#[cfg(feature = "replication")]
pub mod replication;
#[cfg(feature = "replication")]
pub mod transport;

#[cfg(feature = "simulator")]
pub mod simulator;

#[cfg(all(feature = "simulator", any(test, fuzzing)))]
pub mod model;
