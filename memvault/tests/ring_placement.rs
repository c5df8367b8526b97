//! Where keys land, pinned: a release that moves one of these keys empties its users' caches.
//!
//! The vectors come from a second implementation of the rules in another language (Python, `xxhash` 3),
//! so they also say what a client written elsewhere has to compute.

use memvault::hash::Token;
use memvault::ring::Ring;

fn ring(ids: &[&str]) -> Ring {
    let mut ring = Ring::new();
    for id in ids {
        ring.add(id, 1).expect("ids are distinct");
    }
    ring
}

const FIVE: [&str; 5] = [
    "10.0.0.1:7001",
    "10.0.0.2:7001",
    "10.0.0.3:7001",
    "10.0.0.4:7001",
    "10.0.0.5:7001",
];
const THREE: [&str; 3] = ["alpha", "beta", "gamma"];

fn check(ids: &[&str], table: &[(&str, [usize; 3])]) {
    let reversed: Vec<&str> = ids.iter().rev().copied().collect();
    for ring in [ring(ids), ring(&reversed)] {
        for (key, expected) in table {
            let list: Vec<&str> = ring
                .replicas(key.as_bytes(), 3)
                .filter_map(|node| ring.node_id(node))
                .collect();
            assert_eq!(
                list,
                expected.map(|number| ids[number - 1]),
                "preference list of {key:?}"
            );
        }
    }
}

#[test]
fn five_nodes_hold_the_keys_they_always_held() {
    check(&FIVE, FIVE_NODES);
}

#[test]
fn three_nodes_hold_the_keys_they_always_held() {
    check(&THREE, THREE_NODES);
}

#[test]
fn the_digest_is_the_same_in_every_release() {
    assert_eq!(ring(&FIVE).digest(), 0xecce_09a2_be1b_508d);
    assert_eq!(ring(&THREE).digest(), 0x4dc2_fd17_7ce8_ad70);
    assert_eq!(Ring::new().digest(), 0x2d06_8005_38d3_94c2);
}

#[test]
fn keys_behind_the_last_virtual_node_belong_to_the_first() {
    let ring = ring(&FIVE);
    let last = ring.preference_lists(1).map(|(end, _)| end).last();
    assert_eq!(last, Some(Token(0xffe1_2d2a_1fac_80bc)));
    assert_eq!(
        ring.owner_of_token(Token(u64::MAX)),
        ring.owner_of_token(Token(0))
    );
    assert!(
        ring.replicas(b"wrap:722", 5)
            .eq(ring.replicas_of_token(Token(0), 5))
    );
}

/// Key, and its preference list among five nodes, by last digit of the address.
const FIVE_NODES: &[(&str, [usize; 3])] = &[
    ("", [5, 1, 4]),
    ("a", [2, 5, 1]),
    ("b", [4, 3, 1]),
    ("foo", [1, 5, 4]),
    ("foobar", [3, 2, 4]),
    ("user:1", [1, 3, 2]),
    ("user:2", [2, 1, 4]),
    ("user:1000", [5, 1, 4]),
    ("session:5f3a", [4, 2, 3]),
    ("the quick brown fox", [4, 5, 1]),
    ("ключ", [3, 2, 1]),
    ("0123456789012345678901234567890123456789", [4, 1, 2]),
    ("wrap:722", [5, 1, 2]),
];

/// Key, and its preference list: 1 is alpha, 2 beta, 3 gamma.
const THREE_NODES: &[(&str, [usize; 3])] = &[
    ("", [1, 2, 3]),
    ("a", [3, 2, 1]),
    ("b", [1, 3, 2]),
    ("foo", [1, 2, 3]),
    ("foobar", [3, 2, 1]),
    ("user:1", [2, 1, 3]),
    ("user:2", [1, 3, 2]),
    ("user:1000", [2, 1, 3]),
    ("session:5f3a", [3, 1, 2]),
    ("the quick brown fox", [3, 1, 2]),
    ("ключ", [1, 2, 3]),
    ("0123456789012345678901234567890123456789", [3, 2, 1]),
    ("wrap:722", [1, 3, 2]),
];
