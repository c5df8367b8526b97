//! The state machine of one node: takes inputs, keeps a queue of actions.
//!
//! After every input, and before the next, drain [`Node::poll_action`]; then arrange for
//! [`Node::handle_timeout`] to be called at [`Node::poll_timeout`].

mod addresses;
mod agreement;
mod build;
mod catch_up;
mod change;
mod dispatch;
mod membership;
mod node_identity;
mod plain;
mod status;

use alloc::collections::BTreeMap;
use alloc::string::String;

use super::Now;
use super::action::{Action, Link};
use super::config::{Config, ConfigError, Role};
use super::context::Context;
use super::coordinator::Coordinator;
use super::event::{DownReason, Event};
use super::member::Member;
use super::member::key_locks::KeyLocks;
use super::member::leader::Leader;
use super::member::recency_sync::RecencySync;
use super::member::replica::Replica;
use super::member::warm_up::WarmUp;
use super::peers::clocks::{ClockWatch, OwnClock};
use super::request::{Failure, Request};
use super::wire::message::{Body, Hello, Message, NodeState};
use crate::consistency::Levels;
use crate::ring::{NodeIndex, VIRTUAL_NODES};
use crate::rng::Rng;
use crate::store;
use crate::store::Entries;
use crate::time::{Duration, Instant};
use agreement::{Acceptor, Proposal};
use build::{build_context, hasher};
use catch_up::PAUSE_FENCE;
use node_identity::NodeIdentity;
pub use status::PeerStatus;

/// One node of the cluster, without sockets, clocks and threads.
pub struct Node {
    cx: Context,
    coordinator: Coordinator,
    member: Option<Member>,
    incarnation: u32,
    started: Instant,
    name: String,
    /// Who opened which connection, once it has said so.
    inbound: BTreeMap<u64, InboundPeer>,
    acceptor: Acceptor,
    proposal: Option<Proposal>,
    node_identity: NodeIdentity,
    next_tick: Instant,
    last_tick: Instant,
    /// How long the process has worked since the last tick, as far as it was told.
    worked: Duration,
    few_nodes_reported: bool,
    clock: ClockWatch,
}

/// Who opened a connection.
struct InboundPeer {
    id: String,
    incarnation: u32,
    /// Whether it holds data, or would like to.
    is_member: bool,
    /// Its number, if it has one yet.
    node: Option<NodeIndex>,
}

/// Lateness of a time-out up to which nothing is made of it: the operating system's timers are no better.
const TOLERANCE: Duration = Duration::from_millis(5);
/// How often liveness is looked at.
const TICK: Duration = Duration::from_millis(25);
/// Entries past their time that a member forgets in one step: requests wait for that long, some 0.2 ms.
const EXPIRIES_PER_STEP: usize = 512;
/// How soon the next step follows while there are more: a million in 8 s, with a twentieth of one processor.
const EXPIRY_PAUSE: Duration = Duration::from_millis(4);
/// Entries that were flushed whose memory is returned with each tick: some 1 ms, a million within 2 s.
const CLEARED_PER_TICK: usize = 16 << 10;

impl Node {
    /// Makes a node that has not started yet: the first [`handle_timeout`](Self::handle_timeout) makes it
    /// connect to the members.
    ///
    /// `incarnation` must be a fresh random number at every process start; `seed` feeds jitter and hashing;
    /// `entries` bounds the memory of a member, and is ignored for a coordinator.
    ///
    /// # Errors
    /// If the configuration is contradictory; see [`ConfigError`].
    pub fn new(
        config: Config,
        incarnation: u32,
        seed: u64,
        entries: store::Config,
        now: Now,
    ) -> Result<Self, ConfigError> {
        Self::beside(None, config, incarnation, seed, entries, now)
    }

    /// As [`new`](Self::new); shares the ring of `sibling`, a new node with the same members.
    pub(crate) fn beside(
        sibling: Option<&Self>,
        config: Config,
        incarnation: u32,
        seed: u64,
        entries: store::Config,
        now: Now,
    ) -> Result<Self, ConfigError> {
        config.check()?;
        let (Role::Coordinator(name) | Role::Member(name)) = config.role.clone();
        let mut rng = Rng::new(seed);
        let hasher = hasher(&mut rng);
        let cx = build_context(config, incarnation, rng, sibling.map(|node| &node.cx))?;
        let member = cx.me.map(|me| Member {
            me,
            replica: Replica::new(&cx.config, Entries::new(entries, hasher.clone())),
            leader: Leader::new(cx.config.op_deadline, &hasher),
            key_locks: KeyLocks::new(cx.config.write_attempt, &hasher),
            recency_sync: RecencySync::new(Rng::new(!seed)),
            // One that is no member yet has nothing to fetch.
            warm_up: (cx.membership.epoch > 0).then(|| WarmUp::after_start(&cx, now)),
            is_cut_off: false,
            missed_since: None,
            unasked: BTreeMap::new(),
            pending_floors: None,
            sweep: None,
            sweep_from: now.instant,
            next_expiry: now.instant,
        });
        Ok(Self {
            coordinator: Coordinator::new(&cx, &hasher),
            cx,
            member,
            incarnation,
            started: now.instant,
            name,
            inbound: BTreeMap::new(),
            acceptor: Acceptor::default(),
            proposal: None,
            node_identity: NodeIdentity::default(),
            next_tick: now.instant,
            last_tick: now.instant,
            worked: Duration::ZERO,
            few_nodes_reported: false,
            clock: ClockWatch::default(),
        })
    }

    /// Begins a request that has no order with others. `id` must be unique among those in flight; the outcome appears
    /// as [`Action::Complete`] with this id, at the latest after `op_deadline`; of a large value later by a second for
    /// each 32 MiB, and of several keys each has that time from when its turn comes.
    ///
    /// A member that stood still for more than half a second, without work of its own, does not carry out the first
    /// request that it reads afterwards, as nobody may be waiting for it any more, and tells of [`Event::Paused`]: its
    /// driver has to close the connections of all clients, unread.
    pub fn handle_request(&mut self, now: Now, id: u64, request: Request, levels: Levels) {
        self.handle_request_of(now, (id, 0), request, levels);
    }

    /// Begins a request of one of several callers, who have numbers other than 0: as
    /// [`handle_request`](Self::handle_request), but those of one caller begin in the order in which it asked, and
    /// callers that wait have their turns one after the other, whatever each has asked for. What a caller has asked for
    /// waits behind what it asked for before; its time runs from when its turn comes.
    pub fn handle_request_of(
        &mut self,
        now: Now,
        (id, caller): (u64, u64),
        request: Request,
        levels: Levels,
    ) {
        self.look_at_clock(now);
        if let Some(failure) = self.refusal(now) {
            self.cx.statistics.failed_requests += 1;
            return self.cx.out.push_back(Action::Complete(id, Err(failure)));
        }
        match request {
            Request::AddMember(member) => self.add_member(now, id, member),
            Request::RemoveMember(member) => self.remove_member(now, id, member),
            request => {
                self.coordinator
                    .handle_request(&mut self.cx, now, (id, caller), request, levels);
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
            incarnation: self.incarnation,
            digest: self.cx.placement.digest,
            replicas: self.cx.membership.replicas,
            is_member: self.member.is_some(),
            protocol: Hello::PROTOCOL,
            virtual_nodes: VIRTUAL_NODES,
            op_deadline_ms: self.op_deadline_ms(),
            callee: self.cx.called_as(peer),
        };
        self.cx
            .send(peer, now.instant.as_micros(), Body::Hello(hello));
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
        self.node_identity.closed(link);
        if let Some(member) = &mut self.member {
            let link = Link::Inbound(link);
            member.key_locks.forget(&mut self.cx, now.instant, link);
        }
        self.deliver_local(now);
    }

    /// A message came in.
    pub fn handle_message(&mut self, now: Now, from: Link, message: Message) {
        self.look_at_clock(now);
        if self.member.is_some() {
            // Before it says anything: what it knows may be long gone.
            self.notice_pause(now);
        }
        self.node_identity.heard(now, from);
        self.receive(now, from, message);
        self.deliver_local(now);
    }

    /// Bytes came in, whether a message is complete with them or not: a sign of life of the member at the other end.
    /// Call it once for all that was read in one go, before [`handle_message`](Self::handle_message). O(1).
    pub fn handle_heard(&mut self, now: Now, from: Link) {
        if let Link::Peer(peer) = from {
            self.cx.peers.heard(now.instant, peer, &mut self.cx.out);
        }
    }

    /// Of a large message so far only a part came in: the node that waits for an answer of this member goes on waiting.
    /// Call it once for all that was read in one go, while the [`Inbox`](super::Inbox) keeps anything. O(1).
    pub fn handle_piece(&mut self, now: Now, from: Link) {
        if let Link::Peer(peer) = from {
            self.cx.peers.heard_piece(now.instant, peer);
        }
    }

    /// The operating system has taken the last byte of the large message with this id: from now on it depends on the
    /// other end how long its answer takes. Small messages are taken for handed over when they are sent, as none of
    /// them waits for more than a piece of a large one; see [`Outbox`](super::Outbox).
    pub fn handle_sent(&mut self, now: Now, to: Link, id: u64) {
        let Link::Peer(node) = to else { return };
        self.coordinator.handle_sent(&mut self.cx, now, node, id);
        if let Some(member) = &mut self.member {
            member.leader.handle_sent(node, id);
        }
        self.deliver_local(now);
    }

    /// The thread that drives this node has worked for so long since this was called last: a process that was busy
    /// itself did not stand still. Call it before [`handle_timeout`](Self::handle_timeout), and before any input that
    /// [comes late](Self::is_late).
    pub fn note_work(&mut self, busy: Duration) {
        self.worked += busy;
    }

    /// Whether so much time has passed since this node last looked at it that the next input tells whether the process
    /// stood still. O(1).
    #[must_use]
    pub fn is_late(&self, now: Now) -> bool {
        now.instant - self.last_tick > PAUSE_FENCE
    }

    /// Time has passed: heartbeats, retries, silence.
    pub fn handle_timeout(&mut self, now: Now) {
        self.look_at_clock(now);
        self.excuse_lateness(now);
        if self.next_tick <= now.instant {
            self.tick(now);
            self.next_tick = now.instant + TICK;
        }
        self.coordinator.handle_timeout(&mut self.cx, now);
        if let Some(member) = &mut self.member {
            member.leader.handle_timeout(&mut self.cx, now);
            member.key_locks.handle_timeout(&mut self.cx, now.instant);
        }
        self.expire_some(now);
        self.deliver_local(now);
    }

    /// The next thing for the driver to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.cx.out.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due; a later call is no error, only late. In the past while
    /// a request with many keys has more to begin: others should have their turn first.
    #[must_use]
    pub fn poll_timeout(&self) -> Instant {
        if self.coordinator.can_go_on() {
            return Instant::ZERO;
        }
        self.due()
    }

    /// When the next timer goes off.
    fn due(&self) -> Instant {
        let member = self.member.as_ref();
        let leader = member.and_then(|member| member.leader.next_timeout());
        let key_locks = member.and_then(|member| member.key_locks.next_timeout());
        let expiry = member.map(|member| member.next_expiry);
        [self.coordinator.next_timeout(), leader, key_locks, expiry]
            .into_iter()
            .flatten()
            .fold(self.next_tick, Instant::min)
    }

    /// Stops leading: the process is about to end. What is in flight is still finished.
    pub fn leave(&mut self, now: Now) {
        self.change_state(now, NodeState::Leaving);
    }

    /// Takes a member for silent, as if its answers were overdue. For the simulator.
    pub(crate) fn suspect(&mut self, now: Now, member: NodeIndex) {
        self.cx.suspect(now, member);
    }

    fn tick(&mut self, now: Now) {
        self.notice_pause(now);
        self.note_tick(now);
        for lost in self.cx.peers.tick(now.instant, &mut self.cx.out) {
            self.lose(now, lost);
        }
        self.coordinator.tick(&mut self.cx, now);
        self.drive_warm_up(now);
        self.drive_change(now);
        self.sweep(now);
        self.part(now);
        let is_cut_off = self.cx.peers.is_cut_off();
        if let Some(member) = &mut self.member {
            member.is_cut_off = is_cut_off;
            member.recency_sync.tell(&mut self.cx, now);
            member.replica.drop_old_tombstones(now);
            member.replica.entries.drop_cleared(CLEARED_PER_TICK);
        }
        self.report_few_nodes();
    }

    /// Has a member forget some entries past their time; with each tick, and more often while there are many.
    fn expire_some(&mut self, now: Now) {
        let next_tick = self.next_tick;
        if let Some(member) = &mut self.member
            && member.next_expiry <= now.instant
        {
            let has_more = member.replica.expire_some(now, EXPIRIES_PER_STEP);
            member.next_expiry = if has_more {
                now.instant + EXPIRY_PAUSE
            } else {
                next_tick
            };
        }
    }

    /// What speaks against beginning any request now.
    fn refusal(&mut self, now: Now) -> Option<Failure> {
        if self.member.is_some() && self.notice_pause(now) {
            Some(Failure::Paused)
        } else if self.cx.peers.is_own_clock_wrong() {
            Some(Failure::ClockSkew)
        } else {
            None
        }
    }

    /// Notices that this process's own wall clock has jumped, and that it has become right again.
    fn look_at_clock(&mut self, now: Now) {
        // Plain servers tell no time, and what is written there has no version.
        if self.cx.config.plain_redis {
            return;
        }
        let has_jumped = self.clock.has_jumped(now);
        if has_jumped {
            self.cx.peers.distrust_clocks();
            self.coordinator.give_up(&mut self.cx, now);
            if let Some(member) = &mut self.member
                && member.replica.state == NodeState::Warming
            {
                member.warm_up = Some(WarmUp::after_start(&self.cx, now));
            }
        }
        let own = self.cx.peers.own_clock();
        if let Some(member) = &mut self.member
            && (has_jumped || own == OwnClock::Wrong || self.cx.peers.do_clocks_differ())
        {
            member.replica.distrust_wall(now);
        }
        if self.clock.has_recovered(own) {
            self.cx.hlc.recover(now.wall, self.cx.peers.draw());
            if let Some(member) = &mut self.member {
                member.replica.forget_future(now);
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
        if !self.cx.peers.is_up(peer) {
            self.note_lost(now, peer);
        }
    }

    fn report_few_nodes(&mut self) {
        let peers = &self.cx.peers;
        let members = peers.indices();
        let total = members.len();
        let live = members.iter().filter(|node| !peers.is_down(**node)).count();
        let replicas = usize::from(self.cx.membership.replicas);
        let few = live < replicas.min(total);
        if few && !self.few_nodes_reported {
            self.cx.event(Event::FewNodes { live, replicas });
        }
        self.few_nodes_reported = few;
    }

    /// Ends every input: what this node says to itself is heard, and what there is room for now begins.
    fn deliver_local(&mut self, now: Now) {
        self.hear_itself(now);
        if self.coordinator.go_on(&mut self.cx, now) {
            self.hear_itself(now);
        }
    }

    fn hear_itself(&mut self, now: Now) {
        while let Some(message) = self.cx.local.pop_front() {
            if let Some(me) = self.cx.me {
                self.receive(now, Link::Peer(me), message);
            }
        }
    }
}
