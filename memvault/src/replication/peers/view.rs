//! What this node asks of its view: who can be reached, who is silent, who may lead.

use alloc::string::String;
use alloc::vec::Vec;

use super::{Peer, Peers, Progression};
use crate::replication::wire::message::{NodeState, Progress};
use crate::ring::NodeIndex;
use crate::time::{Duration, Instant};
use crate::version::Version;

/// Pieces of one large message follow each other sooner than this, as long as the member that sends them lives.
const BETWEEN_PIECES: Duration = Duration::from_millis(50);

impl Peers {
    /// Silence after which a member is no longer chosen.
    pub(in crate::replication) fn suspect_after(&self) -> Duration {
        self.pace.suspect_after()
    }

    /// Silence after which a link is closed.
    pub(in crate::replication) fn down_after(&self) -> Duration {
        self.pace.down_after()
    }

    /// Whether it has a part in the membership.
    pub(in crate::replication) fn is_active(&self, node: NodeIndex) -> bool {
        self.peer(node).is_some_and(|peer| peer.is_active)
    }

    /// The member's id; empty for a node that does not exist.
    pub(in crate::replication) fn id(&self, node: NodeIndex) -> String {
        self.peer(node)
            .map_or_else(String::new, |peer| peer.id.clone())
    }

    /// Where it is reached; empty for a node that does not exist.
    pub(in crate::replication) fn address(&self, node: NodeIndex) -> String {
        self.peer(node)
            .map_or_else(String::new, |peer| peer.address.clone())
    }

    /// Whether messages can be sent to it; this node itself always.
    pub(in crate::replication) fn is_up(&self, node: NodeIndex) -> bool {
        self.me == Some(node)
            || self
                .peer(node)
                .is_some_and(|peer| peer.progress == Progression::Up)
    }

    /// Whether it goes by the present membership; this node itself always.
    pub(in crate::replication) fn follows(&self, node: NodeIndex) -> bool {
        self.me == Some(node) || self.peer(node).is_some_and(|peer| peer.epoch == self.epoch)
    }

    /// How far a member has come under the present membership; `None` if it has everything, or has not said.
    pub(in crate::replication) fn pending(&self, node: NodeIndex) -> Option<Progress> {
        let (epoch, pending) = self.peer(node)?.pending?;
        pending.filter(|_| epoch == self.epoch)
    }

    /// Whether a member has said that it has everything that it should hold under the present membership.
    pub(in crate::replication) fn has_gained(&self, node: NodeIndex) -> bool {
        let said = self.peer(node).and_then(|peer| peer.pending);
        said == Some((self.epoch, None))
    }

    /// Up to where a member that warms up may have forgotten things, as it said last.
    pub(in crate::replication) fn start_floor(&self, node: NodeIndex) -> Version {
        self.peer(node)
            .map_or(Version::ZERO, |peer| peer.start_floor)
    }

    /// The process start of a member that is up.
    pub(in crate::replication) fn incarnation(&self, node: NodeIndex) -> Option<u32> {
        self.peer(node)
            .filter(|peer| peer.progress == Progression::Up)
            .map(|peer| peer.incarnation)
    }

    /// Since when a member is out of reach, if it is.
    pub(in crate::replication) fn down_since(&self, node: NodeIndex) -> Option<Instant> {
        let peer = self.peer(node).filter(|_| self.is_down(node))?;
        Some(peer.changed_at.unwrap_or_default())
    }

    /// Everyone to whom there is a link, with a part in the membership or not; not this node itself.
    pub(in crate::replication) fn reachable(&self) -> Vec<NodeIndex> {
        let numbered = (0..=u16::MAX).map(NodeIndex).zip(&self.peers);
        let up = numbered.filter(|(_, peer)| peer.progress == Progression::Up);
        up.map(|(node, _)| node).collect()
    }

    /// Whether it is known to be unreachable, rather than not tried yet.
    pub(in crate::replication) fn is_down(&self, node: NodeIndex) -> bool {
        !self.is_up(node) && self.peer(node).is_some_and(|peer| peer.failures > 0)
    }

    /// Whether it is up and not silent.
    pub(in crate::replication) fn is_live(&self, node: NodeIndex) -> bool {
        self.is_up(node) && self.peer(node).is_some_and(|peer| !peer.suspect)
    }

    /// Whether it is up and was heard lately. One that was late with an answer need not be gone: nothing is
    /// done without it on that account.
    pub(in crate::replication) fn is_in_view(&self, node: NodeIndex) -> bool {
        self.is_up(node) && self.peer(node).is_some_and(|peer| !peer.silent)
    }

    /// Whether fewer than a majority of the members are in view, this one counted: the others may do without it.
    pub(in crate::replication) fn is_cut_off(&self) -> bool {
        let members = self.indices();
        let in_view = members.iter().filter(|node| self.is_in_view(**node));
        in_view.count() <= members.len() / 2
    }

    /// Whether it is in view and its answers count.
    pub(in crate::replication) fn counts(&self, node: NodeIndex) -> bool {
        self.is_in_view(node) && self.state(node) != Some(NodeState::Warming)
    }

    /// This node itself, if it is a member.
    pub(in crate::replication) const fn me(&self) -> Option<NodeIndex> {
        self.me
    }

    /// Whether it may lead.
    pub(in crate::replication) fn may_lead(&self, now: Instant, node: NodeIndex) -> bool {
        self.is_live(node)
            && self.peer(node).is_some_and(|peer| {
                let is_fit = !peer.is_ahead && peer.damped_until <= now;
                peer.state == NodeState::Serving && is_fit
            })
            && !self.clock_differs(node)
    }

    pub(in crate::replication) fn state(&self, node: NodeIndex) -> Option<NodeState> {
        self.peer(node).map(|peer| peer.state)
    }

    /// Whether anything was heard of it within `time`; of this node itself always.
    pub(in crate::replication) fn was_heard_within(
        &self,
        now: Instant,
        node: NodeIndex,
        time: Duration,
    ) -> bool {
        let heard = |peer: &Peer| now - peer.heard_at < time;
        self.me == Some(node) || self.peer(node).is_some_and(heard)
    }

    /// Whether pieces of a large message are coming from it.
    pub(in crate::replication) fn is_delivering(&self, now: Instant, node: NodeIndex) -> bool {
        let piece_at = self.peer(node).and_then(|peer| peer.piece_at);
        piece_at.is_some_and(|at| now - at < BETWEEN_PIECES)
    }

    pub(in crate::replication) fn is_suspect(&self, node: NodeIndex) -> bool {
        self.peer(node).is_some_and(|peer| peer.suspect)
    }

    /// For how long nothing was heard of it, when the link comes back.
    pub(in crate::replication) fn silence(&self, now: Instant, node: NodeIndex) -> Duration {
        self.peer(node)
            .map_or(Duration::ZERO, |peer| now - peer.lost_at)
    }

    /// Whether the view of this member changed less than `settle` ago.
    pub(in crate::replication) fn is_settling(
        &self,
        now: Instant,
        node: NodeIndex,
        settle: Duration,
    ) -> bool {
        self.peer(node)
            .and_then(|peer| peer.changed_at)
            .is_some_and(|at| now - at < settle)
    }

    /// Whether it was sent away when it was last called.
    pub(in crate::replication) fn is_rejected(&self, node: NodeIndex) -> bool {
        self.peer(node).is_some_and(|peer| peer.rejected.is_some())
    }
}
