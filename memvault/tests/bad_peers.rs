//! Two processes with one id, starts that change, clocks that are wrong: what one member makes of it.

use memvault::command::Update;
use memvault::replication::{
    Action, Answer, Body, Config, Event, Failure, Hello, Level, Levels, Link, LockReply, Member,
    Message, Node, NodeState, Now, ReadReply, Request, Role,
};
use memvault::ring::NodeIndex;
use memvault::slot::slot_of;
use memvault::store;
use memvault::time::{Duration, Instant, Timestamp};
use memvault::version::Version;

const EPOCH_MS: u64 = 1_700_000_000_000;

fn config(role: Role) -> Config {
    let members = ["a", "b", "c"].map(Member::new);
    Config::new(members.into(), role)
}

/// A node whose links the test plays.
struct Lone {
    node: Node,
    now: Instant,
    sent: Vec<(Link, Message)>,
    closed: Vec<Link>,
    events: Vec<Event>,
    done: Vec<(u64, Result<Answer, Failure>)>,
}

impl Lone {
    fn new(role: Role, incarnation: u32) -> Self {
        let now = Now {
            instant: Instant::ZERO,
            wall: Timestamp::from_millis(EPOCH_MS),
        };
        let node = Node::new(config(role), incarnation, 1, store::Config::default(), now);
        let mut lone = Self {
            node: node.expect("it is sound"),
            now: Instant::ZERO,
            sent: Vec::new(),
            closed: Vec::new(),
            events: Vec::new(),
            done: Vec::new(),
        };
        lone.wait(0);
        lone
    }

    fn member(id: &str, incarnation: u32) -> Self {
        Self::new(Role::Member(id.into()), incarnation)
    }

    fn time(&self) -> Now {
        Now {
            instant: self.now,
            wall: Timestamp::from_millis(EPOCH_MS + self.now.as_micros() / 1000),
        }
    }

    fn drain(&mut self) {
        while let Some(action) = self.node.poll_action() {
            match action {
                Action::Send(link, message) => self.sent.push((link, message)),
                Action::Disconnect(link) => self.closed.push(link),
                Action::Event(event) => self.events.push(event),
                Action::Complete(id, outcome) => self.done.push((id, outcome)),
                _ => {}
            }
        }
    }

    /// Lets time pass in steps, so that it is no pause.
    fn wait(&mut self, millis: u64) {
        for _ in 0..=millis / 25 {
            self.node.handle_timeout(self.time());
            self.drain();
            self.now = self.now + Duration::from_millis(25);
        }
    }

    fn hear(&mut self, from: Link, id: u64, body: Body) {
        let (now, epoch) = (self.time(), self.node.membership().epoch);
        self.node
            .handle_message(now, from, Message { id, epoch, body });
        self.drain();
    }

    fn connect(&mut self, peer: NodeIndex) {
        let now = self.time();
        self.node.handle_connected(now, peer);
        self.drain();
    }

    fn pong(&mut self, peer: NodeIndex, incarnation: u32, hlc: u64) {
        self.pong_at(peer, incarnation, hlc, self.time().wall);
    }

    fn pong_at(&mut self, peer: NodeIndex, incarnation: u32, hlc: u64, wall: Timestamp) {
        let state = NodeState::Serving;
        let pending = None;
        let pong = Body::Pong {
            incarnation,
            state,
            hlc,
            pending,
            wall,
            flushed: Version::ZERO,
            start_floor: Version::ZERO,
        };
        self.hear(Link::Peer(peer), 0, pong);
    }

    fn index(&self, id: &str) -> NodeIndex {
        let mut peers = self.node.peers();
        peers.find(|peer| peer.id == id).expect("it is there").index
    }

    /// What was sent on a link since the last look.
    fn take_sent(&mut self, link: Link) -> Vec<Body> {
        let sent = core::mem::take(&mut self.sent);
        let of_link = sent.into_iter().filter(|(to, _)| *to == link);
        of_link.map(|(_, message)| message.body).collect()
    }
}

/// How the member `id` greets `callee`.
fn hello(id: &str, incarnation: u32, callee: &str) -> Body {
    let mut caller = Lone::member(id, incarnation);
    let peer = caller.index(callee);
    caller.connect(peer);
    let sent = caller.take_sent(Link::Peer(peer));
    let mut greetings = sent.into_iter();
    let is_greeting = |body: &Body| matches!(body, Body::Hello(Hello { .. }));
    greetings.find(is_greeting).expect("it greets")
}

const fn same_id(came_later: bool) -> Body {
    Body::SameId { came_later }
}

#[test]
fn the_second_of_two_processes_with_one_id_is_turned_away_while_the_first_is_alive() {
    let mut member = Lone::member("b", 1);
    let (first, second) = (Link::Inbound(1), Link::Inbound(2));
    member.hear(first, 0, hello("a", 10, "b"));
    assert!(matches!(
        member.take_sent(first)[..],
        [Body::Pong { incarnation: 1, .. }]
    ));
    member.wait(100);
    member.hear(second, 0, hello("a", 11, "b"));
    assert!(member.closed.contains(&second) && !member.closed.contains(&first));
    let told: Vec<_> = core::mem::take(&mut member.sent);
    let told: Vec<_> = told
        .into_iter()
        .map(|(link, message)| (link, message.body))
        .filter(|(link, _)| matches!(link, Link::Inbound(_)))
        .collect();
    assert_eq!(told, [(second, same_id(true)), (first, same_id(false))]);
    let event = Event::SameId {
        node: "a".into(),
        must_end: false,
    };
    assert!(member.events.contains(&event), "{:?}", member.events);
    assert!(event.to_string().contains("stop one of them"), "{event}");
    // The second has no place here: its questions are not answered.
    member.closed.clear();
    member.hear(
        second,
        5,
        Body::Flush {
            version: Default::default(),
        },
    );
    assert_eq!(member.closed, [second]);
}

#[test]
fn a_restarted_member_is_taken_as_soon_as_its_former_life_is_silent() {
    let mut member = Lone::member("b", 1);
    member.hear(Link::Inbound(1), 0, hello("a", 10, "b"));
    // Its machine lost power: nobody closes the old connection.
    member.wait(450);
    member.hear(Link::Inbound(2), 0, hello("a", 11, "b"));
    let answer = member.take_sent(Link::Inbound(2));
    assert!(matches!(answer[..], [Body::Pong { .. }]), "{answer:?}");
    member.hear(Link::Inbound(3), 0, hello("c", 20, "b"));
    let now = member.time();
    member.node.handle_inbound_closed(now, 3);
    member.hear(Link::Inbound(4), 0, hello("c", 21, "b"));
    let answer = member.take_sent(Link::Inbound(4));
    assert!(matches!(answer[..], [Body::Pong { .. }]), "{answer:?}");
}

#[test]
fn a_caller_with_this_members_own_id_is_turned_away() {
    let mut member = Lone::member("b", 1);
    let Body::Hello(mut greeting) = hello("a", 10, "b") else {
        panic!("it greets");
    };
    greeting.node_id = "b".into();
    member.hear(Link::Inbound(1), 0, Body::Hello(greeting));
    assert_eq!(member.take_sent(Link::Inbound(1)), [same_id(true)]);
    assert!(member.closed.contains(&Link::Inbound(1)));
}

#[test]
fn the_process_at_the_address_of_the_list_is_the_one_that_is_meant() {
    let mut member = Lone::member("b", 1);
    let a = member.index("a");
    // The impostor calls first.
    member.hear(Link::Inbound(1), 0, hello("a", 66, "b"));
    member.take_sent(Link::Inbound(1));
    member.connect(a);
    member.pong(a, 10, 0);
    assert_eq!(member.take_sent(Link::Inbound(1)), [same_id(true)]);
    // And again: now the one that was called is known.
    member.hear(Link::Inbound(2), 0, hello("a", 66, "b"));
    assert_eq!(member.take_sent(Link::Inbound(2)), [same_id(true)]);
}

#[test]
fn whoever_is_told_for_long_that_its_id_is_taken_has_to_end() {
    let mut second = Lone::member("a", 11);
    let b = second.index("b");
    second.hear(Link::Peer(b), 0, same_id(true));
    second.wait(1000);
    second.hear(Link::Peer(b), 0, same_id(true));
    let must_end = Event::SameId {
        node: "a".into(),
        must_end: true,
    };
    assert!(
        !second.events.contains(&must_end),
        "it may be its former life"
    );
    second.wait(1000);
    second.hear(Link::Peer(b), 0, same_id(true));
    assert!(second.events.contains(&must_end), "{:?}", second.events);
    assert_eq!(second.node.state(), NodeState::Leaving);

    // The first only hears of it.
    let mut first = Lone::member("a", 10);
    for _ in 0..5 {
        first.hear(Link::Peer(b), 0, same_id(false));
        first.wait(1000);
    }
    assert!(!first.events.contains(&must_end));
    assert!(
        first.events.iter().any(|event| {
            matches!(event, Event::SameId { node, must_end: false } if node == "a")
        })
    );
}

#[test]
fn a_start_that_changes_on_one_connection_or_comes_back_is_no_start() {
    let mut client = Lone::new(Role::Coordinator("client".into()), 1);
    let a = client.index("a");
    let reason = |client: &mut Lone| {
        let events = core::mem::take(&mut client.events);
        events.into_iter().find_map(|event| match event {
            Event::Rejected { reason, .. } => Some(reason),
            _ => None,
        })
    };
    client.connect(a);
    client.pong(a, 10, 0);
    client.pong(a, 11, 0);
    let told = reason(&mut client).expect("it is told");
    assert!(
        told.contains("0000000a") && told.contains("0000000b"),
        "{told}"
    );
    assert!(client.closed.contains(&Link::Peer(a)));
    for (incarnation, is_told) in [(11, false), (10, true)] {
        let now = client.time();
        client.node.handle_disconnected(now, a);
        client.connect(a);
        client.pong(a, incarnation, 0);
        let told = reason(&mut client);
        assert_eq!(told.is_some(), is_told, "{incarnation}: {told:?}");
    }
}

#[test]
fn a_member_whose_clock_is_ahead_is_told_about_once_and_does_not_lead() {
    let mut client = Lone::new(Role::Coordinator("client".into()), 1);
    let nodes = ["a", "b", "c"].map(|id| client.index(id));
    for node in nodes {
        client.connect(node);
        client.pong(node, 1, 0);
    }
    let leader = client.node.slots().leader(slot_of(b"k"));
    let leader = leader.expect("there are three");
    let id = client
        .node
        .ring()
        .node_id(leader)
        .expect("it is named")
        .to_owned();
    let leader = client.index(&id);
    let ahead = (EPOCH_MS + 3_600_000) << 16;
    for _ in 0..3 {
        client.pong(leader, 1, ahead);
    }
    let skews = client.events.iter();
    let skews = skews.filter(|event| **event == Event::ClockSkew { node: id.clone() });
    assert_eq!(skews.count(), 1);
    client.wait(0);
    client.sent.clear();
    let levels = Levels {
        write: Level::One,
        read: Level::One,
    };
    let set = Request::SetMany(vec![(b"k"[..].into(), b"v"[..].into())]);
    let now = client.time();
    client.node.handle_request(now, 1, set, levels);
    client.drain();
    let writes: Vec<_> = client
        .sent
        .iter()
        .filter(|(_, message)| matches!(message.body, Body::Write(_)))
        .map(|(link, _)| *link)
        .collect();
    assert_eq!(writes.len(), 1);
    assert_ne!(writes[0], Link::Peer(leader));
    assert!(client.node.statistics().clock_skews >= 3);
}

/// How a client answers a read at once, if it does, whose members have such clocks and have seen such versions.
fn read_among(clocks: [(Timestamp, u64); 3]) -> Option<Result<Answer, Failure>> {
    let mut client = Lone::new(Role::Coordinator("client".into()), 1);
    for (id, (wall, hlc)) in ["a", "b", "c"].into_iter().zip(clocks) {
        let node = client.index(id);
        client.connect(node);
        client.pong_at(node, 1, hlc, wall);
    }
    let now = client.time();
    let get = Request::Get(b"k"[..].into());
    client.node.handle_request(now, 1, get, Levels::default());
    std::iter::from_fn(|| client.node.poll_action()).find_map(|action| match action {
        Action::Complete(1, outcome) => Some(outcome),
        _ => None,
    })
}

#[test]
fn the_clock_that_differs_from_most_is_the_wrong_one() {
    let right = Timestamp::from_millis(EPOCH_MS);
    let skew = Some(Err(Failure::ClockSkew));
    for hour in [EPOCH_MS + 3_600_000, EPOCH_MS - 3_600_000] {
        let other = Timestamp::from_millis(hour);
        assert_eq!(read_among([(right, 0), (right, 0), (other, 0)]), None);
        assert_eq!(read_among([(right, 0), (other, 0), (other, 0)]), skew);
    }
    // All clocks were ahead, and have been put right: what is left of that time says nothing of this one.
    let ahead = (EPOCH_MS + 3_600_000) << 16;
    assert_eq!(read_among([(right, ahead); 3]), None);
}

#[test]
fn a_request_names_what_is_wrong_where_all_replicas_refuse() {
    let mut client = Lone::new(Role::Coordinator("client".into()), 1);
    let reason = "x keeps 2 replicas, client keeps 3 (replicas must be the same everywhere)";
    for id in ["a", "b", "c"] {
        let node = client.index(id);
        client.connect(node);
        client.hear(Link::Peer(node), 0, Body::Rejected(reason.into()));
        let now = client.time();
        client.node.handle_disconnected(now, node);
    }
    let now = client.time();
    let get = Request::Get(b"k"[..].into());
    client.node.handle_request(now, 1, get, Levels::default());
    let outcome =
        std::iter::from_fn(|| client.node.poll_action()).find_map(|action| match action {
            Action::Complete(1, outcome) => Some(outcome),
            _ => None,
        });
    let failure = outcome.expect("at once").expect_err("nobody takes it");
    assert!(matches!(failure, Failure::Rejected { .. }), "{failure:?}");
    let text = failure.to_string();
    assert!(text.starts_with("CLUSTERDOWN no replica"), "{text}");
    assert!(text.contains(reason), "{text}");
}

/// Answers every question of a kind that was sent since the last look.
fn answer(client: &mut Lone, reply: impl Fn(Link, &Body) -> Option<Body>) -> usize {
    let sent = core::mem::take(&mut client.sent);
    let answers = sent.into_iter().filter_map(|(link, message)| {
        let body = reply(link, &message.body)?;
        Some((link, message.id, body))
    });
    let answers: Vec<_> = answers.collect();
    let count = answers.len();
    for (link, id, body) in answers {
        client.hear(link, id, body);
    }
    count
}

#[test]
fn a_replica_that_claims_a_version_of_the_future_cannot_hinder_a_change() {
    let mut client = Lone::new(Role::Coordinator("client".into()), 1);
    for id in ["a", "b", "c"] {
        let node = client.index(id);
        client.connect(node);
        client.pong(node, 1, 0);
    }
    let hostile = Link::Peer(client.index("b"));
    let quorum = Levels {
        write: Level::Quorum,
        read: Level::Quorum,
    };
    let now = client.time();
    let change = Request::Update {
        key: b"k"[..].into(),
        update: Update::GetDelete,
    };
    client.node.handle_request(now, 1, change, quorum);
    client.drain();
    let turn = |_, body: &Body| {
        let is_turn = matches!(body, Body::Lock { .. });
        is_turn.then_some(Body::Locked(LockReply::Granted))
    };
    assert_eq!(answer(&mut client, turn), 1);
    let future = Version::new((EPOCH_MS + 3_600_000) << 16, 7);
    let held = |link, body: &Body| {
        let reply = if link == hostile {
            ReadReply::Overtaken { current: future }
        } else {
            ReadReply::Holds {
                entry: None,
                unconfirmed: false,
                floor: Version::ZERO,
                behind: false,
            }
        };
        matches!(body, Body::Read { .. }).then_some(Body::Held(reply))
    };
    assert!(answer(&mut client, held) >= 2);
    client.wait(100);
    answer(&mut client, held);
    assert_eq!(client.done, [(1, Ok(Answer::Value(None)))]);
}
