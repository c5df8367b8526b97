//! Where keys go, now and after the change of members that is under way.

use alloc::string::String;
use alloc::vec::Vec;

use super::config::Member;
use super::document::Document;
use super::preference::Preference;
use crate::hash::{self, Token};
use crate::ring::{NodeIndex, Ring, RingError};

/// The ring of a document, and during a change also the ring after it. Both number nodes alike.
pub(super) struct Placement {
    pub(super) current: Ring,
    next: Option<Ring>,
    replicas: usize,
    /// While the members change: the distinct preference lists, sorted.
    pub(super) joint_lists: Vec<Preference>,
    /// Of the document: every greeting needs it, and it takes a walk over all members.
    pub(super) digest: u64,
}

/// Why a member list makes no ring.
pub(super) struct Misplaced {
    pub(super) id: String,
    pub(super) error: RingError,
}

impl Placement {
    /// The placement of `document`, with nodes numbered by `index`.
    pub(super) fn new(
        document: &Document,
        index: impl Fn(&str) -> Option<NodeIndex>,
    ) -> Result<Self, Misplaced> {
        let ring = |members: &[Member]| build(members, &index);
        let next = match document.change {
            Some(_) => Some(ring(&document.next_members())?),
            None => None,
        };
        let mut placement = Self {
            joint_lists: Vec::new(),
            current: ring(&document.members)?,
            next,
            replicas: usize::from(document.replicas),
            digest: document.digest(),
        };
        if document.change.is_some() {
            placement.joint_lists = placement.lists(|_| true);
        }
        Ok(placement)
    }

    /// The replicas of `key`.
    pub(super) fn preference(&self, key: &[u8]) -> Preference {
        self.at(hash::token(key))
    }

    /// The replicas of all keys with this token.
    pub(super) fn at(&self, token: Token) -> Preference {
        let current = self.current.replicas_of_token(token, self.replicas);
        match &self.next {
            None => Preference::collect(current),
            Some(next) => Preference::joint(current, next.replicas_of_token(token, self.replicas)),
        }
    }

    /// The distinct preference lists that are `wanted`, sorted. O(segments).
    pub(super) fn lists(&self, wanted: impl Fn(&Preference) -> bool) -> Vec<Preference> {
        let all = self.segments().map(|(_, list)| list);
        let mut lists: Vec<_> = all.filter(wanted).collect();
        lists.sort_unstable();
        lists.dedup();
        lists
    }

    /// Whether `node` holds keys here that it did not hold before; if it `had_gained` all that it was to take
    /// over then, it held that as well. O(segments).
    pub(super) fn is_new_to(&self, before: &Self, node: NodeIndex, had_gained: bool) -> bool {
        let holds = |list: Preference| list.leaders().contains(&node);
        let held = |list: Preference| holds(list) || had_gained && list.contains(node);
        // More than one member may have changed in between: each ring may have tokens that the other lacks.
        let mut ends = self.segments().chain(before.segments());
        ends.any(|(end, _)| holds(self.at(end)) && !held(before.at(end)))
    }

    /// The segments of the circle in order: last token, and the replicas of all keys on it.
    pub(super) fn segments(&self) -> impl Iterator<Item = (Token, Preference)> + '_ {
        // One ring has all tokens of the other, as they differ by one member.
        let finer = match &self.next {
            Some(next) if next.virtual_nodes() > self.current.virtual_nodes() => next,
            _ => &self.current,
        };
        finer
            .preference_lists(self.replicas)
            .map(|(end, nodes)| match &self.next {
                None => (end, Preference::collect(nodes)),
                Some(_) => (end, self.at(end)),
            })
    }
}

fn build(members: &[Member], index: impl Fn(&str) -> Option<NodeIndex>) -> Result<Ring, Misplaced> {
    let mut ring = Ring::new();
    for member in members {
        let misplaced = |error| Misplaced {
            id: member.id.clone(),
            error,
        };
        let at = index(&member.id).ok_or_else(|| misplaced(RingError::TooManyNodes))?;
        ring.add_at(at, &member.id, member.weight)
            .map_err(misplaced)?;
    }
    Ok(ring)
}
