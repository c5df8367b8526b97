//! Large values on the links between nodes: what passes them, who may read slowly, and who may not.

use std::rc::Rc;

use async_executor::LocalExecutor;
use memvault::replication::{
    Body, Config, Entry, Hello, Inbox, Member, Message, OfferKind, Role, WriteReply,
};
use memvault::resp::Limits;
use memvault::version::Version;
use memvault_net::driver::{Driver, Settings};

use super::support::{pong, send};
use super::*;

/// Reads what a node sends to this member, `size` bytes at a time with a pause behind each, and answers heartbeats and
/// writes. `take` is told of each message, and whether a longer one was incomplete when it came; it says whether to go
/// on.
fn read_slowly(
    mut stream: TcpStream,
    (size, pause): (usize, Duration),
    mut take: impl FnMut(&Message, bool) -> bool,
) -> Option<()> {
    let (mut inbox, mut bytes) = (Inbox::new(Limits::default()), Vec::new());
    let mut buffer = vec![0; size];
    loop {
        let read = stream.read(&mut buffer).ok()?;
        bytes.extend_from_slice(buffer.get(..read).filter(|read| !read.is_empty())?);
        let mut at = 0;
        while let Some(arrived) = inbox.next(&bytes[at..]).expect("the node keeps the rules") {
            at += arrived.consumed;
            let Some(message) = arrived.message else {
                continue;
            };
            if !take(&message, inbox.kept() > 0) {
                return Some(());
            }
            let body = match message.body {
                Body::Ping => pong(wall()),
                Body::Write(_) => Body::Wrote(WriteReply::Done { existed: false }),
                _ => continue,
            };
            let (id, epoch) = (message.id, message.epoch);
            send(&mut stream, &Message { id, epoch, body }).ok()?;
        }
        bytes.drain(..at);
        thread::sleep(pause);
    }
}

#[test]
fn heartbeats_pass_large_values_and_a_slow_reader_keeps_its_link() {
    let (told, heard) = std::sync::mpsc::channel();
    let slow = listener();
    let id = address(&slow);
    impostor(slow, move |stream| {
        let mut pings = 0;
        let whole = read_slowly(
            stream,
            (256 << 10, Duration::from_millis(2)),
            |message, waits| {
                pings += usize::from(waits && message.body == Body::Ping);
                !matches!(message.body, Body::Write(_))
            },
        );
        let _ = told.send((whole, pings));
    });
    let builder = Client::builder().cluster([&id]).replicas(1);
    let client = block_on(builder.ready_timeout(PATIENCE).connect()).expect("it greeted well");
    // At some 100 MB/s that takes longer than silence may.
    let begun = {
        let client = client.clone();
        thread::spawn(move || block_on(client.set("a", vec![7; 60 << 20])))
    };
    let (whole, pings) = heard.recv_timeout(PATIENCE).expect("it comes to an end");
    let reports = block_on(client.node_statistics()).expect("statistics");
    let reasons: Vec<_> = reports.iter().map(|node| &node.last_failure).collect();
    assert_eq!(whole, Some(()), "the link was closed: {reasons:?}");
    assert!(pings >= 3, "{pings} heartbeats came between the pieces");
    drop(client);
    let _ = begun.join();
}

/// Opens a link to a member, as a client of its cluster.
fn link_to(member: &str) -> TcpStream {
    let mut stream = TcpStream::connect(member).expect("a connection");
    let list = [Member::new(member)];
    let hello = Hello {
        node_id: "a caller".to_owned(),
        incarnation: 1,
        digest: 0,
        replicas: 1,
        is_member: false,
        protocol: Hello::PROTOCOL,
        virtual_nodes: memvault::ring::VIRTUAL_NODES,
        op_deadline_ms: 1000,
        callee: list[0].id.clone(),
    };
    let (id, epoch, body) = (1, 0, Body::Hello(hello));
    send(&mut stream, &Message { id, epoch, body }).expect("it reads");
    stream
}

/// A member alone, whose links may hold little; runs until the sender is dropped.
fn frugal_member() -> (String, async_channel::Sender<()>) {
    member_with(|settings| {
        settings.max_link_answers = 1 << 20;
        settings.stall_timeout = Duration::from_secs(1);
    })
}

/// A member alone; runs until the sender is dropped.
fn member_with(
    set: impl FnOnce(&mut Settings) + Send + 'static,
) -> (String, async_channel::Sender<()>) {
    let listener = listener();
    let address = address(&listener);
    let (stop, stopped) = async_channel::bounded::<()>(1);
    let id = address.clone();
    thread::spawn(move || {
        let mut config = Config::new(vec![Member::new(&id)], Role::Member(id));
        config.replicas = 1;
        let mut settings = Settings::new(config);
        set(&mut settings);
        let executor = Rc::new(LocalExecutor::new());
        let driver = Driver::new(&executor, settings).expect("the settings agree");
        let accepting = executor.spawn(async move {
            let listener = async_net::TcpListener::try_from(listener).expect("a listener");
            while let Ok((stream, _)) = listener.accept().await {
                driver.accept_peer(stream, Vec::new());
            }
        });
        let _ended = async_io::block_on(executor.run(stopped.recv()));
        drop(accepting);
    });
    (address, stop)
}

#[test]
fn who_asks_for_much_and_reads_nothing_is_not_served_for_ever() {
    const QUESTIONS: u64 = 200;
    let (member, _runs) = frugal_member();
    let builder = Client::builder().cluster([&member]).replicas(1);
    let client = block_on(builder.ready_timeout(PATIENCE).connect()).expect("it serves");
    block_on(client.set("a", vec![7; 1 << 20])).expect("a write");
    let mut stream = link_to(&member);
    for id in 2..QUESTIONS + 2 {
        let (key, promise) = ((*b"a").into(), None);
        let body = Body::Read { key, promise };
        let epoch = 1;
        send(&mut stream, &Message { id, epoch, body }).expect("questions are short");
    }
    // Others are served meanwhile.
    let start = std::time::Instant::now();
    while start.elapsed() < Duration::from_secs(4) {
        block_on(client.get("b")).expect("a read");
        thread::sleep(Duration::from_millis(50));
    }
    stream
        .set_read_timeout(Some(PATIENCE))
        .expect("a time limit");
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    // What the system's own buffers took, and no more.
    assert!(
        bytes.len() < 50 << 20,
        "{} bytes were answered",
        bytes.len()
    );
    assert!(bytes.len() > 16 << 10, "it was served at first");
}

#[test]
fn a_large_message_that_is_torn_has_no_effect() {
    let (member, _runs) = frugal_member();
    let builder = Client::builder().cluster([&member]).replicas(1);
    let client = block_on(builder.ready_timeout(PATIENCE).connect()).expect("it serves");
    let mut stream = link_to(&member);
    let bytes = offer(1 << 20);
    stream
        .write_all(&bytes[..bytes.len() - 1])
        .expect("it reads");
    drop(stream);
    assert_eq!(block_on(client.get("a")).expect("a read"), None);
    block_on(client.set("a", "1")).expect("a write");
    // The same, whole, on another link: it is older than what is there.
    let mut stream = link_to(&member);
    stream.write_all(&bytes).expect("it reads");
    eventually("it is answered", || {
        let mut answer = [0; 4096];
        let read = stream.read(&mut answer).expect("it answers");
        answer[..read].windows(12).any(|at| at == b"NODE.OFFERED")
    });
    assert_eq!(
        block_on(client.get("a")).expect("a read").as_deref(),
        Some(&b"1"[..])
    );
}

/// The bytes of an offer of `len` bytes for the key `a`.
fn offer(len: usize) -> Vec<u8> {
    let entry = Entry {
        version: Version::new(wall().as_millis() << 16, 7),
        value: Some(vec![7; len].into()),
        expire_at: None,
    };
    let (key, kind) = ((*b"a").into(), OfferKind::Write);
    let body = Body::Offer { key, entry, kind };
    let (mut outbox, mut bytes) = (memvault::replication::Outbox::default(), Vec::new());
    let (id, epoch) = (2, 1);
    outbox.push(&Message { id, epoch, body });
    outbox.fill(&mut bytes, usize::MAX);
    bytes
}

#[test]
fn what_all_strangers_hold_together_is_bounded_and_the_heaviest_goes_first() {
    let limit = 8 << 20;
    let (member, _runs) = member_with(move |settings| settings.max_inbound_memory = Some(limit));
    let builder = Client::builder().cluster([&member]).replicas(1);
    let client = block_on(builder.ready_timeout(PATIENCE).connect()).expect("it serves");
    let send = |len: usize| {
        let mut stream = link_to(&member);
        let bytes = offer(len);
        // It may be closed meanwhile: then the rest is not taken.
        let _ = stream.write_all(&bytes[..bytes.len() - 1]);
        stream
    };
    let small = send(1 << 20);
    let large: Vec<TcpStream> = (0..6).map(|_| send(3 << 20)).collect();
    let is_closed = |mut stream: &TcpStream| {
        stream.set_nonblocking(true).expect("a socket");
        let mut bytes = [0; 4096];
        loop {
            match stream.read(&mut bytes) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() != std::io::ErrorKind::WouldBlock,
            }
        }
    };
    // 1 MiB and two of 3 MiB are within the limit.
    eventually("the heaviest are closed", || {
        large.iter().filter(|stream| is_closed(stream)).count() == 4
    });
    assert!(!is_closed(&small), "it holds less than others");
    block_on(client.set("b", vec![1; 512 << 10])).expect("who does no harm is served");
    assert!(!is_closed(&small));
}
