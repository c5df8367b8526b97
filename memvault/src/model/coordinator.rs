//! A small cluster under a schedule: which message arrives next, is lost or comes twice, who crashes, when
//! time passes.
//!
//! Whatever the schedule, hits are linearizable at level QUORUM and every request ends by its deadline.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec::Vec;

use crate::command::{Condition, Expiry};
use crate::replication::{
    Action, Answer, Bytes, Config, Level, Levels, Link, Member, Message, Node, NodeState, Now,
    OnAmbiguous, Outcome, Request, Role,
};
use crate::ring::NodeIndex;
use crate::simulator::history::{Act, Record, check_hits};
use crate::store;
use crate::time::{Duration, Instant, Timestamp};

/// Runs the schedule `program`, two bytes per step, then lets everything arrive and end.
///
/// # Panics
///
/// Panics if a hit is not linearizable, if a request does not end in time, or if the cluster does not serve
/// again once nothing goes wrong any more.
pub fn run(program: &[u8]) {
    let mut cluster = Cluster::new();
    cluster.recover();
    for step in program.chunks_exact(2) {
        cluster.step(step[0], usize::from(step[1]));
    }
    cluster.recover();
    assert!(
        cluster.asked.is_empty(),
        "requests that never end: {:?}",
        cluster.asked
    );
    let violations = check_hits(&cluster.records);
    assert!(violations.is_empty(), "{violations:?}");
}

const MEMBERS: usize = 3;
const CLIENTS: usize = 2;
const KEYS: usize = 2;
const EPOCH_MS: u64 = 1_700_000_000_000;

/// A message under way.
struct Sent {
    connection: u64,
    to_member: bool,
    message: Message,
}

struct Cluster {
    /// Members, then clients.
    nodes: Vec<Node>,
    now: Instant,
    /// Open connections by number: who opened it, to which member.
    connections: BTreeMap<u64, (usize, usize)>,
    sent: Vec<Sent>,
    /// Nodes that may have something to do.
    dirty: BTreeSet<usize>,
    /// Requests under way: key, what was asked, when.
    asked: BTreeMap<u64, (usize, Act, Instant)>,
    records: Vec<Record>,
    last_number: u64,
}

impl Cluster {
    fn new() -> Self {
        let mut cluster = Self {
            nodes: Vec::new(),
            now: Instant::ZERO,
            connections: BTreeMap::new(),
            sent: Vec::new(),
            dirty: BTreeSet::new(),
            asked: BTreeMap::new(),
            records: Vec::new(),
            last_number: 0,
        };
        for number in 0..MEMBERS + CLIENTS {
            let node = cluster.incarnation(number);
            cluster.nodes.push(node);
        }
        cluster
    }

    fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    fn incarnation(&mut self, number: usize) -> Node {
        let members = (0..MEMBERS)
            .map(|n| Member::new(format!("node-{n}")))
            .collect();
        let role = if number < MEMBERS {
            Role::Member(format!("node-{number}"))
        } else {
            Role::Coordinator(format!("client-{number}"))
        };
        let mut config = Config::new(members, role);
        config.on_ambiguous = OnAmbiguous::Error;
        let incarnation = self.number();
        Node::new(
            config,
            incarnation as u32,
            incarnation,
            store::Config::default(),
            self.time(),
        )
        .unwrap()
    }

    fn time(&self) -> Now {
        Now {
            instant: self.now,
            wall: Timestamp::from_millis(EPOCH_MS + self.now.as_micros() / 1000),
        }
    }

    fn step(&mut self, code: u8, argument: usize) {
        match code % 16 {
            0..=6 => self.deliver(argument, true),
            7 => self.deliver(argument, false),
            8 if !self.sent.is_empty() => {
                let lost = argument % self.sent.len();
                self.sent.swap_remove(lost);
            }
            9 if argument < 64 => self.crash(argument % MEMBERS),
            10 => self.pass(Duration::from_millis(argument as u64 % 64)),
            11 if argument < 16 => self.pass(Duration::from_millis(500 + 10 * argument as u64)),
            12 => (0..argument % 64).for_each(|_| self.deliver(0, true)),
            13.. => self.ask(argument),
            _ => {}
        }
    }

    /// Delivers one of the messages under way; if it is not `taken` off, it will come again.
    fn deliver(&mut self, which: usize, taken: bool) {
        if self.sent.is_empty() {
            return;
        }
        let at = which % self.sent.len();
        let sent = &self.sent[at];
        let (connection, to_member) = (sent.connection, sent.to_member);
        let message = if taken {
            self.sent.remove(at).message
        } else {
            sent.message.clone()
        };
        let Some(&(from, to)) = self.connections.get(&connection) else {
            return;
        };
        let now = self.time();
        if to_member {
            self.nodes[to].handle_message(now, Link::Inbound(connection), message);
            self.dirty.insert(to);
        } else {
            self.nodes[from].handle_message(now, Link::Peer(index(to)), message);
            self.dirty.insert(from);
        }
        self.run_until_idle();
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        let now = self.time();
        for (number, node) in self.nodes.iter_mut().enumerate() {
            node.handle_timeout(now);
            self.dirty.insert(number);
        }
        self.run_until_idle();
        for (_, act, asked) in self.asked.values() {
            assert!(
                self.now - *asked < Duration::from_secs(1),
                "{act:?} is past its deadline"
            );
        }
    }

    /// A member loses its memory and its connections and starts anew.
    fn crash(&mut self, victim: usize) {
        let now = self.time();
        let touches = |(_, ends): &(&u64, &(usize, usize))| ends.0 == victim || ends.1 == victim;
        let broken: Vec<_> = self
            .connections
            .iter()
            .filter(touches)
            .map(|(n, e)| (*n, *e))
            .collect();
        self.nodes[victim] = self.incarnation(victim);
        self.dirty.insert(victim);
        for (number, (from, to)) in broken {
            self.connections.remove(&number);
            if to == victim {
                self.nodes[from].handle_disconnected(now, index(to));
                self.dirty.insert(from);
            } else {
                self.nodes[to].handle_inbound_closed(now, number);
            }
        }
        self.run_until_idle();
    }

    fn ask(&mut self, argument: usize) {
        let (client, key) = (MEMBERS + argument % CLIENTS, argument / 2 % KEYS);
        let (id, name) = (self.number(), Bytes::from(&b"ab"[key..=key]));
        let (act, request) = match argument / 4 % 4 {
            0 | 1 => (Act::Miss, Request::Get(name)),
            2 if argument.is_multiple_of(8) => (Act::Write(id), Request::Delete([name].into())),
            _ => (Act::Write(id), set(name, id)),
        };
        self.asked.insert(id, (key, act, self.now));
        let levels = Levels {
            write: Level::Quorum,
            read: Level::Quorum,
        };
        let now = self.time();
        self.nodes[client].handle_request(now, id, request, levels);
        self.dirty.insert(client);
        self.run_until_idle();
    }

    /// Does what the nodes ask for.
    fn run_until_idle(&mut self) {
        while let Some(number) = self.dirty.pop_first() {
            while let Some(action) = self.nodes[number].poll_action() {
                self.act(number, action);
            }
        }
    }

    fn act(&mut self, who: usize, action: Action) {
        let now = self.time();
        match action {
            Action::Connect(peer) => {
                let connection = self.number();
                self.connections.insert(connection, (who, peer.as_usize()));
                self.nodes[who].handle_connected(now, peer);
            }
            Action::Disconnect(link) => {
                let Some((connection, from, to)) = self.find(who, link) else {
                    return;
                };
                self.connections.remove(&connection);
                if from == who {
                    self.nodes[to].handle_inbound_closed(now, connection);
                } else {
                    self.nodes[from].handle_disconnected(now, index(to));
                    self.dirty.insert(from);
                }
            }
            Action::Send(link, message) => {
                let Some((connection, from, _)) = self.find(who, link) else {
                    return;
                };
                self.sent.push(Sent {
                    connection,
                    to_member: from == who,
                    message,
                });
            }
            Action::Complete(id, outcome) => self.complete(id, outcome),
            // Members of the model are nodes of our own.
            Action::Ask(..) | Action::Event(_) => {}
        }
    }

    fn find(&self, who: usize, link: Link) -> Option<(u64, usize, usize)> {
        let mut open = self
            .connections
            .iter()
            .map(|(number, ends)| (*number, ends.0, ends.1));
        open.find(|(number, from, to)| match link {
            Link::Peer(peer) => (*from, *to) == (who, peer.as_usize()),
            Link::Inbound(connection) => *number == connection,
        })
    }

    fn complete(&mut self, id: u64, outcome: Outcome) {
        let (key, mut act, asked) = self.asked.remove(&id).expect("a request ends once");
        if let Ok(Answer::Value(Some(value))) = &outcome {
            act = Act::Hit(u64::from_be_bytes(value[..].try_into().unwrap()));
        }
        let answered = outcome.is_ok().then_some(self.now);
        if answered.is_some() || matches!(act, Act::Write(_)) {
            self.records.push(Record {
                key,
                act,
                asked,
                answered,
            });
        }
    }

    /// Nothing goes wrong any more until all members serve and all requests have ended.
    fn recover(&mut self) {
        let serves = |node: &Node| node.state() == NodeState::Serving;
        for _ in 0..2_000 {
            while !self.sent.is_empty() {
                self.deliver(0, true);
            }
            if self.asked.is_empty() && self.nodes.iter().all(serves) {
                return;
            }
            self.pass(Duration::from_millis(25));
        }
        panic!("the cluster does not recover");
    }
}

fn index(number: usize) -> NodeIndex {
    NodeIndex(number as u16)
}

fn set(key: Bytes, value: u64) -> Request {
    Request::Set {
        key,
        value: Bytes::from(value.to_be_bytes()),
        expiry: Expiry::None,
        condition: Condition::Always,
        return_old: false,
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use quickcheck::quickcheck;

    use crate::rng::Rng;

    quickcheck! {
        fn any_schedule_keeps_the_promises(program: Vec<u8>) -> bool {
            super::run(&program);
            true
        }
    }

    #[test]
    fn long_schedules_keep_the_promises() {
        let mut rng = Rng::new(5);
        for _ in 0..40 {
            let program: Vec<u8> = (0..4000).map(|_| rng.next_u64() as u8).collect();
            super::run(&program);
        }
    }
}
