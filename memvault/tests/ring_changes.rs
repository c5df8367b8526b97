//! What moves when nodes come and go, and how evenly the load lies.

use std::collections::HashSet;

use memvault::hash::Token;
use memvault::ring::{MAX_VIRTUAL_NODES, NodeIndex, Ring, RingError, VIRTUAL_NODES};
use quickcheck::{TestResult, quickcheck};

fn ring(count: usize) -> Ring {
    let mut ring = Ring::new();
    for node in 0..count {
        ring.add(&format!("cache-{node}:7001"), 1)
            .expect("ids are distinct");
    }
    ring
}

fn keys() -> impl Iterator<Item = Vec<u8>> {
    (0..20_000).map(|number| format!("key:{number}").into_bytes())
}

/// Largest of the loads as a multiple of their mean.
fn imbalance(loads: &[f64]) -> f64 {
    loads.iter().copied().fold(0.0, f64::max) * loads.len() as f64 / loads.iter().sum::<f64>()
}

#[test]
fn a_new_node_takes_its_share_and_nothing_else_moves() {
    for count in [1, 3, 5, 10, 30] {
        let before = ring(count);
        let mut after = before.clone();
        let newcomer = after.add("newcomer:7001", 1).expect("a new id");
        let moved: Vec<_> = keys()
            .filter(|key| before.owner(key) != after.owner(key))
            .collect();
        assert!(moved.iter().all(|key| after.owner(key) == Some(newcomer)));
        let limit = 1.3 / (count + 1) as f64;
        let fraction = moved.len() as f64 / keys().count() as f64;
        assert!(
            (limit / 2.0..=limit).contains(&fraction),
            "{fraction} of the keys moved to node {}",
            count + 1
        );
    }
}

#[test]
fn a_leaving_node_is_skipped_in_every_list_and_the_rest_keeps_its_order() {
    let before = ring(7);
    let mut after = before.clone();
    let leaver = after.index_of("cache-3:7001").expect("it is there");
    assert!(after.remove("cache-3:7001"));
    for key in keys().take(2_000) {
        let expected = before.replicas(&key, 7).filter(|&node| node != leaver);
        assert!(after.replicas(&key, 7).eq(expected));
    }
}

#[test]
fn indices_stay_while_others_leave_and_a_free_one_is_used_again() {
    let mut ring = ring(4);
    let names = |ring: &Ring| {
        ring.nodes()
            .map(|node| (node, ring.node_id(node).map(String::from)))
            .collect::<Vec<_>>()
    };
    let before = names(&ring);
    ring.remove("cache-1:7001");
    assert_eq!(
        names(&ring),
        [before[0].clone(), before[2].clone(), before[3].clone()]
    );
    assert_eq!(ring.node_id(NodeIndex(1)), None);
    assert_eq!(ring.add("other:7001", 2), Ok(NodeIndex(1)));
    assert_eq!(ring.weight(NodeIndex(1)), Some(2));
}

#[test]
fn load_is_even_within_the_documented_bounds() {
    for (count, leader, replica) in [
        (3, 1.20, 1.01),
        (5, 1.20, 1.15),
        (10, 1.20, 1.15),
        (100, 1.30, 1.20),
    ] {
        let shares = ring(count).shares(3);
        let as_leader = imbalance(&shares.iter().map(|share| share.leader).collect::<Vec<_>>());
        let as_replica = imbalance(&shares.iter().map(|share| share.replica).collect::<Vec<_>>());
        assert!(
            as_leader <= leader,
            "{count} nodes: the fullest leads {as_leader:.2} times the mean"
        );
        assert!(
            as_replica <= replica,
            "{count} nodes: the fullest holds {as_replica:.2} times the mean"
        );
    }
}

#[test]
fn shares_agree_with_where_keys_land() {
    let mut ring = ring(4);
    ring.add("twice:7001", 2).expect("a new id");
    for share in ring.shares(2) {
        let led = keys()
            .filter(|key| ring.owner(key) == Some(share.node))
            .count();
        let held = keys()
            .filter(|key| ring.replicas(key, 2).any(|node| node == share.node))
            .count();
        for (count, fraction) in [(led, share.leader), (held, share.replica)] {
            assert!(
                (count as f64 / 20_000.0 - fraction).abs() < 0.02,
                "{count} keys, share {fraction}"
            );
        }
    }
}

#[test]
fn weight_scales_the_load() {
    let mut ring = Ring::new();
    for (id, weight) in [("a", 1), ("b", 2), ("c", 5)] {
        ring.add(id, weight).expect("ids are distinct");
    }
    for (share, expected) in ring.shares(1).iter().zip([0.125, 0.25, 0.625]) {
        assert!(
            (share.leader / expected - 1.0).abs() < 0.2,
            "{share:?} where {expected} was due"
        );
    }
}

#[test]
fn refused_additions_leave_the_ring_as_it_was() {
    let mut ring = ring(3);
    let digest = ring.digest();
    assert_eq!(ring.add("cache-0:7001", 1), Err(RingError::DuplicateNode));
    assert_eq!(ring.add("new", 0), Err(RingError::ZeroWeight));
    assert_eq!(
        ring.add("new", u32::MAX),
        Err(RingError::TooManyVirtualNodes)
    );
    assert_eq!(
        ring.add("new", MAX_VIRTUAL_NODES / VIRTUAL_NODES),
        Err(RingError::TooManyVirtualNodes)
    );
    assert!(!ring.remove("new"));
    assert_eq!((ring.digest(), ring.len()), (digest, 3));
    ring.check_invariants();
}

#[test]
fn thousands_of_nodes_are_told_apart_in_one_list() {
    let mut ring = Ring::with_virtual_nodes(2);
    for node in 0..1_000 {
        ring.add(&format!("{node}"), 1).expect("ids are distinct");
    }
    let list: Vec<_> = ring.replicas(b"k", usize::MAX).collect();
    assert_eq!(list.len(), 1_000);
    assert_eq!(list.iter().collect::<HashSet<_>>().len(), 1_000);
}

quickcheck! {
    fn any_order_of_changes_gives_the_same_ring(ids: HashSet<u8>, extra: HashSet<u8>, seed: u64) -> TestResult {
        let mut straight = Ring::with_virtual_nodes(16);
        let mut detour = straight.clone();
        for id in &ids {
            straight.add(&id.to_string(), 1 + u32::from(*id) % 3).expect("ids are distinct");
        }
        for id in extra.union(&ids) {
            detour.add(&id.to_string(), 1 + u32::from(*id) % 3).expect("ids are distinct");
        }
        for id in extra.difference(&ids) {
            detour.remove(&id.to_string());
        }
        let names = |ring: &Ring| {
            let list = ring.replicas_of_token(Token(seed), 5).filter_map(|node| ring.node_id(node).map(String::from));
            list.collect::<Vec<_>>()
        };
        TestResult::from_bool(straight.digest() == detour.digest() && names(&straight) == names(&detour))
    }
}
