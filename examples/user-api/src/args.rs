//! The flags.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use memvault::replication::{Level, Levels};

/// Users over HTTP: a slow database with MemVault in front of it
#[derive(Clone, Debug, Parser)]
#[command(about, max_term_width = 100)]
pub(crate) struct Args {
    /// Where to listen
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "USER_API_LISTEN",
        default_value = "127.0.0.1:3000"
    )]
    pub(crate) listen: SocketAddr,
    /// Only ask the API that listens there whether it answers; the exit code says so
    #[arg(long)]
    pub(crate) check: bool,
    /// Nodes of the cache, separated by commas; all of them, as the nodes themselves were told
    #[arg(
        long,
        value_name = "NODES",
        value_delimiter = ',',
        env = "MEMVAULT_CLUSTER",
        default_value = "127.0.0.1:7001,127.0.0.1:7002,127.0.0.1:7003,127.0.0.1:7004,127.0.0.1:7005"
    )]
    pub(crate) cluster: Vec<String>,
    /// Replicas per key, as the nodes have
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) replicas: usize,
    /// Replicas that the cache's requests wait for; with quorum no failure of a node brings an old user back
    #[arg(long, value_enum, default_value_t = CacheLevel::Quorum)]
    pub(crate) level: CacheLevel,
    /// The SQLite file; made and filled with users if it is not there
    #[arg(long, value_name = "PATH", default_value = "users.db")]
    pub(crate) database: PathBuf,
    /// Users to make in a new database
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub(crate) users: u32,
    /// How much longer each look-up in the database takes, in milliseconds, so that the cache shows
    #[arg(long, value_name = "MS", default_value_t = 2000)]
    pub(crate) slow_ms: u64,
    /// How long a user stays in the cache, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
    pub(crate) ttl: u64,
    /// Longest body of a request, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 16 * 1024)]
    pub(crate) max_body: usize,
    /// Names under which it is asked, beside IP addresses and localhost, separated by commas; requests for others are
    /// refused, as web pages could send them
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        env = "USER_API_HOSTS"
    )]
    pub(crate) host: Vec<String>,
    /// Connections at a time; beyond them those without a whole request make room, the oldest first
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = positive)]
    pub(crate) max_connections: usize,
    /// How long a client may take to send a request, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) client_timeout_ms: u64,
    /// How long a client may take to read an answer, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) write_timeout_ms: u64,
}

/// How many replicas requests of the cache wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CacheLevel {
    /// Two of three.
    Quorum,
    /// Two of three for writes while they are in view, one for reads.
    Auto,
}

impl Args {
    pub(crate) const fn slow(&self) -> Duration {
        Duration::from_millis(self.slow_ms)
    }

    pub(crate) const fn ttl(&self) -> Duration {
        Duration::from_secs(self.ttl)
    }

    pub(crate) const fn client_timeout(&self) -> Duration {
        Duration::from_millis(self.client_timeout_ms)
    }

    pub(crate) const fn write_timeout(&self) -> Duration {
        Duration::from_millis(self.write_timeout_ms)
    }

    pub(crate) const fn levels(&self) -> Levels {
        let level = match self.level {
            CacheLevel::Quorum => Level::Quorum,
            CacheLevel::Auto => Level::Auto,
        };
        Levels {
            write: level,
            read: level,
        }
    }
}

fn positive(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "expected a whole number of at least 1".to_owned())
}
