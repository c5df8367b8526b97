//! Who owns what: the same in every release, so the output is pinned.

use crate::support::{Server, command, memvault, ran};
use serde_json::Value;

const LIST: &str = "a=127.0.0.1:1,b=127.0.0.1:2,c=127.0.0.1:3,d=127.0.0.1:4";

#[test]
fn shares_and_preference_lists() {
    let ring = memvault(&[
        "ring",
        "--cluster",
        LIST,
        "--replicas",
        "2",
        "--key",
        "user:1",
        "--key",
        "user:2",
        "--timeout",
        "0s",
    ]);
    assert_eq!(ring.code, Some(0));
    assert_eq!(ring.stdout, GOLDEN);
}

const GOLDEN: &str = "\
4 nodes, 2 replicas per key, 16 384 slots

  node  leads                                      holds
  a     █████████████████████████▏       22.1 %   47.6 %
  b     █████████████████████████████▊   26.2 %   51.7 %
  c     ████████████████████████████▊    25.3 %   49.4 %
  d     ██████████████████████████████   26.4 %   51.3 %

  key user:1, slot 10778
    1. d     leader
    2. a     follower

  key user:2, slot 6777
    1. c     leader
    2. d     follower
";

#[test]
fn the_state_of_every_node_is_shown_where_it_can_be_had() {
    let server = Server::start(&[]);
    let list = format!("up={},down=127.0.0.1:1", server.address);
    let ring = memvault(&["ring", "--cluster", &list]);
    assert_eq!(ring.code, Some(0));
    let line = |id: &str| {
        let found = ring
            .stdout
            .lines()
            .find(|line| line.trim_start().starts_with(id));
        found.unwrap_or_else(|| panic!("no {id} in {}", ring.stdout))
    };
    assert!(line("up ").contains("up, 0 keys in "), "{}", ring.stdout);
    assert!(
        line("down ").contains("down: connection refused"),
        "{}",
        ring.stdout
    );
    assert!(
        ring.stdout.contains("2 of 3 replicas per key"),
        "{}",
        ring.stdout
    );
}

#[test]
fn the_same_as_json() {
    let ring = memvault(&[
        "ring",
        "--cluster",
        LIST,
        "--key",
        "user:1",
        "--timeout",
        "0s",
        "--json",
    ]);
    let ring: Value = serde_json::from_str(&ring.stdout).expect("one line of JSON");
    assert_eq!(ring["replicas"], 3);
    assert_eq!(ring["slots"], 16_384);
    assert_eq!(ring["keys"][0]["slot"], 10_778);
    let nodes = ring["nodes"].as_array().expect("a list");
    let total: f64 = nodes.iter().filter_map(|node| node["leads"].as_f64()).sum();
    assert!((total - 1.0).abs() < 1e-9, "{total}");
    assert_eq!(nodes[0]["address"], "127.0.0.1:1");
    let list = ring["keys"][0]["preference_list"].as_array();
    assert_eq!(list.map(Vec::len), Some(3));
}

#[test]
fn it_fits_the_terminal() {
    let server = Server::start(&[]);
    let list = format!("{},127.0.0.1:1", server.address);
    for width in [60, 80, 100] {
        let ring = command(&["ring", "--cluster", &list])
            .env("COLUMNS", width.to_string())
            .output();
        let ring = ran(ring);
        for line in ring.stdout.lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
        for part in ["up, 0 keys in ", "down: connection refused", " %"] {
            assert!(ring.stdout.contains(part), "{width}: {}", ring.stdout);
        }
    }
}
