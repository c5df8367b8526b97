//! Flags of `top`.

use std::time::Duration;

use clap::{ArgGroup, Args};

use super::cluster::{self, Members};
use super::duration::{duration, positive_duration};

/// Arguments of `top`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("watched").args(["server", "cluster"]))]
#[command(after_help = "\
Keys: q ends, left and right choose the column to sort by, r turns the order round,
up and down move through the nodes, ? helps.

Examples:
  memvault top
  memvault top --cluster 127.0.0.1:7001,127.0.0.1:7002,127.0.0.1:7003
  memvault top --once --server 10.0.0.1:6379")]
pub(crate) struct Top {
    /// Any member or gateway, which knows the others, or a node alone: host:port
    /// [default: MEMVAULT_HOST:MEMVAULT_PORT, each if set, else 127.0.0.1:6379]
    #[arg(long, value_name = "HOST:PORT", value_parser = cluster::server, help_heading = "Whom to ask")]
    pub(crate) server: Option<String>,
    /// Members of a cluster: host:port or id=host:port, separated by commas. One that answers
    /// knows the rest
    #[arg(long, value_name = "LIST", value_parser = cluster::members, help_heading = "Whom to ask")]
    pub(crate) cluster: Option<Members>,
    /// Longest wait for a connection or a reply
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = positive_duration, help_heading = "Whom to ask")]
    pub(crate) timeout: Duration,
    /// From one look to the next, 100ms to 1h
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = interval)]
    pub(crate) interval: Duration,
    /// Print one table and end: rates are those of one interval
    #[arg(long, help_heading = "Output")]
    pub(crate) once: bool,
    /// Print one line of JSON and end
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

fn interval(text: &str) -> Result<Duration, String> {
    let interval = duration(text)?;
    if (SHORTEST..=LONGEST).contains(&interval) {
        Ok(interval)
    } else {
        Err("expected 100ms to 1h".to_owned())
    }
}

/// Nodes are not to be kept busy by being looked at.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(3600);
