//! In-order walks over an [`AvlTree`] without a stack.
//!
//! Cost: a step is amortised O(1), at worst O(log n); an [`Iter`] is two words and free to clone.

use core::iter::FusedIterator;

use super::{AvlTree, Link, NIL, Side};

/// Iterator over entries in key order, made by [`AvlTree::iter`] and [`AvlTree::iter_from`].
#[derive(Debug)]
pub struct Iter<'a, K, V> {
    tree: &'a AvlTree<K, V>,
    next: Link,
}

impl<'a, K, V> Iter<'a, K, V> {
    pub(super) const fn new(tree: &'a AvlTree<K, V>, next: Link) -> Self {
        Self { tree, next }
    }
}

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.tree.entry(self.next)?;
        self.next = self.tree.next_in_order(self.next);
        Some(entry)
    }
}

impl<K, V> FusedIterator for Iter<'_, K, V> {}

// Derived, it would ask for `K: Clone` and `V: Clone` without need.
impl<K, V> Clone for Iter<'_, K, V> {
    fn clone(&self) -> Self {
        Self {
            tree: self.tree,
            next: self.next,
        }
    }
}

impl<K, V> AvlTree<K, V> {
    /// Leftmost or rightmost node below `at`; [`NIL`] for an empty subtree.
    pub(super) fn outermost(&self, mut at: Link, side: Side) -> Link {
        let mut found = NIL;
        while at != NIL {
            found = at;
            at = self.child(at, side);
        }
        found
    }

    /// Node after `at` in key order; [`NIL`] after the last.
    fn next_in_order(&self, mut at: Link) -> Link {
        let right = self.child(at, Side::Right);
        if right != NIL {
            return self.outermost(right, Side::Left);
        }
        loop {
            let parent = self.node(at).parent;
            if parent == NIL || self.child(parent, Side::Left) == at {
                return parent;
            }
            at = parent;
        }
    }
}
