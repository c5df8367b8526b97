//! The invariants of an [`AvlTree`], for tests and fuzzing.

use super::{AvlTree, NIL};

impl<K: Ord, V> AvlTree<K, V> {
    /// Checks order, balance, heights, parent links and that no node is lost. O(n).
    ///
    /// # Panics
    ///
    /// Panics if one of them is broken, which would be an error in this module.
    pub fn check_invariants(&self) {
        assert!(
            self.root == NIL || self.node(self.root).parent == NIL,
            "the root has a parent"
        );
        for (slot, node) in &self.nodes {
            let heights = [node.left, node.right].map(|child| self.height(child));
            assert!(
                heights[0].abs_diff(heights[1]) <= 1,
                "node {slot} is out of balance"
            );
            assert_eq!(
                node.height.get(),
                1 + heights[0].max(heights[1]),
                "height of node {slot}"
            );
            for child in [node.left, node.right] {
                assert!(
                    child == NIL || self.node(child).parent as usize == slot,
                    "parent of node {child}"
                );
            }
        }
        self.check_order();
    }

    fn check_order(&self) {
        let mut previous = None;
        let mut count = 0;
        // Bounded, so that a cycle fails instead of running for ever.
        for (key, _) in self.iter().take(self.len() + 1) {
            assert!(
                previous.is_none_or(|previous| previous < key),
                "keys are out of order"
            );
            previous = Some(key);
            count += 1;
        }
        assert_eq!(count, self.len(), "nodes reachable in order");
    }
}
