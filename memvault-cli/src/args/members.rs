//! Flags of `memvault cluster`.

use std::time::Duration;

use clap::{Args, Subcommand};
use memvault::replication::Config;
use memvault_net::driver::NodeAddress;

use super::cluster;
use super::duration::positive_duration;

/// Arguments of `cluster`.
#[derive(Debug, Args)]
#[command(after_help = "\
One change at a time. It is done when the node has, or the others have, fetched their keys; requests go
on meanwhile. If a node that is joining starts again or stays away, the attempt is given up.
To give a change up, ask for the opposite: remove the node that joins, add the one that leaves.

Examples:
  memvault serve --port 7006 --cluster 127.0.0.1:7001 --join
  memvault cluster add 127.0.0.1:7006 --server 127.0.0.1:7001 --wait
  memvault cluster remove 127.0.0.1:7002 --server 127.0.0.1:7001 --wait
  memvault cluster status --server 127.0.0.1:7001 --json")]
pub(crate) struct Cluster {
    #[command(subcommand)]
    pub(crate) action: Action,
}

/// What to do with the members.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Make a node a member that was started with --join or --discover
    Add(Add),
    /// Have the others take over a member's keys, and then do without it
    Remove(Remove),
    /// Show the members, and how far a change has come
    Status(Status),
}

/// Arguments of `cluster add`.
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The node: host:port, or id=host:port, as the others reach it
    pub(crate) node: NodeAddress,
    /// Its share of the keys, relative to the others: 1 to 64, all together at most 256 unless each
    /// is 1
    #[arg(verbatim_doc_comment, long, value_name = "N", default_value = "1", value_parser = weight)]
    pub(crate) weight: u32,
    #[command(flatten)]
    pub(crate) ask: Ask,
    #[command(flatten)]
    pub(crate) wait: Wait,
}

/// A share of the keys.
fn weight(text: &str) -> Result<u32, String> {
    let most = Config::MAX_WEIGHT;
    match text.parse() {
        Ok(weight) if (1..=most).contains(&weight) => Ok(weight),
        _ => Err(format!("expected 1 to {most}")),
    }
}

/// Arguments of `cluster remove`.
#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// The member's id
    #[arg(value_parser = id)]
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) ask: Ask,
    #[command(flatten)]
    pub(crate) wait: Wait,
}

fn id(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("expected the id of a member: memvault cluster status shows them".to_owned());
    }
    Ok(text.to_owned())
}

/// Arguments of `cluster status`.
#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) ask: Ask,
}

/// Whom to ask, and how to answer.
#[derive(Debug, Args)]
pub(crate) struct Ask {
    /// Any member: host:port
    /// [default: MEMVAULT_HOST:MEMVAULT_PORT, each if set, else 127.0.0.1:6379]
    #[arg(long, value_name = "HOST:PORT", value_parser = cluster::server)]
    pub(crate) server: Option<String>,
    /// Longest wait for a connection or a reply
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = positive_duration)]
    pub(crate) timeout: Duration,
    /// Print one line of JSON
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

/// Whether to wait for the end.
#[derive(Debug, Args)]
pub(crate) struct Wait {
    /// Wait until the change is done and all members that are up serve; exit code 1 if it was given up
    #[arg(long)]
    pub(crate) wait: bool,
}
