//! Serves Redis clients from within a program: a cache of at most 256 MiB.
//!
//! ```text
//! cargo run --release --example server -- 127.0.0.1:6379
//! redis-cli SET greeting hello EX 60
//! ```

use std::net::TcpListener;

use memvault::store;
use memvault_net::server::{Config, Role, Server};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:6379"))?;
    println!("listening on {}", listener.local_addr()?);
    let config = Config::new(Role::Single(store::Config {
        max_bytes: Some(256 << 20),
        ..store::Config::default()
    }));
    // Until the process is killed; a program that can stop gives a future that says when.
    Server::run(listener, config, std::future::pending::<()>())?;
    Ok(())
}
