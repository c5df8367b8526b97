//! The life of the link to each member: connecting, greeting, signs of life, silence, loss, and connecting again.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::{Greeting, Peer, Peers, Progression};
use crate::replication::action::{Action, Link};
use crate::replication::event::{DownReason, Event};
use crate::replication::membership::list::Membership;
use crate::replication::plain::PlainQuestion;
use crate::replication::wire::message::{Body, Message, NodeState};
use crate::ring::NodeIndex;
use crate::time::{Duration, Instant};

const RECONNECT_BASE: Duration = Duration::from_millis(50);
/// Above this many failures the back-off has reached its maximum in any case.
const MAX_DOUBLINGS: u32 = 16;

impl Peers {
    /// The connection is there; the greeting is next.
    pub(in crate::replication) fn connected(&mut self, now: Instant, node: NodeIndex) {
        if let Some(peer) = self.peer_mut(node) {
            peer.progress = Progression::Greeting { since: now };
            peer.ponged = 0;
            peer.heard_at = now;
        }
        self.count_clock(node);
    }

    /// The connection is gone or did not come about. Returns whether the member was up before.
    pub(in crate::replication) fn disconnected(
        &mut self,
        now: Instant,
        node: NodeIndex,
        reason: DownReason,
        out: &mut VecDeque<Action>,
    ) -> bool {
        let failures = self.peer(node).map_or(0, |peer| peer.failures);
        let wait = self.back_off(failures);
        let Some(peer) = self.peer_mut(node) else {
            return false;
        };
        let was_up = peer.progress == Progression::Up;
        peer.missed.pull_broke();
        peer.pending = None;
        peer.epoch = 0;
        peer.progress = Progression::Idle {
            retry_at: now + wait,
        };
        peer.failures = failures.saturating_add(1);
        if was_up {
            peer.note_down(now);
            let node = peer.id.clone();
            out.push_back(Action::Event(Event::Down { node, reason }));
        }
        self.count_clock(node);
        was_up
    }

    /// A member called: whatever kept it away is over, so the next attempt need not wait.
    pub(in crate::replication) fn called_by(&mut self, now: Instant, node: NodeIndex) {
        if let Some(peer) = self.peer_mut(node)
            && let Progression::Idle { retry_at } = &mut peer.progress
        {
            *retry_at = now.min(*retry_at);
        }
    }

    /// From now on the address in the membership no longer counts for this member.
    pub(in crate::replication) fn keep_address(&mut self, node: NodeIndex) {
        if let Some(peer) = self.peer_mut(node) {
            peer.keeps_address = true;
        }
    }

    /// The member is reached at `address`, and may be called at once. Returns whether that is news.
    pub(in crate::replication) fn relocate(
        &mut self,
        now: Instant,
        node: NodeIndex,
        address: &str,
    ) -> bool {
        self.called_by(now, node);
        let Some(peer) = self.peer_mut(node).filter(|peer| peer.address != address) else {
            return false;
        };
        peer.address = address.into();
        true
    }

    /// Whether a member is reached elsewhere than `membership` says.
    pub(in crate::replication) fn has_moved(&self, membership: &Membership) -> bool {
        let mut kept = self.peers.iter().filter(|peer| peer.keeps_address);
        kept.any(|peer| {
            let mut nodes = membership.nodes();
            nodes.any(|member| member.id == peer.id && member.address != peer.address)
        })
    }

    /// Any message came from the member.
    pub(in crate::replication) fn heard(
        &mut self,
        now: Instant,
        node: NodeIndex,
        out: &mut VecDeque<Action>,
    ) {
        let Some(peer) = self.peer_mut(node) else {
            return;
        };
        peer.heard_at = now;
        peer.silent = false;
        if peer.suspect {
            peer.suspect = false;
            peer.changed_at = Some(now);
            let node = peer.id.clone();
            out.push_back(Action::Event(Event::Rejoined { node }));
        }
    }

    /// A piece of a large message came from the member.
    pub(in crate::replication) fn heard_piece(&mut self, now: Instant, node: NodeIndex) {
        if let Some(peer) = self.peer_mut(node) {
            peer.piece_at = Some(now);
        }
    }

    /// Whether this answer to a ping is newer than those before it.
    pub(in crate::replication) fn is_news(&mut self, node: NodeIndex, ping: u64) -> bool {
        self.peer_mut(node).is_some_and(|peer| {
            let is_news = ping >= peer.ponged;
            peer.ponged = peer.ponged.max(ping);
            is_news
        })
    }

    /// The member told its incarnation and its state.
    pub(in crate::replication) fn greeted(
        &mut self,
        now: Instant,
        node: NodeIndex,
        (incarnation, state): (u32, NodeState),
        out: &mut VecDeque<Action>,
    ) -> Greeting {
        let changed = self.set_state(now, node, state);
        let first_ping = self.first_ping(now, node);
        let Some(peer) = self.peer_mut(node) else {
            return Greeting::Known;
        };
        let came_up = matches!(peer.progress, Progression::Greeting { .. });
        let same_incarnation = peer.incarnation == incarnation && peer.changed_at.is_some();
        if peer.incarnation != incarnation && peer.changed_at.is_some() && came_up {
            peer.former_incarnations.rotate_left(1);
            if let Some(last) = peer.former_incarnations.last_mut() {
                *last = Some(peer.incarnation);
            }
        }
        peer.incarnation = incarnation;
        if !came_up {
            if changed {
                let node = peer.id.clone();
                out.push_back(Action::Event(Event::StateChanged { node, state }));
            }
            return Greeting::Known;
        }
        let id = peer.id.clone();
        let was_down = peer.downs.iter().any(Option::is_some);
        peer.progress = Progression::Up;
        if let Some(at) = first_ping {
            peer.pinged_at = at;
        }
        peer.suspect = false;
        peer.silent = false;
        peer.rejected = None;
        peer.failures = 0;
        peer.changed_at = Some(now);
        out.push_back(Action::Event(Event::Up {
            node: id.clone(),
            state,
        }));
        self.count_clock(node);
        if was_down {
            out.push_back(Action::Event(Event::Rejoined { node: id }));
            return Greeting::Back { same_incarnation };
        }
        Greeting::Up
    }

    /// Connects, pings, and notices silence. Returns the members that were lost.
    pub(in crate::replication) fn tick(
        &mut self,
        now: Instant,
        out: &mut VecDeque<Action>,
    ) -> Vec<NodeIndex> {
        let called = self.called().into_iter();
        called
            .filter(|node| self.tick_one(now, *node, out))
            .collect()
    }

    /// Returns whether the member was lost.
    fn tick_one(&mut self, now: Instant, node: NodeIndex, out: &mut VecDeque<Action>) -> bool {
        let Some(peer) = self.peer(node) else {
            return false;
        };
        let (progress, silent, silence) = (peer.progress, peer.silent, now - peer.heard_at);
        let is_too_late = match progress {
            Progression::Idle { retry_at } => {
                if retry_at <= now {
                    self.connect(node, out);
                }
                return false;
            }
            Progression::Connecting => return false,
            Progression::Greeting { since } => now - since > self.pace.greeting(),
            Progression::Up => silence > self.pace.down_after(),
        };
        if is_too_late {
            out.push_back(Action::Disconnect(Link::Peer(node)));
            return self.disconnected(now, node, DownReason::Silent, out);
        }
        if progress != Progression::Up {
            return false;
        }
        self.ping_if_due(now, node, out);
        let newly_silent = silence > self.pace.suspect_after() && !silent;
        if newly_silent {
            if let Some(peer) = self.peer_mut(node) {
                peer.silent = true;
            }
            self.suspect(now, node, out);
        }
        newly_silent
    }

    fn connect(&mut self, node: NodeIndex, out: &mut VecDeque<Action>) {
        if let Some(peer) = self.peer_mut(node) {
            peer.progress = Progression::Connecting;
            out.push_back(Action::Connect(node));
        }
    }

    fn ping_if_due(&mut self, now: Instant, node: NodeIndex, out: &mut VecDeque<Action>) {
        let pace = self.pace;
        let is_due = |peer: &Peer| pace.is_due(now, peer.pinged_at, peer.heard_at);
        if self.peer(node).is_some_and(is_due) {
            self.ping(now, node, out);
        }
    }

    /// A request waits for a member that does not serve: it is asked before the next heartbeat whether it does now.
    pub(in crate::replication) fn ask_state(
        &mut self,
        now: Instant,
        node: NodeIndex,
        out: &mut VecDeque<Action>,
    ) {
        let impatient = self.pace.impatient();
        let waits = |peer: &Peer| {
            let is_up = peer.progress == Progression::Up;
            is_up && peer.state != NodeState::Serving && now - peer.pinged_at >= impatient
        };
        if self.peer(node).is_some_and(waits) {
            self.ping(now, node, out);
        }
    }

    fn ping(&mut self, now: Instant, node: NodeIndex, out: &mut VecDeque<Action>) {
        let (epoch, plain_redis) = (self.epoch, self.plain_redis);
        let Some(peer) = self.peer_mut(node) else {
            return;
        };
        peer.pinged_at = now;
        if plain_redis {
            return out.push_back(Action::Ask(node, PlainQuestion::Ping));
        }
        let missed = peer.missed.since.map(|since| Body::Missed { since });
        for body in [Some(Body::Ping), missed].into_iter().flatten() {
            let id = now.as_micros();
            let message = Message { id, epoch, body };
            out.push_back(Action::Send(Link::Peer(node), message));
        }
    }

    /// When a member that comes up now counts as pinged, if that matters.
    fn first_ping(&mut self, now: Instant, node: NodeIndex) -> Option<Instant> {
        let peer = self.peer(node)?;
        let comes_up = matches!(peer.progress, Progression::Greeting { .. });
        let pace = self.pace;
        comes_up.then(|| pace.first_ping(now, &mut self.rng))?
    }

    /// Full jitter: anything between nothing and a bound that doubles with each failure.
    fn back_off(&mut self, failures: u32) -> Duration {
        let bound = RECONNECT_BASE * (1 << failures.min(MAX_DOUBLINGS));
        self.rng.duration_below(bound.min(self.reconnect_max))
    }
}
