//! The state machine of one node: takes inputs, keeps a queue of actions.
//!
//! After every input, and before the next, drain [`Node::poll_action`]; then arrange for
//! [`Node::handle_timeout`] to be called at [`Node::poll_timeout`].

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::Now;
use super::action::{Action, DownReason, Event, Link};
use super::config::{Config, ConfigError, Role};
use super::context::Context;
use super::coordinator::{Coordinator, Levels, is_operation};
use super::leader::Leader;
use super::message::{Body, Hello, Message, NodeState};
use super::peers::{Greeting, Peers};
use super::pull::pull;
use super::replica::Replica;
use super::request::Request;
use super::warm_up::WarmUp;
use crate::chance::Chance;
use crate::hash::token;
use crate::ring::{NodeIndex, Ring, RingError};
use crate::store;
use crate::store::Entries;
use crate::time::{Duration, Instant};
use crate::version::{Hlc, Version};

/// Counters of a [`Node`] since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeStatistics {
    /// Requests begun.
    pub requests: u64,
    /// Requests that ended with a failure.
    pub failed_requests: u64,
    /// Reads that found a value.
    pub hits: u64,
    /// Reads that found none.
    pub misses: u64,
    /// Operations that went on with another replica because one was lost or silent.
    pub failovers: u64,
    /// Writes that started over under a new tag.
    pub retags: u64,
    /// Writes acknowledged by fewer replicas than a quorum.
    pub degraded_writes: u64,
    /// Replicas offered a newer version by a reader.
    pub read_repairs: u64,
    /// Versions from too far in the future.
    pub clock_skews: u64,
    /// Tags forgotten early because there were more than `max_tags`.
    pub dropped_tags: u64,
}

/// What a [`Node`] knows of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerStatus {
    /// The member's place on the ring.
    pub index: NodeIndex,
    /// The member's id.
    pub id: String,
    /// Whether it can be reached.
    pub is_up: bool,
    /// Whether it is silent and not chosen.
    pub is_suspect: bool,
    /// What it said last that it can be used for.
    pub state: NodeState,
}

/// One node of the cluster, without sockets, clocks and threads.
pub struct Node {
    cx: Context,
    coordinator: Coordinator,
    member: Option<Member>,
    boot: u32,
    name: String,
    /// Who opened which connection, once it has said so.
    inbound: BTreeMap<u64, Option<NodeIndex>>,
    next_tick: Instant,
    last_tick: Instant,
    few_nodes_reported: bool,
}

/// What only a member has.
struct Member {
    me: NodeIndex,
    replica: Replica,
    leader: Leader,
    warm_up: Option<WarmUp>,
}

/// How often liveness is looked at.
const TICK: Duration = Duration::from_millis(25);
/// A gap between two ticks above this means that the process stood still.
const PAUSE_FENCE: Duration = Duration::from_millis(500);
/// How much further back than the moment of silence a member fetches when it catches up, in milliseconds.
const CATCH_UP_MARGIN_MS: u64 = 5_000;

impl Node {
    /// Makes a node that has not started yet: the first [`handle_timeout`](Self::handle_timeout) makes it
    /// connect to the members.
    ///
    /// `boot` must be a fresh random number at every process start; `seed` feeds jitter and hashing;
    /// `entries` bounds the memory of a member, and is ignored for a coordinator.
    ///
    /// # Errors
    /// If the configuration is contradictory; see [`ConfigError`].
    pub fn new(
        config: Config,
        boot: u32,
        seed: u64,
        entries: store::Config,
        now: Now,
    ) -> Result<Self, ConfigError> {
        check(&config)?;
        let ring = build_ring(&config)?;
        let (me, name) = match &config.role {
            Role::Coordinator(name) => (None, name.clone()),
            Role::Member(id) => {
                let me = ring
                    .index_of(id)
                    .ok_or_else(|| ConfigError::NotAMember(id.clone()))?;
                (Some(me), id.clone())
            }
        };
        let mut ids: Vec<(NodeIndex, String)> = Vec::new();
        for member in &config.members {
            if let Some(index) = ring.index_of(&member.id) {
                ids.push((index, member.id.clone()));
            }
        }
        ids.sort_unstable();
        let mut chance = Chance::new(seed);
        let hasher = hasher(&mut chance);
        let ids = ids.into_iter().map(|(_, id)| id).collect();
        let peers = Peers::new(&config, ids, me, chance);
        let cx = Context::new(config, ring, me, peers, Hlc::new(boot));
        let member = me.map(|me| Member {
            me,
            replica: Replica::new(&cx.config, Entries::new(entries, hasher.clone())),
            leader: Leader::new(cx.config.op_deadline, &hasher),
            warm_up: Some(WarmUp::after_start(&cx, now)),
        });
        Ok(Self {
            coordinator: Coordinator::new(&cx, &hasher),
            cx,
            member,
            boot,
            name,
            inbound: BTreeMap::new(),
            next_tick: now.instant,
            last_tick: now.instant,
            few_nodes_reported: false,
        })
    }

    /// Begins a request of a caller. `id` must be unique among those in flight; the outcome appears as
    /// [`Action::Complete`] with this id, at the latest after `op_deadline`.
    pub fn handle_request(&mut self, now: Now, id: u64, request: Request, levels: Levels) {
        self.coordinator
            .handle_request(&mut self.cx, now, id, request, levels);
        self.deliver_local(now);
    }

    /// The connection that [`Action::Connect`] asked for is there.
    pub fn handle_connected(&mut self, now: Now, peer: NodeIndex) {
        self.cx.peers.connected(now.instant, peer);
        let hello = Hello {
            node_id: self.name.clone(),
            boot: self.boot,
            ring: self.cx.ring.digest(),
            replicas: u8::try_from(self.cx.config.replicas).unwrap_or(u8::MAX),
            is_member: self.member.is_some(),
        };
        self.cx.send(peer, 0, Body::Hello(hello));
    }

    /// The connection to a member broke, or did not come about.
    pub fn handle_disconnected(&mut self, now: Now, peer: NodeIndex) {
        let reason = DownReason::Disconnected;
        let was_up = self
            .cx
            .peers
            .disconnected(now.instant, peer, reason, &mut self.cx.out);
        if was_up {
            self.lose(now, peer);
        } else if self.cx.peers.is_down(peer) {
            self.coordinator.handle_lost(&mut self.cx, now, peer);
        }
        self.deliver_local(now);
    }

    /// A connection that somebody opened to this node is gone.
    pub fn handle_inbound_closed(&mut self, link: u64) {
        self.inbound.remove(&link);
    }

    /// A message came in.
    pub fn handle_message(&mut self, now: Now, from: Link, message: Message) {
        self.receive(now, from, message);
        self.deliver_local(now);
    }

    /// Time has passed: heartbeats, retries, silence.
    pub fn handle_timeout(&mut self, now: Now) {
        if self.next_tick <= now.instant {
            self.tick(now);
            self.next_tick = now.instant + TICK;
        }
        self.coordinator.handle_timeout(&mut self.cx, now);
        if let Some(member) = &mut self.member {
            member.leader.handle_timeout(&mut self.cx, now);
        }
        self.deliver_local(now);
    }

    /// The next thing for the driver to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.cx.out.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due; a later call is no error, only late.
    #[must_use]
    pub fn poll_timeout(&self) -> Instant {
        let leader = self
            .member
            .as_ref()
            .and_then(|member| member.leader.next_timeout());
        [self.coordinator.next_timeout(), leader]
            .into_iter()
            .flatten()
            .fold(self.next_tick, Instant::min)
    }

    /// Stops leading: the process is about to end. What is in flight is still finished.
    pub fn leave(&mut self, now: Now) {
        self.change_state(now, NodeState::Leaving);
    }

    fn tick(&mut self, now: Now) {
        let gap = now.instant - self.last_tick;
        self.last_tick = now.instant;
        if gap > PAUSE_FENCE {
            self.handle_pause(now, gap);
        }
        for lost in self.cx.peers.tick(now.instant, &mut self.cx.out) {
            self.lose(now, lost);
        }
        self.drive_warm_up(now);
        self.report_few_nodes();
    }

    /// This process stood still: others may have taken over meanwhile, and a member must not lead before it
    /// has fetched what it missed.
    fn handle_pause(&mut self, now: Now, gap: Duration) {
        let millis = u64::try_from(gap.as_millis()).unwrap_or(u64::MAX);
        self.cx.event(Event::Paused { millis });
        self.cx.peers.excuse_silence(now.instant);
        self.catch_up(now, millis);
    }

    /// Fetches what was written in the last `millis` milliseconds.
    fn catch_up(&mut self, now: Now, millis: u64) {
        let Some(member) = &mut self.member else {
            return;
        };
        let back = millis.saturating_add(CATCH_UP_MARGIN_MS);
        let since = now.wall.as_millis().saturating_sub(back) << 16;
        match (&mut member.warm_up, member.replica.state) {
            (Some(warm_up), _) => warm_up.extend(now, since),
            (None, NodeState::Serving) => {
                member.warm_up = Some(WarmUp::catch_up(&self.cx, now, since));
                self.change_state(now, NodeState::CatchingUp);
            }
            _ => {}
        }
    }

    fn drive_warm_up(&mut self, now: Now) {
        let Some(member) = &mut self.member else {
            return;
        };
        let Some(warm_up) = &mut member.warm_up else {
            return;
        };
        if warm_up.drive(&mut self.cx, &mut member.replica, now) {
            member.warm_up = None;
            if member.replica.state != NodeState::Leaving {
                self.change_state(now, NodeState::Serving);
            }
        }
    }

    fn change_state(&mut self, now: Now, state: NodeState) {
        if let Some(member) = &mut self.member {
            member.replica.state = state;
            self.cx.set_state(now, member.me, state);
        }
    }

    fn lose(&mut self, now: Now, peer: NodeIndex) {
        self.coordinator.handle_lost(&mut self.cx, now, peer);
        if let Some(member) = &mut self.member {
            member.leader.handle_lost(&mut self.cx);
            if let Some(warm_up) = &mut member.warm_up
                && !self.cx.peers.is_up(peer)
            {
                warm_up.handle_lost(peer);
            }
        }
    }

    fn report_few_nodes(&mut self) {
        let peers = &self.cx.peers;
        let total = peers.indices().count();
        let live = peers.indices().filter(|node| !peers.is_down(*node)).count();
        let replicas = self.cx.config.replicas;
        let few = live < replicas.min(total);
        if few && !self.few_nodes_reported {
            self.cx.event(Event::FewNodes { live, replicas });
        }
        self.few_nodes_reported = few;
    }

    fn deliver_local(&mut self, now: Now) {
        while let Some(message) = self.cx.local.pop_front() {
            if let Some(me) = self.cx.me {
                self.receive(now, Link::Peer(me), message);
            }
        }
    }

    fn receive(&mut self, now: Now, from: Link, message: Message) {
        let Message { id, body } = message;
        match body {
            Body::Hello(_)
            | Body::Ping
            | Body::Write(_)
            | Body::Offer { .. }
            | Body::Read { .. }
            | Body::Pull { .. }
            | Body::Flush { .. } => self.serve(now, from, id, body),
            answer => {
                if let Link::Peer(peer) = from {
                    self.cx.peers.heard(now.instant, peer, &mut self.cx.out);
                    self.take_answer(now, peer, id, answer);
                }
            }
        }
    }

    /// Answers a question.
    fn serve(&mut self, now: Now, from: Link, id: u64, question: Body) {
        if let Body::Hello(hello) = question {
            return self.greet(now, from, id, &hello);
        }
        let caller = self.caller(from);
        let Some(caller) = caller else {
            return self.cx.out.push_back(Action::Disconnect(from));
        };
        let Some(member) = &mut self.member else {
            return;
        };
        let cx = &mut self.cx;
        let answer = match question {
            Body::Ping => pong(self.boot, member.replica.state, cx),
            Body::Write(write) => {
                return member
                    .leader
                    .handle_write(cx, &mut member.replica, now, (from, id), write);
            }
            Body::Offer {
                key,
                entry,
                kind,
                base,
            } => {
                cx.observe(now, entry.version);
                Body::Offered(member.replica.offer(now, &key, &entry, kind, base))
            }
            Body::Read { key } => Body::Held(member.replica.read(now, &key)),
            Body::Pull { cursor, since } => match caller {
                Some(to) => Body::Pulled(pull(cx, &member.replica, now, to, cursor, since)),
                None => return,
            },
            Body::Flush { version } => {
                if cx.observe(now, version) {
                    member.replica.flush(version);
                }
                Body::Flushed
            }
            _ => return,
        };
        cx.answer(from, id, answer);
    }

    /// Who asks: `None` if it has not said so, `Some(None)` if it is not a member.
    fn caller(&self, from: Link) -> Option<Option<NodeIndex>> {
        match from {
            Link::Peer(node) => Some(Some(node)),
            Link::Inbound(link) => self.inbound.get(&link).copied(),
        }
    }

    fn greet(&mut self, now: Now, from: Link, id: u64, hello: &Hello) {
        let Link::Inbound(link) = from else { return };
        if let Some(reason) = self.mismatch(hello) {
            self.cx.answer(from, id, Body::Rejected(reason));
            return self.cx.out.push_back(Action::Disconnect(from));
        }
        let caller = if hello.is_member {
            self.cx.ring.index_of(&hello.node_id)
        } else {
            None
        };
        self.inbound.insert(link, caller);
        if let Some(caller) = caller {
            self.cx.peers.called_by(now.instant, caller);
        }
        let state = self
            .member
            .as_ref()
            .map_or(NodeState::Serving, |member| member.replica.state);
        let answer = pong(self.boot, state, &self.cx);
        self.cx.answer(from, id, answer);
    }

    /// What keeps the caller and this node from working together.
    fn mismatch(&self, hello: &Hello) -> Option<String> {
        let replicas = self.cx.config.replicas;
        if self.member.is_none() {
            return Some(String::from("this node holds no data"));
        }
        if hello.ring != self.cx.ring.digest() {
            return Some(alloc::format!(
                "the member lists differ: {} has ring {:016x}, {} has {:016x} (--cluster must name the same \
                 members everywhere)",
                self.name,
                self.cx.ring.digest(),
                hello.node_id,
                hello.ring
            ));
        }
        (usize::from(hello.replicas) != replicas).then(|| {
            alloc::format!(
                "{} keeps {replicas} replicas, {} keeps {} (--replicas must be the same everywhere)",
                self.name,
                hello.node_id,
                hello.replicas
            )
        })
    }

    fn take_answer(&mut self, now: Now, from: NodeIndex, id: u64, answer: Body) {
        let cx = &mut self.cx;
        match answer {
            Body::Pong { boot, state, hlc } => self.take_pong(now, from, boot, state, hlc),
            Body::Rejected(reason) => {
                let node = cx.peers.id(from);
                cx.event(Event::Rejected { node, reason });
            }
            Body::Wrote(reply) => self.coordinator.handle_wrote(cx, now, from, id, reply),
            Body::Held(reply) => self.coordinator.handle_held(cx, now, from, id, reply),
            Body::Flushed => self.coordinator.handle_flushed(cx, from, id),
            Body::Offered(reply) if is_operation(id) => {
                self.coordinator.handle_offered(cx, now, from, id, reply);
            }
            Body::Offered(reply) => {
                if let Some(member) = &mut self.member {
                    member.leader.handle_offered(cx, now, from, id, reply);
                }
            }
            Body::Pulled(reply) => {
                if let Some(member) = &mut self.member
                    && let Some(warm_up) = &mut member.warm_up
                {
                    warm_up.handle_pulled(cx, &mut member.replica, now, from, id, reply);
                }
                self.drive_warm_up(now);
            }
            _ => {}
        }
    }

    fn take_pong(&mut self, now: Now, from: NodeIndex, boot: u32, state: NodeState, hlc: u64) {
        if !self.cx.hlc.observe(hlc, now.wall) {
            self.cx.statistics.clock_skews += 1;
            let node = self.cx.peers.id(from);
            self.cx.event(Event::ClockSkew { node });
        }
        let silence = self.cx.peers.silence(now.instant, from);
        let greeting = self
            .cx
            .peers
            .greeted(now.instant, from, (boot, state), &mut self.cx.out);
        if greeting == (Greeting::Up { same_boot: true }) {
            // It ran on while the two could not talk: it may hold what this node missed.
            self.catch_up(now, u64::try_from(silence.as_millis()).unwrap_or(u64::MAX));
        }
    }
}

impl Node {
    /// Whether this node does its part: a member serves, a coordinator has a member in view.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        match &self.member {
            Some(member) => member.replica.state == NodeState::Serving,
            None => {
                let peers = &self.cx.peers;
                peers.indices().any(|node| {
                    peers.is_live(node) && peers.state(node) == Some(NodeState::Serving)
                })
            }
        }
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
        peers.indices().map(|index| PeerStatus {
            index,
            id: peers.id(index),
            is_up: peers.is_up(index),
            is_suspect: peers.is_suspect(index),
            state: peers.state(index).unwrap_or(NodeState::Warming),
        })
    }

    /// Counters since the start.
    #[must_use]
    pub fn statistics(&self) -> NodeStatistics {
        let dropped = self
            .member
            .as_ref()
            .map_or(0, |member| member.replica.dropped_tags());
        NodeStatistics {
            dropped_tags: dropped,
            ..self.cx.statistics
        }
    }

    /// Operations in flight.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.coordinator.in_flight()
    }

    /// Where keys go.
    #[must_use]
    pub const fn ring(&self) -> &Ring {
        &self.cx.ring
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

    /// What a member holds of `key`, and the floor of its bucket.
    pub(crate) fn held(&self, key: &[u8]) -> Option<(Option<store::EntryRef<'_>>, Version)> {
        let replica = &self.member.as_ref()?.replica;
        Some((replica.entries.peek(key), replica.floors.at(token(key))))
    }
}

fn pong(boot: u32, state: NodeState, cx: &Context) -> Body {
    Body::Pong {
        boot,
        state,
        hlc: cx.hlc.last(),
    }
}

fn check(config: &Config) -> Result<(), ConfigError> {
    if config.members.is_empty() {
        return Err(ConfigError::NoMembers);
    }
    if config.replicas == 0 || config.replicas > Config::MAX_REPLICAS {
        return Err(ConfigError::Replicas(config.replicas));
    }
    if !config.floor_buckets.is_power_of_two() {
        return Err(ConfigError::FloorBuckets(config.floor_buckets));
    }
    Ok(())
}

fn build_ring(config: &Config) -> Result<Ring, ConfigError> {
    let mut members: Vec<_> = config.members.iter().collect();
    members.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    let mut ring = Ring::new();
    for member in members {
        ring.add(&member.id, member.weight)
            .map_err(|error| match error {
                RingError::DuplicateNode => ConfigError::DuplicateMember(member.id.clone()),
                error => ConfigError::BadMember(alloc::format!("{}: {error}", member.id)),
            })?;
    }
    Ok(ring)
}

fn hasher(chance: &mut Chance) -> ahash::RandomState {
    let mut seed = || chance.next_u64();
    ahash::RandomState::with_seeds(seed(), seed(), seed(), seed())
}
