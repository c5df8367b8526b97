//! Errors of the ring in the Node.js program that MemVault replaces, each as a test that ours has none of it.

use std::collections::HashSet;

use memvault::hash::Token;
use memvault::ring::Ring;

fn ring(count: usize) -> Ring {
    let mut ring = Ring::new();
    for node in 0..count {
        ring.add(&format!("127.0.0.1:{}", 7001 + node), 1)
            .expect("ids are distinct");
    }
    ring
}

/// The original looked for the R-th distinct host for ever.
#[test]
fn fewer_nodes_than_replicas_ends_with_all_of_them() {
    for count in 1..4 {
        let ring = ring(count);
        for token in [0, 1 << 63, u64::MAX] {
            assert_eq!(ring.replicas_of_token(Token(token), 4).count(), count);
        }
    }
    assert_eq!(ring(40).replicas(b"key", usize::MAX).count(), 40);
}

/// The original found no successor for keys past the last position.
#[test]
fn a_key_past_the_last_token_wraps_round_to_the_first() {
    let ring = ring(3);
    let ends: Vec<Token> = ring.preference_lists(3).map(|(end, _)| end).collect();
    let (first, last) = (ends[0], ends[ends.len() - 1]);
    let behind = Token(
        last.0
            .checked_add(1)
            .expect("the last token is not the end of the circle"),
    );
    assert_eq!(ring.owner_of_token(behind), ring.owner_of_token(first));
    assert!(
        ring.replicas_of_token(behind, 3)
            .eq(ring.replicas_of_token(first, 3))
    );
    assert_eq!(ring.replicas_of_token(last, 3).count(), 3);
}

/// The original counted positions, so that the leader could be its own replica.
#[test]
fn the_leader_is_never_its_own_replica() {
    let ring = ring(5);
    for (end, list) in ring.preference_lists(3) {
        let list: Vec<_> = list.collect();
        assert_eq!(list.len(), 3);
        assert_eq!(
            list.iter().collect::<HashSet<_>>().len(),
            3,
            "list of {end}"
        );
        assert_eq!(list.first().copied(), ring.owner_of_token(end));
    }
}

/// The original never removed a host on an error; here the last one may go, and lookups say so.
#[test]
fn an_empty_ring_has_no_owner_and_no_replicas() {
    let mut ring = ring(1);
    ring.remove("127.0.0.1:7001");
    assert_eq!(ring.owner(b"key"), None);
    assert_eq!(ring.replicas(b"key", 3).next(), None);
    assert_eq!(ring.preference_lists(3).count(), 0);
    assert!(ring.shares(3).is_empty());
}
