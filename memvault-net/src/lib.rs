//! MemVault over TCP: server, replicating client, gateway.
#![forbid(unsafe_code)]

pub mod client;
pub mod driver;
#[cfg(target_os = "linux")]
mod edge;
pub mod server;

/// The README's examples, as tests: this crate sees both libraries.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
