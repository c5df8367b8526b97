//! Consistent-hash ring: which nodes hold a key.
//!
//! ```text
//! key --token--> position --ceiling, wrapping round--> owner --onwards--> first r distinct nodes
//! ```
//! Place: the coordinator and every member ask it for the preference list of a key; members whose rings
//! have the same [digest](Ring::digest) give the same answers, in whatever order they learnt of the nodes.
//!
//! Each node stands on the circle of 64-bit [tokens](Token) at 256 positions per unit of weight, its
//! *virtual nodes*. The node of the first virtual node at or after a key's token is the key's *owner*
//! (leader); the first r distinct nodes from there clockwise are its *preference list*. When a node
//! joins or leaves, only keys to or from that node move.
//!
//! Load of the fullest node as a multiple of the mean, with equal weights: average and worst of 50 rings
//! each (`cargo run --release --example ring` prints the table anew). *Leader* counts the keys a node
//! owns, *replica* those it holds one of three copies of (all of them where there are three nodes).
//!
//! | virtual nodes | 3 nodes: leader | replica | 10 nodes: leader | replica | 100 nodes: leader | replica |
//! |---|---|---|---|---|---|---|
//! | 64 | 1.10, 1.22 | 1.00, 1.00 | 1.21, 1.46 | 1.12, 1.19 | 1.34, 1.48 | 1.19, 1.27 |
//! | 128 | 1.08, 1.22 | 1.00, 1.00 | 1.14, 1.28 | 1.08, 1.16 | 1.23, 1.33 | 1.13, 1.18 |
//! | 256 | 1.06, 1.15 | 1.00, 1.00 | 1.10, 1.17 | 1.06, 1.09 | 1.16, 1.27 | 1.10, 1.14 |
//! | 512 | 1.04, 1.10 | 1.00, 1.00 | 1.07, 1.13 | 1.04, 1.06 | 1.11, 1.16 | 1.07, 1.10 |
//!
//! Cost: a lookup is O(log v) over all v virtual nodes, no allocation; adding or removing a node is
//! O(log v) for each of its virtual nodes; 24 bytes each.
//! Limits: 65 535 nodes, 2²⁴ virtual nodes in all.
//!
//! ```
//! use memvault::ring::Ring;
//! let mut ring = Ring::new();
//! for id in ["a:7001", "b:7001", "c:7001", "d:7001"] {
//!     ring.add(id, 1)?;
//! }
//! let list: Vec<_> = ring.replicas(b"user:17", 3).collect();
//! assert_eq!(list.len(), 3);
//! assert_eq!(ring.owner(b"user:17"), Some(list[0]));
//!
//! // The owner leaves: the next in the list takes over, and the others keep their order.
//! let owner = ring.node_id(list[0]).unwrap_or_default().to_string();
//! ring.remove(&owner);
//! assert!(ring.replicas(b"user:17", 2).eq([list[1], list[2]]));
//! # Ok::<(), memvault::ring::RingError>(())
//! ```

mod replicas;
mod shares;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::avl::AvlTree;
use crate::hash::{self, Token};

pub use replicas::{PreferenceLists, Replicas};
pub use shares::Share;

/// Virtual nodes per unit of weight, unless the ring was made [with another number](Ring::with_virtual_nodes).
pub const VIRTUAL_NODES: u32 = 256;

/// Most virtual nodes a ring holds, all nodes together; at 24 bytes each.
pub const MAX_VIRTUAL_NODES: u32 = 1 << 24;

/// Most nodes a ring holds.
pub const MAX_NODES: usize = u16::MAX as usize;

/// Consistent-hash ring of weighted nodes; see the [module](self) for what it promises.
#[derive(Clone, Debug)]
pub struct Ring {
    /// Invariant: of all claims to a token, the one of the smallest node id is here.
    tokens: AvlTree<Token, NodeIndex>,
    /// Claims that lost. Practically always empty: 2²⁴ virtual nodes collide once in 131 072 rings.
    displaced: Vec<(Token, NodeIndex)>,
    /// Slot = node index; `None` where a node was removed.
    nodes: Vec<Option<Node>>,
    len: usize,
    per_weight: u32,
    position: fn(&str, u32) -> Token,
}

/// A node's number in one [`Ring`]: dense, and stable for as long as the node is in it.
///
/// Local to one ring: two rings with the same nodes may number them differently.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeIndex(pub u16);

/// Why a node could not be added. The ring is unchanged in every case, and the fault the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RingError {
    /// A node with this id is in the ring already.
    DuplicateNode,
    /// The weight is zero: such a node would own nothing.
    ZeroWeight,
    /// The ring holds [`MAX_NODES`] nodes.
    TooManyNodes,
    /// The weight asks for more than the rest of [`MAX_VIRTUAL_NODES`].
    TooManyVirtualNodes,
}

#[derive(Clone, Debug)]
struct Node {
    id: String,
    weight: u32,
}

impl NodeIndex {
    /// The index as a position in an array with one place per node.
    #[must_use]
    pub const fn as_usize(self) -> usize {
        self.0 as usize
    }
}

impl Ring {
    /// Creates an empty ring with [`VIRTUAL_NODES`] virtual nodes per unit of weight.
    #[must_use]
    pub fn new() -> Self {
        Self::with_virtual_nodes(VIRTUAL_NODES)
    }

    /// Creates an empty ring with another number of virtual nodes per unit of weight; zero counts as one.
    ///
    /// Fewer make lookups a little faster and the balance worse. Every process must use the same number.
    #[must_use]
    pub fn with_virtual_nodes(per_weight: u32) -> Self {
        Self::with_positions(per_weight, hash::virtual_node_token)
    }

    /// A ring with another way to place virtual nodes, so that the models can make tokens collide.
    pub(crate) fn with_positions(per_weight: u32, position: fn(&str, u32) -> Token) -> Self {
        let per_weight = per_weight.max(1);
        Self {
            tokens: AvlTree::new(),
            displaced: Vec::new(),
            nodes: Vec::new(),
            len: 0,
            per_weight,
            position,
        }
    }

    /// Adds a node with `weight` times the virtual nodes of a node of weight 1.
    ///
    /// It takes the smallest index not in use. O(log v) per virtual node of it.
    ///
    /// # Errors
    ///
    /// Returns why the node is refused; the ring is unchanged then.
    pub fn add(&mut self, node_id: &str, weight: u32) -> Result<NodeIndex, RingError> {
        let slot = self
            .nodes
            .iter()
            .position(Option::is_none)
            .unwrap_or(self.nodes.len());
        let index = NodeIndex(u16::try_from(slot).map_err(|_| RingError::TooManyNodes)?);
        self.add_at(index, node_id, weight)?;
        Ok(index)
    }

    /// Adds a node under an index of the caller's choice, which no node of this ring may have.
    pub(crate) fn add_at(
        &mut self,
        index: NodeIndex,
        node_id: &str,
        weight: u32,
    ) -> Result<(), RingError> {
        let count = self.check_new(node_id, weight)?;
        if self.nodes.len() <= index.as_usize() {
            self.nodes.resize(index.as_usize() + 1, None);
        }
        let Some(slot @ None) = self.nodes.get_mut(index.as_usize()) else {
            return Err(RingError::DuplicateNode);
        };
        *slot = Some(Node {
            id: node_id.into(),
            weight,
        });
        self.len += 1;
        for number in 0..count {
            self.claim((self.position)(node_id, number), index);
        }
        Ok(())
    }

    /// Removes a node; its index may be used again for the next one added.
    ///
    /// Returns whether it was there. O(log v) per virtual node of it.
    pub fn remove(&mut self, node_id: &str) -> bool {
        let Some(index) = self.index_of(node_id) else {
            return false;
        };
        let Some(node) = self.nodes[index.as_usize()].take() else {
            return false;
        };
        self.len -= 1;
        self.displaced.retain(|&(_, loser)| loser != index);
        for number in 0..node.weight * self.per_weight {
            self.release((self.position)(node_id, number), index);
        }
        true
    }

    /// Returns the owner of a key, its leader; `None` in an empty ring.
    #[must_use]
    pub fn owner(&self, key: &[u8]) -> Option<NodeIndex> {
        self.owner_of_token(hash::token(key))
    }

    /// Returns the owner of the keys at a token: the first virtual node there or later, wrapping round.
    #[must_use]
    pub fn owner_of_token(&self, token: Token) -> Option<NodeIndex> {
        let (_, &node) = self
            .tokens
            .ceiling(&token)
            .or_else(|| self.tokens.first())?;
        Some(node)
    }

    /// Returns the preference list of a key: the first `r` distinct nodes clockwise, the owner first.
    ///
    /// With fewer than `r` nodes it has all of them; in an empty ring, none. Does not allocate.
    #[must_use]
    pub fn replicas(&self, key: &[u8], r: usize) -> Replicas<'_> {
        self.replicas_of_token(hash::token(key), r)
    }

    /// Returns the preference list of the keys at a token; see [`Ring::replicas`].
    #[must_use]
    pub fn replicas_of_token(&self, token: Token, r: usize) -> Replicas<'_> {
        Replicas::new(self, self.tokens.iter_from(&token), r)
    }

    /// Iterates in token order over the segments of the circle: last token of each, and its preference list.
    ///
    /// A segment begins behind the one before it; the first begins behind the last one's end.
    #[must_use]
    pub fn preference_lists(&self, r: usize) -> PreferenceLists<'_> {
        PreferenceLists::new(self, r)
    }

    /// Where a node stands; some of these tokens may have gone to another with a smaller id.
    pub(crate) fn tokens_of(&self, index: NodeIndex) -> impl Iterator<Item = Token> + '_ {
        let node = self.node(index);
        let tokens = |node: &'_ Node| 0..node.weight * self.per_weight;
        let numbers = node.map_or(0..0, tokens);
        numbers.filter_map(move |number| Some((self.position)(&node?.id, number)))
    }

    /// The segment that a token is in: its last token, and its preference list. One that goes round the end of the
    /// circle counts as ending there.
    pub(crate) fn segment(&self, token: Token, r: usize) -> (Token, Replicas<'_>) {
        let start = self.tokens.iter_from(&token);
        let end = start
            .clone()
            .next()
            .map_or(Token(u64::MAX), |(end, _)| *end);
        (end, Replicas::new(self, start, r))
    }

    /// Counts the nodes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Tells whether there is no node.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Counts the virtual nodes of all nodes.
    #[must_use]
    pub fn virtual_nodes(&self) -> usize {
        self.tokens.len() + self.displaced.len()
    }

    /// Bytes on the heap, to plan memory with: nearly all of them are virtual nodes. O(nodes).
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let ids: usize = self
            .nodes
            .iter()
            .flatten()
            .map(|node| node.id.capacity())
            .sum();
        self.tokens.heap_bytes()
            + self.displaced.capacity() * size_of::<(Token, NodeIndex)>()
            + self.nodes.capacity() * size_of::<Option<Node>>()
            + ids
    }

    /// Iterates over the indices of the nodes, ascending.
    pub fn nodes(&self) -> impl Iterator<Item = NodeIndex> + '_ {
        (0..=u16::MAX)
            .zip(&self.nodes)
            .filter(|(_, node)| node.is_some())
            .map(|(index, _)| NodeIndex(index))
    }

    /// Returns the id of a node.
    #[must_use]
    pub fn node_id(&self, index: NodeIndex) -> Option<&str> {
        Some(&self.node(index)?.id)
    }

    /// Returns the weight of a node.
    #[must_use]
    pub fn weight(&self, index: NodeIndex) -> Option<u32> {
        Some(self.node(index)?.weight)
    }

    /// Returns the index of the node with this id. O(nodes).
    #[must_use]
    pub fn index_of(&self, node_id: &str) -> Option<NodeIndex> {
        self.nodes()
            .find(|&index| self.node_id(index) == Some(node_id))
    }

    /// Hashes what decides placement: ids, weights and the virtual nodes per weight.
    ///
    /// Equal in two processes if their rings place every key alike, whatever the order of additions.
    #[must_use]
    pub fn digest(&self) -> u64 {
        let mut nodes: Vec<&Node> = self.nodes.iter().flatten().collect();
        nodes.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        let mut bytes = Vec::new();
        for node in nodes {
            // Lengths first, so that no two lists of nodes have the same bytes.
            bytes.extend_from_slice(&(node.id.len() as u64).to_le_bytes());
            bytes.extend_from_slice(node.id.as_bytes());
            bytes.extend_from_slice(&node.weight.to_le_bytes());
            bytes.extend_from_slice(&(node.weight * self.per_weight).to_le_bytes());
        }
        hash::token(&bytes).0
    }

    fn node(&self, index: NodeIndex) -> Option<&Node> {
        self.nodes.get(index.as_usize())?.as_ref()
    }

    /// Number of virtual nodes the new node gets.
    fn check_new(&self, node_id: &str, weight: u32) -> Result<u32, RingError> {
        if weight == 0 {
            return Err(RingError::ZeroWeight);
        }
        if self.index_of(node_id).is_some() {
            return Err(RingError::DuplicateNode);
        }
        if self.len >= MAX_NODES {
            return Err(RingError::TooManyNodes);
        }
        let count = weight
            .checked_mul(self.per_weight)
            .ok_or(RingError::TooManyVirtualNodes)?;
        let free = (MAX_VIRTUAL_NODES as usize).saturating_sub(self.virtual_nodes());
        if count as usize > free {
            Err(RingError::TooManyVirtualNodes)
        } else {
            Ok(count)
        }
    }

    /// Gives a token to a node; of several nodes, the one with the smallest id has it, in whatever order they came.
    fn claim(&mut self, token: Token, claimant: NodeIndex) {
        let Some(&holder) = self.tokens.get(&token) else {
            self.tokens.insert(token, claimant);
            return;
        };
        let wins = self.node_id(claimant) < self.node_id(holder);
        let (winner, loser) = if wins {
            (claimant, holder)
        } else {
            (holder, claimant)
        };
        self.tokens.insert(token, winner);
        self.displaced.push((token, loser));
    }

    /// Takes a token from a node that has left, for the smallest id among those displaced by it.
    fn release(&mut self, token: Token, leaver: NodeIndex) {
        if self.tokens.get(&token) != Some(&leaver) {
            return;
        }
        let claims = self
            .displaced
            .iter()
            .enumerate()
            .filter(|(_, claim)| claim.0 == token);
        let next = claims
            .min_by_key(|(_, claim)| self.node_id(claim.1))
            .map(|(at, _)| at);
        if let Some(at) = next {
            let (_, successor) = self.displaced.swap_remove(at);
            self.tokens.insert(token, successor);
        } else {
            self.tokens.remove(&token);
        }
    }

    /// Checks that tree, claims and nodes agree. O(v).
    ///
    /// # Panics
    ///
    /// Panics if they do not, which would be an error in this module.
    pub fn check_invariants(&self) {
        self.tokens.check_invariants();
        let expected: u64 = self
            .nodes
            .iter()
            .flatten()
            .map(|node| u64::from(node.weight * self.per_weight))
            .sum();
        assert_eq!(self.virtual_nodes() as u64, expected, "virtual nodes");
        assert_eq!(self.nodes().count(), self.len, "nodes");
        assert!(
            self.tokens
                .iter()
                .all(|(_, &node)| self.node(node).is_some()),
            "a token of a removed node"
        );
        for (token, loser) in &self.displaced {
            let holder = self
                .tokens
                .get(token)
                .and_then(|&holder| self.node_id(holder));
            assert!(
                holder.is_some() && holder <= self.node_id(*loser),
                "the smallest id has {token}"
            );
        }
    }
}

impl Default for Ring {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for RingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DuplicateNode => f.write_str("a node with this id is in the ring already"),
            Self::ZeroWeight => f.write_str("the weight of a node must be at least 1"),
            Self::TooManyNodes => write!(f, "the ring holds {MAX_NODES} nodes already"),
            Self::TooManyVirtualNodes => {
                write!(f, "the ring would exceed {MAX_VIRTUAL_NODES} virtual nodes")
            }
        }
    }
}

impl core::error::Error for RingError {}
