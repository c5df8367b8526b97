//! The state machine of one node: takes inputs, keeps a queue of actions.
//!
//! After every input, and before the next, drain [`Node::poll_action`]; then arrange for
//! [`Node::handle_timeout`] to be called at [`Node::poll_timeout`].

mod build;
mod change;
mod conduct;
mod dispatch;
mod membership;
mod plain;
mod status;

use alloc::collections::BTreeMap;
use alloc::string::String;

use super::Now;
use super::action::{Action, DownReason, Event, Link};
use super::agreement::{Acceptor, Proposal};
use super::config::{Config, ConfigError, Role};
use super::context::Context;
use super::coordinator::{Coordinator, Levels};
use super::floors::Floors;
use super::leader::Leader;
use super::message::{Body, Hello, Message, NodeState};
use super::replica::Replica;
use super::request::Request;
use super::turns::Turns;
use super::warm_up::WarmUp;
use crate::chance::Chance;
use crate::ring::{NodeIndex, VIRTUAL_NODES};
use crate::store;
use crate::store::Entries;
use crate::time::{Duration, Instant};
use build::{build_context, check, hasher};
use conduct::Conduct;
pub use status::{NodeStatistics, PeerStatus};

/// One node of the cluster, without sockets, clocks and threads.
pub struct Node {
    cx: Context,
    coordinator: Coordinator,
    member: Option<Member>,
    boot: u32,
    name: String,
    /// Who opened which connection, once it has said so.
    inbound: BTreeMap<u64, Caller>,
    acceptor: Acceptor,
    proposal: Option<Proposal>,
    conduct: Conduct,
    next_tick: Instant,
    last_tick: Instant,
    few_nodes_reported: bool,
}

/// Who opened a connection.
struct Caller {
    id: String,
    boot: u32,
    /// Whether it holds data, or would like to.
    is_member: bool,
}

/// What only a member has.
struct Member {
    me: NodeIndex,
    replica: Replica,
    leader: Leader,
    turns: Turns,
    warm_up: Option<WarmUp>,
    /// While this node has keys to take over: its floors at the beginning of the change.
    gains: Option<Floors>,
    /// How far the store was searched for keys that this node no longer holds; `None` if there are none.
    sweep: Option<u32>,
    sweep_from: Instant,
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
        Self::beside(None, config, boot, seed, entries, now)
    }

    /// As [`new`](Self::new); shares the ring of `sibling`, a new node with the same members.
    pub(crate) fn beside(
        sibling: Option<&Self>,
        config: Config,
        boot: u32,
        seed: u64,
        entries: store::Config,
        now: Now,
    ) -> Result<Self, ConfigError> {
        check(&config)?;
        let (Role::Coordinator(name) | Role::Member(name)) = config.role.clone();
        let mut chance = Chance::new(seed);
        let hasher = hasher(&mut chance);
        let cx = build_context(config, boot, chance, sibling.map(|node| &node.cx))?;
        let member = cx.me.map(|me| Member {
            me,
            replica: Replica::new(&cx.config, Entries::new(entries, hasher.clone())),
            leader: Leader::new(cx.config.op_deadline, &hasher),
            turns: Turns::new(cx.config.write_attempt, &hasher),
            // One that is no member yet has nothing to fetch.
            warm_up: (cx.document.epoch > 0).then(|| WarmUp::after_start(&cx, now)),
            gains: None,
            sweep: None,
            sweep_from: now.instant,
        });
        Ok(Self {
            coordinator: Coordinator::new(&cx, &hasher),
            cx,
            member,
            boot,
            name,
            inbound: BTreeMap::new(),
            acceptor: Acceptor::default(),
            proposal: None,
            conduct: Conduct::default(),
            next_tick: now.instant,
            last_tick: now.instant,
            few_nodes_reported: false,
        })
    }

    /// Begins a request of a caller. `id` must be unique among those in flight; the outcome appears as
    /// [`Action::Complete`] with this id, at the latest after `op_deadline`.
    pub fn handle_request(&mut self, now: Now, id: u64, request: Request, levels: Levels) {
        match request {
            Request::AddMember(member) => self.add_member(now, id, member),
            Request::RemoveMember(member) => self.remove_member(now, id, member),
            request => {
                self.coordinator
                    .handle_request(&mut self.cx, now, id, request, levels);
            }
        }
        self.deliver_local(now);
    }

    /// The connection that [`Action::Connect`] asked for is there.
    pub fn handle_connected(&mut self, now: Now, peer: NodeIndex) {
        self.cx.peers.connected(now.instant, peer);
        if self.cx.config.plain_redis {
            return self.greet_plain(peer);
        }
        let hello = Hello {
            node_id: self.name.clone(),
            boot: self.boot,
            digest: self.cx.placement.digest,
            replicas: self.cx.document.replicas,
            is_member: self.member.is_some(),
            protocol: Hello::PROTOCOL,
            virtual_nodes: VIRTUAL_NODES,
            callee: self.cx.called_as(peer),
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
    pub fn handle_inbound_closed(&mut self, now: Now, link: u64) {
        self.inbound.remove(&link);
        self.conduct.closed(link);
        if let Some(member) = &mut self.member {
            let link = Link::Inbound(link);
            member.turns.forget(&mut self.cx, now.instant, link);
        }
        self.deliver_local(now);
    }

    /// A message came in.
    pub fn handle_message(&mut self, now: Now, from: Link, message: Message) {
        self.conduct.heard(now, from);
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
            member.turns.handle_timeout(&mut self.cx, now.instant);
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
        let member = self.member.as_ref();
        let leader = member.and_then(|member| member.leader.next_timeout());
        let turns = member.and_then(|member| member.turns.next_timeout());
        [self.coordinator.next_timeout(), leader, turns]
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
        self.drive_change(now);
        self.sweep(now);
        self.part(now);
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
        // Taking keys over starts anew afterwards: what a serving member missed comes first.
        match (&mut member.warm_up, member.replica.state) {
            (Some(warm_up), _) if warm_up.catches_up() => warm_up.extend(now, since),
            (_, NodeState::Serving) => {
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
            if !warm_up.catches_up() {
                member.gains = None;
            }
            member.warm_up = None;
            if member.replica.state != NodeState::Leaving {
                self.change_state(now, NodeState::Serving);
            }
            self.resume_gain(now);
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
        let members = peers.indices();
        let total = members.len();
        let live = members.iter().filter(|node| !peers.is_down(**node)).count();
        let replicas = usize::from(self.cx.document.replicas);
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
}
