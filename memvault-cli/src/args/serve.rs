//! Flags of the servers.

use std::time::Duration;

use clap::{ArgAction, ArgGroup, Args};
use memvault_net::server::Io;

use super::admin::{Admin, AdminFlags};
use super::cluster::{self, Coordination, Kind, Members, Replicas, Seeds};
use super::count;
use super::duration::positive_duration;
use super::limits::{ClientLimits, LinkLimits};
use super::size::{memory_share, positive_size};

/// Arguments of `serve`.
#[derive(Debug, Args)]
#[command(after_help = "\
A member finds itself in --cluster: it is the entry with its port and an address of this machine.
It listens on that address unless --bind says otherwise.

Examples:
  memvault serve --max-memory 256mb
  memvault serve --port 7001 --cluster 127.0.0.1:7001,127.0.0.1:7002,127.0.0.1:7003
  memvault serve --cluster a=10.0.0.1:6379,b=10.0.0.2:6379 --node-id a --protected-mode no
  memvault serve --port 7006 --cluster 127.0.0.1:7001,127.0.0.1:7002 --join
  memvault serve --bind 10.0.0.4 --node-id d --discover 10.0.0.1:6379,10.0.0.2:6379")]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) listen: Listen,
    #[command(flatten)]
    pub(crate) capacity: Capacity,
    #[command(flatten)]
    pub(crate) member: Member,
    #[command(flatten)]
    pub(crate) coordination: Coordination,
    #[command(flatten)]
    pub(crate) limits: ClientLimits,
    #[command(flatten)]
    pub(crate) link_limits: LinkLimits,
    #[command(flatten)]
    pub(crate) admin: Admin,
    #[command(flatten)]
    pub(crate) admin_flags: AdminFlags,
    #[command(flatten)]
    pub(crate) lifeline: Lifeline,
}

/// Arguments of `gateway`.
#[derive(Debug, Args)]
#[command(override_usage = "\
memvault gateway [OPTIONS] --cluster <LIST>
       memvault gateway [OPTIONS] --discover <LIST>")]
#[command(after_help = "\
Any Redis client can use the gateway: it finds the nodes of each key, and goes round dead ones.

Examples:
  memvault gateway --cluster 10.0.0.1:6379,10.0.0.2:6379,10.0.0.3:6379 --port 6380
  memvault gateway --discover 10.0.0.1:6379,10.0.0.2:6379 --port 6380
  memvault gateway --cluster redis-1:6379,redis-2:6379,redis-3:6379 --plain-redis")]
pub(crate) struct Gateway {
    #[command(flatten)]
    pub(crate) listen: Listen,
    #[command(flatten)]
    pub(crate) cluster: Served,
    #[command(flatten)]
    pub(crate) kind: Kind,
    #[command(flatten)]
    pub(crate) coordination: Coordination,
    #[command(flatten)]
    pub(crate) limits: ClientLimits,
    #[command(flatten)]
    pub(crate) link_limits: LinkLimits,
    #[command(flatten)]
    pub(crate) admin: Admin,
    #[command(flatten)]
    pub(crate) admin_flags: AdminFlags,
    #[command(flatten)]
    pub(crate) lifeline: Lifeline,
}

/// Which cluster a gateway serves.
#[derive(Clone, Debug, Args)]
#[command(group = ArgGroup::new("served").args(["cluster", "discover"]).required(true))]
#[command(next_help_heading = "Cluster")]
pub(crate) struct Served {
    /// All members, in any order: host:port or id=host:port, separated by commas.
    /// The same in every process
    #[arg(long, value_name = "LIST", value_parser = cluster::members)]
    pub(crate) cluster: Option<Members>,
    /// In place of --cluster, some of the members: host:port, separated by commas. They tell the
    /// rest, also when it changes
    #[arg(long, value_name = "LIST", value_parser = cluster::seeds)]
    pub(crate) discover: Option<Seeds>,
    #[command(flatten)]
    pub(crate) replicas: Replicas,
}

/// Where to listen.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Network")]
pub(crate) struct Listen {
    /// Address or host name to listen on
    /// [default: of a member, its own in --cluster, else 127.0.0.1]
    #[arg(long, value_name = "ADDRESS", env = "MEMVAULT_HOST")]
    pub(crate) bind: Option<String>,
    /// Port to listen on, for clients and other nodes alike
    /// [default: of a member, its own in --cluster, else 6379]
    #[arg(long, value_name = "PORT", env = "MEMVAULT_PORT")]
    pub(crate) port: Option<u16>,
    /// Whether clients from other machines are refused, as there is no password; members are
    /// let in. Say no only where everyone who reaches this server
    /// may use it
    #[arg(
        long,
        value_name = "YES|NO",
        env = "MEMVAULT_PROTECTED_MODE",
        default_value = "yes",
        action = ArgAction::Set,
        value_parser = yes_or_no
    )]
    pub(crate) protected_mode: bool,
}

/// How much to keep.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Capacity")]
pub(crate) struct Capacity {
    /// Memory for keys and values, with all that they need: 256mb, 1gb, or a share of what the
    /// container or else the machine has: 60%. The entry used longest ago makes room
    /// [default: no limit]
    #[arg(long, value_name = "SIZE", value_parser = memory_share)]
    pub(crate) max_memory: Option<usize>,
    /// Number of entries; the entry used longest ago makes room [default: no limit]
    #[arg(long, value_name = "N", value_parser = count)]
    pub(crate) max_entries: Option<usize>,
    /// Threads that serve clients, each with its share of keys and memory, and its own LRU order.
    /// Pays when one core is not enough. A member of a cluster has one
    #[arg(long, value_name = "N", default_value = "1", value_parser = threads)]
    pub(crate) threads: usize,
    /// How to wait for clients: epoll (two system calls per request; on Linux, a node alone), smol
    /// (anywhere), or auto (epoll where it is possible)
    #[arg(long, value_name = "HOW", default_value = "auto", value_parser = io)]
    pub(crate) io: Io,
}

/// Which cluster this node is a member of.
#[derive(Clone, Debug, Args)]
#[command(group = ArgGroup::new("membership").args(["cluster", "discover"]).multiple(true))]
#[command(next_help_heading = "Cluster")]
pub(crate) struct Member {
    /// All members, this one included: host:port or id=host:port, separated by commas.
    /// The same in every process [default: none, a node alone]
    #[arg(long, value_name = "LIST", value_parser = cluster::members)]
    pub(crate) cluster: Option<Members>,
    #[command(flatten)]
    pub(crate) replicas: Replicas,
    /// Some members, host:port, separated by commas: from them this node finds the others,
    /// and is found, also at another address than before. Uses UDP on the same port. Without
    /// --cluster it learns from them who the members are; if it is none, it waits for
    /// memvault cluster add
    #[arg(long, value_name = "LIST", value_parser = cluster::seeds, conflicts_with = "join")]
    pub(crate) discover: Option<Seeds>,
    /// Where others reach this node, host:port, if not where it listens. Only with --discover
    /// [default: what it listens on; with --bind 0.0.0.0, the address towards a seed]
    #[arg(long, value_name = "HOST:PORT", value_parser = cluster::server, requires = "discover")]
    pub(crate) advertise: Option<String>,
    /// This node's id: with --cluster, that of its entry [default: the one with this port on
    /// this machine]; without, one that no other has [default: its address]
    #[arg(long, value_name = "ID", requires = "membership")]
    pub(crate) node_id: Option<String>,
    /// Join a cluster that is running: --cluster names one or more of its members, and this node
    /// waits until memvault cluster add names it by its id
    /// [default id: the address and port that it listens on]
    #[arg(long, requires = "cluster")]
    pub(crate) join: bool,
    /// Bytes per second that this node fetches at most when it starts or takes keys over
    /// [default: 200mb]
    #[arg(long, value_name = "SIZE", value_parser = positive_size, requires = "membership")]
    pub(crate) fetch_rate: Option<usize>,
    /// Keys per second of which this node, when nearly full, tells each follower that they were
    /// read, so that they are not evicted there; 0 for none [default: 256]
    #[arg(long, value_name = "N", requires = "membership")]
    pub(crate) max_touches: Option<usize>,
    /// Share of --max-memory and --max-entries that deletions may take, in percent: beyond it
    /// the oldest are forgotten before their 10 minutes are over [default: 5]
    #[arg(long, value_name = "N", value_parser = percent, requires = "membership")]
    pub(crate) max_tombstones: Option<u8>,
    /// Recent writes of which this node remembers that it accepted them, though they are
    /// overwritten, and as many that it refused: a retry is told the same [default: 65536]
    #[arg(long, value_name = "N", value_parser = count, requires = "membership")]
    pub(crate) max_versions: Option<usize>,
    /// How long a node that is joining may be out of reach before the attempt is given up
    /// [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = positive_duration, requires = "membership")]
    pub(crate) join_patience: Option<Duration>,
}

/// For anyone who starts servers as child processes.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Lifeline {
    /// End when standard input closes
    #[arg(long, hide = true)]
    pub(crate) end_with_stdin: bool,
}

/// A way to wait for clients.
fn io(text: &str) -> Result<Io, String> {
    let all = [Io::Auto, Io::Epoll, Io::Smol];
    let found = all.into_iter().find(|known| known.name() == text);
    found.ok_or_else(|| "expected auto, epoll or smol".to_owned())
}

/// Whether something is to be.
fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("expected yes or no".to_owned()),
    }
}

/// A part of the whole, 1 to 100 percent.
fn percent(text: &str) -> Result<u8, String> {
    match text.strip_suffix('%').unwrap_or(text).parse() {
        Ok(percent @ 1..=100) => Ok(percent),
        _ => Err("expected 1 to 100, in percent".to_owned()),
    }
}

/// A number of threads that a machine may have use for.
fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(threads @ 1..=MAX_THREADS) => Ok(threads),
        _ => Err(format!("expected 1 to {MAX_THREADS}")),
    }
}

/// More is taken for a mistake.
const MAX_THREADS: usize = 1024;
