//! A log whose reader stands still, and one that is flooded.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::Instant;

use memvault::replication::{Body, Hello, Message};
use rustix::process::Signal;

use crate::process::{Process, free_ports};
use crate::redis::Redis;
use crate::support::{PATIENCE, command, eventually, signal_pid};

/// A process whose standard error nobody reads.
struct Unread(Child);

impl Unread {
    fn start(arguments: &[&str]) -> Self {
        let child = command(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        Self(child.expect("it starts"))
    }

    /// All that it still has to say, after its end.
    fn end(&mut self) -> String {
        let begun = Instant::now();
        signal_pid(self.0.id(), Signal::TERM);
        let mut stderr = self.0.stderr.take().expect("it is piped");
        eventually("it ends though nobody reads", || {
            self.0.try_wait().expect("it is a child").is_some()
        });
        assert!(begun.elapsed() < PATIENCE);
        let mut log = Vec::new();
        stderr.read_to_end(&mut log).expect("a pipe");
        String::from_utf8(log).expect("text")
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn ping(port: u16) -> bool {
    Redis::connect(port).is_ok_and(|mut redis| redis.try_ask(&["PING"]).is_ok())
}

/// What a node says first, with its member list left out: refused by each member.
fn greeting(number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let hello = Hello {
        node_id: format!("stranger-{number}"),
        incarnation: 1,
        digest: 0,
        replicas: 2,
        is_member: true,
        protocol: Hello::PROTOCOL,
        virtual_nodes: memvault::ring::VIRTUAL_NODES,
        op_deadline_ms: 1000,
        callee: String::new(),
    };
    let message = Message {
        id: 7,
        epoch: 1,
        body: Body::Hello(hello),
    };
    message.encode(&mut bytes);
    bytes
}

/// Opens a link to a member that breaks, in one of three ways.
fn break_link(port: u16, number: usize) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let mut bytes = greeting(number);
    match number % 3 {
        0 => bytes.extend_from_slice(b"*1\r\n$3\r\nxyz\r\n"),
        1 => bytes.truncate(bytes.len() - 1),
        _ => bytes.extend_from_slice(b"*x\r\n"),
    }
    stream.write_all(&bytes).expect("it reads");
    stream
        .shutdown(std::net::Shutdown::Write)
        .expect("a socket");
    // It may be reset.
    let _ = stream.read_to_end(&mut Vec::new());
}

#[test]
fn a_node_goes_on_when_nobody_reads_its_log() {
    for format in ["text", "json"] {
        let [port] = free_ports(1)[..] else {
            panic!("one port")
        };
        let flags = [
            "--log-level",
            "debug",
            "--log-format",
            format,
            "--log-buffer",
            "100kb",
        ];
        let port_text = port.to_string();
        let mut node = Unread::start(&[&["serve", "--port", &port_text], &flags[..]].concat());
        eventually("it answers", || ping(port));
        // Each is a line at least: far more than the pipe and the buffer hold.
        for number in 0..4000 {
            assert!(ping(port), "it stands still after {number}");
        }
        let log = node.end();
        assert!(log.len() > 20_000, "{}", log.len());
        // What was in the pipe is whole.
        let whole = log
            .lines()
            .filter(|line| line.contains("listening"))
            .count();
        assert_eq!(whole, 1);
    }
}

#[test]
fn a_member_goes_on_when_nobody_reads_its_log() {
    let ports = free_ports(2);
    let list = format!("127.0.0.1:{},127.0.0.1:{}", ports[0], ports[1]);
    let port = ports[0].to_string();
    let flags = [
        "--log-repeats",
        "0",
        "--log-level",
        "debug",
        "--log-buffer",
        "64kb",
    ];
    let serve = ["serve", "--port", &port, "--cluster", &list];
    let mut member = Unread::start(&[&serve[..], &flags[..]].concat());
    eventually("it answers", || ping(ports[0]));
    for number in 0..1500 {
        break_link(ports[0], number);
    }
    assert!(ping(ports[0]));
    member.end();
}

#[test]
fn what_was_dropped_is_counted_and_told() {
    let [port] = free_ports(1)[..] else {
        panic!("one port")
    };
    let port_text = port.to_string();
    let flags = ["--log-level", "debug", "--log-buffer", "4kb"];
    let mut node = Unread::start(&[&["serve", "--port", &port_text], &flags[..]].concat());
    eventually("it answers", || ping(port));
    for _ in 0..3000 {
        assert!(ping(port));
    }
    // Now somebody reads.
    let mut stderr = node.0.stderr.take().expect("it is piped");
    let mut log = Vec::new();
    let mut chunk = [0; 4096];
    eventually("the dropped lines are told", || {
        let read = stderr.read(&mut chunk).expect("a pipe");
        log.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&log);
        let told = text
            .lines()
            .find(|line| line.contains("log-lines-dropped lines="));
        told.is_some_and(|line| line.ends_with(|digit: char| digit.is_ascii_digit()))
    });
}

#[test]
fn events_that_repeat_are_summed_up() {
    let ports = free_ports(2);
    let list = format!("127.0.0.1:{},127.0.0.1:{}", ports[0], ports[1]);
    let member = Process::start(&["serve", "--cluster", &list], ports[0]);
    for number in 0..600 {
        break_link(ports[0], number);
    }
    eventually("they are summed up", || {
        let log = member.output();
        let mut sums = log.lines().filter(|line| line.contains(" repeated what="));
        let of_links =
            |line: &str| line.contains("inbound-closed") && line.contains(" last=\"link=");
        sums.any(|line| line.contains(" more=") && of_links(line))
    });
    let lines = member.output().lines().count();
    // Some of several events, in one or two times of ten seconds or, on a busy machine, a few.
    assert!(lines < 400, "{lines}");
}
