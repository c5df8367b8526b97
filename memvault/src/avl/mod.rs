//! Ordered map as an AVL tree whose nodes live in an arena and link by 32-bit index.
//!
//! Place: the [`ring`](crate::ring) keeps its virtual nodes in one.
//! Cost: insert, remove, get, ceiling are O(log n), at most 1.44 log2(n) comparisons; walking the whole
//! map in order is O(n), from any point. One slot of key, value, three links and a height per entry.
//! Limits: at most `u32::MAX` entries; one owner (`&mut self`). Nodes know their parent, so nothing
//! recurses and no walk needs a stack.
//!
//! ```
//! use memvault::avl::AvlTree;
//! let mut tree = AvlTree::new();
//! tree.insert(20, "b");
//! tree.insert(10, "a");
//! assert_eq!(tree.ceiling(&11), Some((&20, &"b")));
//! assert_eq!(tree.ceiling(&21), None);
//! ```

mod balance;
mod check;
mod iter;

use core::cmp::Ordering;
use core::num::NonZeroU8;

use slab::Slab;

pub use iter::Iter;

/// Ordered map from `K` to `V`; see the [module](self) for its costs.
#[derive(Clone, Debug)]
pub struct AvlTree<K, V> {
    /// Invariant: holds exactly the nodes reachable from `root`.
    nodes: Slab<Node<K, V>>,
    root: Link,
}

/// Slot of a node in the arena, or [`NIL`].
type Link = u32;

/// The link that leads nowhere.
const NIL: Link = u32::MAX;

#[derive(Clone, Debug)]
struct Node<K, V> {
    key: K,
    value: V,
    left: Link,
    right: Link,
    parent: Link,
    /// Invariant: one more than the higher child's. Never zero, which saves the arena its own tag.
    height: NonZeroU8,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

impl<K, V> AvlTree<K, V> {
    /// Creates an empty map; does not allocate.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            nodes: Slab::new(),
            root: NIL,
        }
    }

    /// Counts the entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Bytes on the heap, room for entries to come included.
    #[must_use]
    pub(crate) fn heap_bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node<K, V>>()
    }

    /// Tells whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Removes every entry; keeps the memory for new ones.
    pub fn clear(&mut self) {
        self.root = NIL;
        self.nodes.clear();
    }

    /// Returns the entry with the smallest key.
    #[must_use]
    pub fn first(&self) -> Option<(&K, &V)> {
        self.entry(self.outermost(self.root, Side::Left))
    }

    /// Returns the entry with the greatest key.
    #[must_use]
    pub fn last(&self) -> Option<(&K, &V)> {
        self.entry(self.outermost(self.root, Side::Right))
    }

    /// Iterates over all entries in key order.
    #[must_use]
    pub fn iter(&self) -> Iter<'_, K, V> {
        Iter::new(self, self.outermost(self.root, Side::Left))
    }

    fn node(&self, at: Link) -> &Node<K, V> {
        &self.nodes[at as usize]
    }

    fn node_mut(&mut self, at: Link) -> &mut Node<K, V> {
        &mut self.nodes[at as usize]
    }

    fn entry(&self, at: Link) -> Option<(&K, &V)> {
        let node = self.nodes.get(at as usize)?;
        Some((&node.key, &node.value))
    }
}

impl<K: Ord, V> AvlTree<K, V> {
    /// Inserts an entry and returns the value it replaced, if any.
    ///
    /// A key that is already present stays as it is; only its value changes.
    ///
    /// # Panics
    ///
    /// Panics at the 2³²nd entry, the map unchanged.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let mut parent = NIL;
        let mut side = Side::Left;
        let mut at = self.root;
        while at != NIL {
            let node = self.node(at);
            parent = at;
            (side, at) = match key.cmp(&node.key) {
                Ordering::Less => (Side::Left, node.left),
                Ordering::Greater => (Side::Right, node.right),
                Ordering::Equal => {
                    return Some(core::mem::replace(&mut self.node_mut(at).value, value));
                }
            };
        }
        self.attach(parent, side, key, value);
        None
    }

    /// Removes the entry of `key` and returns its value.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let at = self.find(key)?;
        Some(self.detach(at).1)
    }

    /// Returns the value of `key`.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        Some(&self.node(self.find(key)?).value)
    }

    /// Returns the value of `key` for change in place.
    #[must_use]
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let at = self.find(key)?;
        Some(&mut self.node_mut(at).value)
    }

    /// Returns the entry with the smallest key that is not less than `key`.
    #[must_use]
    pub fn ceiling(&self, key: &K) -> Option<(&K, &V)> {
        self.entry(self.lower_bound(|other| other < key))
    }

    /// Returns the entry with the smallest key that is greater than `key`, which itself need not be present.
    #[must_use]
    pub fn successor(&self, key: &K) -> Option<(&K, &V)> {
        self.entry(self.lower_bound(|other| other <= key))
    }

    /// Iterates in key order over the entries whose key is not less than `key`.
    #[must_use]
    pub fn iter_from(&self, key: &K) -> Iter<'_, K, V> {
        Iter::new(self, self.lower_bound(|other| other < key))
    }

    fn find(&self, key: &K) -> Option<Link> {
        let mut at = self.root;
        while at != NIL {
            let node = self.node(at);
            at = match key.cmp(&node.key) {
                Ordering::Less => node.left,
                Ordering::Greater => node.right,
                Ordering::Equal => return Some(at),
            };
        }
        None
    }

    /// First node, in order, for whose key `before` is false.
    fn lower_bound(&self, before: impl Fn(&K) -> bool) -> Link {
        let mut best = NIL;
        let mut at = self.root;
        while at != NIL {
            let node = self.node(at);
            let skip = before(&node.key);
            best = if skip { best } else { at };
            at = if skip { node.right } else { node.left };
        }
        best
    }
}

impl<K, V> Default for AvlTree<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a, K, V> IntoIterator for &'a AvlTree<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
