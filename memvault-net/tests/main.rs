//! Servers and clients over real sockets, and discovery. One program, so that it is built and linked once;
//! `cargo test -p memvault-net --test all discovery` runs the tests of one file.

mod admin;
mod cluster;
mod discovery;
mod expiry;
mod links;
mod pipelines;
mod protected;
mod running;
mod server;
mod threads;
