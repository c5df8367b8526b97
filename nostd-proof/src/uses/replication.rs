//! Three members and a coordinator in one process: a write at QUORUM, then a read after a member died.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use memvault::command::{Condition, Expiry};
use memvault::replication::{
    Action, Answer, Config, Level, Levels, Link, Member, Message, Node, Now, Outcome, Request, Role,
};
use memvault::ring::NodeIndex;
use memvault::store;
use memvault::time::{Duration, Instant, Timestamp};

pub fn run() {
    let mut cluster = Cluster::new();
    cluster.run_until(Instant::from_millis(2_000));
    let set = Request::Set {
        key: (*b"key").into(),
        value: (*b"value").into(),
        expiry: Expiry::None,
        condition: Condition::Always,
        return_old: false,
    };
    assert_eq!(cluster.ask(1, set), Ok(Answer::Done));
    cluster.kill(0);
    let value = cluster.ask(2, Request::Get((*b"key").into()));
    assert_eq!(value, Ok(Answer::Value(Some((*b"value").into()))));
}

/// The coordinator's place in [`Cluster::nodes`], after the members.
const COORDINATOR: usize = 3;
const IDS: [&str; COORDINATOR] = ["a:7001", "b:7001", "c:7001"];

/// A message under way, or news of a connection; `usize` is a place in [`Cluster::nodes`].
enum Input {
    Connected(usize, NodeIndex),
    Disconnected(usize, NodeIndex),
    Message(usize, Link, Message),
}

struct Cluster {
    /// Members in the order of their indices, then the coordinator; `None` once killed.
    nodes: Vec<Option<Node>>,
    inputs: VecDeque<Input>,
    now: Instant,
    completed: Vec<(u64, Outcome)>,
}

impl Cluster {
    fn new() -> Self {
        let members: Vec<Member> = IDS.into_iter().map(Member::new).collect();
        let roles = IDS.into_iter().map(|id| Role::Member(id.into()));
        let roles = roles.chain([Role::Coordinator("proof".into())]);
        let nodes = roles.zip(1..).map(|(role, boot)| {
            let config = Config::new(members.clone(), role);
            let entries = store::Config::default();
            Node::new(
                config,
                boot,
                u64::from(boot),
                entries,
                Self::now_at(Instant::ZERO),
            )
            .ok()
        });
        Self {
            nodes: nodes.collect(),
            inputs: VecDeque::new(),
            now: Instant::ZERO,
            completed: Vec::new(),
        }
    }

    fn now_at(instant: Instant) -> Now {
        let wall = Timestamp::from_millis(1_700_000_000_000 + instant.as_micros() / 1000);
        Now { instant, wall }
    }

    /// Asks the coordinator and waits for the outcome.
    fn ask(&mut self, id: u64, request: Request) -> Outcome {
        let now = Self::now_at(self.now);
        let levels = Levels {
            write: Level::Quorum,
            read: Level::Quorum,
        };
        if let Some(node) = &mut self.nodes[COORDINATOR] {
            node.handle_request(now, id, request, levels);
        }
        loop {
            if let Some((_, outcome)) = self.completed.pop() {
                return outcome;
            }
            self.run_until(self.now + Duration::from_millis(5));
        }
    }

    fn kill(&mut self, number: usize) {
        self.nodes[number] = None;
        let lost = self.index(number);
        for other in 0..self.nodes.len() {
            self.inputs.push_back(Input::Disconnected(other, lost));
        }
    }

    fn run_until(&mut self, end: Instant) {
        while self.now < end {
            self.now = self.now + Duration::from_millis(5);
            for number in 0..self.nodes.len() {
                let now = Self::now_at(self.now);
                if let Some(node) = &mut self.nodes[number] {
                    node.handle_timeout(now);
                }
            }
            self.settle();
        }
    }

    /// Carries messages to and fro until there are none.
    fn settle(&mut self) {
        self.collect();
        while let Some(input) = self.inputs.pop_front() {
            let now = Self::now_at(self.now);
            let (Input::Connected(to, _) | Input::Disconnected(to, _) | Input::Message(to, ..)) =
                input;
            if let Some(node) = &mut self.nodes[to] {
                match input {
                    Input::Connected(_, peer) => node.handle_connected(now, peer),
                    Input::Disconnected(_, peer) => node.handle_disconnected(now, peer),
                    Input::Message(_, from, message) => node.handle_message(now, from, message),
                }
            }
            self.collect();
        }
    }

    /// Takes what the nodes want done.
    fn collect(&mut self) {
        for number in 0..self.nodes.len() {
            while let Some(action) = self.nodes[number].as_mut().and_then(Node::poll_action) {
                self.perform(number, action);
            }
        }
    }

    fn perform(&mut self, number: usize, action: Action) {
        match action {
            Action::Connect(peer) => self.inputs.push_back(match self.nodes[peer.as_usize()] {
                Some(_) => Input::Connected(number, peer),
                None => Input::Disconnected(number, peer),
            }),
            Action::Send(Link::Peer(peer), message) => {
                let from = Link::Inbound(number as u64);
                self.inputs
                    .push_back(Input::Message(peer.as_usize(), from, message));
            }
            Action::Send(Link::Inbound(caller), message) => {
                let from = Link::Peer(self.index(number));
                self.inputs
                    .push_back(Input::Message(caller as usize, from, message));
            }
            Action::Complete(id, outcome) => self.completed.push((id, outcome)),
            Action::Disconnect(_) | Action::Event(_) => {}
        }
    }

    fn index(&self, number: usize) -> NodeIndex {
        let ring = self.nodes[COORDINATOR].as_ref().map(Node::ring);
        ring.and_then(|ring| ring.index_of(IDS[number]))
            .expect("the ring knows every member")
    }
}
