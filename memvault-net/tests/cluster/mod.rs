//! The replicating client against real nodes over real sockets.

mod bulk;
mod failures;
mod hostile;
mod loads;
mod requests;
mod strangers;
pub(crate) mod support;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use futures_lite::{StreamExt, future};
use memvault::replication::{DownReason, Event, Failure, Level, Levels, NodeState};
use memvault_net::client::{Client, Error, Events, Ttl};
use support::{
    Cluster, PATIENCE, address, block_on, dead_address, eventually, impostor, listener, wall,
};

const QUORUM: Levels = Levels {
    write: Level::Quorum,
    read: Level::Quorum,
};

fn key(number: usize) -> String {
    format!("key:{number}")
}

fn value(number: usize) -> String {
    format!("value of {number}")
}

fn fill(client: &Client, count: usize) {
    for number in 0..count {
        block_on(client.set(key(number), value(number))).expect("a write");
    }
}

#[track_caller]
fn check(client: &Client, count: usize) {
    for number in 0..count {
        let found = block_on(client.get(key(number))).expect("a read");
        assert_eq!(found.as_deref(), Some(value(number).as_bytes()), "{number}");
    }
}

/// Waits for an event that `is_it`.
fn expect_event(events: &mut Events, what: &str, is_it: impl Fn(&Event) -> bool) {
    let found = async { events.any(|seen| is_it(&seen.event)).await };
    let too_late = async {
        async_io::Timer::after(PATIENCE).await;
        false
    };
    assert!(block_on(future::or(found, too_late)), "no event: {what}");
}

fn serves(client: &Client, address: &str) -> bool {
    let reports = block_on(client.node_statistics()).expect("statistics");
    reports
        .iter()
        .any(|node| node.id == address && node.is_up && node.state == NodeState::Serving)
}

fn all_serve(client: &Client, cluster: &Cluster) {
    for address in &cluster.addresses {
        eventually("every node serves", || serves(client, address));
    }
}
