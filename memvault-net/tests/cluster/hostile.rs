//! A member that lies, over a real socket, beside three that do not: it is told about with the reason, and
//! every key is still there.

use memvault::replication::{
    Body, Entry, Hello, Message, OfferReply, PullReply, ReadReply, WriteReply,
};
use memvault::resp::{CommandDecoder, Limits};
use memvault::version::Version;

use super::*;

/// What a hostile member does in answer to one message.
enum Deed {
    /// As an honest member that holds nothing and is not ready.
    Honest,
    /// These messages.
    Say(Vec<Message>),
    /// These bytes.
    Bytes(&'static [u8]),
    /// These bytes, and the end of the connection.
    Last(Vec<u8>),
}

/// A script: the number of the connection, the message, and how many came before it on that connection.
type Script = fn(u32, &Message, u32) -> Deed;

const PONG: fn(u32, u64) -> Body = |incarnation, hlc| Body::Pong {
    incarnation,
    state: NodeState::Serving,
    hlc,
    pending: None,
    wall: wall(),
    flushed: Version::ZERO,
    start_floor: Version::ZERO,
};

fn say(message: &Message, bodies: Vec<Body>) -> Deed {
    let (id, epoch) = (message.id, message.epoch);
    Deed::Say(
        bodies
            .into_iter()
            .map(|body| Message { id, epoch, body })
            .collect(),
    )
}

fn honest(message: &Message) -> Option<Body> {
    Some(match &message.body {
        Body::Hello(_) | Body::Ping => PONG(1, 0),
        Body::Read { .. } => Body::Held(ReadReply::Loading),
        Body::Write(_) => Body::Wrote(WriteReply::Loading),
        Body::Offer { .. } => Body::Offered(OfferReply::Ack { counted: false }),
        Body::Pull { .. } => Body::Pulled(PullReply::Chunk {
            entries: Vec::new(),
            next: None,
            floors: Vec::new(),
            looked_at: 0,
            total: 0,
        }),
        Body::Flush { .. } => Body::Flushed,
        _ => return None,
    })
}

fn encoded(messages: &[Message]) -> Vec<u8> {
    let mut bytes = Vec::new();
    messages
        .iter()
        .for_each(|message| message.encode(&mut bytes));
    bytes
}

fn read_message(
    stream: &mut TcpStream,
    decoder: &mut CommandDecoder,
    bytes: &mut Vec<u8>,
) -> Option<Message> {
    loop {
        if let Some(decoded) = decoder.decode(bytes).ok()? {
            let message = Message::decode(decoded.args).ok();
            let consumed = decoded.consumed;
            bytes.drain(..consumed);
            return message;
        }
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).ok()?;
        bytes.extend_from_slice(buffer.get(..read).filter(|read| !read.is_empty())?);
    }
}

fn serve_hostile(mut stream: TcpStream, number: u32, script: Script) -> Option<()> {
    let (mut decoder, mut bytes) = (CommandDecoder::new(Limits::default()), Vec::new());
    for count in 0.. {
        let message = read_message(&mut stream, &mut decoder, &mut bytes)?;
        match script(number, &message, count) {
            Deed::Honest => {
                if let Some(body) = honest(&message) {
                    let (id, epoch) = (message.id, message.epoch);
                    let answer = Message { id, epoch, body };
                    stream.write_all(&encoded(&[answer])).ok()?;
                }
            }
            Deed::Say(messages) => stream.write_all(&encoded(&messages)).ok()?,
            Deed::Bytes(bytes) => stream.write_all(bytes).ok()?,
            Deed::Last(bytes) => {
                stream.write_all(&bytes).ok()?;
                return None;
            }
        }
    }
    None
}

/// Three members and a hostile one, whose address is the last.
fn cluster_with(script: Script) -> Cluster {
    let hostile = listener();
    let listeners: Vec<_> = (0..3).map(|_| listener()).collect();
    let mut addresses: Vec<_> = listeners.iter().map(address).collect();
    addresses.push(address(&hostile));
    thread::spawn(move || {
        for (number, stream) in (0..).zip(hostile.incoming()) {
            let Ok(stream) = stream else { return };
            thread::spawn(move || serve_hostile(stream, number, script));
        }
    });
    Cluster::start_some(addresses, listeners, 3, Duration::from_secs(2))
}

/// Runs requests until the client has told about the hostile member with `part` in the reason, and then
/// looks at every key, at the default level and at QUORUM.
fn expect_told(script: Script, is_told: impl Fn(&Event, &str) -> bool, what: &str) {
    let cluster = cluster_with(script);
    let hostile = cluster.addresses[3].clone();
    let client = cluster.client();
    let mut events = client.events();
    let honest: Vec<_> = cluster.addresses[..3].to_vec();
    for address in &honest {
        eventually("the members serve", || serves(&client, address));
    }
    fill(&client, 50);
    let (stop, stopped) = async_channel::bounded::<()>(1);
    let load = client.clone();
    let load = thread::spawn(move || {
        while !stopped.is_closed() {
            fill(&load, 50);
        }
    });
    expect_event(&mut events, what, |event| is_told(event, &hostile));
    stop.close();
    load.join().expect("no write fails");
    check(&client, 50);
    check(&client.with_levels(QUORUM), 50);
    fill(&client, 60);
    check(&client, 60);
    // Another client, which has learnt nothing yet, finds them as well.
    check(&cluster.client(), 60);
}

fn rejected(part: &'static str) -> impl Fn(&Event, &str) -> bool {
    move |event, hostile| matches!(event, Event::Rejected { node, reason } if node == hostile && reason.contains(part))
}

fn expect_rejected(script: Script, part: &'static str) {
    expect_told(script, rejected(part), part);
}

const fn is_asked_for_data(message: &Message) -> bool {
    matches!(
        message.body,
        Body::Read { .. } | Body::Write(_) | Body::Offer { .. }
    )
}

#[test]
fn an_answer_that_nobody_asked_for() {
    expect_rejected(
        |_, message, count| {
            let (id, epoch) = (4711, message.epoch);
            let body = Body::Held(ReadReply::Loading);
            if count == 1 {
                Deed::Say(vec![Message { id, epoch, body }])
            } else {
                Deed::Honest
            }
        },
        "an answer that nobody waits for, or a second time (NODE.HELD)",
    );
}

#[test]
fn an_answer_that_is_replayed() {
    expect_rejected(
        |_, message, _| match message.body {
            Body::Ping => say(message, vec![PONG(1, 0), PONG(1, 0)]),
            _ => Deed::Honest,
        },
        "a second time (NODE.PONG)",
    );
}

#[test]
fn an_answer_of_the_wrong_kind() {
    expect_rejected(
        |_, message, _| {
            if is_asked_for_data(message) {
                say(message, vec![Body::Flushed])
            } else {
                Deed::Honest
            }
        },
        "it answered NODE.",
    );
}

#[test]
fn bytes_that_mean_nothing() {
    expect_rejected(
        |_, message, _| {
            if is_asked_for_data(message) {
                Deed::Bytes(b"*2\r\n$10\r\nNODE.WROTE\r\n$3\r\nabc\r\n")
            } else {
                Deed::Honest
            }
        },
        "it sent no valid message: malformed message",
    );
}

#[test]
fn a_reply_longer_than_the_limit() {
    expect_rejected(
        |_, message, _| {
            if is_asked_for_data(message) {
                Deed::Bytes(b"*3\r\n$9\r\nNODE.HELD\r\n$99999999999\r\n")
            } else {
                Deed::Honest
            }
        },
        "99999999999 bytes in one go, where a message above 16384 bytes has to come in pieces",
    );
}

#[test]
fn half_a_reply_and_then_nothing_more() {
    expect_rejected(
        |_, message, _| {
            if is_asked_for_data(message) {
                Deed::Last(b"*3\r\n$9\r\nNODE.HELD\r\n$20\r\nabc".to_vec())
            } else {
                Deed::Honest
            }
        },
        "it closed the connection in the middle of a message",
    );
}

#[test]
fn another_start_with_every_pong() {
    expect_rejected(
        |_, message, count| match message.body {
            Body::Hello(_) | Body::Ping => say(message, vec![PONG(100 + count, 0)]),
            _ => Deed::Honest,
        },
        "says on the same connection that it is",
    );
}

/// As two processes behind one address do.
#[test]
fn two_starts_that_take_turns() {
    expect_rejected(
        |number, message, count| match message.body {
            Body::Hello(_) => say(message, vec![PONG(number % 2, 0)]),
            _ if count > 2 => Deed::Last(Vec::new()),
            Body::Ping => say(message, vec![PONG(number % 2, 0)]),
            _ => Deed::Honest,
        },
        "two processes take turns at this address with one id",
    );
}

/// Its versions are neither believed nor stored, and it does not lead.
#[test]
fn versions_from_far_in_the_future() {
    const FUTURE: u64 = 9_000_000_000_000 << 16;
    expect_told(
        |_, message, count| match &message.body {
            // A little later, when the test listens.
            Body::Hello(_) | Body::Ping => {
                say(message, vec![PONG(1, FUTURE * u64::from(count > 9))])
            }
            Body::Read { .. } => {
                let entry = Some(Entry {
                    version: Version::new(FUTURE, 1),
                    value: Some(b"evil"[..].into()),
                    expire_at: None,
                });
                let (unconfirmed, floor) = (false, Version::ZERO);
                let holds = ReadReply::Holds {
                    entry,
                    unconfirmed,
                    floor,
                    behind: false,
                };
                say(message, vec![Body::Held(holds)])
            }
            Body::Write(_) => {
                let (current, untouched) = (Version::new(FUTURE, 1), true);
                let stale = WriteReply::Stale { current, untouched };
                say(message, vec![Body::Wrote(stale)])
            }
            _ => Deed::Honest,
        },
        |event, hostile| matches!(event, Event::ClockSkew { node } if node == hostile),
        "clock-skew",
    );
}

/// The answer to one greeting, as an honest member gives it.
fn greet(address: &str, change: impl FnOnce(&mut Hello)) -> (Message, TcpStream) {
    let mut hello = real_hello(address);
    if let Body::Hello(hello) = &mut hello.body {
        change(hello);
    }
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream
        .set_read_timeout(Some(PATIENCE))
        .expect("a time limit");
    stream.write_all(&encoded(&[hello])).expect("it reads");
    let mut decoder = CommandDecoder::new(Limits::default());
    let answer = read_message(&mut stream, &mut decoder, &mut Vec::new());
    (answer.expect("it answers"), stream)
}

thread_local! {
    static HELLO: std::cell::RefCell<Option<Message>> = const { std::cell::RefCell::new(None) };
}

/// The greeting of a client of the cluster, as it goes over the wire.
fn real_hello(address: &str) -> Message {
    let mut hello = HELLO.with_borrow(|hello| hello.clone().expect("it was recorded"));
    if let Body::Hello(hello) = &mut hello.body {
        hello.callee = address.to_owned();
    }
    hello
}

/// Records what a client with this member list says first.
fn record_hello(addresses: &[String], replicas: usize) {
    use memvault::replication::{Action, Config, Member, Node, Now, Role};
    let members = addresses.iter().map(Member::new).collect();
    let mut config = Config::new(members, Role::Coordinator("stranger".into()));
    config.replicas = replicas;
    let node = Node::new(
        config,
        77,
        1,
        memvault::store::Config::default(),
        Now::default(),
    );
    let mut node = node.expect("it is sound");
    node.handle_connected(Now::default(), memvault_index());
    let hello = std::iter::from_fn(|| node.poll_action()).find_map(|action| match action {
        Action::Send(_, message) => Some(message),
        _ => None,
    });
    HELLO.set(hello);
}

fn memvault_index() -> memvault::ring::NodeIndex {
    let mut ring = memvault::ring::Ring::new();
    ring.add("first", 1).expect("it is the first")
}

#[test]
fn a_caller_that_takes_the_name_of_a_living_member_is_turned_away() {
    let cluster = Cluster::start(3, 3);
    let client = cluster.client();
    all_serve(&client, &cluster);
    fill(&client, 50);
    record_hello(&cluster.addresses, 3);
    for victim in [0, 1] {
        // Of the member that is called itself, and of another one.
        let (answer, mut stream) = greet(&cluster.addresses[0], |hello| {
            hello.is_member = true;
            hello.node_id.clone_from(&cluster.addresses[victim]);
            hello.incarnation = 4711;
        });
        assert_eq!(answer.body, Body::SameId { came_later: true });
        let rest = stream.read_to_end(&mut Vec::new());
        assert_eq!(rest.expect("it is closed"), 0);
    }
    check(&client, 50);
    check(&client.with_levels(QUORUM), 50);
}

#[test]
fn mixed_settings_are_refused_with_both_values() {
    let cluster = Cluster::start(2, 2);
    let client = cluster.client();
    all_serve(&client, &cluster);
    fill(&client, 20);
    record_hello(&cluster.addresses, 2);
    let name = cluster.addresses[0].as_str();
    let refused = |change: fn(&mut Hello), parts: &[&str]| {
        let (answer, _) = greet(name, change);
        let Body::Rejected(reason) = answer.body else {
            panic!("it was taken: {answer:?}");
        };
        for part in parts.iter().chain(&[name]) {
            assert!(reason.contains(part), "{part}: {reason}");
        }
    };
    refused(
        |hello| hello.virtual_nodes = 100,
        &["has 256 virtual nodes", "stranger has 100"],
    );
    refused(
        |hello| hello.replicas = 3,
        &["keeps 2 replicas", "stranger keeps 3"],
    );
    refused(
        |hello| hello.op_deadline_ms = 2500,
        &["gives a request up after 1000 ms", "stranger after 2500 ms"],
    );
    refused(
        |hello| {
            hello.is_member = true;
            hello.op_deadline_ms = 500;
        },
        &["gives a request up after 1000 ms", "stranger after 500 ms"],
    );
    refused(
        |hello| hello.protocol = 9,
        &[
            &format!("speaks version {}", Hello::PROTOCOL),
            "stranger speaks 9",
        ],
    );
    refused(
        |hello| hello.digest = 0xabc,
        &["the member lists differ", "0000000000000abc"],
    );
    refused(
        |hello| hello.callee = "somebody-else:1".into(),
        &["takes it for somebody-else:1"],
    );
    let (answer, _) = greet(name, |_| {});
    assert!(matches!(answer.body, Body::Pong { .. }), "{answer:?}");
    check(&client, 20);
}

/// The request itself says what is wrong, also where a client asked only for one key.
#[test]
fn a_request_of_a_client_with_other_settings_names_both_values() {
    let cluster = Cluster::start(2, 2);
    let client = cluster.client();
    all_serve(&client, &cluster);
    let reversed: Vec<_> = vec![
        format!("{}={}", cluster.addresses[0], cluster.addresses[1]),
        format!("{}={}", cluster.addresses[1], cluster.addresses[0]),
    ];
    let builder = cluster.builder().cluster(reversed);
    let error = block_on(builder.ready_timeout(Duration::ZERO).connect());
    let text = error.expect_err("the addresses are swapped").to_string();
    assert!(text.contains("names the wrong address"), "{text}");
}
