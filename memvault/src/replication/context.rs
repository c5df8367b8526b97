//! What all parts of a node share: the ring, the view of the peers, the clock, the way out.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Now;
use super::action::{Action, Link};
use super::budget::Budget;
use super::config::Config;
use super::event::Event;
use super::membership::list::Membership;
use super::membership::placement::Placement;
use super::membership::preference::Preference;
use super::peers::Peers;
use super::request::Failure;
use super::rules::{Rule, Rules};
use super::statistics::NodeStatistics;
use super::wire;
use super::wire::message::{Body, Message, NodeState};
use crate::ring::NodeIndex;
use crate::time::Instant;
use crate::version::{Hlc, Version};

/// The common ground of coordinator, leader, replica and warm-up.
pub(super) struct Context {
    pub(super) config: Config,
    pub(super) rules: Rules,
    pub(super) membership: Membership,
    /// Shared: the ring of a large cluster takes megabytes, and a process may have many nodes.
    pub(super) placement: Arc<Placement>,
    /// This node's own number, if it holds data.
    pub(super) me: Option<NodeIndex>,
    pub(super) peers: Peers,
    pub(super) hlc: Hlc,
    pub(super) out: VecDeque<Action>,
    /// Messages of this node to itself; delivered before anything else happens.
    pub(super) local: VecDeque<Message>,
    pub(super) statistics: NodeStatistics,
    /// What may be sent again without a dead or silent member to explain it.
    pub(super) budget: Budget,
    /// When the present membership replaced another.
    pub(super) changed_at: Option<Instant>,
    next_id: u64,
}

impl Context {
    pub(super) fn new(
        config: Config,
        membership: Membership,
        placement: Arc<Placement>,
        me: Option<NodeIndex>,
        peers: Peers,
        hlc: Hlc,
    ) -> Self {
        Self {
            rules: Rules::of(&config),
            changed_at: None,
            config,
            membership,
            placement,
            me,
            peers,
            hlc,
            out: VecDeque::new(),
            local: VecDeque::new(),
            statistics: NodeStatistics::default(),
            budget: Budget::new(),
            next_id: 0,
        }
    }

    /// The id that a member is expected to have; empty for one of whom only the address is known.
    pub(super) fn called_as(&self, node: NodeIndex) -> String {
        if self.membership.epoch == 0 || !self.peers.is_active(node) {
            String::new()
        } else {
            self.peers.id(node)
        }
    }

    /// Why a request finds none of its replicas.
    pub(super) fn unavailable(&self, replicas: &Preference) -> Failure {
        let mut nodes = replicas.nodes().iter();
        let rejected = nodes.find_map(|node| {
            let reason = self.peers.peer(*node)?.rejected.clone()?;
            let node = self.peers.id(*node);
            Some(Failure::Rejected { node, reason })
        });
        rejected.unwrap_or(Failure::Unavailable)
    }

    /// The replicas of `key`, in order.
    pub(super) fn preference(&self, key: &[u8]) -> Preference {
        self.placement.preference(key)
    }

    /// Whether an acknowledgement of `node` would count for a write.
    pub(super) fn acknowledges(&self, list: &Preference, node: NodeIndex) -> bool {
        self.peers.counts(node) || list.is_pending(node) && self.peers.is_in_view(node)
    }

    /// Goes by another membership from now on.
    pub(super) fn follow(&mut self, now: Now, membership: Membership, placement: Placement) {
        debug_assert!(
            membership.epoch > self.membership.epoch,
            "an epoch is followed by later ones alone"
        );
        debug_assert!(
            membership.flaw().is_none(),
            "it was looked at before it was taken"
        );
        self.membership = membership;
        self.placement = Arc::new(placement);
        self.changed_at = Some(now.instant);
    }

    /// The members, who vote on the next membership.
    pub(super) fn voters(&self) -> Vec<NodeIndex> {
        let ids = self.membership.members.iter().map(|member| &member.id);
        ids.filter_map(|id| self.peers.index_of(id)).collect()
    }

    /// Whether this node has yet to take `key` over.
    pub(super) fn is_pending(&self, key: &[u8]) -> bool {
        self.membership.change.is_some()
            && self
                .me
                .is_some_and(|me| self.preference(key).is_pending(me))
    }

    /// A number that was never used before in this process.
    pub(super) const fn fresh_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Sends a message to a member; to this node itself without a detour.
    pub(super) fn send(&mut self, to: NodeIndex, id: u64, body: Body) {
        self.answer(Link::Peer(to), id, body);
    }

    /// Sends an answer to where the question came from.
    pub(super) fn answer(&mut self, to: Link, id: u64, body: Body) {
        let epoch = self.membership.epoch;
        debug_assert_eq!(body.flaw(), None, "{body:?}");
        let message = Message { id, epoch, body };
        if self.me.is_some_and(|me| to == Link::Peer(me)) {
            self.local.push_back(message);
        } else {
            self.out.push_back(Action::Send(to, message));
        }
    }

    /// Whether a message takes so long to send that its time is counted from the end of that.
    pub(super) fn is_bulk(&self, body: &Body) -> bool {
        wire::is_bulk(self.membership.epoch, body)
    }

    /// Takes from the budget what a message of so many bytes costs that is sent again, or beyond what a request needs.
    /// Returns whether there is enough.
    pub(super) fn can_afford(&mut self, bytes: usize) -> bool {
        !self.rules.keep(Rule::RetriesHaveABudget) || self.budget.spend(bytes)
    }

    pub(super) fn event(&mut self, event: Event) {
        self.out.push_back(Action::Event(event));
    }

    /// Takes note of a version that somebody else made; raises the alarm if it is not believable.
    pub(super) fn observe(&mut self, now: Now, version: Version) -> bool {
        let believable = self.hlc.observe(version.hlc(), now.wall);
        if !believable {
            self.statistics.clock_skews += 1;
        }
        believable
    }

    /// Takes a silent member out of the choice.
    pub(super) fn suspect(&mut self, now: Now, node: NodeIndex) {
        self.peers.suspect(now.instant, node, &mut self.out);
    }

    /// Asks a member that does not serve whether it does now.
    pub(super) fn ask_state(&mut self, now: Now, node: NodeIndex) {
        self.peers.ask_state(now.instant, node, &mut self.out);
    }

    /// Notes what a member says of its state, sooner than its next heartbeat would.
    pub(super) fn set_state(&mut self, now: Now, node: NodeIndex, state: NodeState) {
        if self.peers.set_state(now.instant, node, state) {
            let node = self.peers.id(node);
            self.event(Event::StateChanged { node, state });
        }
    }
}
