//! Clients that send much before they read anything, or never read: the first are answered whole, the others bounded.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::running::{PATIENCE, Running, ask, eventually, expect};
use crate::server::Cluster;

/// So many commands that neither they nor their replies fit into the buffers of the system.
const COMMANDS: usize = 150_000;

/// Sends all commands before it reads the first reply.
fn write_all_then_read(server: &Running) {
    let (key, value) = ("k".repeat(80), "v".repeat(100));
    let mut stream = server.connect();
    stream.set_write_timeout(Some(PATIENCE)).expect("a limit");
    ask(
        &mut stream,
        format!("SET {key} {value}\r\n").as_bytes(),
        b"+OK\r\n",
    );
    let command = format!("*2\r\n$3\r\nGET\r\n$80\r\n{key}\r\n");
    for _ in 0..COMMANDS / 1000 {
        let thousand = command.repeat(1000);
        let sent = stream.write_all(thousand.as_bytes());
        sent.expect("the server reads on while replies wait");
    }
    let reply = format!("$100\r\n{value}\r\n");
    let thousand = reply.repeat(1000).into_bytes();
    let mut found = vec![0; thousand.len()];
    for _ in 0..COMMANDS / 1000 {
        stream.read_exact(&mut found).expect("all replies");
        assert!(found == thousand);
    }
    ask(&mut stream, b"PING\r\n", b"+PONG\r\n");
}

#[test]
fn whoever_sends_all_before_it_reads_is_answered_whole_by_a_node() {
    for threads in [1, 4] {
        write_all_then_read(&Running::single(|config| config.threads = threads));
    }
}

#[test]
fn whoever_sends_all_before_it_reads_is_answered_whole_by_a_member_and_a_gateway() {
    let cluster = Cluster::start(2);
    cluster.wait_until_it_serves();
    write_all_then_read(cluster.member(0));
    write_all_then_read(&cluster.gateway);
}

/// A number of `INFO`.
fn told(stream: &mut TcpStream, field: &str) -> u64 {
    stream.write_all(b"INFO\r\n").expect("it is open");
    let mut header = Vec::new();
    while !header.ends_with(b"\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a header");
        header.push(byte[0]);
    }
    let header = String::from_utf8(header).expect("text");
    let len: usize = header[1..].trim().parse().expect("a length");
    let mut text = vec![0; len + 2];
    stream.read_exact(&mut text).expect("the text");
    let text = String::from_utf8(text).expect("text");
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    let value = line.and_then(|rest| rest.strip_prefix(':'));
    let value = value.unwrap_or_else(|| panic!("{field} is not in {text}"));
    value.parse().expect("a number")
}

fn set_large(stream: &mut TcpStream) {
    let set = format!(
        "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1048576\r\n{}\r\n",
        "v".repeat(1 << 20)
    );
    ask(stream, set.as_bytes(), b"+OK\r\n");
}

/// Whether the other end has closed, be it in the middle of a reply.
fn is_closed(stream: &mut TcpStream) -> bool {
    let mut unread = vec![0; 1 << 20];
    loop {
        match stream.read(&mut unread) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}

#[test]
fn whoever_takes_nothing_while_too_much_waits_is_closed_and_counted() {
    for threads in [1, 2] {
        let server = Running::single(|config| {
            config.threads = threads;
            config.connection.max_output_len = 2 << 20;
        });
        let (mut other, mut deaf) = (server.connect(), server.connect());
        set_large(&mut deaf);
        // More than the system's buffers take.
        for _ in 0..30 {
            deaf.write_all(b"GET a\r\n").expect("it is open");
        }
        let count = "client_output_buffer_limit_disconnections";
        eventually("it is closed", || told(&mut other, count) == 1);
        assert!(is_closed(&mut deaf));
        eventually("memory is free", || {
            told(&mut other, "mem_clients_normal") == 0
        });
    }
}

#[test]
fn one_reply_may_be_longer_than_what_may_wait() {
    let server = Running::single(|config| config.connection.max_output_len = 1 << 20);
    let mut stream = server.connect();
    set_large(&mut stream);
    let mget = format!("MGET{}\r\nPING\r\n", " a".repeat(40));
    stream.write_all(mget.as_bytes()).expect("it is open");
    expect(&mut stream, b"*40\r\n");
    let value = [b"$1048576\r\n", "v".repeat(1 << 20).as_bytes(), b"\r\n"].concat();
    let mut found = vec![0; value.len()];
    for _ in 0..40 {
        stream.read_exact(&mut found).expect("a value");
        assert!(found == value);
    }
    expect(&mut stream, b"+PONG\r\n");
}

#[test]
fn all_clients_together_hold_no_more_than_they_may_and_the_largest_go_first() {
    for threads in [1, 2] {
        let server = Running::single(|config| {
            config.threads = threads;
            config.max_clients_memory = Some(8 << 20);
        });
        let mut other = server.connect();
        ask(&mut other, b"SET a 1\r\n", b"+OK\r\n");
        // Half a value each: 12 MiB.
        let unfinished = "v".repeat(512 << 10);
        let mut clients: Vec<TcpStream> = (0..24).map(|_| server.connect()).collect();
        for client in &mut clients {
            let begun = format!("*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1048576\r\n{unfinished}");
            client.write_all(begun.as_bytes()).expect("it is open");
        }
        let mut small = server.connect();
        small
            .write_all(b"*2\r\n$3\r\nGET\r\n$1\r\n")
            .expect("it is open");
        eventually("enough are closed", || {
            let closed = told(&mut other, "client_query_buffer_limit_disconnections");
            closed >= 8 && told(&mut other, "mem_clients_normal") <= 8 << 20
        });
        let evicted = told(&mut other, "evicted_clients");
        assert!(evicted <= 16, "no more than have to: {evicted}");
        ask(&mut small, b"a\r\n", b"$1\r\n1\r\n");
        ask(&mut other, b"GET a\r\n", b"$1\r\n1\r\n");
        drop(clients);
        eventually("memory is free", || {
            told(&mut other, "mem_clients_normal") == 0
        });
    }
}

#[test]
fn replies_that_nobody_takes_count_for_all_clients_too() {
    let server = Running::single(|config| config.max_clients_memory = Some(32 << 20));
    let mut other = server.connect();
    set_large(&mut other);
    let mut deaf: Vec<TcpStream> = (0..4).map(|_| server.connect()).collect();
    for client in &mut deaf {
        let mget = format!("MGET{}\r\n", " a".repeat(100));
        client.write_all(mget.as_bytes()).expect("it is open");
    }
    eventually("some are closed", || {
        told(&mut other, "client_output_buffer_limit_disconnections") >= 3
    });
    eventually("the rest is within the limit", || {
        told(&mut other, "mem_clients_normal") <= 32 << 20
    });
}

#[test]
fn others_are_served_while_one_client_never_stops() {
    for threads in [1, 2] {
        let server = Running::single(|config| config.threads = threads);
        let mut greedy = server.connect();
        let mut reader = greedy.try_clone().expect("a handle");
        let reading = std::thread::spawn(move || {
            let mut replies = vec![0; 1 << 16];
            while matches!(reader.read(&mut replies), Ok(1..)) {}
        });
        let mut others: Vec<TcpStream> = (0..4).map(|_| server.connect()).collect();
        let pipeline = b"ECHO 1\r\n".repeat(10_000);
        for round in 0..50 {
            greedy.write_all(&pipeline).expect("it is open");
            let other = &mut others[round % 4];
            ask(other, b"PING\r\n", b"+PONG\r\n");
        }
        greedy
            .shutdown(std::net::Shutdown::Both)
            .expect("it is open");
        reading.join().expect("no panic");
    }
}
