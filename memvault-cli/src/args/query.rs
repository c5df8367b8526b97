//! Flags of the subcommands that ask a server or a cluster.

use std::ffi::OsString;
use std::time::Duration;

use clap::{ArgGroup, Args};
use memvault::replication::Level;

use super::cluster::{self, Cluster, Kind, Members, Replicas};
use super::duration::{duration, positive_duration};

/// Whom to ask: one server, or a cluster as its own coordinator.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("target").args(["server", "cluster"]))]
#[command(next_help_heading = "Whom to ask")]
pub(crate) struct Target {
    /// One server, member or gateway: host:port
    /// [default: MEMVAULT_HOST:MEMVAULT_PORT, each if set, else 127.0.0.1:6379]
    #[arg(long, value_name = "HOST:PORT", value_parser = cluster::server)]
    pub(crate) server: Option<String>,
    /// All members of a cluster: host:port or id=host:port, separated by commas
    #[arg(long, value_name = "LIST", value_parser = cluster::members)]
    pub(crate) cluster: Option<Members>,
    #[command(flatten)]
    pub(crate) replicas: Replicas,
    /// Longest wait for a connection or a reply
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = positive_duration)]
    pub(crate) timeout: Duration,
}

/// A target and how many replicas must answer.
#[derive(Debug, Args)]
pub(crate) struct Careful {
    #[command(flatten)]
    pub(crate) target: Target,
    /// Replicas that must answer: one, quorum, all or auto (a quorum while there is one,
    /// else those that live). Only with --cluster [default: auto]
    #[arg(long, value_parser = cluster::level, requires = "cluster", help_heading = "Whom to ask")]
    pub(crate) level: Option<Level>,
    #[command(flatten)]
    pub(crate) kind: Kind,
    /// Print one line of JSON
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

/// Arguments of `get`.
#[derive(Debug, Args)]
#[command(after_help = "\
Prints the value as it is, and a line end. Exit code 1 if there is no such key.

Examples:
  memvault get greeting
  memvault get greeting --cluster 127.0.0.1:7001,127.0.0.1:7002,127.0.0.1:7003 --level quorum")]
pub(crate) struct Get {
    /// The key
    pub(crate) key: OsString,
    #[command(flatten)]
    pub(crate) careful: Careful,
}

/// Arguments of `set`.
#[derive(Debug, Args)]
#[command(after_help = "\
A value is taken as it is, bytes that are no text too; -x is a value, --help is not: behind -- all is.

Examples:
  memvault set greeting hello
  memvault set delta -5
  memvault set flag -- --help
  memvault set session:17 '{\"user\": 17}' --ttl 30m")]
pub(crate) struct Set {
    /// The key
    pub(crate) key: OsString,
    /// Its value
    pub(crate) value: OsString,
    /// Time after which the key expires: 500ms, 10s, 5m, 2h, 1d [default: never]
    #[arg(long, value_name = "TIME", value_parser = positive_duration)]
    pub(crate) ttl: Option<Duration>,
    #[command(flatten)]
    pub(crate) careful: Careful,
}

/// Arguments of `del`.
#[derive(Debug, Args)]
#[command(after_help = "\
Prints how many there were. Exit code 1 if there was none.

Example:
  memvault del greeting session:17")]
pub(crate) struct Del {
    /// The keys
    #[arg(required = true, value_name = "KEY")]
    pub(crate) keys: Vec<OsString>,
    #[command(flatten)]
    pub(crate) careful: Careful,
}

/// Arguments of `ping`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit code 1 if one of them does not answer.

Examples:
  memvault ping
  memvault ping --cluster 127.0.0.1:7001,127.0.0.1:7002,127.0.0.1:7003")]
pub(crate) struct Ping {
    #[command(flatten)]
    pub(crate) target: Target,
    /// Print one line of JSON
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

/// Arguments of `ring`.
#[derive(Debug, Args)]
#[command(after_help = "\
Placement follows from the list alone: no node need run. With --timeout 0s none is asked.

Examples:
  memvault ring --cluster 127.0.0.1:7001,127.0.0.1:7002,127.0.0.1:7003
  memvault ring --cluster a=10.0.0.1:6379,b=10.0.0.2:6379 --replicas 2 --key user:17")]
pub(crate) struct Ring {
    #[command(flatten)]
    pub(crate) cluster: Cluster,
    /// Show the preference list of this key: the nodes that hold it, the leader first. May be repeated
    #[arg(long = "key", value_name = "KEY", allow_hyphen_values = true)]
    pub(crate) keys: Vec<OsString>,
    /// Longest wait for a node's state; with 0s the nodes are not asked
    #[arg(long, value_name = "TIME", default_value = "500ms", value_parser = duration)]
    pub(crate) timeout: Duration,
    /// Print one line of JSON
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

/// Arguments of `shell`.
#[derive(Debug, Args)]
#[command(after_help = "\
Words are quoted as in redis-cli: \"a b\", \"\\x00\\n\", 'as it is'. Tab completes, Ctrl-R searches
the history, which is kept in MEMVAULT_HISTORY (default ~/.memvault_history).
Not on a terminal it reads commands from standard input, one a line, and its exit code is 1
if one of them was answered with an error.

Examples:
  memvault shell
  printf 'SET a \"x y\" EX 10\\nGET a\\n' | memvault shell --server 127.0.0.1:7001")]
pub(crate) struct Shell {
    #[command(flatten)]
    pub(crate) target: Target,
}
