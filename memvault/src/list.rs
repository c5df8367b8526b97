//! The order of use: a doubly linked list whose links lie in the nodes themselves, as 32-bit indices.
//!
//! ```text
//! newest <-> ... newer <-> node <-> older ... <-> oldest
//! ```
//! Place: over an [`Arena`], under the [`Lru`](crate::lru::Lru) heart.
//! Cost: all operations O(1); 8 bytes per node.
//! Limits: a list must always be given the arena that it was built in.

use crate::arena::{Arena, Index};

/// What lies in a slot: an entry and its neighbours.
#[derive(Clone, Debug)]
pub(crate) struct Node<E> {
    pub(crate) entry: E,
    newer: Link,
    older: Link,
}

impl<E> Node<E> {
    /// A node that is in no list yet.
    pub(crate) const fn new(entry: E) -> Self {
        Self {
            entry,
            newer: Link::NIL,
            older: Link::NIL,
        }
    }

    pub(crate) fn newer(&self) -> Option<Index> {
        self.newer.index()
    }

    pub(crate) fn older(&self) -> Option<Index> {
        self.older.index()
    }
}

/// Ends of the list. Invariant: both lead nowhere, or both lead to nodes without a neighbour on that side.
#[derive(Clone, Debug)]
pub(crate) struct List {
    newest: Link,
    oldest: Link,
}

impl List {
    pub(crate) const fn new() -> Self {
        Self {
            newest: Link::NIL,
            oldest: Link::NIL,
        }
    }

    pub(crate) fn newest(&self) -> Option<Index> {
        self.newest.index()
    }

    pub(crate) fn oldest(&self) -> Option<Index> {
        self.oldest.index()
    }

    /// Puts a node that is in no list at the newest end.
    #[inline]
    pub(crate) fn push_newest<E>(&mut self, nodes: &mut Arena<Node<E>>, index: Index) {
        let (link, older) = (Link::to(index), self.newest);
        let node = &mut nodes[index];
        node.newer = Link::NIL;
        node.older = older;
        self.newest = link;
        self.set_newer(nodes, older, link);
    }

    /// Takes a node out of the list.
    #[inline]
    pub(crate) fn unlink<E>(&mut self, nodes: &mut Arena<Node<E>>, index: Index) {
        let Node { newer, older, .. } = nodes[index];
        self.set_older(nodes, newer, older);
        self.set_newer(nodes, older, newer);
    }

    /// Moves a node to the newest end; touches nothing if it is there already.
    ///
    /// As [`unlink`](Self::unlink) and [`push_newest`](Self::push_newest), in one: every hit comes here,
    /// and the fewer steps there are, the more hits the processor has under way at a time, each waiting
    /// for memory.
    #[inline]
    pub(crate) fn promote<E>(&mut self, nodes: &mut Arena<Node<E>>, index: Index) {
        let (link, newest) = (Link::to(index), self.newest);
        if newest == link {
            return;
        }
        let node = &mut nodes[index];
        let (newer, older) = (node.newer, node.older);
        node.newer = Link::NIL;
        node.older = newest;
        self.newest = link;
        // There is a newer one, as this was not the newest.
        if let Some(node) = nodes.get_mut(newer.0) {
            node.older = older;
        }
        self.set_newer(nodes, older, newer);
        if let Some(node) = nodes.get_mut(newest.0) {
            node.newer = link;
        }
    }

    /// Makes the neighbours of a node that has moved to `index` lead there.
    pub(crate) fn follow<E>(&mut self, nodes: &mut Arena<Node<E>>, index: Index) {
        let Node { newer, older, .. } = nodes[index];
        self.set_older(nodes, newer, Link::to(index));
        self.set_newer(nodes, older, Link::to(index));
    }

    /// Sets what follows `link` towards the oldest end.
    #[inline]
    fn set_older<E>(&mut self, nodes: &mut Arena<Node<E>>, link: Link, older: Link) {
        match nodes.get_mut(link.0) {
            Some(node) => node.older = older,
            None => self.newest = older,
        }
    }

    /// Sets what follows `link` towards the newest end.
    #[inline]
    fn set_newer<E>(&mut self, nodes: &mut Arena<Node<E>>, link: Link, newer: Link) {
        match nodes.get_mut(link.0) {
            Some(node) => node.newer = newer,
            None => self.oldest = newer,
        }
    }
}

/// A neighbour's position, or [`NIL`](Self::NIL).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Link(u32);

impl Link {
    /// The link that leads nowhere.
    const NIL: Self = Self(u32::MAX);

    const fn to(index: Index) -> Self {
        Self(index.position())
    }

    fn index(self) -> Option<Index> {
        (self != Self::NIL).then(|| Index::new(self.0))
    }
}
