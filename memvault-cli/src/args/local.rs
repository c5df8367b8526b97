//! Flags of the subcommands that start a cluster on this machine.

use std::time::Duration;

use clap::Args;

use super::admin::{self, AdminAddress, AdminFlags};
use super::cluster::{Coordination, Replicas};
use super::count;
use super::duration::positive_duration;
use super::size::memory_share;

/// Arguments of `up`.
#[derive(Debug, Args)]
#[command(after_help = "\
The nodes and the gateway are processes of their own: kill one and see what happens. Ctrl-C stops
all of them. Their logs are shown with their names in front.

Examples:
  memvault up
  memvault up --count 3 --base-port 8001 --port 6380 --max-memory 1gb")]
pub(crate) struct Up {
    /// Nodes to start, 1 to 99
    #[arg(long, value_name = "N", default_value = "5", value_parser = nodes)]
    pub(crate) count: usize,
    #[command(flatten)]
    pub(crate) replicas: Replicas,
    /// Port of the first node; the others follow
    #[arg(long, value_name = "PORT", default_value_t = 7001)]
    pub(crate) base_port: u16,
    /// Port of the gateway
    #[arg(
        long,
        value_name = "PORT",
        env = "MEMVAULT_PORT",
        default_value_t = 6379
    )]
    pub(crate) port: u16,
    /// Tell of the servers over HTTP: the gateway there, node 1 on the next port, and so on
    /// [default: nowhere]
    #[arg(long, value_name = "HOST:PORT", value_parser = admin::address)]
    pub(crate) admin: Option<AdminAddress>,
    #[command(flatten)]
    pub(crate) coordination: Coordination,
    /// Memory of each node for keys and values: 256mb, 1gb, or a share of what the container or else
    /// the machine has, for each: 10% [default: no limit]
    #[arg(long, value_name = "SIZE", value_parser = memory_share)]
    pub(crate) max_memory: Option<usize>,
    #[command(flatten)]
    pub(crate) admin_flags: AdminFlags,
}

/// Arguments of `demo`.
#[derive(Debug, Args)]
#[command(after_help = "\
Starts nodes on free ports of this machine, writes keys, reads and writes without a pause, kills
the leader of some of the keys with SIGKILL, starts it again, waits until it serves, and checks
every key. Exit code 1 if a request failed or a key was lost.

Examples:
  memvault demo
  memvault demo --keys 100000 --workers 64 --seconds 10")]
pub(crate) struct Demo {
    /// Nodes to start, 3 to 99
    #[arg(long, value_name = "N", default_value = "5", value_parser = demo_nodes)]
    pub(crate) count: usize,
    #[command(flatten)]
    pub(crate) replicas: Replicas,
    /// Keys to write, read and write again
    #[arg(long, value_name = "N", default_value = "10000", value_parser = count)]
    pub(crate) keys: usize,
    /// Requests in flight
    #[arg(long, value_name = "N", default_value = "32", value_parser = count)]
    pub(crate) workers: usize,
    /// Load before the kill, and again while the node is dead, in seconds
    #[arg(long, value_name = "S", default_value = "3", value_parser = seconds)]
    pub(crate) seconds: Duration,
    /// Print one line of JSON at the end, and nothing else
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

fn nodes(text: &str) -> Result<usize, String> {
    in_range(text, 1)
}

fn demo_nodes(text: &str) -> Result<usize, String> {
    in_range(text, 3)
}

fn in_range(text: &str, least: usize) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if (least..=99).contains(&count) => Ok(count),
        _ => Err(format!("expected {least} to 99")),
    }
}

/// A number of seconds, or any duration with a unit.
fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<u32>() {
        Ok(seconds) if seconds > 0 => Ok(Duration::from_secs(seconds.into())),
        _ => positive_duration(text),
    }
}
