//! Links and heights of an [`AvlTree`]: attaching, detaching and rotating nodes.
//!
//! After a change one walk from the changed place towards the root restores the invariant that the
//! heights of two siblings differ by at most one. It ends where a subtree's height did not change.

use core::mem;
use core::num::NonZeroU8;

use super::{AvlTree, Link, NIL, Node, Side};

impl Side {
    pub(super) const fn opposite(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }
}

impl<K, V> AvlTree<K, V> {
    pub(super) fn child(&self, at: Link, side: Side) -> Link {
        match side {
            Side::Left => self.node(at).left,
            Side::Right => self.node(at).right,
        }
    }

    /// Height of a subtree: zero for none, one for a leaf.
    pub(super) fn height(&self, at: Link) -> u8 {
        if at == NIL {
            0
        } else {
            self.node(at).height.get()
        }
    }

    /// Adds a leaf below `parent`, which has no child on that side (or is [`NIL`] in an empty tree).
    pub(super) fn attach(&mut self, parent: Link, side: Side, key: K, value: V) {
        let slot = self.nodes.vacant_key();
        assert!(
            slot < NIL as usize,
            "an AVL tree holds at most u32::MAX entries"
        );
        self.nodes.insert(Node {
            key,
            value,
            left: NIL,
            right: NIL,
            parent,
            height: NonZeroU8::MIN,
        });
        // Just checked to fit.
        let leaf = slot as Link;
        if parent == NIL {
            self.root = leaf;
        } else {
            self.set_child(parent, side, leaf);
        }
        self.rebalance_from(parent);
    }

    /// Takes the node out of the tree and returns its entry.
    pub(super) fn detach(&mut self, at: Link) -> (K, V) {
        let (left, right) = (self.child(at, Side::Left), self.child(at, Side::Right));
        if left == NIL || right == NIL {
            return self.splice_out(at);
        }
        // Two children: the next node in order has at most one. It goes, and its entry takes the place here.
        let next = self.outermost(right, Side::Left);
        let (key, value) = self.splice_out(next);
        let node = self.node_mut(at);
        (
            mem::replace(&mut node.key, key),
            mem::replace(&mut node.value, value),
        )
    }

    /// Removes a node that has at most one child, which moves up.
    fn splice_out(&mut self, at: Link) -> (K, V) {
        let node = self.nodes.remove(at as usize);
        let child = if node.left == NIL {
            node.right
        } else {
            node.left
        };
        if child != NIL {
            self.node_mut(child).parent = node.parent;
        }
        self.replace_child(node.parent, at, child);
        self.rebalance_from(node.parent);
        (node.key, node.value)
    }

    fn rebalance_from(&mut self, mut at: Link) {
        while at != NIL {
            let before = self.height(at);
            let top = self.rebalance(at);
            if self.height(top) == before {
                return;
            }
            at = self.node(top).parent;
        }
    }

    /// Restores the invariant at `at`, below which it holds; returns the top of the subtree.
    fn rebalance(&mut self, at: Link) -> Link {
        let (left, right) = (self.child(at, Side::Left), self.child(at, Side::Right));
        let (left, right) = (self.height(left), self.height(right));
        let heavy = if left > right {
            Side::Left
        } else {
            Side::Right
        };
        if left.abs_diff(right) <= 1 {
            self.update_height(at);
            return at;
        }
        let child = self.child(at, heavy);
        if self.height(self.child(child, heavy)) < self.height(self.child(child, heavy.opposite()))
        {
            self.lift(child, heavy.opposite());
        }
        self.lift(at, heavy)
    }

    /// Rotates: the child of `at` on `side` takes its place, `at` becomes that child's child.
    fn lift(&mut self, at: Link, side: Side) -> Link {
        let child = self.child(at, side);
        let parent = self.node(at).parent;
        let between = self.child(child, side.opposite());
        self.set_child(at, side, between);
        self.set_child(child, side.opposite(), at);
        self.node_mut(child).parent = parent;
        self.replace_child(parent, at, child);
        self.update_height(at);
        self.update_height(child);
        child
    }

    fn set_child(&mut self, at: Link, side: Side, child: Link) {
        match side {
            Side::Left => self.node_mut(at).left = child,
            Side::Right => self.node_mut(at).right = child,
        }
        if child != NIL {
            self.node_mut(child).parent = at;
        }
    }

    /// Makes `parent`, or the root where there is none, point to `new` instead of `old`.
    fn replace_child(&mut self, parent: Link, old: Link, new: Link) {
        if parent == NIL {
            self.root = new;
        } else if self.child(parent, Side::Left) == old {
            self.node_mut(parent).left = new;
        } else {
            self.node_mut(parent).right = new;
        }
    }

    fn update_height(&mut self, at: Link) {
        let higher = self
            .height(self.child(at, Side::Left))
            .max(self.height(self.child(at, Side::Right)));
        // 2^32 nodes are at most 46 levels: saturation never happens.
        self.node_mut(at).height = NonZeroU8::MIN.saturating_add(higher);
    }
}
