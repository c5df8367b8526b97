//! MemVault over TCP: server, replicating client, gateway.
#![forbid(unsafe_code)]
