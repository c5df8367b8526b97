//! Time as a node sees it: what is late by its own fault, what is a sign of life, and what is a pause.

use memvault::replication::{
    Action, Body, Config, Event, Failure, Level, Levels, Link, Member, Message, Node, NodeState,
    Now, Outcome, Request, Role,
};
use memvault::ring::NodeIndex;
use memvault::store;
use memvault::time::{Duration, Instant, Timestamp};
use memvault::version::Version;

const EPOCH_MS: u64 = 1_700_000_000_000;

/// A node whose links and clock the test plays.
struct Lone {
    node: Node,
    millis: u64,
    sent: Vec<(Link, Message)>,
    events: Vec<Event>,
    done: Vec<Outcome>,
}

impl Lone {
    fn new(members: &[&str], role: Role) -> Self {
        let members = members.iter().copied().map(Member::new).collect();
        let node = Node::new(
            Config::new(members, role),
            1,
            1,
            store::Config::default(),
            at(0),
        );
        Self {
            node: node.expect("it is sound"),
            millis: 0,
            sent: Vec::new(),
            events: Vec::new(),
            done: Vec::new(),
        }
    }

    /// A coordinator of three members that have greeted.
    fn coordinator() -> Self {
        let mut lone = Self::new(&["a", "b", "c"], Role::Coordinator("test".into()));
        lone.wait(0);
        for member in (0..3).map(NodeIndex) {
            lone.node.handle_connected(lone.now(), member);
            lone.drain();
        }
        // Until it trusts a single answer.
        for _ in 0..60 {
            lone.answer_all();
            lone.wait(25);
        }
        lone.answer_all();
        lone.events.clear();
        lone
    }

    const fn now(&self) -> Now {
        at(self.millis)
    }

    fn drain(&mut self) {
        while let Some(action) = self.node.poll_action() {
            match action {
                Action::Send(link, message) => self.sent.push((link, message)),
                Action::Event(event) => self.events.push(event),
                Action::Complete(_, outcome) => self.done.push(outcome),
                _ => {}
            }
        }
    }

    /// Answers what greets and pings, and forgets the rest.
    fn answer_all(&mut self) {
        for (link, Message { id, epoch, body }) in std::mem::take(&mut self.sent) {
            if matches!(body, Body::Hello(_) | Body::Ping) {
                let body = Body::Pong {
                    incarnation: 1,
                    state: NodeState::Serving,
                    hlc: 0,
                    pending: None,
                    wall: self.now().wall,
                    flushed: Version::ZERO,
                    start_floor: Version::ZERO,
                };
                let message = Message { id, epoch, body };
                self.node.handle_message(self.now(), link, message);
            }
        }
        self.drain();
    }

    /// Lets time pass; the node is called whenever it asks to be.
    fn wait(&mut self, millis: u64) {
        let end = self.millis + millis;
        loop {
            let due = self.node.poll_timeout().as_micros().div_ceil(1000);
            if due > end {
                break;
            }
            self.millis = due.max(self.millis);
            self.node.handle_timeout(self.now());
            self.drain();
        }
        self.millis = end;
    }

    /// Lets time pass in which the node does nothing, and calls it then.
    fn sleep(&mut self, millis: u64) {
        self.millis += millis;
        self.node.handle_timeout(self.now());
        self.drain();
    }

    fn get(&mut self) {
        let levels = Levels {
            write: Level::One,
            read: Level::One,
        };
        let request = Request::Get((*b"key").into());
        self.node.handle_request(self.now(), 7, request, levels);
        self.drain();
    }

    /// Who was asked for the key.
    fn asked(&self) -> Vec<Link> {
        let reads = self.sent.iter();
        let reads = reads.filter(|(_, message)| matches!(message.body, Body::Read { .. }));
        reads.map(|(link, _)| *link).collect()
    }

    fn suspects(&self) -> usize {
        self.node.peers().filter(|peer| peer.is_suspect).count()
    }
}

const fn at(millis: u64) -> Now {
    Now {
        instant: Instant::from_millis(millis),
        wall: Timestamp::from_millis(EPOCH_MS + millis),
    }
}

fn is_ejection(event: &Event) -> bool {
    matches!(event, Event::Ejected { .. } | Event::Down { .. })
}

#[test]
fn silence_while_this_node_did_not_look_is_nobody_elses() {
    let mut lone = Lone::coordinator();
    lone.wait(350);
    lone.sleep(200);
    assert_eq!(lone.events, [], "what came meanwhile waits to be read");
    lone.wait(100);
    let ejected = lone.events.iter().filter(|event| is_ejection(event));
    assert_eq!(ejected.count(), 3, "real silence goes on to count");
}

#[test]
fn any_bytes_are_a_sign_of_life() {
    let mut lone = Lone::coordinator();
    for _ in 0..30 {
        lone.wait(100);
        lone.node.handle_heard(lone.now(), Link::Peer(NodeIndex(1)));
        lone.drain();
    }
    let told = format!("{:?}", lone.events);
    assert!(!told.contains("\"b\""), "{told}");
    assert!(told.contains("\"a\"") && told.contains("\"c\""), "{told}");
}

#[test]
fn a_member_that_is_merely_slow_is_asked_again() {
    let mut lone = Lone::coordinator();
    lone.get();
    let [first] = lone.asked()[..] else {
        panic!("one is asked: {:?}", lone.asked());
    };
    // Half of something comes from it each time; the answer does not.
    for _ in 0..20 {
        lone.wait(20);
        lone.node.handle_heard(lone.now(), first);
        lone.answer_all();
    }
    assert_eq!(lone.suspects(), 0, "it is no worse for it");
    assert!(!lone.events.iter().any(is_ejection), "{:?}", lone.events);
}

#[test]
fn attempts_are_not_over_because_this_node_was_late() {
    let mut lone = Lone::coordinator();
    lone.get();
    lone.sleep(100);
    assert_eq!(lone.asked().len(), 1, "the answer may be there, unread");
    lone.wait(40);
    assert!(lone.asked().len() > 1, "{:?}", lone.asked());
}

#[test]
fn a_deadline_is_kept_however_late_this_node_is() {
    let mut lone = Lone::coordinator();
    lone.get();
    lone.sleep(1000);
    assert_eq!(lone.done, [Err(Failure::Timeout)]);
}

/// A member alone that serves.
fn member() -> Lone {
    let mut lone = Lone::new(&["a"], Role::Member("a".into()));
    lone.wait(2000);
    assert_eq!(lone.node.state(), NodeState::Serving);
    lone.events.clear();
    lone
}

#[test]
fn a_process_that_was_busy_did_not_stand_still() {
    let mut lone = member();
    lone.millis += 900;
    assert!(lone.node.is_late(lone.now()));
    lone.node.note_work(Duration::from_millis(500));
    lone.get();
    assert!(matches!(lone.done[..], [Ok(_)]), "{:?}", lone.done);
    lone.sleep(0);
    assert_eq!(lone.events, []);
}

#[test]
fn a_process_that_did_not_work_for_half_a_second_stood_still() {
    let mut lone = member();
    lone.node.note_work(Duration::from_secs(5));
    lone.wait(100);
    lone.millis += 900;
    lone.node.note_work(Duration::from_millis(300));
    lone.get();
    assert_eq!(lone.done, [Err(Failure::Paused)]);
    let is_paused = |event: &Event| matches!(event, Event::Paused { .. });
    assert!(lone.events.iter().any(is_paused), "{:?}", lone.events);
}
