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
            placement.joint_lists = distinct(placement.segments().into_iter());
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

    /// The distinct preference lists that are `wanted`, sorted. O(segments), while the members change O(lists).
    pub(super) fn lists(&self, wanted: impl Fn(&Preference) -> bool) -> Vec<Preference> {
        if self.next.is_some() {
            return self.joint_lists.iter().copied().filter(wanted).collect();
        }
        distinct(self.segments().into_iter().filter(|(_, list)| wanted(list)))
    }

    /// Whether `node` holds keys here that it did not hold before; if it `had_gained` all that it was to take
    /// over then, it held that as well. O(segments · log segments).
    pub(super) fn is_new_to(&self, before: &Self, node: NodeIndex, had_gained: bool) -> bool {
        let holds = |list: Preference| list.leaders().contains(&node);
        let held = |list: Preference| holds(list) || had_gained && list.contains(node);
        // More than one member may have changed in between: each ring may have tokens that the other lacks.
        let (present, former) = (self.segments(), before.segments());
        let mut ends = present.iter().chain(&former).map(|(end, _)| *end);
        ends.any(|end| holds(list_at(&present, end)) && !held(list_at(&former, end)))
    }

    /// The segments of the circle. O(segments · log segments).
    pub(super) fn segments(&self) -> Segments {
        let current = segments_of(&self.current, self.replicas);
        let Some(next) = &self.next else {
            return current;
        };
        let next = segments_of(next, self.replicas);
        // One ring has all tokens of the other, as they differ by one member.
        let finer = if next.len() > current.len() {
            &next
        } else {
            &current
        };
        let joint = |end| {
            let [current, next] = [&current, &next].map(|segments| list_at(segments, end));
            Preference::joint(nodes_of(&current), nodes_of(&next))
        };
        finer.iter().map(|(end, _)| (*end, joint(*end))).collect()
    }
}

/// Segments of the circle in order: the last token of each, and the replicas of all keys on it. The first one begins
/// behind the last one's end.
pub(super) type Segments = Vec<(Token, Preference)>;

/// The segments of one ring. O(segments): from each to the one before it the list changes by one owner.
fn segments_of(ring: &Ring, replicas: usize) -> Segments {
    let mut segments: Segments = Vec::with_capacity(ring.virtual_nodes());
    let owners: Vec<_> = ring.owners().collect();
    let Some((first, _)) = owners.first() else {
        return segments;
    };
    let mut list = Preference::collect(ring.replicas_of_token(*first, replicas));
    for (end, owner) in owners.into_iter().rev() {
        list = list.preceded_by(owner, replicas);
        segments.push((end, list));
    }
    segments.reverse();
    segments
}

/// The list of the keys with this token.
fn list_at(segments: &Segments, token: Token) -> Preference {
    let at = segments.partition_point(|(end, _)| *end < token);
    let segment = segments.get(at).or_else(|| segments.first());
    segment.map_or_else(
        || Preference::collect(core::iter::empty()),
        |(_, list)| *list,
    )
}

fn nodes_of(list: &Preference) -> impl Iterator<Item = NodeIndex> + '_ {
    list.leaders().iter().copied()
}

fn distinct(segments: impl Iterator<Item = (Token, Preference)>) -> Vec<Preference> {
    let mut lists: Vec<_> = segments.map(|(_, list)| list).collect();
    lists.sort_unstable();
    lists.dedup();
    lists
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

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::super::config::{Config, Role};
    use super::super::document::Change;
    use super::*;

    fn document(members: u16, replicas: usize) -> Document {
        let members = (0..members).map(|n| Member::new(format!("node-{n}")));
        let role = Role::Coordinator("test".into());
        Document::of_config(&Config {
            replicas,
            ..Config::new(members.collect(), role)
        })
    }

    /// Numbers that are not in the order of the ids.
    fn placement(document: &Document) -> Placement {
        let index = |id: &str| {
            let number: u16 = id.trim_start_matches("node-").parse().ok()?;
            Some(NodeIndex(9 - number))
        };
        Placement::new(document, index).ok().expect("it is small")
    }

    fn changes(members: u16) -> [Option<Change>; 3] {
        let joining = Change::Joining {
            member: Member::new(format!("node-{members}")),
            boot: 1,
        };
        let leaving = (members > 1).then(|| Change::Leaving("node-0".into()));
        [None, Some(joining), leaving]
    }

    #[test]
    fn segments_say_what_a_look_up_says() {
        for (members, replicas) in [(1, 3), (2, 3), (3, 1), (4, 3), (5, 8), (6, 2), (9, 5)] {
            for change in changes(members) {
                let mut document = document(members, replicas);
                document.change = change;
                let placement = placement(&document);
                let segments = placement.segments();
                assert!(segments.is_sorted_by(|(a, _), (b, _)| a < b));
                for (end, list) in &segments {
                    assert_eq!(*list, placement.at(*end), "{document:?}");
                }
                for bits in (0..u64::MAX).step_by(1 << 52) {
                    let token = Token(bits);
                    assert_eq!(list_at(&segments, token), placement.at(token));
                }
            }
        }
    }

    #[test]
    fn a_node_is_new_where_it_holds_what_it_did_not() {
        let mut joining = document(4, 3);
        joining.change = changes(4)[1].clone();
        let [before, during, after] =
            [&document(4, 3), &joining, &joining.completed()].map(placement);
        let joiner = NodeIndex(9 - 4);
        assert!(!during.is_new_to(&before, joiner, true));
        assert!(after.is_new_to(&during, joiner, false));
        assert!(!after.is_new_to(&during, joiner, true));
        let other = NodeIndex(9);
        assert!(!after.is_new_to(&during, other, true));
        assert!(before.is_new_to(&after, other, true));
    }
}
