//! Many real nodes over a network without faults: the event loop of [`measure`](super::measure).

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::super::event_queue::EventQueue;
use super::{Growth, Noticed, PATIENCE, Scale, ScaleError};
use crate::replication::{
    Action, Config, Event as Notice, Link, Member, Message, Node, NodeState, Now, Role,
};
use crate::ring::{MAX_NODES, NodeIndex};
use crate::rng::Rng;
use crate::store;
use crate::time::{Duration, Instant, Timestamp};

/// A process by its number: members first, then clients.
type Number = usize;

enum Event {
    Deliver {
        connection: usize,
        to_member: bool,
        message: Message,
    },
    Connected {
        from: Number,
        to: Number,
    },
    Refused {
        from: Number,
        to: Number,
    },
    Closed {
        process: Number,
        link: Link,
    },
    Wake {
        process: Number,
    },
    Start {
        process: Number,
    },
}

/// All processes and what is under way between them.
pub(super) struct Swarm {
    members: usize,
    replicas: usize,
    list: Vec<Member>,
    /// `None` before its start and after its end.
    nodes: Vec<Option<Node>>,
    wake_at: Vec<Option<Instant>>,
    /// By [`Swarm::connection`]: whether it is open. A dead member does not come back, so no number is used
    /// twice.
    open: Vec<bool>,
    unplugged: Option<Number>,
    event_queue: EventQueue<Event>,
    rng: Rng,
    now: Instant,
    events: u64,
    sent: Traffic,
    /// The member that is dead or unplugged, by its id, since when, and who has noticed what.
    victim: String,
    since: Instant,
    down: BTreeMap<Number, Duration>,
    ejected: BTreeMap<Number, Duration>,
}

/// What members have sent.
#[derive(Clone, Copy, Default)]
struct Traffic {
    messages: u64,
    bytes: u64,
    /// Counting bytes takes time, so it is done only when they matter.
    is_counted: bool,
}

const LATENCY: Duration = Duration::from_micros(100);
const JITTER: Duration = Duration::from_micros(1200);
const HANDSHAKE: Duration = Duration::from_micros(300);
/// Nobody answers: the attempt to connect is given up.
const UNANSWERED: Duration = Duration::from_millis(500);
/// A reset arrives within this.
const RESET: Duration = Duration::from_millis(2);
/// Processes do not start all at the same moment.
const STARTS: Duration = Duration::from_millis(100);
/// How often readiness is looked at.
const STEP: Duration = Duration::from_millis(25);
/// Over which time messages at rest are counted.
const REST: Duration = Duration::from_secs(1);
const EPOCH_MS: u64 = 1_700_000_000_000;

impl Swarm {
    pub(super) fn start(scale: &Scale) -> Result<Self, ScaleError> {
        let replicas = 1..=Config::MAX_REPLICAS;
        if !(3..=MAX_NODES).contains(&scale.members) || !replicas.contains(&scale.replicas) {
            return Err(ScaleError::BadScale);
        }
        let processes = scale.members + scale.clients;
        let mut swarm = Self {
            members: scale.members,
            replicas: scale.replicas,
            list: (0..scale.members)
                .map(|n| Member::new(member_id(n)))
                .collect(),
            nodes: (0..processes).map(|_| None).collect(),
            wake_at: vec![None; processes],
            open: vec![false; processes * scale.members],
            unplugged: None,
            event_queue: EventQueue::default(),
            rng: Rng::new(scale.seed),
            now: Instant::ZERO,
            events: 0,
            sent: Traffic::default(),
            victim: String::new(),
            since: Instant::ZERO,
            down: BTreeMap::new(),
            ejected: BTreeMap::new(),
        };
        for process in 0..processes {
            let after = swarm.rng.duration_below(STARTS);
            swarm.schedule(after, Event::Start { process });
        }
        Ok(swarm)
    }

    fn launch(&mut self, number: Number) {
        let role = if number < self.members {
            Role::Member(member_id(number))
        } else {
            Role::Coordinator(format!("client-{number}"))
        };
        let config = Config {
            replicas: self.replicas,
            ..Config::new(self.list.clone(), role)
        };
        let (incarnation, seed) = (self.rng.next_u64() as u32, self.rng.next_u64());
        let sibling = self.nodes.iter().flatten().next();
        let entries = store::Config::default();
        let node = Node::beside(sibling, config, incarnation, seed, entries, at(self.now));
        if let Some(place) = self.nodes.get_mut(number) {
            // Only a wrong scale is refused, and that was looked at before.
            *place = node.ok();
        }
        self.wake(number);
    }

    /// Runs until all members serve and everyone has a link to all of them.
    pub(super) fn run_until_ready(&mut self) -> Result<Duration, ScaleError> {
        while !self.is_ready() {
            if self.now > Instant::ZERO + PATIENCE {
                return Err(ScaleError::NotReady);
            }
            self.run_for(STEP);
        }
        Ok(self.now - Instant::ZERO)
    }

    fn is_ready(&self) -> bool {
        let serves = |state| state == NodeState::Serving;
        let is_ready = |node: &Option<Node>| {
            node.as_ref().is_some_and(|node| {
                serves(node.state()) && node.peers().all(|peer| peer.is_up && serves(peer.state))
            })
        };
        self.nodes.iter().all(is_ready)
    }

    /// Counts what is said while nothing is asked, and what is known.
    pub(super) fn measure_rest(&mut self, growth: &mut Growth) {
        self.sent = Traffic {
            is_counted: true,
            ..Traffic::default()
        };
        self.run_for(REST);
        self.sent.is_counted = false;
        let members = self.members as u64;
        growth.messages = self.sent.messages / members;
        growth.bytes = self.sent.bytes / members;
        let open = self.open.iter().filter(|open| **open).count() as u64;
        let by_clients = self.open.iter().skip(self.members * self.members);
        let by_clients = by_clients.filter(|open| **open).count() as u64;
        // One between two members is one of both.
        growth.connections = (2 * open - by_clients) / members;
        if let Some(node) = self.nodes.iter().flatten().next() {
            growth.ring_bytes = node.ring().heap_bytes() as u64;
            growth.view_bytes = node.view_bytes() as u64;
        }
    }

    /// Ends a member; the system of its machine resets its connections.
    pub(super) fn kill(&mut self, victim: Number) {
        self.mark(victim);
        if let Some(node) = self.nodes.get_mut(victim) {
            *node = None;
        }
        for other in 0..self.nodes.len() {
            for (from, to) in [(victim, other), (other, victim)] {
                if to >= self.members || !self.close(self.connection(from, to)) {
                    continue;
                }
                let link = if to == victim {
                    Link::Peer(index(victim))
                } else {
                    Link::Inbound(self.connection(from, to) as u64)
                };
                self.notify_closed(other, link);
            }
        }
    }

    /// Pulls a member's cable: nothing arrives there or comes from there any more.
    pub(super) fn unplug(&mut self, victim: Number) {
        self.mark(victim);
        self.unplugged = Some(victim);
    }

    fn mark(&mut self, victim: Number) {
        self.victim = member_id(victim);
        self.since = self.now;
        self.down.clear();
        self.ejected.clear();
    }

    /// Who took the last victim for down, and when.
    pub(super) fn noticed_down(&self) -> Noticed {
        self.noticed(&self.down)
    }

    /// Who chose the last victim no more, and when.
    pub(super) fn noticed_silence(&self) -> Noticed {
        self.noticed(&self.ejected)
    }

    fn noticed(&self, times: &BTreeMap<Number, Duration>) -> Noticed {
        let sorted = |mut times: Vec<Duration>| {
            times.sort_unstable();
            times
        };
        let members = times.range(..self.members).map(|(_, after)| *after);
        let clients = times.range(self.members..).map(|(_, after)| *after);
        Noticed {
            members: sorted(members.collect()),
            clients: sorted(clients.collect()),
        }
    }

    /// Silence after which links are closed.
    pub(super) fn down_after(&self) -> Duration {
        let node = self.nodes.iter().flatten().next();
        node.map_or(Duration::ZERO, Node::down_after)
    }

    pub(super) const fn events(&self) -> u64 {
        self.events
    }

    pub(super) fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some((at, event)) = self.event_queue.pop_until(end) {
            self.now = at;
            self.events += 1;
            self.handle(event);
        }
        self.now = end;
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Deliver {
                connection,
                to_member,
                message,
            } => self.deliver(connection, to_member, message),
            Event::Connected { from, to } => {
                if self.nodes.get(to).is_none_or(Option::is_none) {
                    return self.schedule(Duration::ZERO, Event::Refused { from, to });
                }
                let connection = self.connection(from, to);
                if let Some(open) = self.open.get_mut(connection) {
                    *open = true;
                }
                self.input(from, |node, now| node.handle_connected(now, index(to)));
            }
            Event::Refused { from, to } => {
                self.input(from, |node, now| node.handle_disconnected(now, index(to)));
            }
            Event::Closed { process, link } => self.input(process, |node, now| match link {
                Link::Peer(peer) => node.handle_disconnected(now, peer),
                Link::Inbound(id) => node.handle_inbound_closed(now, id),
            }),
            Event::Wake { process } => self.wake_up(process),
            Event::Start { process } => self.launch(process),
        }
    }

    fn input(&mut self, number: Number, input: impl FnOnce(&mut Node, Now)) {
        let now = at(self.now);
        let Some(Some(node)) = self.nodes.get_mut(number) else {
            return;
        };
        input(node, now);
        while let Some(action) = self.poll_action(number) {
            self.act(number, action);
        }
        self.wake(number);
    }

    fn poll_action(&mut self, number: Number) -> Option<Action> {
        self.nodes.get_mut(number)?.as_mut()?.poll_action()
    }

    fn act(&mut self, number: Number, action: Action) {
        match action {
            Action::Connect(peer) => self.connect(number, peer.as_usize()),
            Action::Disconnect(Link::Peer(peer)) => {
                let connection = self.connection(number, peer.as_usize());
                if self.close(connection) {
                    self.notify_closed(peer.as_usize(), Link::Inbound(connection as u64));
                }
            }
            Action::Disconnect(Link::Inbound(id)) => {
                let (from, to) = self.ends(id as usize);
                if self.close(id as usize) {
                    self.notify_closed(from, Link::Peer(index(to)));
                }
            }
            Action::Send(link, message) => self.send(number, link, message),
            Action::Event(notice) => self.note(number, &notice),
            // Nothing is asked here, and all members are real nodes.
            Action::Complete(..) | Action::Ask(..) => {}
        }
    }

    fn note(&mut self, number: Number, notice: &Notice) {
        let after = self.now - self.since;
        let (times, node) = match notice {
            Notice::Down { node, .. } => (&mut self.down, node),
            Notice::Ejected { node } => (&mut self.ejected, node),
            _ => return,
        };
        if *node == self.victim {
            times.entry(number).or_insert(after);
        }
    }

    fn connect(&mut self, from: Number, to: Number) {
        let (after, event) = if self.is_cut(from, to) {
            (UNANSWERED, Event::Refused { from, to })
        } else {
            (HANDSHAKE, Event::Connected { from, to })
        };
        self.schedule(after, event);
    }

    fn send(&mut self, from: Number, link: Link, message: Message) {
        let (connection, to_member) = match link {
            Link::Peer(peer) => (self.connection(from, peer.as_usize()), true),
            Link::Inbound(id) => (id as usize, false),
        };
        if self.sent.is_counted && from < self.members {
            let mut bytes = Vec::new();
            message.encode(&mut bytes);
            self.sent.messages += 1;
            self.sent.bytes += bytes.len() as u64;
        }
        let after = LATENCY + self.rng.duration_below(JITTER);
        self.schedule(
            after,
            Event::Deliver {
                connection,
                to_member,
                message,
            },
        );
    }

    fn deliver(&mut self, connection: usize, to_member: bool, message: Message) {
        let (from, to) = self.ends(connection);
        let is_open = self.open.get(connection).copied().unwrap_or(false);
        if !is_open || self.is_cut(from, to) {
            return;
        }
        let (process, link) = if to_member {
            (to, Link::Inbound(connection as u64))
        } else {
            (from, Link::Peer(index(to)))
        };
        self.input(process, |node, now| node.handle_message(now, link, message));
    }

    fn is_cut(&self, from: Number, to: Number) -> bool {
        self.unplugged
            .is_some_and(|number| number == from || number == to)
    }

    fn notify_closed(&mut self, process: Number, link: Link) {
        let after = self.rng.duration_below(RESET);
        self.schedule(after, Event::Closed { process, link });
    }

    fn wake(&mut self, process: Number) {
        if let Some(Some(node)) = self.nodes.get(process) {
            let after = node.poll_timeout() - self.now;
            self.wake_after(process, after);
        }
    }

    /// Makes sure that a process is woken by then.
    fn wake_after(&mut self, process: Number, after: Duration) {
        let at = self.now + after;
        if let Some(wake_at) = self.wake_at.get_mut(process)
            && wake_at.is_none_or(|other| at < other)
        {
            *wake_at = Some(at);
            self.schedule(after, Event::Wake { process });
        }
    }

    fn wake_up(&mut self, process: Number) {
        let now = self.now;
        let Some(wake_at) = self.wake_at.get_mut(process) else {
            return;
        };
        if wake_at.is_none_or(|at| at > now) {
            return;
        }
        *wake_at = None;
        self.input(process, |node, now| node.handle_timeout(now));
    }

    fn schedule(&mut self, after: Duration, event: Event) {
        self.event_queue.add(self.now + after, event);
    }

    /// The number of the connection that `from` opens to the member `to`.
    const fn connection(&self, from: Number, to: Number) -> usize {
        from * self.members + to
    }

    const fn ends(&self, connection: usize) -> (Number, Number) {
        (connection / self.members, connection % self.members)
    }

    /// Returns whether it was open.
    fn close(&mut self, connection: usize) -> bool {
        self.open
            .get_mut(connection)
            .is_some_and(|open| core::mem::replace(open, false))
    }
}

/// Both kinds of time; all clocks agree.
fn at(instant: Instant) -> Now {
    let millis = instant.as_micros() / 1000;
    Now {
        instant,
        wall: Timestamp::from_millis(EPOCH_MS + millis),
    }
}

/// Ids sort like numbers, so that a member's number is its place on the ring.
fn member_id(number: Number) -> String {
    format!("node-{number:05}")
}

fn index(number: Number) -> NodeIndex {
    NodeIndex(u16::try_from(number).unwrap_or(u16::MAX))
}
