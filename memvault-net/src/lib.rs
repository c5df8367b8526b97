#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod client;
mod clock;
pub mod discovery;
pub mod driver;
#[cfg(target_os = "linux")]
mod epoll;
mod flapping;
mod hasher;
pub mod memory_limit;
pub mod open_files;
pub mod server;
pub mod tcp;
pub mod web;

/// The documents' examples, as tests: this crate sees both libraries.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
#[doc = include_str!("../../docs/library.md")]
#[doc = include_str!("../../docs/client.md")]
struct Documents;
