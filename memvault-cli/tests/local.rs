//! Whole clusters on this machine: `up` and `demo`.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::support::{
    Running, eventually, free_ports, has_ended, is_silent, memvault, signal_pid, try_signal_pid,
};
use rustix::process::Signal;
use serde_json::Value;

/// The answer of an admin port.
fn http(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

/// `memvault up` with three nodes, ready.
struct Up {
    process: Running,
    base: u16,
    /// Of the gateway first, then of the nodes.
    pids: Vec<u32>,
}

impl Up {
    fn start() -> Self {
        let base = free_ports(8);
        let (nodes, gateway) = (base.to_string(), (base + 3).to_string());
        let admin = format!("127.0.0.1:{}", base + 4);
        let mut process = Running::start(&[
            "up",
            "--count",
            "3",
            "--base-port",
            &nodes,
            "--port",
            &gateway,
            "--admin",
            &admin,
            "--admin-max-events",
            "7",
        ]);
        process.wait_for("Ctrl-C stops all");
        for (offset, name) in [(4, "gateway "), (5, "node 1 "), (7, "node 3 ")] {
            let page = format!("http://127.0.0.1:{}/", base + offset);
            let is_told = |line: &String| line.contains(name) && line.contains(&page);
            assert!(process.seen.iter().any(is_told), "{:#?}", process.seen);
            assert!(!is_silent(base + offset), "{page}");
            assert!(http(base + offset, "/api/events").contains("\"kept\":7"));
        }
        let pid = |line: &String| {
            line.split_once("pid ")?
                .1
                .trim()
                .split(' ')
                .next()?
                .parse()
                .ok()
        };
        let pids: Vec<u32> = process.seen.iter().filter_map(pid).collect();
        assert_eq!(pids.len(), 4, "{:#?}", process.seen);
        Self {
            process,
            base,
            pids,
        }
    }

    fn gateway(&self) -> String {
        format!("127.0.0.1:{}", self.base + 3)
    }

    fn list(&self) -> String {
        let address = |offset| format!("127.0.0.1:{}", self.base + offset);
        (0..3).map(address).collect::<Vec<_>>().join(",")
    }

    fn nothing_is_left(&self) -> bool {
        (0..8).all(|offset| is_silent(self.base + offset))
            && self.pids.iter().all(|&pid| has_ended(pid))
    }
}

impl Drop for Up {
    /// Where the test has failed there may be nodes that nobody ends.
    fn drop(&mut self) {
        for &pid in self.pids.iter().filter(|&&pid| !has_ended(pid)) {
            try_signal_pid(pid, Signal::KILL);
        }
    }
}

#[test]
fn up_serves_survives_a_dead_node_and_leaves_nothing_behind() {
    let mut up = Up::start();
    let gateway = up.gateway();
    for number in 0..20 {
        let key = format!("key:{number}");
        let set = memvault(&["set", &key, "value", "--server", &gateway]);
        assert_eq!(set.code, Some(0), "{set:?}");
    }
    let list = up.list();
    let (two, _) = list.rsplit_once(',').expect("three members");
    let ring = memvault(&["ring", "--cluster", two]);
    let lacks = format!("--cluster lacks 127.0.0.1:{}", up.base + 2);
    assert!(ring.stderr.contains(&lacks), "{ring:?}");
    let ring = memvault(&["ring", "--cluster", &list, "--replicas", "2"]);
    assert!(
        ring.stderr.contains("it keeps 3 replicas, not 2"),
        "{ring:?}"
    );
    let ring = memvault(&["ring", "--cluster", &list]);
    assert_eq!(ring.stderr, "");
    signal_pid(up.pids[1], Signal::KILL);
    let line = up.process.wait_for("has ended: killed by signal 9");
    assert!(
        line.contains(&format!("node {} (pid {})", up.base, up.pids[1])),
        "{line}"
    );
    let hint = up.process.wait_for("serve --port");
    assert!(hint.contains(&up.list()), "{hint}");
    let list = up.list();
    for number in 0..20 {
        let key = format!("key:{number}");
        let get = memvault(&["get", &key, "--server", &gateway]);
        assert_eq!(
            (get.code, get.stdout.as_str()),
            (Some(0), "value\n"),
            "{get:?}"
        );
        let get = memvault(&["get", &key, "--cluster", &list, "--level", "quorum"]);
        assert_eq!(
            (get.code, get.stdout.as_str()),
            (Some(0), "value\n"),
            "{get:?}"
        );
    }
    let ping = memvault(&["ping", "--cluster", &list]);
    assert_eq!(ping.code, Some(1));
    assert_eq!(ping.stdout.matches("PONG").count(), 2, "{ping:?}");

    up.process.signal(Signal::INT);
    assert_eq!(up.process.wait(), Some(0));
    assert!(up.nothing_is_left());
}

#[test]
fn nothing_is_left_when_up_itself_is_killed() {
    let mut up = Up::start();
    up.process.signal(Signal::KILL);
    assert_eq!(up.process.wait(), None);
    eventually("all nodes end", || up.nothing_is_left());
}

#[test]
fn up_starts_nothing_if_a_port_is_in_use() {
    let base = free_ports(4);
    let holder = TcpListener::bind(("127.0.0.1", base + 1)).expect("it was free");
    let (nodes, gateway) = (base.to_string(), (base + 3).to_string());
    let ran = memvault(&[
        "up",
        "--count",
        "3",
        "--base-port",
        &nodes,
        "--port",
        &gateway,
    ]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""));
    let expected = format!(
        "error: port {} on 127.0.0.1 is in use (--base-port {base} + 1)",
        base + 1
    );
    assert!(ran.stderr.starts_with(&expected), "{ran:?}");
    assert!(is_silent(base) && is_silent(base + 2) && is_silent(base + 3));
    drop(holder);
}

#[test]
fn the_demo_loses_nothing() {
    let ran = memvault(&[
        "demo",
        "--seconds",
        "1",
        "--keys",
        "500",
        "--workers",
        "8",
        "--json",
    ]);
    let summary: Value =
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for count in ["failed", "wrong", "lost_keys"] {
        assert_eq!(summary[count], 0, "{summary}");
    }
    assert!(summary["failover_ms"].as_f64() > Some(0.0), "{summary}");
    assert!(summary["rejoin_ms"].as_f64() > Some(0.0), "{summary}");
    assert!(summary["requests"].as_u64() > Some(1000), "{summary}");
}
