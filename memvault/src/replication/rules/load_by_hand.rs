//! The rules of load that seeds do not show, as each is one of two lines of defence, by hand: a client and three
//! members, whose messages arrive at once, but for those that a kernel does not take.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::consistency::Level;
use crate::replication::config::{Config, Member, Role};
use crate::replication::entry::Bytes;
use crate::replication::event::Event;
use crate::replication::wire::message::{Body, Message, NodeState};
use crate::replication::{Action, Failure, Levels, Link, Node, Now, Outcome, Request, Rule};
use crate::ring::NodeIndex;
use crate::store;
use crate::time::{Duration, Instant, Timestamp};

const MEMBERS: usize = 3;
/// The client comes after the members.
const CLIENT: usize = MEMBERS;
const STEP: Duration = Duration::from_millis(1);
/// A value that travels in pieces, and can be paid from the budget of repeated work several times.
const LARGE: usize = 40 << 10;

/// Nodes, and the links between them.
struct Nodes {
    nodes: Vec<Node>,
    now: Now,
    /// Whose kernel takes nothing large any more.
    stuck: fn(usize) -> bool,
    /// The large messages that it has yet to take: to whom, and what.
    untaken: Vec<(NodeIndex, Message)>,
    outcomes: Vec<Outcome>,
    ejections: usize,
    asked: u64,
}

impl Nodes {
    /// Members that serve, and a client; they all break this rule.
    fn serving(broken: Option<Rule>) -> Self {
        let members: Vec<_> = (0..MEMBERS)
            .map(|n| Member::new(format!("node-{n}")))
            .collect();
        let now = Now {
            instant: Instant::ZERO,
            wall: Timestamp::from_millis(1_700_000_000_000),
        };
        let node = |number: usize| {
            let role = if number == CLIENT {
                Role::Coordinator(String::from("client"))
            } else {
                Role::Member(format!("node-{number}"))
            };
            let config = Config {
                broken,
                max_waiting: 50,
                ..Config::new(members.clone(), role)
            };
            let entries = store::Config::default();
            let (incarnation, seed) = (number as u32 + 1, number as u64);
            Node::new(config, incarnation, seed, entries, now).expect("the configuration is sound")
        };
        let mut nodes = Self {
            nodes: (0..=CLIENT).map(node).collect(),
            now,
            stuck: |_| false,
            untaken: Vec::new(),
            outcomes: Vec::new(),
            ejections: 0,
            asked: 0,
        };
        nodes.run(Duration::from_secs(3));
        let members = nodes.nodes.iter().take(MEMBERS);
        let states: Vec<_> = members.map(Node::state).collect();
        assert_eq!(states, [NodeState::Serving; MEMBERS]);
        nodes
    }

    /// Lets a millisecond pass.
    fn pass(&mut self) {
        let micros = self.now.instant.as_micros() + STEP.as_micros() as u64;
        self.now.instant = self.now.instant + STEP;
        self.now.wall = Timestamp::from_millis(1_700_000_000_000 + micros / 1000);
    }

    /// A node whose time has come does what it has to; then all messages are delivered.
    fn run(&mut self, time: Duration) {
        let end = self.now.instant + time;
        while self.now.instant < end {
            self.pass();
            for node in &mut self.nodes {
                if node.poll_timeout() <= self.now.instant {
                    node.handle_timeout(self.now);
                }
            }
            self.deliver();
        }
    }

    fn deliver(&mut self) {
        let next = |nodes: &mut Vec<Node>| {
            let mut nodes = nodes.iter_mut().enumerate();
            nodes.find_map(|(number, node)| Some((number, node.poll_action()?)))
        };
        while let Some((number, action)) = next(&mut self.nodes) {
            match action {
                Action::Connect(peer) => self.nodes[number].handle_connected(self.now, peer),
                Action::Send(link, message) => self.send(number, link, message),
                Action::Complete(_, outcome) => self.outcomes.push(outcome),
                Action::Event(Event::Ejected { .. }) => self.ejections += 1,
                _ => {}
            }
        }
    }

    fn send(&mut self, from: usize, link: Link, message: Message) {
        let now = self.now;
        match link {
            Link::Peer(to) if message.is_bulk() && (self.stuck)(from) => {
                self.untaken.push((to, message));
            }
            Link::Peer(to) => {
                if message.is_bulk() {
                    self.nodes[from].handle_sent(now, link, message.id);
                }
                let from = Link::Inbound(from as u64);
                self.nodes[usize::from(to.0)].handle_message(now, from, message);
            }
            Link::Inbound(to) => {
                let (to, from) = (
                    &mut self.nodes[to as usize],
                    Link::Peer(NodeIndex(from as u16)),
                );
                to.handle_heard(now, from);
                to.handle_message(now, from, message);
            }
        }
    }

    /// The client asks, at the level QUORUM.
    fn ask(&mut self, request: Request) {
        let levels = Levels {
            write: Level::Quorum,
            read: Level::Quorum,
        };
        self.asked += 1;
        self.nodes[CLIENT].handle_request(self.now, self.asked, request, levels);
    }
}

fn set_large() -> Request {
    let value = Bytes::from(alloc::vec![b'x'; LARGE]);
    Request::SetMany([(Bytes::from(*b"key"), value)].into())
}

/// Copies of a large write that a client makes while its kernel takes none, within half a second.
fn copies_of_writes(broken: Option<Rule>) -> usize {
    let mut nodes = Nodes::serving(broken);
    nodes.stuck = |number| number == CLIENT;
    nodes.ask(set_large());
    nodes.run(Duration::from_millis(500));
    assert_eq!(nodes.ejections, 0, "the members are well");
    let writes = nodes.untaken.iter();
    writes
        .filter(|(_, message)| matches!(message.body, Body::Write(_)))
        .count()
}

#[test]
fn a_write_that_the_kernel_has_not_taken_is_not_late() {
    assert_eq!(copies_of_writes(None), 1);
    let broken = copies_of_writes(Some(Rule::TimeCountsFromSending));
    assert!(broken > 1, "{broken}");
}

/// Copies of a large offer that a leader makes for its two followers while its kernel takes none.
fn copies_of_offers(broken: Option<Rule>) -> usize {
    let mut nodes = Nodes::serving(broken);
    nodes.stuck = |number| number != CLIENT;
    nodes.ask(set_large());
    // By then the client has not begun to look for another leader.
    nodes.run(Duration::from_millis(90));
    assert_eq!(nodes.ejections, 0, "the members are well");
    let offers = nodes.untaken.iter();
    offers
        .filter(|(_, message)| matches!(message.body, Body::Offer { .. }))
        .count()
}

#[test]
fn an_offer_that_the_kernel_has_not_taken_is_not_repeated() {
    assert_eq!(copies_of_offers(None), MEMBERS - 1);
    let broken = copies_of_offers(Some(Rule::TimeCountsFromSending));
    assert_eq!(broken, 2 * (MEMBERS - 1));
}

/// How often a client asks a second time that was itself away for a while, while the answer lay there.
fn repetitions_after_lateness(broken: Option<Rule>) -> u64 {
    let mut nodes = Nodes::serving(broken);
    let keys = (0..20).map(|n| Bytes::from(format!("key-{n}").into_bytes()));
    nodes.ask(Request::GetMany(keys.collect()));
    let client = &mut nodes.nodes[CLIENT];
    let asked: Vec<_> = core::iter::from_fn(|| client.poll_action()).collect();
    // Nothing is read for longer than an attempt lasts; then time-outs are looked at before what came in.
    (0..45).for_each(|_| nodes.pass());
    let (client, now) = (&mut nodes.nodes[CLIENT], nodes.now);
    client.handle_timeout(now);
    let repeated: Vec<_> = core::iter::from_fn(|| client.poll_action()).collect();
    let reads = |actions: &[Action]| {
        let is_read = |action: &&Action| matches!(action, Action::Send(_, message) if matches!(message.body, Body::Read { .. }));
        actions.iter().filter(is_read).count() as u64
    };
    assert_eq!(reads(&asked), 20 * MEMBERS as u64);
    reads(&repeated)
}

#[test]
fn who_was_late_itself_does_not_ask_again_for_it() {
    assert_eq!(repetitions_after_lateness(None), 0);
    let broken = repetitions_after_lateness(Some(Rule::LatenessIsExcused));
    assert!(broken > 0);
}

/// What becomes of a request with more keys than may wait, while others wait already.
fn overloaded(broken: Option<Rule>) -> usize {
    let mut nodes = Nodes::serving(broken);
    let keys = (0..5000).map(|n| Bytes::from(format!("key-{n}").into_bytes()));
    let request = Request::GetMany(keys.collect());
    nodes.ask(request.clone());
    nodes.ask(request);
    nodes.deliver();
    let refused = Err(Failure::Overloaded);
    nodes
        .outcomes
        .iter()
        .filter(|outcome| **outcome == refused)
        .count()
}

#[test]
fn what_cannot_be_waited_for_is_refused() {
    assert_eq!(overloaded(None), 1);
    assert_eq!(overloaded(Some(Rule::AdmissionIsBounded)), 0);
}
