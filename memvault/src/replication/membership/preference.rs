//! The replicas of one slot, in order.

use crate::replication::config::read_quorum;
use crate::replication::config::{Config, quorum};
use crate::ring::NodeIndex;

/// The first R distinct nodes clockwise from a slot, its preference list; while the members change, those
/// after the change as well.
///
/// Two lists at a time make *joint* quorums: so many of the one and so many of the other. Whatever was done
/// before the change, or will be after it, then overlaps with what is done during it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::replication) struct Preference {
    /// The present list, then those that are only on the next one.
    nodes: [NodeIndex; MAX_NODES],
    current: u8,
    len: u8,
    next: ReplicaSet,
}

/// One change brings at most one more.
const MAX_NODES: usize = Config::MAX_REPLICAS + 1;

impl Preference {
    /// A preference list of these nodes; those beyond the maximum are left out.
    pub(in crate::replication) fn collect(nodes: impl Iterator<Item = NodeIndex>) -> Self {
        let mut list = Self {
            nodes: [NodeIndex::default(); MAX_NODES],
            current: 0,
            len: 0,
            next: ReplicaSet::EMPTY,
        };
        for node in nodes.take(Config::MAX_REPLICAS) {
            list.push(node);
        }
        list.current = list.len;
        list.next = list.current();
        debug_assert!(list.is_distinct(), "a node is a replica once");
        list
    }

    /// The present list and the next one.
    pub(in crate::replication) fn joint(
        current: impl Iterator<Item = NodeIndex>,
        next: impl Iterator<Item = NodeIndex>,
    ) -> Self {
        let mut list = Self::collect(current);
        let mut set = ReplicaSet::EMPTY;
        for node in next.take(Config::MAX_REPLICAS) {
            if !list.contains(node) {
                list.push(node);
            }
            set = set.or(list.set_of(node));
        }
        list.next = set;
        debug_assert!(list.is_distinct(), "a node is a replica once");
        list
    }

    fn is_distinct(&self) -> bool {
        let mut nodes = self.nodes().iter().enumerate();
        nodes.all(|(at, node)| !self.nodes()[..at].contains(node))
    }

    /// Whether a set is one of nodes of this list: one of another list would count the wrong ones.
    fn owns(&self, set: ReplicaSet) -> bool {
        set.0 >> self.len == 0
    }

    fn push(&mut self, node: NodeIndex) {
        let slot = self.nodes.get_mut(usize::from(self.len));
        debug_assert!(slot.is_some(), "a change brings one more at most");
        if let Some(slot) = slot {
            *slot = node;
            self.len += 1;
        }
    }

    /// Everyone on either list.
    pub(in crate::replication) fn nodes(&self) -> &[NodeIndex] {
        self.nodes.get(..usize::from(self.len)).unwrap_or(&[])
    }

    /// Those on the present list, in order: they lead and answer reads at ONE.
    pub(in crate::replication) fn leaders(&self) -> &[NodeIndex] {
        self.nodes.get(..usize::from(self.current)).unwrap_or(&[])
    }

    pub(in crate::replication) fn contains(&self, node: NodeIndex) -> bool {
        self.nodes().contains(&node)
    }

    /// Those on the present list.
    pub(in crate::replication) const fn current(&self) -> ReplicaSet {
        ReplicaSet((1 << self.current) - 1)
    }

    /// Those on the next list; the same as the present one while nothing changes.
    pub(in crate::replication) const fn next(&self) -> ReplicaSet {
        self.next
    }

    /// Whether the node is on the next list only: it has yet to take the key over.
    pub(in crate::replication) fn is_pending(&self, node: NodeIndex) -> bool {
        !self.set_of(node).without(self.current()).is_empty()
    }

    /// The set of `node` alone, if it is in the list, else the empty set.
    pub(in crate::replication) fn set_of(&self, node: NodeIndex) -> ReplicaSet {
        let position = self.nodes().iter().position(|n| *n == node);
        ReplicaSet(position.map_or(0, |position| 1 << position))
    }

    /// The same nodes of another list, as far as they are on this one.
    pub(in crate::replication) fn translate(&self, other: &Self, set: ReplicaSet) -> ReplicaSet {
        let same = other
            .members(set)
            .fold(ReplicaSet::EMPTY, |sum, node| sum.or(self.set_of(node)));
        debug_assert!(same.len() <= set.len(), "nobody is added");
        same
    }

    /// The nodes that are in `set`, in order.
    pub(in crate::replication) fn members(
        &self,
        set: ReplicaSet,
    ) -> impl Iterator<Item = NodeIndex> + '_ {
        debug_assert!(self.owns(set), "a set of another list");
        self.nodes()
            .iter()
            .copied()
            .filter(move |node| !self.set_of(*node).and(set).is_empty())
    }

    /// Those for which `predicate` holds.
    pub(in crate::replication) fn filter(
        &self,
        mut predicate: impl FnMut(NodeIndex) -> bool,
    ) -> ReplicaSet {
        let mut set = ReplicaSet::EMPTY;
        for node in self.nodes() {
            if predicate(*node) {
                set = set.or(self.set_of(*node));
            }
        }
        set
    }

    /// Whether a write that these hold is safe: a quorum of each list.
    pub(in crate::replication) fn is_quorum(&self, set: ReplicaSet) -> bool {
        self.lacks(set, quorum).is_none()
    }

    /// Whether these are a quorum of the present list.
    pub(in crate::replication) fn is_quorum_of_present(&self, set: ReplicaSet) -> bool {
        set.and(self.current()).len() >= quorum(self.current().len())
    }

    /// Whether among these is one of every quorum of the present list that acknowledged a write.
    pub(in crate::replication) fn is_read_quorum_of_present(&self, set: ReplicaSet) -> bool {
        set.and(self.current()).len() >= read_quorum(self.current().len())
    }

    /// Those on the next list only.
    pub(in crate::replication) fn gainers(&self) -> impl Iterator<Item = NodeIndex> + '_ {
        let only_next = self.next.without(self.current());
        self.members(only_next)
    }

    /// Whether among these is one of every quorum that acknowledged a write.
    pub(in crate::replication) fn is_read_quorum(&self, set: ReplicaSet) -> bool {
        self.lacks(set, read_quorum).is_none()
    }

    /// The first list of which `set` has less than what `need` says for its length: how many it has, and how
    /// many are needed.
    pub(in crate::replication) fn lacks(
        &self,
        set: ReplicaSet,
        need: impl Fn(usize) -> usize,
    ) -> Option<(usize, usize)> {
        debug_assert!(self.owns(set), "a set of another list");
        [self.current(), self.next]
            .into_iter()
            .map(|list| (set.and(list).len(), need(list.len())))
            .find(|(has, need)| has < need)
    }
}

/// A set of the nodes of one [`Preference`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::replication) struct ReplicaSet(u16);

impl ReplicaSet {
    pub(in crate::replication) const EMPTY: Self = Self(0);

    pub(in crate::replication) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(in crate::replication) const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(in crate::replication) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(in crate::replication) const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    pub(in crate::replication) const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joint(current: &[u16], next: &[u16]) -> Preference {
        let nodes = |list: &[u16]| {
            list.iter()
                .copied()
                .map(NodeIndex)
                .collect::<alloc::vec::Vec<_>>()
        };
        Preference::joint(nodes(current).into_iter(), nodes(next).into_iter())
    }

    fn set(list: &Preference, nodes: &[u16]) -> ReplicaSet {
        list.filter(|node| nodes.contains(&node.0))
    }

    #[test]
    fn a_joint_quorum_is_one_of_both_lists() {
        let list = joint(&[1, 2, 3], &[4, 1, 2]);
        assert_eq!(list.leaders(), [1, 2, 3].map(NodeIndex));
        assert!(list.is_pending(NodeIndex(4)) && !list.is_pending(NodeIndex(3)));
        assert!(list.is_quorum(set(&list, &[1, 2])));
        assert!(list.is_quorum(set(&list, &[1, 3, 4])));
        assert!(!list.is_quorum(set(&list, &[2, 3])));
        assert!(!list.is_quorum(set(&list, &[1, 4])));
    }

    #[test]
    fn a_set_moves_to_another_list_by_node() {
        let (before, after) = (joint(&[1, 2, 3], &[4, 1, 2]), joint(&[4, 1, 2], &[4, 1, 2]));
        let moved = after.translate(&before, set(&before, &[2, 3, 4]));
        assert_eq!(moved, set(&after, &[2, 4]));
    }
}
