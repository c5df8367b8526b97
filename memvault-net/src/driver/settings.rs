//! How a driver is set up.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use memvault::replication::Config;
use memvault::resp::Limits;
use memvault::slot::SLOTS;
use memvault::store;

/// How a member finds the others: by the module `discovery`, which is there with the feature of this name.
#[derive(Clone, Debug)]
pub struct Discover {
    /// Members to ask first: `host:port`. Names are resolved anew while nobody answers.
    pub seeds: Vec<String>,
    /// Where others reach this member, by TCP and by UDP.
    pub address: SocketAddr,
}

/// How a [`Driver`](super::Driver) and its node are set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The node: members, role, replicas, levels, time limits.
    pub node: Config,
    /// How much a member may store; ignored for a coordinator.
    pub entries: store::Config,
    /// Where members are reached, as `host:port`, by their id; a member that is not named here has its
    /// address as its id. Host names are resolved anew for each attempt.
    pub addresses: BTreeMap<String, String>,
    /// How a member finds the others' addresses; default `None`, by `addresses` and the member list alone. The
    /// server then uses UDP on its port as well; without the feature `discovery` it does not start. Ignored for a
    /// coordinator, which learns addresses from the members.
    pub discover: Option<Discover>,
    /// How long connecting to a member may take, without the resolution of its name, which may take 5 s; default
    /// 400 ms. An attempt that begins just before a machine is back is lost; the next one should come before the
    /// member on it serves, see [`Config::reconnect_max`].
    pub connect_timeout: Duration,
    /// Silence after which a connection that somebody opened to this node is closed; default 60 s. Nodes give
    /// a sign of life every [`Config::heartbeat`].
    pub idle_timeout: Duration,
    /// Bytes that may wait to be sent on one link before it is closed; default 1 GiB. A last resort: what this node
    /// itself chose to send is bounded before it comes here, and values that wait in the memory of others are counted
    /// as well. A single message may be longer.
    pub max_link_buffer: usize,
    /// How long the other end of a link may take nothing of what waits to be sent before the link is closed; default
    /// 5 s. However slow it reads, it is not closed while it reads.
    pub stall_timeout: Duration,
    /// Bytes of answers that may wait on a connection that somebody opened to this node; default 128 MiB. While there
    /// are more, nothing else is read from it.
    pub max_link_answers: usize,
    /// Bytes that the system is asked to hold at most of what was sent to a member and not acknowledged by its machine;
    /// default 1 MiB. More lets a single link carry more over a long way; less makes small messages and time limits
    /// depend less on what went before.
    pub link_send_buffer: usize,
    /// Connections that others may open to this node, as members, gateways or Rust clients do; default 1024. Beyond
    /// it a silent one makes room, or the new one is closed. Flag `--max-links`.
    pub max_inbound: usize,
    /// Bytes that all connections which others opened may have this node hold: of messages that are incomplete, and of
    /// answers that are not taken. Beyond it the largest are closed. Default `None`: a quarter of the
    /// [memory](crate::memory_limit) that this process may have. Flag `--max-links-memory`.
    pub max_inbound_memory: Option<usize>,
    /// Limits of what members send. Those that would not let the node's own messages pass are raised.
    pub limits: Limits,
}

impl Settings {
    /// The default settings around this node.
    #[must_use]
    pub fn new(node: Config) -> Self {
        Self {
            node,
            entries: store::Config::default(),
            addresses: BTreeMap::new(),
            discover: None,
            connect_timeout: Duration::from_millis(400),
            idle_timeout: Duration::from_secs(60),
            max_link_buffer: 1 << 30,
            stall_timeout: Duration::from_secs(5),
            max_link_answers: 128 << 20,
            link_send_buffer: 1 << 20,
            max_inbound: 1024,
            max_inbound_memory: None,
            limits: Limits::default(),
        }
    }

    /// What a link may carry: `limits`, raised where a low limit for values would keep messages from
    /// passing. The fixed fields of a message are one argument, and a piece of a warm-up has many entries.
    pub(super) fn link_limits(&self) -> Limits {
        const FIELDS: usize = 1 << 20;
        const BYTES_PER_FLOOR: usize = 16;
        let floors = usize::from(SLOTS) * BYTES_PER_FLOOR;
        let limits = self.limits;
        let max_bulk_len = limits.max_bulk_len.max(FIELDS.saturating_add(floors));
        let room = max_bulk_len.saturating_mul(2).saturating_add(FIELDS);
        Limits {
            max_bulk_len,
            max_arguments: limits.max_arguments.max(1 << 14),
            max_command_len: limits.max_command_len.max(room),
            ..limits
        }
    }
}

#[cfg(test)]
mod tests {
    use memvault::replication::Role;

    use super::*;

    #[test]
    fn a_restarted_member_is_reached_before_it_serves() {
        let node = Config::new(Vec::new(), Role::Coordinator("test".to_owned()));
        let (longest_pause, delay) = (node.reconnect_max, node.warm_delay());
        // Between two looks at the time, and on the way.
        let slack = Duration::from_millis(100);
        let settings = Settings::new(node);
        assert!(settings.connect_timeout + longest_pause + slack <= delay);
    }
}
