//! The replicas of one key, in order.

use super::config::{Config, quorum};
use crate::ring::{NodeIndex, Ring};

/// The first R distinct nodes clockwise from a key: its preference list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Preference {
    nodes: [NodeIndex; Config::MAX_REPLICAS],
    len: u8,
}

impl Preference {
    /// The preference list of `key`.
    pub(super) fn of_key(ring: &Ring, key: &[u8], replicas: usize) -> Self {
        Self::collect(ring.replicas(key, replicas))
    }

    /// A preference list of these nodes; those beyond the maximum are left out.
    pub(super) fn collect(nodes: impl Iterator<Item = NodeIndex>) -> Self {
        let mut list = Self {
            nodes: [NodeIndex::default(); Config::MAX_REPLICAS],
            len: 0,
        };
        for (slot, node) in list.nodes.iter_mut().zip(nodes) {
            *slot = node;
            list.len += 1;
        }
        list
    }

    pub(super) fn nodes(&self) -> &[NodeIndex] {
        self.nodes.get(..self.len()).unwrap_or(&[])
    }

    pub(super) fn len(&self) -> usize {
        usize::from(self.len)
    }

    pub(super) fn contains(&self, node: NodeIndex) -> bool {
        self.nodes().contains(&node)
    }

    /// The set of `node` alone, if it is in the list, else the empty set.
    pub(super) fn set_of(&self, node: NodeIndex) -> ReplicaSet {
        let position = self.nodes().iter().position(|n| *n == node);
        ReplicaSet(position.map_or(0, |position| 1 << position))
    }

    /// The nodes that are in `set`, in order.
    pub(super) fn members(&self, set: ReplicaSet) -> impl Iterator<Item = NodeIndex> + '_ {
        self.nodes()
            .iter()
            .copied()
            .filter(move |node| !self.set_of(*node).and(set).is_empty())
    }

    /// Those for which `predicate` holds.
    pub(super) fn filter(&self, mut predicate: impl FnMut(NodeIndex) -> bool) -> ReplicaSet {
        let mut set = ReplicaSet::EMPTY;
        for node in self.nodes() {
            if predicate(*node) {
                set = set.or(self.set_of(*node));
            }
        }
        set
    }

    /// How many acknowledgements make a quorum.
    pub(super) fn quorum(&self) -> usize {
        quorum(self.len())
    }
}

/// A set of the nodes of one preference list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ReplicaSet(u8);

impl ReplicaSet {
    pub(super) const EMPTY: Self = Self(0);

    pub(super) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }
}
