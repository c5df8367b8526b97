//! [`Ring`] against a sorted list of claims, with tokens so coarse that they collide all the time.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::hash::{self, Token};
use crate::ring::{NodeIndex, Ring, RingError};

/// Runs `program`, two bytes per operation, on both rings and compares who holds what.
///
/// # Panics
///
/// Panics where the two differ or an invariant of the ring is broken.
pub fn run(program: &[u8]) {
    let mut ring = Ring::with_positions(VIRTUAL_NODES, coarse_token);
    let mut naive = Naive::default();
    for operation in program.chunks_exact(2) {
        let id = format!("n{}", operation[1] % 24);
        let weight = u32::from(operation[0] >> 4) % 4;
        if operation[0].is_multiple_of(3) {
            assert_eq!(ring.remove(&id), naive.remove(&id));
        } else {
            assert_eq!(ring.add(&id, weight).map(|_| ()), naive.add(&id, weight));
        }
        ring.check_invariants();
        compare(&ring, &naive, operation[1]);
    }
    compare_every_segment(&ring, &naive);
    assert_eq!(ring.digest(), rebuilt_in_order(&naive).digest());
}

const VIRTUAL_NODES: u32 = 4;

/// Only 64 different tokens, first and last of the circle among them.
fn coarse_token(node_id: &str, number: u32) -> Token {
    let coarse = hash::virtual_node_token(node_id, number).0 >> 58;
    Token(if coarse == 63 { u64::MAX } else { coarse << 58 })
}

/// Node id to weight; everything else is worked out anew for each question.
#[derive(Default)]
struct Naive(BTreeMap<String, u32>);

impl Naive {
    fn add(&mut self, id: &str, weight: u32) -> Result<(), RingError> {
        if weight == 0 {
            return Err(RingError::ZeroWeight);
        }
        if self.0.contains_key(id) {
            return Err(RingError::DuplicateNode);
        }
        self.0.insert(id.into(), weight);
        Ok(())
    }

    fn remove(&mut self, id: &str) -> bool {
        self.0.remove(id).is_some()
    }

    /// The positions in token order, each with the smallest id that claims it.
    fn positions(&self) -> Vec<(Token, &str)> {
        let claims = self.0.iter().flat_map(|(id, weight)| {
            (0..weight * VIRTUAL_NODES).map(move |number| (coarse_token(id, number), id.as_str()))
        });
        let mut claims: Vec<_> = claims.collect();
        claims.sort_unstable();
        claims.dedup_by_key(|claim| claim.0);
        claims
    }

    fn preference_list(&self, token: Token, r: usize) -> Vec<&str> {
        let positions = self.positions();
        let (before, after) =
            positions.split_at(positions.partition_point(|position| position.0 < token));
        let mut list = Vec::new();
        for &(_, id) in after.iter().chain(before) {
            if list.len() < r && !list.contains(&id) {
                list.push(id);
            }
        }
        list
    }
}

fn names(ring: &Ring, nodes: impl Iterator<Item = NodeIndex>) -> Vec<&str> {
    nodes.filter_map(|node| ring.node_id(node)).collect()
}

fn compare(ring: &Ring, naive: &Naive, seed: u8) {
    assert_eq!(ring.len(), naive.0.len());
    for token in [
        Token(0),
        Token(u64::MAX),
        Token(u64::from(seed) << 56),
        hash::token(&[seed]),
    ] {
        let expected = naive.preference_list(token, usize::MAX);
        for r in [0, 1, 3, 17, usize::MAX] {
            let list = names(ring, ring.replicas_of_token(token, r));
            assert_eq!(list, expected[..r.min(expected.len())]);
        }
        let owner = ring
            .owner_of_token(token)
            .and_then(|node| ring.node_id(node));
        assert_eq!(owner, expected.first().copied());
    }
}

fn compare_every_segment(ring: &Ring, naive: &Naive) {
    let ends: Vec<Token> = ring.preference_lists(3).map(|(end, _)| end).collect();
    assert!(
        ends.iter()
            .copied()
            .eq(naive.positions().iter().map(|position| position.0))
    );
    for (end, list) in ring.preference_lists(3) {
        assert_eq!(names(ring, list), naive.preference_list(end, 3));
    }
    let whole: f64 = ring.shares(3).iter().map(|share| share.leader).sum();
    assert!(
        ring.is_empty() || (whole - 1.0).abs() < 1e-9,
        "shares add up to {whole}"
    );
}

fn rebuilt_in_order(naive: &Naive) -> Ring {
    let mut ring = Ring::with_positions(VIRTUAL_NODES, coarse_token);
    for (id, &weight) in &naive.0 {
        assert!(ring.add(id, weight).is_ok());
    }
    ring
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use quickcheck::quickcheck;

    quickcheck! {
        fn the_ring_equals_the_naive_ring(program: Vec<u8>) -> bool {
            super::run(&program);
            true
        }
    }

    #[test]
    fn many_nodes_collide_and_leave_in_another_order() {
        let adds = (0..24u8).map(|id| [0x31, id]);
        let removals = (0..24u8).map(|id| [0x30, id.wrapping_mul(7) % 24]);
        super::run(&adds.chain(removals).collect::<Vec<_>>().concat());
    }
}
