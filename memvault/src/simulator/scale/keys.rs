//! How evenly keys lie on a ring, and how many move when a node joins.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::ring::{NodeIndex, Ring, RingError};
use crate::slot::{SlotTable, slot_of};

/// What [`share_keys`] has counted.
#[derive(Clone, Debug, PartialEq)]
pub struct Shares {
    /// Keys that a node leads.
    pub leads: Load,
    /// Keys that a node holds a copy of.
    pub holds: Load,
    /// Keys whose leader changes when one more node joins.
    pub leaders_moved: u64,
    /// Copies that have to be made when one more node joins.
    pub copies_moved: u64,
}

/// How a number is spread over the nodes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// On average.
    pub mean: f64,
    /// Of the nodes in ascending order, that at 95 percent.
    pub p95: u64,
    /// The most.
    pub max: u64,
}

/// Places the keys `key:000000000000` and following on a ring of `nodes`, then adds one node. O(keys).
///
/// # Errors
/// If a ring cannot have as many nodes.
pub fn share_keys(nodes: usize, replicas: usize, keys: u64) -> Result<Shares, RingError> {
    let mut ring = Ring::new();
    for number in 0..nodes {
        ring.add(&node_name(number), 1)?;
    }
    let mut grown = ring.clone();
    let newcomer = grown.add(&node_name(nodes), 1)?;
    let [now, then] = [&ring, &grown].map(|ring| SlotTable::new(ring, replicas));
    let (mut leads, mut holds) = (vec![0; nodes], vec![0; nodes]);
    let (mut leaders_moved, mut copies_moved) = (0, 0);
    for number in 0..keys {
        let slot = slot_of(format!("key:{number:012}").as_bytes());
        for (place, node) in now.replicas(slot).iter().enumerate() {
            count(&mut holds, *node);
            if place == 0 {
                count(&mut leads, *node);
            }
        }
        // Only keys of the newcomer move: those it leads, and those it takes a copy of.
        let after = then.replicas(slot);
        match after.iter().position(|node| *node == newcomer) {
            Some(0) => (leaders_moved, copies_moved) = (leaders_moved + 1, copies_moved + 1),
            Some(_) => copies_moved += 1,
            None => {}
        }
    }
    Ok(Shares {
        leads: Load::of(leads),
        holds: Load::of(holds),
        leaders_moved,
        copies_moved,
    })
}

fn node_name(number: usize) -> String {
    format!("node-{number:05}")
}

fn count(counts: &mut [u64], node: NodeIndex) {
    if let Some(count) = counts.get_mut(node.as_usize()) {
        *count += 1;
    }
}

impl Load {
    fn of(mut counts: Vec<u64>) -> Self {
        counts.sort_unstable();
        let rank = (counts.len() * 95).div_ceil(100).max(1);
        Self {
            mean: counts.iter().sum::<u64>() as f64 / counts.len().max(1) as f64,
            p95: counts.get(rank - 1).copied().unwrap_or(0),
            max: counts.last().copied().unwrap_or(0),
        }
    }
}
