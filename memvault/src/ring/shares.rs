//! How much of the circle each node of a [`Ring`] holds, for display and for judging balance.

use alloc::vec;
use alloc::vec::Vec;

use super::{NodeIndex, Ring};

/// What one node holds, as fractions of all tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// The node.
    pub node: NodeIndex,
    /// Fraction whose owner it is: 0 to 1, and 1 for all nodes together.
    pub leader: f64,
    /// Fraction in whose preference list it is, as owner or not: 0 to 1.
    pub replica: f64,
}

impl Ring {
    /// Computes what each node holds with preference lists of `r` nodes, in the order of their indices.
    ///
    /// Walks the whole circle: O(v r), and allocates; not for the path of a request.
    ///
    /// ```
    /// use memvault::ring::Ring;
    /// let mut ring = Ring::new();
    /// ring.add("small", 1)?;
    /// ring.add("big", 3)?;
    /// let shares = ring.shares(2);
    /// assert!((0.70..0.80).contains(&shares[1].leader));
    /// assert_eq!(shares[0].replica, 1.0);
    /// # Ok::<(), memvault::ring::RingError>(())
    /// ```
    #[must_use]
    pub fn shares(&self, r: usize) -> Vec<Share> {
        let mut held = vec![(0_u128, 0_u128); self.nodes.len()];
        let mut previous = self.tokens.last().map_or(0, |(token, _)| token.0);
        for (end, mut replicas) in self.preference_lists(r.max(1)) {
            let width = segment_width(previous, end.0);
            previous = end.0;
            if let Some(leader) = replicas.next() {
                held[leader.as_usize()].0 += width;
                held[leader.as_usize()].1 += width;
            }
            for node in replicas {
                held[node.as_usize()].1 += width;
            }
        }
        let share = |node: NodeIndex| {
            let (leader, replica) = held[node.as_usize()];
            Share {
                node,
                leader: fraction(leader),
                replica: fraction(replica),
            }
        };
        self.nodes().map(share).collect()
    }
}

/// Tokens from behind `previous` up to and with `end`; equal ones mean the whole circle.
fn segment_width(previous: u64, end: u64) -> u128 {
    match end.wrapping_sub(previous) {
        0 => CIRCLE,
        width => u128::from(width),
    }
}

fn fraction(tokens: u128) -> f64 {
    tokens as f64 / CIRCLE as f64
}

/// Number of tokens.
const CIRCLE: u128 = 1 << 64;
