//! One node's own view of the members: who can be reached, who is silent, who may lead.
//!
//! Membership is not liveness: a dead member is skipped, never removed from the ring. Views of different
//! nodes may differ; safety does not depend on them.

pub(super) mod clocks;
mod link;
mod missed;
mod pace;
mod view;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;

use self::clocks::{Clock, Clocks};
use self::missed::Missed;
use super::action::Action;
use super::config::{Config, Member, Role};
use super::event::Event;
use super::membership::list::Membership;
use super::rules::Rules;
use super::wire::message::{NodeState, Progress};
use crate::ring::NodeIndex;
use crate::rng::Rng;
use crate::time::{Duration, Instant};
use crate::version::Version;
use pace::Pace;

/// How far the connection to a member has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progression {
    Idle { retry_at: Instant },
    Connecting,
    Greeting { since: Instant },
    Up,
}

/// What this node knows of one member.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) id: String,
    pub(super) address: String,
    /// Whether this node found the address out by itself: it counts more than that in the membership.
    keeps_address: bool,
    /// Whether it has a part in the present membership. One that has none keeps its number, so that late
    /// answers find nobody else.
    is_active: bool,
    pub(super) state: NodeState,
    pub(super) incarnation: u32,
    progress: Progression,
    pub(super) heard_at: Instant,
    /// When a piece of a large message came last.
    piece_at: Option<Instant>,
    /// When it was last heard before the link was lost.
    lost_at: Instant,
    pinged_at: Instant,
    /// Did not answer in time, or is silent: not the first choice until the first sign of life.
    suspect: bool,
    /// Nothing was heard of it for `suspect_after`.
    silent: bool,
    /// Connection attempts in a row that came to nothing.
    failures: u32,
    /// When this view last changed, for reads that must not trust a new leader at once.
    changed_at: Option<Instant>,
    /// When it went down lately: the three last times.
    downs: [Option<Instant>; FLAPS],
    damped_until: Instant,
    /// The epoch that it went by when it was heard last.
    epoch: u64,
    /// What it said last of taking over its keys, and at which epoch.
    pending: Option<(u64, Option<Progress>)>,
    /// As long as it warms up: up to where it may have forgotten what it acknowledged in a former life.
    start_floor: Version,
    /// Its former process starts, the latest last.
    pub(super) former_incarnations: [Option<u32>; 4],
    /// What was wrong with it when it was last sent away, until it is used again.
    pub(super) rejected: Option<String>,
    missed: Missed,
    /// Whether its wall clock and this node's are further apart than clocks may be.
    pub(super) clock_differs: bool,
    /// How its clock is counted in [`Peers::clocks`].
    counted: Option<Clock>,
    /// Whether it has seen a version that is from the future, by this node's clock.
    pub(super) is_ahead: bool,
    /// The newest answer to a ping: older ones that come late say nothing of its state.
    ponged: u64,
}

/// What became of a sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Greeting {
    /// Nothing new.
    Known,
    /// The link has come up for the first time.
    Up,
    /// The link has come up again.
    Back {
        /// Whether the member runs since before the link was lost.
        same_incarnation: bool,
    },
}

/// All members, this node included if it is one. Nobody's number ever changes.
pub(super) struct Peers {
    peers: Vec<Peer>,
    /// Of the present membership.
    epoch: u64,
    me: Option<NodeIndex>,
    /// Whom to call when nobody else can be reached: those that a coordinator was started with, if they only
    /// say whom to ask for the member list.
    seeds: Vec<NodeIndex>,
    pace: Pace,
    reconnect_max: Duration,
    plain_redis: bool,
    pub(super) clocks: Clocks,
    rules: Rules,
    pub(super) rng: Rng,
}

/// Members that went down this often within [`FLAP_WINDOW`] do not lead for [`FLAP_DAMPING`].
const FLAPS: usize = 3;
const FLAP_WINDOW: Duration = Duration::from_secs(60);
const FLAP_DAMPING: Duration = Duration::from_secs(10);
/// As many failures in a row a rejection counts for: the next attempt comes within 1.6 s, or within
/// `reconnect_max` if that is less.
const FAILURES_OF_REJECTED: u32 = 5;

impl Peers {
    pub(super) fn new(config: &Config, membership: &Membership, rng: Rng) -> Self {
        let mut peers = Self {
            peers: Vec::new(),
            epoch: 0,
            me: None,
            seeds: Vec::new(),
            pace: Pace::of(config, 0),
            reconnect_max: config.reconnect_max,
            plain_redis: config.plain_redis,
            clocks: Clocks::default(),
            rules: Rules::of(config),
            rng,
        };
        peers.follow(config, membership);
        if config.is_seed_list && matches!(config.role, Role::Coordinator(_)) {
            peers.seeds = peers.indices();
        }
        peers
    }

    /// Notes who has a part in `membership`. Returns those that have none any more.
    pub(super) fn follow(&mut self, config: &Config, membership: &Membership) -> Vec<NodeIndex> {
        self.epoch = membership.epoch;
        let before = self.indices();
        for peer in &mut self.peers {
            peer.is_active = false;
        }
        for member in membership.nodes() {
            let at = self
                .index_of(&member.id)
                .unwrap_or_else(|| self.add(member));
            if let Some(peer) = self.peer_mut(at) {
                peer.is_active = true;
                if !peer.keeps_address {
                    peer.address.clone_from(&member.address);
                }
            }
        }
        if membership.nodes().count() == 1 {
            // Nobody is left to agree.
            self.clocks.forget_own();
        }
        self.count_clocks();
        self.pace = Pace::of(config, membership.nodes().count().saturating_sub(1));
        let is_gone = |node: &NodeIndex| !self.peer(*node).is_some_and(|peer| peer.is_active);
        before.into_iter().filter(is_gone).collect()
    }

    /// Counts the clock of a member anew, after whatever matters for it has changed.
    pub(super) fn count_clock(&mut self, node: NodeIndex) {
        self.recount_clock(node);
        self.clocks.judge(self.rules, self.me.is_some());
    }

    fn recount_clock(&mut self, node: NodeIndex) {
        let is_me = self.me == Some(node);
        let Some(peer) = self.peers.get_mut(node.as_usize()) else {
            return;
        };
        let is_there = peer.is_active && !is_me && peer.progress == Progression::Up;
        let clock = is_there.then_some(if peer.clock_differs {
            Clock::Differs
        } else {
            Clock::Agrees
        });
        let before = core::mem::replace(&mut peer.counted, clock);
        self.clocks.recount(before, clock);
    }

    pub(super) fn count_clocks(&mut self) {
        for node in (0..=u16::MAX).take(self.peers.len()) {
            self.recount_clock(NodeIndex(node));
        }
        self.clocks.judge(self.rules, self.me.is_some());
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        let text = |peer: &Peer| peer.id.capacity() + peer.address.capacity();
        self.peers.capacity() * size_of::<Peer>() + self.peers.iter().map(text).sum::<usize>()
    }

    /// This node itself, whether it has a part in the membership or not.
    pub(super) fn set_me(&mut self, id: &str) -> NodeIndex {
        let me = self
            .index_of(id)
            .unwrap_or_else(|| self.add(&Member::new(id)));
        self.me = Some(me);
        self.count_clock(me);
        me
    }

    fn add(&mut self, member: &Member) -> NodeIndex {
        // A process would have to see as many changes for the numbers to run out.
        let number = u16::try_from(self.peers.len()).unwrap_or(u16::MAX);
        self.peers.push(Peer::new(member));
        NodeIndex(number)
    }

    /// Everyone that has a part in the membership.
    pub(super) fn indices(&self) -> Vec<NodeIndex> {
        let numbered = (0..=u16::MAX).map(NodeIndex).zip(&self.peers);
        let active = numbered.filter(|(_, peer)| peer.is_active);
        active.map(|(node, _)| node).collect()
    }

    /// Everyone to whom a link is kept up, in order; not this node itself.
    fn called(&self) -> Vec<NodeIndex> {
        let mut called = self.indices();
        called.extend(self.called_seeds());
        called.sort_unstable();
        called.dedup();
        called.retain(|node| self.me != Some(*node));
        called
    }

    /// The seeds, if none of those in the membership can be reached.
    fn called_seeds(&self) -> Vec<NodeIndex> {
        let is_up = |node: &NodeIndex| self.is_up(*node);
        if self.seeds.is_empty() || self.indices().iter().any(is_up) {
            return Vec::new();
        }
        self.seeds.clone()
    }

    /// The number of the node with this id. O(nodes).
    pub(super) fn index_of(&self, id: &str) -> Option<NodeIndex> {
        let mut numbered = (0..=u16::MAX).map(NodeIndex).zip(&self.peers);
        let found = numbered.find(|(_, peer)| peer.id == id);
        found.map(|(node, _)| node)
    }

    /// The numbers of all, by id. O(members · log members).
    pub(super) fn numbers(&self) -> BTreeMap<&str, NodeIndex> {
        let numbers = (0..=u16::MAX).map(NodeIndex);
        self.peers
            .iter()
            .map(|peer| &*peer.id)
            .zip(numbers)
            .collect()
    }

    pub(super) fn peer(&self, node: NodeIndex) -> Option<&Peer> {
        self.peers.get(node.as_usize())
    }

    pub(super) fn peer_mut(&mut self, node: NodeIndex) -> Option<&mut Peer> {
        self.peers.get_mut(node.as_usize())
    }

    /// Notes the epoch of a member.
    pub(super) fn note_epoch(&mut self, node: NodeIndex, epoch: u64) {
        if let Some(peer) = self.peer_mut(node) {
            peer.epoch = epoch.max(peer.epoch);
        }
    }

    /// Notes how far a member, or this node itself, has come with taking over its keys.
    pub(super) fn note_pending(&mut self, node: NodeIndex, epoch: u64, pending: Option<Progress>) {
        if let Some(peer) = self.peer_mut(node) {
            peer.pending = Some((epoch, pending));
        }
    }

    pub(super) fn note_start_floor(&mut self, node: NodeIndex, start_floor: Version) {
        if let Some(peer) = self.peer_mut(node) {
            peer.start_floor = start_floor;
        }
    }

    /// Gives up the links to nodes that have had no part in the membership for a while. Returns them.
    pub(super) fn retire(&mut self, now: Instant) -> Vec<NodeIndex> {
        let mut retired = Vec::new();
        let (seeds, down_after) = (self.called_seeds(), self.pace.down_after());
        for (node, peer) in (0..=u16::MAX).map(NodeIndex).zip(&mut self.peers) {
            let is_connected = !matches!(peer.progress, Progression::Idle { .. });
            let is_left = !peer.is_active && !seeds.contains(&node);
            if is_left && is_connected && now - peer.heard_at > down_after {
                peer.progress = Progression::Idle { retry_at: now };
                retired.push(node);
            }
        }
        for node in &retired {
            self.count_clock(*node);
        }
        retired
    }

    /// This node stood still for so long that others may have gone on without it: it does not trust its own
    /// word at once.
    pub(super) fn note_absence(&mut self, now: Instant) {
        if let Some(me) = self.me.and_then(|me| self.peer_mut(me)) {
            me.changed_at = Some(now);
        }
    }

    /// Notes the state of a member; this node's own included. Returns whether it is a new one.
    pub(super) fn set_state(&mut self, now: Instant, node: NodeIndex, state: NodeState) -> bool {
        let Some(peer) = self.peer_mut(node) else {
            return false;
        };
        let changed = peer.state != state;
        if changed {
            peer.state = state;
            peer.changed_at = Some(now);
        }
        changed
    }

    /// Takes a member out of the choice until it gives a sign of life.
    pub(super) fn suspect(&mut self, now: Instant, node: NodeIndex, out: &mut VecDeque<Action>) {
        if self.me == Some(node) {
            return;
        }
        let Some(peer) = self.peer_mut(node) else {
            return;
        };
        if peer.progress == Progression::Up && !peer.suspect {
            peer.suspect = true;
            peer.changed_at = Some(now);
            let node = peer.id.clone();
            out.push_back(Action::Event(Event::Ejected { node }));
        }
    }

    /// Remembers what is wrong with a member, for those who ask for its keys. Most of the time it is not tried again as
    /// soon as one that was merely lost. Returns whether that is news.
    pub(super) fn note_rejection(&mut self, node: NodeIndex, reason: &str) -> bool {
        let Some(peer) = self.peer_mut(node) else {
            return false;
        };
        let is_news = peer.rejected.as_deref() != Some(reason);
        peer.rejected = Some(reason.into());
        peer.failures = peer.failures.max(FAILURES_OF_REJECTED);
        is_news
    }

    /// A member did not confirm a version that this node holds.
    pub(super) fn note_missed(&mut self, node: NodeIndex, version: Version) {
        if let Some(peer) = self.peer_mut(node) {
            peer.missed.note(version);
        }
    }

    /// A member is sent what is newer than `since`: the first piece, or the last.
    pub(super) fn pulled(&mut self, node: NodeIndex, since: u64, is_first: bool, is_last: bool) {
        if let Some(peer) = self.peer_mut(node) {
            peer.missed.pulled(since, is_first, is_last);
        }
    }

    /// A random number.
    pub(super) const fn draw(&mut self) -> u32 {
        self.rng.next_u64() as u32
    }

    /// This node looked at nothing for so long: its peers were not silent meanwhile.
    pub(super) fn excuse_lateness(&mut self, now: Instant, lateness: Duration) {
        for peer in &mut self.peers {
            peer.heard_at = now.min(peer.heard_at + lateness);
            if let Progression::Greeting { since } = &mut peer.progress {
                *since = now.min(*since + lateness);
            }
        }
    }

    /// Starts as if nothing had been heard for a while: after this process itself stood still, silence
    /// says nothing about others.
    pub(super) fn excuse_silence(&mut self, now: Instant) {
        for peer in &mut self.peers {
            peer.heard_at = now;
        }
    }
}

impl Peer {
    fn new(member: &Member) -> Self {
        Self {
            id: member.id.clone(),
            address: member.address.clone(),
            keeps_address: false,
            is_active: false,
            state: NodeState::Warming,
            incarnation: 0,
            progress: Progression::Idle {
                retry_at: Instant::ZERO,
            },
            heard_at: Instant::ZERO,
            piece_at: None,
            lost_at: Instant::ZERO,
            pinged_at: Instant::ZERO,
            suspect: false,
            silent: false,
            failures: 0,
            changed_at: None,
            downs: [None; FLAPS],
            damped_until: Instant::ZERO,
            epoch: 0,
            pending: None,
            start_floor: Version::ZERO,
            former_incarnations: [None; 4],
            rejected: None,
            missed: Missed::default(),
            clock_differs: false,
            counted: None,
            is_ahead: false,
            ponged: 0,
        }
    }

    fn note_down(&mut self, now: Instant) {
        self.changed_at = Some(now);
        self.lost_at = self.heard_at;
        self.suspect = false;
        self.silent = false;
        self.downs.rotate_left(1);
        if let Some(last) = self.downs.last_mut() {
            *last = Some(now);
        }
        let flapping = self
            .downs
            .iter()
            .all(|down| down.is_some_and(|at| now - at < FLAP_WINDOW));
        if flapping {
            self.damped_until = now + FLAP_DAMPING;
        }
    }
}
