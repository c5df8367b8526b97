//! What is known of a cluster at one time: plain data.

use std::time::{Duration, SystemTime};

use memvault_net::server::NodeStats;

/// All nodes at one time.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// Since watching began.
    pub(super) at: Duration,
    pub(super) wall: SystemTime,
    /// `None` if nobody knows of a cluster: the nodes are those that were named.
    pub(super) cluster: Option<Membership>,
    pub(super) nodes: Vec<NodeSample>,
}

/// The members, as one of them knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Membership {
    pub(super) epoch: u64,
    /// Replicas per key.
    pub(super) replicas: usize,
    /// Such as `joining=d`; empty if there is no change under way.
    pub(super) change: String,
    /// Ids and weights of those whose keys are placed on the ring.
    pub(super) placed: Vec<(String, u32)>,
}

/// One node.
#[derive(Clone, Debug)]
pub(super) struct NodeSample {
    pub(super) id: String,
    pub(super) address: String,
    /// What it answered, or why it did not.
    pub(super) answer: Result<Answer, String>,
    /// If no way leads to it from here, and the one that was asked for the members is connected to it: its state, as
    /// that one says.
    pub(super) seen: Option<String>,
}

/// What a node said of itself.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// From sending `PING` to having the reply.
    pub(super) ping: Duration,
    /// Such as `serving`; `up` if it does not say.
    pub(super) state: String,
    pub(super) told: NodeStats,
}
