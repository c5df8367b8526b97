//! MemVault over TCP: server, replicating client, gateway.
#![forbid(unsafe_code)]

pub mod client;
pub mod driver;
