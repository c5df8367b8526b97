//! Slots on a ring: pinned placement, agreement with the ring, and who moves when a member comes or goes.

use memvault::ring::{NodeIndex, Ring};
use memvault::slot::{SLOTS, Slot, SlotTable, slot_of};

fn ring(weights: &[(&str, u32)]) -> Ring {
    let mut ring = Ring::new();
    for (id, weight) in weights {
        ring.add(id, *weight).expect("ids differ");
    }
    ring
}

fn numbered(nodes: usize) -> Ring {
    let mut ring = Ring::new();
    for number in 0..nodes {
        ring.add(&format!("node-{number}"), 1).expect("ids differ");
    }
    ring
}

fn names<'a>(ring: &'a Ring, list: &[NodeIndex]) -> Vec<&'a str> {
    let names = list.iter().map(|node| ring.node_id(*node));
    names.map(|name| name.expect("it is named")).collect()
}

/// Other implementations, and every later release, have to place keys in the same way.
#[test]
fn placement_is_pinned() {
    let ring = ring(&[("a:7001", 1), ("b:7001", 1), ("c:7001", 2), ("d:7001", 1)]);
    let table = SlotTable::new(&ring, 3);
    for (number, expected) in GOLDEN_SLOTS {
        let list = table.replicas(Slot::new(number).expect("a slot"));
        assert_eq!(names(&ring, list), expected, "slot {number}");
    }
    for (key, expected) in GOLDEN_KEYS {
        let list = table.replicas(slot_of(key.as_bytes()));
        assert_eq!(names(&ring, list), expected, "{key}");
    }
    let shares = table.shares(&ring).into_iter();
    let slots = shares.map(|share| [share.leader, share.replica].map(|of| of * f64::from(SLOTS)));
    let expected = [
        [3293, 10_749],
        [3212, 11_922],
        [6382, 14_529],
        [3497, 11_952],
    ];
    assert!(slots.eq(expected.map(|pair| pair.map(f64::from))));
}

const GOLDEN_SLOTS: [(u16, [&str; 3]); 6] = [
    (0, ["d:7001", "c:7001", "b:7001"]),
    (1, ["d:7001", "c:7001", "b:7001"]),
    (866, ["a:7001", "d:7001", "c:7001"]),
    (5061, ["b:7001", "a:7001", "c:7001"]),
    (12182, ["a:7001", "b:7001", "d:7001"]),
    (16383, ["d:7001", "c:7001", "b:7001"]),
];

const GOLDEN_KEYS: [(&str, [&str; 3]); 5] = [
    ("foo", ["a:7001", "b:7001", "d:7001"]),
    ("bar", ["b:7001", "a:7001", "c:7001"]),
    ("hello", ["a:7001", "d:7001", "c:7001"]),
    ("user:17", ["b:7001", "d:7001", "a:7001"]),
    ("{user1000}.following", ["c:7001", "b:7001", "a:7001"]),
];

#[test]
fn the_table_says_what_the_ring_says() {
    for (nodes, replicas) in [(1, 1), (1, 3), (2, 3), (3, 3), (5, 1), (7, 8), (100, 3)] {
        let ring = numbered(nodes);
        let table = SlotTable::new(&ring, replicas);
        for slot in Slot::all() {
            let list = ring.replicas_of_token(slot.token(), replicas);
            assert!(
                list.eq(table.replicas(slot).iter().copied()),
                "{nodes} {slot}"
            );
            assert_eq!(table.leader(slot), ring.owner_of_token(slot.token()));
        }
    }
}

#[test]
fn an_empty_ring_and_no_replicas_hold_nothing() {
    for (ring, replicas) in [(Ring::new(), 3), (numbered(3), 0)] {
        let table = SlotTable::new(&ring, replicas);
        assert_eq!(table.replicas(Slot::default()), []);
        assert_eq!(table.leader(slot_of(b"key")), None);
        let mut shares = table.shares(&ring).into_iter();
        assert!(shares.all(|share| share.leader == 0.0 && share.replica == 0.0));
    }
}

#[test]
fn shares_are_counted_slots_and_follow_the_weights() {
    let ring = ring(&[("small", 1), ("big", 3), ("middle", 2)]);
    let shares = SlotTable::new(&ring, 2).shares(&ring);
    let [small, big, middle] = &shares[..] else {
        panic!("{shares:?}")
    };
    let sum = |of: fn(&memvault::ring::Share) -> f64| shares.iter().map(of).sum::<f64>();
    assert_eq!(
        (sum(|share| share.leader), sum(|share| share.replica)),
        (1.0, 2.0)
    );
    assert!((0.13..0.20).contains(&small.leader), "{small:?}");
    assert!((0.45..0.55).contains(&big.leader), "{big:?}");
    assert!((0.29..0.37).contains(&middle.leader), "{middle:?}");
}

#[test]
fn only_slots_of_the_one_that_comes_or_goes_change() {
    for nodes in [1, 2, 3, 4, 10, 60] {
        let before = numbered(nodes);
        let mut after = before.clone();
        let comer = after.add("comer", 1).expect("ids differ");
        let [small, large] = [&before, &after].map(|ring| SlotTable::new(ring, 3));
        let mut moved = 0;
        for slot in Slot::all() {
            let (without, with) = (small.replicas(slot), large.replicas(slot));
            let others: Vec<_> = with.iter().filter(|node| **node != comer).collect();
            // The others keep their order; the last of them makes room.
            assert!(without.iter().zip(&others).all(|(a, b)| a == *b), "{slot}");
            assert!(others.len() >= without.len() - usize::from(with.contains(&comer)));
            moved += usize::from(with.contains(&comer));
            if !with.contains(&comer) {
                assert_eq!(without, with, "{slot}");
            }
        }
        let fair = usize::from(SLOTS) * 3.min(nodes + 1) / (nodes + 1);
        assert!(moved <= fair * 5 / 4, "{moved} of {fair}");
    }
}

#[test]
fn keys_with_one_hash_tag_are_on_the_same_nodes() {
    let table = SlotTable::new(&numbered(20), 3);
    let list = |key: String| table.replicas(slot_of(key.as_bytes())).to_vec();
    for user in 0..100 {
        let [following, followers] =
            ["following", "followers"].map(|what| list(format!("{{user{user}}}.{what}")));
        assert_eq!(following, followers);
    }
}
