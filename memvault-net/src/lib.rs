#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

#[cfg(feature = "client")]
pub mod client;
mod clock;
#[cfg(feature = "discovery")]
pub mod discovery;
pub mod driver;
#[cfg(all(feature = "server", target_os = "linux"))]
mod epoll;
mod flapping;
#[cfg(feature = "server")]
mod hasher;
pub mod memory_limit;
pub mod open_files;
#[cfg(feature = "server")]
pub mod server;
pub mod tcp;
pub mod web;

/// The documents' examples, as tests: this crate sees both libraries.
#[cfg(all(doctest, feature = "client"))]
#[doc = include_str!("../../README.md")]
#[doc = include_str!("../../docs/library.md")]
#[doc = include_str!("../../docs/client.md")]
struct Documents;
