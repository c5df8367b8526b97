//! One node, and the subcommands that ask it.

use std::ffi::OsStr;
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt;

use crate::support::{Ran, Server, command, eventually, is_silent, memvault, ran};
use rustix::process::Signal;
use serde_json::{Value, json};

fn parsed(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

#[test]
fn get_set_del_and_ping() {
    get_set_del_and_ping_on(&Server::start(&[]));
}

#[test]
fn several_threads_answer_alike_and_end_when_told() {
    let mut server = Server::start(&["--threads", "3"]);
    get_set_del_and_ping_on(&server);
    server.process.signal(Signal::TERM);
    assert_eq!(server.process.wait(), Some(0));
}

fn get_set_del_and_ping_on(server: &Server) {
    let miss = server.ask(&["get", "k"]);
    assert_eq!((miss.code, miss.stdout.as_str()), (Some(1), ""));
    assert_eq!(miss.stderr, "no such key: k\n");

    let set = server.ask(&["set", "k", "two words"]);
    assert_eq!((set.code, set.stdout.as_str()), (Some(0), "OK\n"));
    let get = server.ask(&["get", "k"]);
    assert_eq!((get.code, get.stdout.as_str()), (Some(0), "two words\n"));
    assert_eq!(get.stderr, "");

    let del = server.ask(&["del", "k", "other"]);
    assert_eq!((del.code, del.stdout.as_str()), (Some(0), "1\n"));
    let del = server.ask(&["del", "k"]);
    assert_eq!((del.code, del.stdout.as_str()), (Some(1), "0\n"));

    let ping = server.ask(&["ping"]);
    assert_eq!(ping.code, Some(0));
    let expected = format!("{}  PONG in ", server.address);
    assert!(ping.stdout.starts_with(&expected), "{}", ping.stdout);
}

#[test]
fn answers_as_json() {
    let server = Server::start(&[]);
    let set = server.ask(&["set", "k", "v", "--ttl", "1h", "--json"]);
    assert_eq!(
        parsed(&set),
        json!({"key": "k", "set": true, "ttl_ms": 3_600_000})
    );
    let get = server.ask(&["get", "k", "--json"]);
    assert_eq!(
        parsed(&get),
        json!({"key": "k", "found": true, "value": "v"})
    );
    let miss = server.ask(&["get", "x", "--json"]);
    assert_eq!(miss.code, Some(1));
    assert_eq!(parsed(&miss), json!({"key": "x", "found": false}));
    let del = server.ask(&["del", "k", "x", "--json"]);
    assert_eq!(parsed(&del), json!({"keys": ["k", "x"], "deleted": 1}));
    let ping = server.ask(&["ping", "--json"]);
    assert_eq!(parsed(&ping)[0]["up"], true);
}

#[test]
fn words_with_a_dash_are_keys_and_values() {
    let server = Server::start(&[]);
    for (key, value) in [
        ("k", "-hello"),
        ("k", "-h"),
        ("-1", "--ttll"),
        ("--x", "-----BEGIN CERTIFICATE-----"),
        ("-", "-"),
    ] {
        let set = server.ask(&["set", key, value, "--ttl", "1h"]);
        assert_eq!(
            (set.code, set.stdout.as_str()),
            (Some(0), "OK\n"),
            "{set:?}"
        );
        let get = server.ask(&["get", key]);
        assert_eq!(get.stdout, format!("{value}\n"), "{get:?}");
    }
    let set = memvault(&["set", "--server", &server.address, "--", "k", "--help"]);
    assert_eq!(set.stdout, "OK\n", "{set:?}");
    let del = server.ask(&["del", "-1", "k", "--x"]);
    assert_eq!(del.stdout, "3\n", "{del:?}");
}

#[test]
fn bytes_that_are_no_text_are_keys_and_values() {
    let server = Server::start(&[]);
    let word = OsStr::from_bytes(b"\xff\x80-k");
    let ask = |args: &[&OsStr]| {
        let mut command = command(&[]);
        command.args(args).arg("--server").arg(&server.address);
        command.output().expect("it runs")
    };
    let [set, get, del] = ["set", "get", "del"].map(OsStr::new);
    assert_eq!(ask(&[set, word, word]).stdout, b"OK\n");
    assert_eq!(ask(&[get, word]).stdout, b"\xff\x80-k\n");
    let json = ask(&[get, word, OsStr::new("--json")]).stdout;
    let json: Value = serde_json::from_slice(&json).expect("JSON");
    let bytes = json!([255, 128, 45, 107]);
    assert_eq!((&json["key_bytes"], &json["value_bytes"]), (&bytes, &bytes));
    assert_eq!(ask(&[del, word]).stdout, b"1\n");
}

#[test]
fn a_key_with_a_ttl_expires() {
    let server = Server::start(&[]);
    server.ask(&["set", "k", "v", "--ttl", "1ms"]);
    eventually("the key expires", || {
        server.ask(&["get", "k"]).code == Some(1)
    });
}

#[test]
fn flags_win_over_the_environment_and_that_over_defaults() {
    let server = Server::start(&[]);
    let (host, port) = server.address.split_once(':').expect("host:port");
    let by_environment = command(&["ping"])
        .env("MEMVAULT_HOST", host)
        .env("MEMVAULT_PORT", port)
        .output();
    assert_eq!(ran(by_environment).code, Some(0));
    let by_flag = command(&["ping", "--server", &server.address])
        .env("MEMVAULT_PORT", "1")
        .output();
    assert_eq!(ran(by_flag).code, Some(0));
    let neither = command(&["ping"]).env("MEMVAULT_PORT", "1").output();
    let neither = ran(neither);
    assert_eq!(neither.code, Some(1));
    assert!(
        neither.stdout.contains("127.0.0.1:1  connection refused"),
        "{neither:?}"
    );
}

#[test]
fn servers_that_cannot_be_reached_are_listed_with_the_reason() {
    let one = memvault(&["get", "k", "--server", "127.0.0.1:1"]);
    assert_eq!(one.code, Some(1));
    assert_eq!(
        one.stderr,
        "error: 127.0.0.1:1: connection refused: nothing listens there\n"
    );

    let list = "127.0.0.1:1,x=127.0.0.1:2";
    let several = memvault(&["get", "k", "--cluster", list, "--timeout", "200ms"]);
    assert_eq!(several.code, Some(1));
    let lines: Vec<_> = several.stderr.lines().collect();
    assert_eq!(lines.len(), 3, "{several:?}");
    assert!(
        lines[0].starts_with("error: none of 2 nodes can be used"),
        "{several:?}"
    );
    assert!(
        lines[1].contains("127.0.0.1:1: ") && lines[1].contains("refused"),
        "{several:?}"
    );
    assert!(lines[2].contains("x at 127.0.0.1:2: "), "{several:?}");
}

#[test]
fn a_port_in_use_is_named_with_its_flag() {
    let holder = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = holder.local_addr().expect("it is bound").port().to_string();
    let ran = memvault(&["serve", "--port", &port]);
    assert_eq!(ran.code, Some(1));
    let expected = format!("error: port {port} on 127.0.0.1 is in use (--port {port})");
    assert!(ran.stderr.starts_with(&expected), "{ran:?}");
    assert_eq!(ran.stderr.lines().count(), 1);
}

#[test]
fn limits_hold_and_are_named() {
    let server = Server::start(&[
        "--max-entries",
        "2",
        "--max-value",
        "10",
        "--max-clients",
        "2",
    ]);
    for key in ["a", "b", "c"] {
        assert_eq!(server.ask(&["set", key, "v"]).code, Some(0));
    }
    assert_eq!(server.ask(&["get", "a"]).code, Some(1));
    assert_eq!(server.ask(&["get", "c"]).code, Some(0));
    let too_long = server.ask(&["set", "a", "eleven byte"]);
    assert_eq!(too_long.code, Some(1));
    assert!(too_long.stderr.contains("(max-value)"), "{too_long:?}");
}

#[test]
fn a_server_ends_by_itself_when_it_is_told_to() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut server = Server::start(&[]);
        server.process.signal(signal);
        assert_eq!(server.process.wait(), Some(0));
    }
    let mut server = Server::start(&["--end-with-stdin"]);
    let port = server.address.rsplit_once(':').expect("host:port").1;
    let port = port.parse().expect("a port");
    assert!(!is_silent(port));
    server.process.stdin = None;
    assert_eq!(server.process.wait(), Some(0));
    assert!(is_silent(port));
}
