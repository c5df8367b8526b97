//! Uses a cluster as one cache, and shows what happens to its nodes meanwhile.
//!
//! In one terminal, start a cluster of five nodes:
//!
//! ```text
//! cargo run --release -- up --count 5 --base-port 7001
//! ```
//!
//! In another, run this, and stop and start nodes while it counts:
//!
//! ```text
//! cargo run --release --example cluster
//! cargo run --release --example cluster -- 10.0.0.1:6379 10.0.0.2:6379 10.0.0.3:6379
//! ```

use std::time::Duration;

use futures_lite::StreamExt;
use memvault_net::client::{Client, Error};
use serde::{Deserialize, Serialize};

/// What is cached.
#[derive(Debug, Serialize, Deserialize)]
struct Visit {
    page: String,
    count: u64,
}

fn main() -> Result<(), Error> {
    let mut nodes: Vec<String> = std::env::args().skip(1).collect();
    if nodes.is_empty() {
        nodes = (7001..=7005)
            .map(|port| format!("127.0.0.1:{port}"))
            .collect();
    }
    smol::block_on(async {
        let client = Client::builder()
            .cluster(nodes)
            .replicas(3)
            .connect()
            .await?;
        smol::spawn(show_events(client.clone())).detach();
        count_visits(&client).await
    })
}

/// One line for everything that happens to a node.
async fn show_events(client: Client) {
    let mut events = client.events();
    while let Some(seen) = events.next().await {
        println!("  {}", seen.event);
    }
}

/// Counts up once a second; a node that fails costs nothing, and with no node left it goes on later.
async fn count_visits(client: &Client) -> Result<(), Error> {
    let mut count = 0;
    loop {
        count += 1;
        let page = String::from("/index.html");
        let visit = Visit { page, count };
        match client
            .set_json_with_ttl("visits", &visit, Duration::from_secs(60))
            .await
        {
            Ok(()) => {
                let cached: Option<Visit> = client.get_json("visits").await?;
                println!("{cached:?}, expires: {:?}", client.ttl("visits").await?);
            }
            Err(error) if error.is_temporary() => println!("{error}"),
            Err(error) => return Err(error),
        }
        smol::Timer::after(Duration::from_secs(1)).await;
    }
}
