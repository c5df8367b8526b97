//! Walks round the [`Ring`]: preference lists without allocation.

use core::iter::FusedIterator;

use super::{NodeIndex, Ring};
use crate::avl::Iter;
use crate::hash::Token;

/// Iterator over the distinct nodes of one preference list, made by [`Ring::replicas`].
///
/// Cost: one step of the walk per virtual node passed. Up to 16 nodes are told apart by what
/// was found before; beyond that by walking again from the start, so that nothing is allocated.
#[derive(Clone, Debug)]
pub struct Replicas<'a> {
    ring: &'a Ring,
    start: Iter<'a, Token, NodeIndex>,
    walk: Iter<'a, Token, NodeIndex>,
    /// Positions passed. Invariant: at most all of them, so a walk ends even where nodes are missing.
    passed: usize,
    wanted: usize,
    found: usize,
    /// Invariant: the first `min(found, INLINE)` are the nodes found so far.
    first: [NodeIndex; INLINE],
}

/// Nodes remembered inside the iterator.
const INLINE: usize = 16;

impl<'a> Replicas<'a> {
    pub(super) fn new(ring: &'a Ring, start: Iter<'a, Token, NodeIndex>, r: usize) -> Self {
        let wanted = r.min(ring.len());
        let walk = start.clone();
        Self {
            ring,
            start,
            walk,
            passed: 0,
            wanted,
            found: 0,
            first: [NodeIndex(0); INLINE],
        }
    }

    fn step(&mut self) -> Option<NodeIndex> {
        if self.passed == self.ring.tokens.len() {
            return None;
        }
        self.passed += 1;
        let (_, &node) = self.walk.next().or_else(|| {
            self.walk = self.ring.tokens.iter();
            self.walk.next()
        })?;
        Some(node)
    }

    /// Whether the node at the position just passed had been passed before.
    fn is_known(&self, node: NodeIndex) -> bool {
        let remembered = &self.first[..self.found.min(INLINE)];
        remembered.contains(&node) || self.found > INLINE && self.was_passed(node)
    }

    fn was_passed(&self, node: NodeIndex) -> bool {
        let round = self.start.clone().chain(self.ring.tokens.iter());
        round.take(self.passed - 1).any(|(_, &other)| other == node)
    }
}

impl Iterator for Replicas<'_> {
    type Item = NodeIndex;

    fn next(&mut self) -> Option<NodeIndex> {
        while self.found < self.wanted {
            let node = self.step()?;
            if self.is_known(node) {
                continue;
            }
            if let Some(place) = self.first.get_mut(self.found) {
                *place = node;
            }
            self.found += 1;
            return Some(node);
        }
        None
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.wanted - self.found))
    }
}

impl FusedIterator for Replicas<'_> {}

/// Iterator over all segments of the circle in token order, made by [`Ring::preference_lists`].
#[derive(Clone, Debug)]
pub struct PreferenceLists<'a> {
    ring: &'a Ring,
    walk: Iter<'a, Token, NodeIndex>,
    r: usize,
}

impl<'a> PreferenceLists<'a> {
    pub(super) fn new(ring: &'a Ring, r: usize) -> Self {
        Self {
            ring,
            walk: ring.tokens.iter(),
            r,
        }
    }
}

impl<'a> Iterator for PreferenceLists<'a> {
    type Item = (Token, Replicas<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.walk.clone();
        let (&end, _) = self.walk.next()?;
        Some((end, Replicas::new(self.ring, start, self.r)))
    }
}

impl FusedIterator for PreferenceLists<'_> {}
