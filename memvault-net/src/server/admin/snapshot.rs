//! All that a server tells of itself at one time: plain data, for every format.

use std::collections::BTreeMap;
use std::time::Duration;

use memvault::connection::{CallStatistics, StoreInfo};
use memvault::replication::{Change, NodeStatistics, Role};

use crate::driver::{Driver, Latency, PeerReport};
use crate::server::backend::Backend;
use crate::server::clients::Clients;
use crate::server::process;

/// A server at one time.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) uptime: Duration,
    pub(super) clients: usize,
    pub(super) max_clients: usize,
    /// Clients since the start.
    pub(super) connections: u64,
    pub(super) store_info: StoreInfo,
    /// What clients called, and what errors they got.
    pub(super) calls: CallStatistics,
    pub(super) latency: Latency,
    /// Processor time of the process, of the system and its own, in seconds, if the system tells.
    pub(super) cpu: Option<(f64, f64)>,
    /// Bytes of memory that the process has, if the system tells.
    pub(super) resident: Option<u64>,
    /// Bytes from clients and to them.
    pub(super) traffic: (u64, u64),
    /// What only a node of a cluster has.
    pub(super) cluster: Option<Cluster>,
}

/// A cluster, as one of its nodes sees it.
#[derive(Debug)]
pub(super) struct Cluster {
    /// The id of a member, or the name of a gateway.
    pub(super) node: String,
    pub(super) is_member: bool,
    pub(super) is_ready: bool,
    /// The change of members under way, such as `joining=d`; empty if there is none.
    pub(super) change: String,
    pub(super) epoch: u64,
    pub(super) replicas: u8,
    pub(super) in_flight: usize,
    pub(super) tombstones: usize,
    pub(super) statistics: NodeStatistics,
    pub(super) members: Vec<Seen>,
    pub(super) events: Vec<(&'static str, u64)>,
}

/// A member as this node sees it.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) report: PeerReport,
    /// The fraction of the ring that it leads.
    pub(super) leader_share: f64,
    /// The fraction of the ring that it has a replica of, led or not.
    pub(super) replica_share: f64,
}

impl Snapshot {
    /// Looks at the server. O(slots).
    pub(super) fn take(clients: &Clients, events: &BTreeMap<&'static str, u64>) -> Self {
        Self {
            uptime: clients.started_at.elapsed(),
            clients: clients.connection_limit.taken(),
            max_clients: clients.config.max_clients,
            connections: clients.connection_limit.total(),
            store_info: clients.backend.store_info(),
            calls: clients.counters.all().statistics(),
            latency: clients.meter.latency(),
            cpu: process::cpu(),
            resident: process::resident().map(|(now, _)| now),
            traffic: clients.counters.all().traffic(),
            cluster: match &clients.backend {
                Backend::Cluster { driver, .. } => Some(Cluster::seen_by(driver, events)),
                Backend::Single(_) | Backend::Shard(_) => None,
            },
        }
    }
}

impl Cluster {
    fn seen_by(driver: &Driver, events: &BTreeMap<&'static str, u64>) -> Self {
        let reports = driver.peers();
        driver.inspect(|node| {
            let (membership, ring) = (node.membership(), node.ring());
            let shares: BTreeMap<_, _> = node
                .slots()
                .shares(ring)
                .into_iter()
                .filter_map(|share| Some((ring.node_id(share.node)?, share)))
                .collect();
            let members = reports.into_iter().map(|report| {
                // One that is joining has no share yet.
                let share = shares.get(&*report.id);
                Seen {
                    leader_share: share.map_or(0.0, |share| share.leader),
                    replica_share: share.map_or(0.0, |share| share.replica),
                    report,
                }
            });
            let (Role::Member(name) | Role::Coordinator(name)) = &node.config().role;
            Self {
                node: name.clone(),
                is_member: matches!(node.config().role, Role::Member(_)),
                change: membership
                    .change
                    .as_ref()
                    .map_or_else(String::new, Change::describe),
                is_ready: node.is_ready(),
                epoch: membership.epoch,
                replicas: membership.replicas,
                in_flight: node.in_flight(),
                tombstones: node.entries().map_or(0, |entries| entries.tombstones()),
                statistics: node.statistics(),
                members: members.collect(),
                events: events.iter().map(|(name, count)| (*name, *count)).collect(),
            }
        })
    }
}

/// What the process is, in a word.
pub(super) fn role(cluster: Option<&Cluster>) -> &'static str {
    match cluster {
        None => "alone",
        Some(cluster) if cluster.is_member => "member",
        Some(_) => "gateway",
    }
}
