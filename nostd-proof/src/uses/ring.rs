//! Placement: the golden vectors of the hash, and a node that leaves.

use memvault::hash::{Token, token};
use memvault::ring::Ring;

pub fn run() {
    assert_eq!(token(b"foobar"), Token(0xd78f_da63_144c_5c84));
    let mut ring = Ring::new();
    for id in ["a:7001", "b:7001", "c:7001"] {
        assert!(ring.add(id, 1).is_ok());
    }
    assert_eq!(ring.replicas(b"key", 5).count(), 3);
    let owner = ring.owner(b"key").and_then(|node| ring.node_id(node));
    let owner = alloc::string::String::from(owner.expect("a ring with nodes has owners"));
    assert!(ring.remove(&owner));
    let successor = ring.owner(b"key").and_then(|node| ring.node_id(node));
    assert_ne!(successor, Some(owner.as_str()));
    ring.check_invariants();
}
