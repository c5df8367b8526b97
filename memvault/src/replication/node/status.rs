//! What can be seen of a node from outside.

use alloc::string::String;
use alloc::vec::Vec;

use super::Node;
use crate::replication::Now;
use crate::replication::config::{Config, Member};
use crate::replication::member::replica::Replica;
use crate::replication::membership::list::Membership;
use crate::replication::statistics::NodeStatistics;
use crate::replication::wire::message::{NodeState, Progress};
use crate::ring::{NodeIndex, Ring};
use crate::slot::{SlotTable, slot_of};
use crate::store::{Entries, EntryRef};
use crate::time::Duration;
use crate::version::Version;

/// What a [`Node`] knows of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerStatus {
    /// The member's place on the ring.
    pub index: NodeIndex,
    /// The member's id.
    pub id: String,
    /// Where it is reached, as the member list says.
    pub address: String,
    /// Whether it can be reached.
    pub is_up: bool,
    /// Whether it is silent and not chosen.
    pub is_suspect: bool,
    /// What it said last that it can be used for.
    pub state: NodeState,
    /// How far it has come with fetching its keys; `None` if it has them all, or has not said.
    pub pending: Option<Progress>,
}

impl Node {
    /// Whether this node does its part: a member serves, a coordinator has a member in view.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        match &self.member {
            Some(member) => member.replica.state == NodeState::Serving,
            None => {
                let peers = &self.cx.peers;
                peers.indices().into_iter().any(|node| {
                    peers.is_live(node) && peers.state(node) == Some(NodeState::Serving)
                })
            }
        }
    }

    /// Whether every request is refused with `-CLOCKSKEW`: most of the members within reach have another time than this
    /// node, or the only one has. O(1).
    #[must_use]
    pub fn is_clock_wrong(&self) -> bool {
        self.cx.peers.is_own_clock_wrong()
    }

    /// What this node can be used for; a coordinator always serves.
    #[must_use]
    pub fn state(&self) -> NodeState {
        self.member
            .as_ref()
            .map_or(NodeState::Serving, |member| member.replica.state)
    }

    /// The members, as this node sees them.
    pub fn peers(&self) -> impl Iterator<Item = PeerStatus> + '_ {
        let peers = &self.cx.peers;
        peers.indices().into_iter().map(|index| PeerStatus {
            index,
            id: peers.id(index),
            address: peers.address(index),
            is_up: peers.is_up(index),
            is_suspect: peers.is_suspect(index),
            state: peers.state(index).unwrap_or(NodeState::Warming),
            pending: if self.cx.me == Some(index) {
                self.pending()
            } else {
                peers.pending(index)
            },
        })
    }

    /// Counters since the start.
    #[must_use]
    pub fn statistics(&self) -> NodeStatistics {
        let replica = self.member.as_ref().map(|member| &member.replica);
        NodeStatistics {
            dropped_versions: replica.map_or(0, Replica::dropped_versions),
            evicted: replica.map_or(0, Replica::evicted),
            expired: replica.map_or(0, Replica::expired),
            dropped_tombstones: replica.map_or(0, |replica| replica.tombstones.dropped()),
            ..self.cx.statistics
        }
    }

    /// Bytes that this node's knowledge of the other members takes, the [ring](Self::ring) not included: it
    /// grows with their number. O(members).
    #[must_use]
    pub fn view_bytes(&self) -> usize {
        let lists = [&self.cx.config.members, &self.cx.membership.members];
        let members: usize = lists.into_iter().map(member_bytes).sum();
        let inbound = self.inbound.len() * size_of::<(u64, Option<NodeIndex>)>();
        self.cx.peers.heap_bytes() + members + inbound
    }

    /// Silence after which this node closes the link to a member, among as many as there are.
    pub(crate) fn down_after(&self) -> Duration {
        self.cx.peers.down_after()
    }

    /// Operations in flight.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.coordinator.in_flight()
    }

    /// Keys of requests that wait for their turn to begin.
    #[must_use]
    pub const fn waiting(&self) -> usize {
        self.coordinator.waiting()
    }

    /// Whether a caller may ask for more: it has no more keys and bytes under way and waiting than
    /// [`max_requests`](Config::max_requests) and [`max_in_flight_bytes`](Config::max_in_flight_bytes) say. A node that
    /// reads requests from a connection reads no further ones until then.
    #[must_use]
    pub fn has_room_for(&self, caller: u64) -> bool {
        self.coordinator.has_room_for(caller)
    }

    /// Timers and requests that have not ended.
    pub(crate) fn unfinished(&self) -> usize {
        let leader = self
            .member
            .as_ref()
            .map_or(0, |member| member.leader.unfinished());
        self.coordinator.unfinished() + leader
    }

    /// The ring that decides where slots go at present.
    #[must_use]
    pub fn ring(&self) -> &Ring {
        self.cx.placement.ring()
    }

    /// Which nodes hold each slot at present, by their numbers on the [ring](Self::ring).
    #[must_use]
    pub fn slots(&self) -> &SlotTable {
        self.cx.placement.slots()
    }

    /// The member list and the change of it that is under way.
    #[must_use]
    pub const fn membership(&self) -> &Membership {
        &self.cx.membership
    }

    /// Where the node with this number is reached; empty if there is none.
    #[must_use]
    pub fn address(&self, node: NodeIndex) -> String {
        self.cx.peers.address(node)
    }

    /// The settings.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.cx.config
    }

    /// The entries of a member.
    #[must_use]
    pub fn entries(&self) -> Option<&Entries> {
        self.member.as_ref().map(|member| &member.replica.entries)
    }

    /// Changes how much a member may store, for as long as it runs; what has to make room is forgotten, the entries
    /// used longest ago first. Returns whether this node is a member. O(entries that go).
    pub fn set_limits(
        &mut self,
        now: Now,
        max_bytes: Option<usize>,
        max_entries: Option<usize>,
    ) -> bool {
        let Some(member) = &mut self.member else {
            return false;
        };
        member.replica.set_limits(now, max_bytes, max_entries);
        true
    }

    /// Leaves so much of a member's budget unused until told otherwise; up to `limit` entries are forgotten for it.
    /// Returns whether there are more. See [`Entries::withhold`].
    pub fn withhold(&mut self, now: Now, bytes: usize, limit: usize) -> bool {
        let member = self.member.as_mut();
        member.is_some_and(|member| member.replica.withhold(now, bytes, limit))
    }

    /// Whether this node holds `key`, or takes it over.
    pub(crate) fn holds(&self, key: &[u8]) -> bool {
        let list = self.cx.preference(key);
        self.cx.me.is_some_and(|me| list.contains(me))
    }

    /// Whether a member has refused this version for good, and still remembers it.
    pub(crate) fn has_refused(&self, version: Version) -> bool {
        let member = self.member.as_ref();
        member.is_some_and(|member| member.replica.refused.contains(version))
    }

    /// Whether this node takes `key` over.
    pub(crate) fn is_pending(&self, key: &[u8]) -> bool {
        self.cx.is_pending(key)
    }

    /// How often what a member [holds](Self::held) has changed; `None` if this node is none.
    pub(crate) fn changes(&self) -> Option<u64> {
        self.member.as_ref().map(|member| member.replica.changes())
    }

    /// What a member holds of `key`, and the floor of its slot.
    pub(crate) fn held(&self, key: &[u8]) -> Option<(Option<EntryRef<'_>>, Version)> {
        let replica = &self.member.as_ref()?.replica;
        Some((replica.entries.peek(key), replica.floors.at(slot_of(key))))
    }
}

fn member_bytes(list: &Vec<Member>) -> usize {
    let text = |member: &Member| member.id.capacity() + member.address.capacity();
    list.capacity() * size_of::<Member>() + list.iter().map(text).sum::<usize>()
}
