//! Users over HTTP: a database that is slow, with MemVault in front of it.
//!
//! ```text
//! connection --server--> request --routes--> cache ------ hit ------> answer
//!                                              '- miss --> database --> fill --> answer
//! ```
//!
//! `routes` says what a request means, `service` what is done about it, in which order: database first, then cache.

mod args;
mod cache;
mod check;
mod database;
mod error;
mod pending;
mod places;
mod routes;
mod seed;
mod sender;
mod server;
mod service;
mod stream;
mod user;

use std::process::ExitCode;

use clap::Parser;

use args::Args;

fn main() -> ExitCode {
    let args = Args::parse();
    let result = if args.check {
        check::check(args.listen)
    } else {
        smol::block_on(server::run(args))
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("user-api: {error}");
            ExitCode::FAILURE
        }
    }
}
