//! A server of several threads answers as one of a single thread does.

#[path = "../../memvault/tests/clients/replies.rs"]
mod replies;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use memvault::replication::{self, Member};
use memvault::store;
use memvault_net::driver::Settings;
use memvault_net::server::{Config, Error, Role, Server};

use crate::running::{PATIENCE, Running, ask, eventually, expect, listener, rest};
use replies::Case;

/// Servers of these many threads are tried.
const THREADS: [usize; 3] = [2, 3, 4];

fn start(threads: usize) -> Running {
    Running::single(|config| config.threads = threads)
}

/// Connections to every thread: clients are given to them by turns.
fn connect_to_all(server: &Running, threads: usize) -> Vec<TcpStream> {
    (0..threads).map(|_| server.connect()).collect()
}

const GROUPS: [&[Case]; 8] = [
    replies::READ_AND_SET,
    replies::SET_OPTIONS,
    replies::SEVERAL_KEYS,
    replies::RELATIVES_OF_SET,
    replies::EDITS,
    replies::EXPIRY,
    replies::CONNECTION,
    replies::HANDSHAKE,
];

#[test]
fn replies_are_those_of_one_store_whichever_thread_serves_the_client() {
    for threads in THREADS {
        let server = start(threads);
        for cases in GROUPS {
            for mut stream in connect_to_all(&server, threads) {
                ask(&mut stream, b"FLUSHALL\r\n", b"+OK\r\n");
                for (command, reply) in cases {
                    let line = format!("{command}\r\n");
                    ask(&mut stream, line.as_bytes(), reply.as_bytes());
                }
            }
            for mut stream in connect_to_all(&server, threads) {
                let lines: String = cases
                    .iter()
                    .map(|(line, _)| format!("{line}\r\n"))
                    .collect();
                let replies: String = cases.iter().map(|(_, reply)| *reply).collect();
                ask(&mut stream, b"FLUSHALL\r\n", b"+OK\r\n");
                ask(&mut stream, lines.as_bytes(), replies.as_bytes());
            }
        }
        for mut stream in connect_to_all(&server, threads) {
            stream
                .write_all(b"FLUSHALL\r\nHELLO 3\r\nPING\r\n")
                .expect("it is open");
            let mut replies = Vec::new();
            while !replies.ends_with(b"+PONG\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).expect("a reply");
                replies.extend(byte);
            }
            for (command, reply) in replies::RESP3 {
                let line = format!("{command}\r\n");
                ask(&mut stream, line.as_bytes(), reply.as_bytes());
            }
        }
    }
}

#[test]
fn a_pipeline_over_all_threads_is_answered_in_order() {
    for threads in THREADS {
        let server = start(threads);
        let mut stream = server.connect();
        let many = 20_000;
        let mut writer = stream.try_clone().expect("a handle");
        let writing = thread::spawn(move || {
            for number in 0..many {
                let key = number % 100;
                let lines = format!("SET key:{key} {number}\r\nGET key:{key}\r\n");
                writer.write_all(lines.as_bytes()).expect("it is open");
            }
        });
        for number in 0..many {
            let text = number.to_string();
            let reply = format!("+OK\r\n${}\r\n{text}\r\n", text.len());
            expect(&mut stream, reply.as_bytes());
        }
        writing.join().expect("no panic");
    }
}

#[test]
fn commands_on_keys_of_all_threads_see_and_change_all_of_them() {
    for threads in THREADS {
        let server = start(threads);
        let mut streams = connect_to_all(&server, threads);
        let keys: Vec<String> = (0..100).map(|number| format!("key:{number}")).collect();
        let set = keys.iter().map(|key| format!(" {key} <{key}>"));
        let set = format!("MSET{}\r\n", set.collect::<String>());
        let list = keys.join(" ");
        let mut values = format!("*{}\r\n", keys.len());
        for key in &keys {
            let _ = write!(values, "${}\r\n<{key}>\r\n", key.len() + 2);
        }
        for number in 0..threads {
            ask(&mut streams[number], set.as_bytes(), b"+OK\r\n");
            for stream in &mut streams {
                ask(stream, b"DBSIZE\r\n", b":100\r\n");
                let get = format!("MGET {list}\r\nEXISTS {list} nothing {list}\r\n");
                let replies = format!("{values}:200\r\n");
                ask(stream, get.as_bytes(), replies.as_bytes());
            }
            let delete = format!("DEL {} nothing\r\n", keys[..30].join(" "));
            ask(&mut streams[number], delete.as_bytes(), b":30\r\n");
            for stream in &mut streams {
                ask(stream, b"DBSIZE\r\n", b":70\r\n");
            }
            let flush = b"SET a 1\r\nFLUSHALL\r\nDBSIZE\r\nGET a\r\n";
            ask(&mut streams[number], flush, b"+OK\r\n+OK\r\n:0\r\n$-1\r\n");
        }
    }
}

/// One client with keys of its own, beside a map that does the same.
fn compare_with_a_map(mut stream: TcpStream, client: u64) {
    let mut rng = fastrand::Rng::with_seed(client);
    let mut map = BTreeMap::new();
    for _ in 0..200 {
        let (mut commands, mut replies) = (String::new(), String::new());
        for _ in 0..rng.usize(1..64) {
            let key = format!("{client}:{}", rng.u8(0..40));
            let done = match rng.u8(0..4) {
                0 | 1 => {
                    let value = rng.u32(..);
                    let _ = write!(commands, "SET {key} {value}\r\n");
                    map.insert(key, value.to_string());
                    write!(replies, "+OK\r\n")
                }
                2 => {
                    let _ = write!(commands, "GET {key}\r\n");
                    match map.get(&key) {
                        Some(value) => write!(replies, "${}\r\n{value}\r\n", value.len()),
                        None => write!(replies, "$-1\r\n"),
                    }
                }
                _ => {
                    let _ = write!(commands, "DEL {key} {client}:0\r\n");
                    let count = [key, format!("{client}:0")]
                        .iter()
                        .filter(|key| map.remove(*key).is_some())
                        .count();
                    write!(replies, ":{count}\r\n")
                }
            };
            done.expect("a string takes everything");
        }
        ask(&mut stream, commands.as_bytes(), replies.as_bytes());
    }
}

#[test]
fn many_clients_at_once_see_what_they_would_see_alone() {
    for threads in THREADS {
        let server = start(threads);
        thread::scope(|scope| {
            for client in 0..16 {
                let stream = server.connect();
                scope.spawn(move || compare_with_a_map(stream, client));
            }
        });
    }
}

#[test]
fn clients_that_leave_in_the_middle_disturb_nobody() {
    let server = start(2);
    for round in 0..200 {
        let mut stream = server.connect();
        let lines: String = (0..100)
            .map(|key| format!("SET {key} {round}\r\n"))
            .collect();
        stream.write_all(lines.as_bytes()).expect("it is open");
    }
    let mut stream = server.connect();
    ask(&mut stream, b"SET a 1\r\nGET a\r\n", b"+OK\r\n$1\r\n1\r\n");
    eventually("all others are gone", || {
        info(&mut stream, "connected_clients") == 1
    });
}

#[test]
fn whoever_sends_and_closes_still_gets_all_replies() {
    let server = start(2);
    for mut stream in connect_to_all(&server, 2) {
        let sets: String = (0..100).map(|key| format!("SET {key} x\r\n")).collect();
        stream.write_all(sets.as_bytes()).expect("it is open");
        stream.shutdown(Shutdown::Write).expect("it is open");
        assert_eq!(rest(&mut stream), "+OK\r\n".repeat(100));
    }
}

#[test]
fn the_end_of_the_server_answers_what_was_received_on_all_threads() {
    for threads in THREADS {
        let mut server = Running::single(|config| {
            config.threads = threads;
            config.shutdown_timeout = PATIENCE * 2;
        });
        let mut streams = connect_to_all(&server, threads * 3);
        for stream in &mut streams {
            ask(stream, b"PING\r\n", b"+PONG\r\n");
        }
        let sets: String = (0..100).map(|key| format!("SET {key} x\r\n")).collect();
        for stream in &mut streams {
            stream.write_all(sets.as_bytes()).expect("it is open");
        }
        // On this machine, what was sent is received.
        server.stop();
        let stopped_at = Instant::now();
        for stream in &mut streams {
            assert_eq!(rest(stream), "+OK\r\n".repeat(100));
        }
        server.join();
        assert!(stopped_at.elapsed() < PATIENCE, "a thread was not told");
        let again = TcpStream::connect(server.address);
        assert!(again.is_err(), "it still listens");
    }
}

#[test]
fn long_values_from_all_threads_reach_a_slow_reader_whole_and_in_order() {
    let server = start(3);
    let mut stream = server.connect();
    let value = |key: u8| vec![b'a' + key; 1 << 20];
    let keys = 0..8;
    for key in keys.clone() {
        let header = format!("*3\r\n$3\r\nSET\r\n$1\r\n{key}\r\n$1048576\r\n");
        stream.write_all(header.as_bytes()).expect("it is open");
        stream.write_all(&value(key)).expect("it is open");
        ask(&mut stream, b"\r\n", b"+OK\r\n");
    }
    let gets: String = keys.clone().map(|key| format!("GET {key}\r\n")).collect();
    for _ in 0..8 {
        stream.write_all(gets.as_bytes()).expect("it is open");
    }
    // Meanwhile others are served.
    for mut other in connect_to_all(&server, 3) {
        ask(&mut other, b"SET a 1\r\nGET a\r\n", b"+OK\r\n$1\r\n1\r\n");
    }
    for key in keys.cycle().take(64) {
        expect(&mut stream, b"$1048576\r\n");
        let mut found = vec![0; 1 << 20];
        stream.read_exact(&mut found).expect("the value");
        assert!(found == value(key), "the value of {key}");
        expect(&mut stream, b"\r\n");
    }
}

#[test]
fn silent_clients_are_closed_on_all_threads() {
    let server = Running::single(|config| {
        config.threads = 3;
        config.idle_timeout = Some(Duration::from_millis(100));
    });
    for mut stream in connect_to_all(&server, 3) {
        assert_eq!(rest(&mut stream), "");
    }
}

#[test]
fn the_limit_of_clients_is_one_for_all_threads() {
    let server = Running::single(|config| {
        config.threads = 2;
        config.max_clients = 3;
    });
    let mut streams = connect_to_all(&server, 3);
    for stream in &mut streams {
        ask(stream, b"PING\r\n", b"+PONG\r\n");
    }
    let refusal = rest(&mut server.connect());
    assert!(refusal.contains("--max-clients"), "{refusal}");
    assert_eq!(info(&mut streams[0], "connected_clients"), 3);
    streams.pop();
    eventually("there is room again", || {
        let mut stream = server.connect();
        stream.write_all(b"PING\r\n").is_ok()
            && stream.read(&mut [0; 7]).is_ok_and(|read| read == 7)
    });
}

/// The number that `INFO` tells under this name.
#[test]
fn the_commands_of_the_last_second_are_counted_for_all_threads() {
    for threads in [1, 2] {
        let server = Running::single(|config| config.threads = threads);
        let mut streams = [server.connect(), server.connect()];
        // Also a client of the thread that does not measure is told.
        for stream in &mut streams {
            let deadline = Instant::now() + PATIENCE;
            while info(stream, "instantaneous_ops_per_sec") == 0 {
                assert!(Instant::now() < deadline, "it stays at 0");
            }
        }
    }
}

fn info(stream: &mut TcpStream, name: &str) -> u64 {
    stream.write_all(b"INFO\r\n").expect("it is open");
    let (mut text, mut byte) = (String::new(), [0]);
    while !text.ends_with("\r\n") {
        stream.read_exact(&mut byte).expect("a header");
        text.push(char::from(byte[0]));
    }
    let len: usize = text[1..].trim().parse().expect("a length");
    let mut content = vec![0; len + 2];
    stream.read_exact(&mut content).expect("a text");
    let content = String::from_utf8(content).expect("it is text");
    let mut lines = content.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let value = value.unwrap_or_else(|| panic!("{name} in {content}"));
    value.parse().expect("a number")
}

#[test]
fn counters_and_limits_are_those_of_all_threads_together() {
    let server = Running::single(|config| {
        config.threads = 3;
        config.role = Role::Single(store::Config {
            max_entries: Some(100),
            ..store::Config::default()
        });
    });
    let mut streams = connect_to_all(&server, 3);
    let [one, two, three] = &mut streams[..] else {
        panic!("three clients")
    };
    for number in 0..300 {
        let lines = format!("SET {number} x\r\nGET {number}\r\nGET nothing:{number}\r\n");
        ask(one, lines.as_bytes(), b"+OK\r\n$1\r\nx\r\n$-1\r\n");
    }
    for (name, value) in [
        ("max_entries", 100),
        ("keyspace_hits", 300),
        ("keyspace_misses", 300),
        ("evicted_keys", 200),
        ("total_commands_processed", 900),
    ] {
        let told = info(two, name);
        // The commands of this client count as well.
        let own = if name.starts_with("total") { 4 } else { 0 };
        assert_eq!(told, value + own, "{name}");
    }
    ask(two, b"DBSIZE\r\n", b":100\r\n");
    ask(
        two,
        b"CONFIG SET max-entries 30\r\nDBSIZE\r\n",
        b"+OK\r\n:30\r\n",
    );
    let shown = b"*2\r\n$11\r\nmax-entries\r\n$2\r\n30\r\n";
    ask(three, b"CONFIG GET max-entries\r\n", shown);
    ask(three, b"CONFIG RESETSTAT\r\nDBSIZE\r\n", b"+OK\r\n:30\r\n");
    assert_eq!(info(one, "keyspace_hits"), 0);
    assert_eq!(info(one, "evicted_keys"), 0);
}

#[test]
fn a_number_of_threads_that_makes_no_sense_is_refused() {
    let run = |threads, role| {
        let mut config = Config::new(role);
        config.threads = threads;
        let error = Server::run(listener(), config, async {}).expect_err("no server");
        assert!(matches!(error, Error::Threads(_)), "{error}");
        error.to_string()
    };
    let settings = Settings::new(replication::Config::new(
        vec![Member::new("a")],
        replication::Role::Member("a".into()),
    ));
    for text in [
        run(0, Role::Single(store::Config::default())),
        run(2, Role::Cluster(Box::new(settings))),
    ] {
        assert!(text.contains("--threads"), "{text}");
    }
}
