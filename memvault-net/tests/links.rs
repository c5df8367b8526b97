//! Connections that claim to be those of nodes: how many there may be, and how much of a greeting is listened to.

use std::io::{Read, Write};
use std::net::TcpStream;

use memvault::replication::{self, Body, Hello, Member, Message};
use memvault::ring::VIRTUAL_NODES;
use memvault_net::driver::Settings;
use memvault_net::server::{Config, Role};

use crate::running::{Running, ask, eventually, listener, rest};

/// A member alone in its cluster that lets so many nodes call.
fn member(max_inbound: usize) -> Running {
    let listener = listener();
    let id = listener.local_addr().expect("it is bound").to_string();
    let role = replication::Role::Member(id.clone());
    let mut node = replication::Config::new(vec![Member::new(&id)], role);
    node.replicas = 1;
    let mut settings = Settings::new(node);
    settings.max_inbound = max_inbound;
    Running::start(listener, Config::new(Role::Cluster(Box::new(settings))))
}

/// What a gateway says first. Its list of members is of another time, so that it need not be the same.
fn greeting() -> Vec<u8> {
    let hello = Hello {
        node_id: "stranger".to_owned(),
        incarnation: 7,
        digest: 0,
        replicas: 1,
        is_member: false,
        protocol: Hello::PROTOCOL,
        virtual_nodes: VIRTUAL_NODES,
        op_deadline_ms: 1000,
        callee: String::new(),
    };
    let message = Message {
        id: 1,
        epoch: 99,
        body: Body::Hello(hello),
    };
    let mut bytes = Vec::new();
    message.encode(&mut bytes);
    bytes
}

/// Greets as a node. `None` if nobody listens.
fn greet(server: &Running) -> Option<TcpStream> {
    let mut stream = server.connect();
    stream.write_all(&greeting()).ok()?;
    let mut answer = [0; 1];
    let read = stream.read(&mut answer).ok()?;
    (read == 1).then_some(stream)
}

fn is_open(stream: &mut TcpStream) -> bool {
    stream.set_nonblocking(true).expect("a socket");
    let mut heard = [0; 4096];
    loop {
        match stream.read(&mut heard) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == std::io::ErrorKind::WouldBlock,
        }
    }
}

#[test]
fn nodes_that_call_are_bounded_and_silent_ones_make_room() {
    let server = member(3);
    let mut client = server.connect();
    eventually("it serves", || {
        client.write_all(b"SET a 1\r\n").expect("it is open");
        let mut reply = [0; 256];
        let read = client.read(&mut reply).expect("a reply");
        reply[..read] == *b"+OK\r\n"
    });
    let mut silent: Vec<TcpStream> = (0..3).filter_map(|_| greet(&server)).collect();
    assert_eq!(silent.len(), 3);
    let mut late = None;
    eventually("a silent one makes room", || {
        late = late.take().or_else(|| greet(&server));
        late.is_some()
    });
    eventually("the silent one is closed", || {
        let open = silent.iter_mut().map(is_open).filter(|is_open| *is_open);
        open.count() == 2
    });
    assert!(late.as_mut().is_some_and(is_open));
    ask(&mut client, b"GET a\r\n", b"$1\r\n1\r\n");
}

#[test]
fn a_greeting_that_is_too_long_is_not_listened_to() {
    let server = member(3);
    let mut stream = server.connect();
    let begun = format!(
        "*9\r\n$10\r\nNODE.HELLO\r\n$1000000\r\n{}",
        "x".repeat(65_536)
    );
    stream.write_all(begun.as_bytes()).expect("it is open");
    let reply = rest(&mut stream);
    assert!(reply.contains("a node's greeting is at most"), "{reply}");
}
