//! What a member does with its data: it leads writes, accepts or refuses what it is offered, remembers what it forgot,
//! and fetches what it missed.
//!
//! ```text
//! leader --offer--> replica (entries, floors, versions, promises, tombstones) <-- warm_up --pull--> other members
//! ```

mod answers;
mod burial;
pub(super) mod floors;
pub(super) mod key_locks;
pub(super) mod leader;
pub(super) mod offer;
pub(super) mod parting;
pub(super) mod promises;
pub(super) mod pull;
pub(super) mod recency_sync;
pub(super) mod recent_versions;
pub(super) mod replica;
pub(super) mod throttle;
pub(super) mod tombstones;
pub(super) mod warm_up;

use alloc::collections::BTreeMap;

use super::peers::Peers;
use super::wire::message::NodeState;
use crate::ring::NodeIndex;
use crate::time::Instant;
use floors::Floors;
use key_locks::KeyLocks;
use leader::Leader;
use recency_sync::RecencySync;
use replica::Replica;
use warm_up::WarmUp;

/// What only a member has.
pub(super) struct Member {
    pub(super) me: NodeIndex,
    pub(super) replica: Replica,
    pub(super) leader: Leader,
    pub(super) key_locks: KeyLocks,
    pub(super) recency_sync: RecencySync,
    pub(super) warm_up: Option<WarmUp>,
    /// Whether it is heard by too few to know what is done without it.
    pub(super) is_cut_off: bool,
    /// The hybrid logical time since when it may have missed what a member that is gone led: those that are left
    /// may have it.
    pub(super) missed_since: Option<u64>,
    /// Who warmed up when a member was lost, and since when it may have been told by that one what nobody else knows.
    pub(super) unasked: BTreeMap<NodeIndex, u64>,
    /// While this node has keys to take over: its floors at the beginning of the change.
    pub(super) pending_floors: Option<Floors>,
    /// How far the store was searched for keys that this node no longer holds; `None` if there are none.
    pub(super) sweep: Option<u32>,
    pub(super) sweep_from: Instant,
    /// When entries past their time are looked for next.
    pub(super) next_expiry: Instant,
}

impl Member {
    /// What was written since then may have been told to others only.
    pub(super) fn note_bereft(&mut self, since: u64) {
        let earlier = self.missed_since.unwrap_or(since);
        self.missed_since = Some(since.min(earlier));
    }

    /// One of those who has become able to tell. A member that is lost meanwhile has forgotten it, or is fetched from
    /// when it is back.
    pub(super) fn next_unasked(&mut self, peers: &Peers) -> Option<(NodeIndex, u64)> {
        self.unasked.retain(|node, _| peers.is_up(*node));
        let tells = |node: &NodeIndex| peers.state(*node) != Some(NodeState::Warming);
        let node = self.unasked.keys().copied().find(tells)?;
        self.unasked.remove_entry(&node)
    }
}
