//! Members that are reached elsewhere than the member list says: what a node makes of it, and who learns it.

use memvault::replication::{
    Action, Body, Config, Event, Hello, Link, Member, Membership, Message, Node, NodeState, Now,
    Role,
};
use memvault::ring::NodeIndex;
use memvault::store;
use memvault::time::{Duration, Instant, Timestamp};
use memvault::version::Version;

/// A node whose links the test plays.
struct Lone {
    node: Node,
    now: Instant,
    sent: Vec<(Link, Body)>,
    called: Vec<NodeIndex>,
    moves: Vec<(String, String)>,
}

const WALL_MS: u64 = 1_700_000_000_000;

impl Lone {
    fn new(ids: &[&str], role: Role, is_seed_list: bool) -> Self {
        let mut config = Config::new(ids.iter().map(|id| Member::new(*id)).collect(), role);
        config.is_seed_list = is_seed_list;
        let now = time(Instant::ZERO);
        let node = Node::new(config, 1, 1, store::Config::default(), now);
        let mut lone = Self {
            node: node.expect("it is sound"),
            now: Instant::ZERO,
            sent: Vec::new(),
            called: Vec::new(),
            moves: Vec::new(),
        };
        lone.wait(0);
        lone
    }

    fn member(id: &str) -> Self {
        Self::new(&["a", "b", "c"], Role::Member(id.into()), false)
    }

    /// A gateway that knows one address.
    fn gateway() -> Self {
        Self::new(&["seed:1"], Role::Coordinator("g".into()), true)
    }

    fn drain(&mut self) {
        while let Some(action) = self.node.poll_action() {
            match action {
                Action::Send(link, message) => self.sent.push((link, message.body)),
                Action::Connect(node) => self.called.push(node),
                Action::Event(Event::Moved { node, address }) => self.moves.push((node, address)),
                _ => {}
            }
        }
    }

    /// Lets time pass in steps, so that it is no pause.
    fn wait(&mut self, millis: u64) {
        for _ in 0..=millis / 25 {
            self.node.handle_timeout(time(self.now));
            self.drain();
            self.now = self.now + Duration::from_millis(25);
        }
    }

    fn find(&mut self, id: &str, address: &str) {
        self.node.handle_found(time(self.now), id, address);
        self.drain();
    }

    fn hear(&mut self, from: Link, epoch: u64, body: Body) {
        let message = Message { id: 0, epoch, body };
        self.node.handle_message(time(self.now), from, message);
        self.drain();
    }

    /// A connection to `id` comes about and the other side answers. Returns how it was greeted.
    fn connect(&mut self, id: &str) -> Hello {
        let peer = self.index(id);
        self.node.handle_connected(time(self.now), peer);
        self.drain();
        let pong = Body::Pong {
            incarnation: 7,
            state: NodeState::Serving,
            hlc: 0,
            pending: None,
            wall: time(self.now).wall,
            flushed: Version::ZERO,
            start_floor: Version::ZERO,
        };
        let greeting = self.sent.pop();
        self.hear(Link::Peer(peer), 1, pong);
        match greeting {
            Some((_, Body::Hello(hello))) => hello,
            other => panic!("no greeting: {other:?}"),
        }
    }

    fn lose(&mut self, id: &str) {
        let peer = self.index(id);
        self.node.handle_disconnected(time(self.now), peer);
        self.drain();
        self.called.clear();
    }

    fn index(&self, id: &str) -> NodeIndex {
        let mut peers = self.node.peers();
        peers.find(|peer| peer.id == id).expect("it is there").index
    }

    fn address(&self, id: &str) -> String {
        let mut peers = self.node.peers();
        let peer = peers.find(|peer| peer.id == id).expect("it is there");
        peer.address
    }

    /// Documents sent on a link since the last look.
    fn take_documents(&mut self, link: Link) -> Vec<Membership> {
        let sent = core::mem::take(&mut self.sent);
        let of_link = sent.into_iter().filter(|(to, _)| *to == link);
        of_link
            .filter_map(|(_, body)| match body {
                Body::Membership(membership) => Some(membership),
                _ => None,
            })
            .collect()
    }
}

fn time(instant: Instant) -> Now {
    Now {
        instant,
        wall: Timestamp::from_millis(WALL_MS + instant.as_micros() / 1000),
    }
}

fn address_in(membership: &Membership, id: &str) -> String {
    let mut members = membership.members.iter();
    let member = members.find(|member| member.id == id);
    member.expect("it is there").address.clone()
}

#[test]
fn a_member_that_is_found_elsewhere_is_called_there_at_once() {
    let mut a = Lone::member("a");
    for _ in 0..20 {
        // Refused so often that the next attempt is seconds away.
        a.lose("b");
        a.wait(100);
    }
    a.lose("b");
    a.find("b", "b:2");
    a.wait(0);
    assert_eq!(a.called, [a.index("b")]);
    assert_eq!(a.moves, [("b".to_owned(), "b:2".to_owned())]);
    assert_eq!(a.address("b"), "b:2");
    a.find("b", "b:2");
    a.find("nobody", "x:1");
    assert_eq!(a.moves.len(), 1, "nothing new");
}

#[test]
fn an_open_connection_stays_when_its_member_is_said_to_be_elsewhere() {
    let mut a = Lone::member("a");
    a.connect("b");
    a.called.clear();
    a.find("b", "b:2");
    a.wait(200);
    let is_up = a.node.peers().any(|peer| peer.id == "b" && peer.is_up);
    assert!(is_up && !a.called.contains(&a.index("b")));
}

#[test]
fn those_without_data_are_told_where_members_are_and_members_keep_their_list() {
    let mut a = Lone::member("a");
    let (coordinator, member) = (Link::Inbound(1), Link::Inbound(2));
    let mut gateway = Lone::new(&["a", "b", "c"], Role::Coordinator("g".into()), false);
    let greeting = gateway.connect("a");
    a.hear(coordinator, 1, Body::Hello(greeting.clone()));
    a.hear(member, 1, Body::Hello(Lone::member("b").connect("a")));
    assert!(a.take_documents(coordinator).is_empty());

    a.find("c", "c:2");
    let sent = a.sent.clone();
    assert!(a.take_documents(member).is_empty());
    a.sent = sent;
    let documents = a.take_documents(coordinator);
    assert_eq!(address_in(&documents[0], "c"), "c:2");

    // One that comes later learns it with the answer to its greeting.
    a.hear(Link::Inbound(3), 1, Body::Hello(greeting));
    let documents = a.take_documents(Link::Inbound(3));
    assert_eq!(address_in(&documents[0], "c"), "c:2");

    let from_a = Link::Peer(gateway.index("a"));
    gateway.hear(from_a, 1, Body::Membership(documents[0].clone()));
    assert_eq!(gateway.moves, [("c".to_owned(), "c:2".to_owned())]);
    assert_eq!(gateway.address("c"), "c:2");
}

#[test]
fn an_older_list_never_takes_the_place_of_a_newer_one() {
    let mut gateway = Lone::gateway();
    gateway.connect("seed:1");
    let seed = Link::Peer(gateway.index("seed:1"));
    let newer = membership(3, &["a", "b", "c"]);
    gateway.hear(seed, 3, Body::Membership(newer.clone()));
    assert_eq!(*gateway.node.membership(), newer);
    let mut older = membership(2, &["a", "b"]);
    older.members[0].address = "old:1".into();
    gateway.hear(seed, 3, Body::Membership(older));
    assert_eq!(*gateway.node.membership(), newer);
    assert!(gateway.moves.is_empty());
}

#[test]
fn a_gateway_that_has_lost_everyone_calls_its_seeds_again() {
    let mut gateway = Lone::gateway();
    gateway.connect("seed:1");
    let seed = gateway.index("seed:1");
    gateway.hear(
        Link::Peer(seed),
        1,
        Body::Membership(membership(1, &["a", "b"])),
    );
    gateway.connect("a");
    gateway.connect("b");
    gateway.wait(100);
    gateway.node.handle_disconnected(time(gateway.now), seed);
    gateway.lose("a");
    gateway.wait(1_000);
    assert!(!gateway.called.contains(&seed), "b is still there");
    gateway.lose("b");
    gateway.wait(1_000);
    assert!(gateway.called.contains(&seed));

    gateway.node.handle_connected(time(gateway.now), seed);
    gateway.drain();
    let mut callees = gateway.sent.iter().filter_map(|(link, body)| match body {
        Body::Hello(hello) if *link == Link::Peer(seed) => Some(hello.callee.as_str()),
        _ => None,
    });
    // The node that is there now: it need not have the name of its address.
    assert_eq!(callees.next_back(), Some(""));
}

fn membership(epoch: u64, ids: &[&str]) -> Membership {
    Membership {
        epoch,
        members: ids.iter().map(|id| Member::new(*id)).collect(),
        replicas: 3,
        change: None,
    }
}
