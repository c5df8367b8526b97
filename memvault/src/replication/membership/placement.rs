//! Where slots go, now and after the change of members that is under way.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use ahash::RandomState;
use hashbrown::HashMap;

use super::list::Membership;
use super::preference::Preference;
use crate::replication::config::Member;
use crate::ring::{NodeIndex, Ring, RingError};
use crate::slot::{SLOTS, Slot, SlotTable, slot_of};

/// The layout of a membership, and during a change also the one after it. Both number nodes alike.
pub(in crate::replication) struct Placement {
    current: Arc<Layout>,
    next: Option<Arc<Layout>>,
    /// Invariant: one for each slot, the place of its list in `lists`.
    list_of: Vec<u16>,
    /// The distinct preference lists.
    lists: Vec<Preference>,
    /// Of the membership: every greeting needs it, and it takes a walk over all members.
    pub(in crate::replication) digest: u64,
}

/// The ring of some members and what it says of every slot.
struct Layout {
    ring: Ring,
    slots: SlotTable,
}

/// Why a member list makes no ring.
pub(in crate::replication) struct Misplaced {
    pub(in crate::replication) id: String,
    pub(in crate::replication) error: RingError,
}

impl Placement {
    /// The placement of `membership`, with these numbers of the nodes. What `former` has already is not made again: as
    /// long as one member comes or goes at a time, one ring is changed and one table made.
    pub(in crate::replication) fn new(
        membership: &Membership,
        numbers: &BTreeMap<&str, NodeIndex>,
        former: Option<&Self>,
    ) -> Result<Self, Misplaced> {
        let replicas = usize::from(membership.replicas);
        let known: Vec<_> = former.iter().flat_map(|former| former.layouts()).collect();
        let current = lay_out(&membership.members, replicas, numbers, &known)?;
        let next = match membership.change {
            Some(_) => Some(lay_out(
                &membership.next_members(),
                replicas,
                numbers,
                &[&current],
            )?),
            None => None,
        };
        let (list_of, lists) = intern(|slot| {
            let now = nodes_of(&current, slot);
            match &next {
                None => Preference::collect(now),
                Some(next) => Preference::joint(now, nodes_of(next, slot)),
            }
        });
        Ok(Self {
            current,
            next,
            list_of,
            lists,
            digest: membership.digest(),
        })
    }

    /// The present ring.
    pub(in crate::replication) fn ring(&self) -> &Ring {
        &self.current.ring
    }

    /// The present table.
    pub(in crate::replication) fn slots(&self) -> &SlotTable {
        &self.current.slots
    }

    /// The replicas of `key`.
    pub(in crate::replication) fn preference(&self, key: &[u8]) -> Preference {
        *self.at(slot_of(key))
    }

    /// The replicas of all keys of a slot.
    pub(in crate::replication) fn at(&self, slot: Slot) -> &Preference {
        let list = usize::from(self.list_of[slot.as_usize()]);
        &self.lists[list]
    }

    /// The distinct preference lists.
    pub(in crate::replication) fn lists(&self) -> &[Preference] {
        &self.lists
    }

    /// The distinct preference lists while the members change, else none.
    pub(in crate::replication) fn joint_lists(&self) -> &[Preference] {
        if self.next.is_some() {
            &self.lists
        } else {
            &[]
        }
    }

    /// Whether `node` holds slots here that it did not hold before; if it `had_gained` all that it was to take
    /// over then, it held that as well. O(slots).
    pub(in crate::replication) fn is_new_to(
        &self,
        before: &Self,
        node: NodeIndex,
        had_gained: bool,
    ) -> bool {
        let holds = |list: &Preference| list.leaders().contains(&node);
        let held = |list: &Preference| holds(list) || had_gained && list.contains(node);
        Slot::all().any(|slot| holds(self.at(slot)) && !held(before.at(slot)))
    }

    fn layouts(&self) -> impl Iterator<Item = &Arc<Layout>> {
        core::iter::once(&self.current).chain(&self.next)
    }
}

fn nodes_of(layout: &Layout, slot: Slot) -> impl Iterator<Item = NodeIndex> {
    layout.slots.replicas(slot).iter().copied()
}

/// For each slot the place of its list, and the lists, in the order in which they come.
fn intern(list_of: impl Fn(Slot) -> Preference) -> (Vec<u16>, Vec<Preference>) {
    let mut lists: Vec<Preference> = Vec::new();
    let mut places = HashMap::with_hasher(RandomState::with_seeds(1, 2, 3, 4));
    let mut numbers: Vec<u16> = Vec::with_capacity(usize::from(SLOTS));
    for slot in Slot::all() {
        let list = list_of(slot);
        // Mostly that of the slot before it.
        let before = numbers
            .last()
            .filter(|place| lists[usize::from(**place)] == list);
        let place = before.copied().unwrap_or_else(|| {
            *places.entry(list).or_insert_with(|| {
                lists.push(list);
                (lists.len() - 1) as u16
            })
        });
        numbers.push(place);
    }
    (numbers, lists)
}

/// The layout of these members: one of those that are known, or the first of them changed, or a new one.
fn lay_out(
    members: &[Member],
    replicas: usize,
    numbers: &BTreeMap<&str, NodeIndex>,
    known: &[&Arc<Layout>],
) -> Result<Arc<Layout>, Misplaced> {
    let is_in = |ring: &Ring, member: &Member| {
        let node = numbers.get(&*member.id).copied();
        node.is_some_and(|node| {
            ring.node_id(node) == Some(&member.id) && ring.weight(node) == Some(member.weight)
        })
    };
    let mut known = known
        .iter()
        .filter(|layout| layout.slots.has_replicas(replicas, layout.ring.len()));
    let is_it = |layout: &&&Arc<Layout>| {
        let ring = &layout.ring;
        ring.len() == members.len() && members.iter().all(|member| is_in(ring, member))
    };
    if let Some(same) = known.clone().find(is_it) {
        return Ok(Arc::clone(same));
    }
    let former = known.next();
    let mut ring = former.map_or_else(Ring::new, |layout| layout.ring.clone());
    let staying = members.iter().filter(|member| is_in(&ring, member));
    let staying: BTreeSet<&str> = staying.map(|member| &*member.id).collect();
    let nodes = ring.nodes();
    let is_leaving = |node: &NodeIndex| ring.node_id(*node).is_some_and(|id| !staying.contains(id));
    let leaving: Vec<NodeIndex> = nodes.filter(is_leaving).collect();
    for node in &leaving {
        if let Some(id) = ring.node_id(*node).map(String::from) {
            ring.remove(&id);
        }
    }
    let mut coming = Vec::new();
    for member in members {
        if staying.contains(&*member.id) {
            continue;
        }
        let misplaced = |error| Misplaced {
            id: member.id.clone(),
            error,
        };
        let at = numbers.get(&*member.id).copied();
        let at = at.ok_or_else(|| misplaced(RingError::TooManyNodes))?;
        ring.add_at(at, &member.id, member.weight)
            .map_err(misplaced)?;
        coming.push(at);
    }
    let slots = tabulate(&ring, replicas, former, (&leaving, &coming));
    Ok(Arc::new(Layout { ring, slots }))
}

/// The table of a ring: that of the ring before it, where a single node left or came, changes sooner than a new one
/// is made if there are more segments than slots.
fn tabulate(
    ring: &Ring,
    replicas: usize,
    former: Option<&&Arc<Layout>>,
    changes: (&[NodeIndex], &[NodeIndex]),
) -> SlotTable {
    let is_large = ring.virtual_nodes() > usize::from(SLOTS);
    let former =
        former.filter(|former| is_large && former.slots.has_replicas(replicas, ring.len()));
    match (former, changes) {
        (Some(former), ([left], [])) => {
            let mut slots = former.slots.clone();
            slots.remove(ring, *left);
            slots
        }
        (Some(former), ([], [came])) => {
            let mut slots = former.slots.clone();
            slots.add(ring, *came);
            slots
        }
        _ => SlotTable::new(ring, replicas),
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::format;

    use super::*;
    use crate::replication::config::{Config, Role};
    use crate::replication::membership::list::Change;

    fn membership(members: u16, replicas: usize) -> Membership {
        let members = (0..members).map(|n| Member::new(format!("node-{n}")));
        let role = Role::Coordinator("test".into());
        Membership::of_config(&Config {
            replicas,
            ..Config::new(members.collect(), role)
        })
    }

    /// Numbers that are not in the order of the ids.
    fn place(membership: &Membership, former: Option<&Placement>) -> Placement {
        let names: Vec<String> = (0..10).map(|n| format!("node-{n}")).collect();
        let numbers = names.iter().map(|name| &**name).zip((0..10).rev());
        let numbers = numbers.map(|(name, n)| (name, NodeIndex(n))).collect();
        let placement = Placement::new(membership, &numbers, former);
        placement.ok().expect("it is small")
    }

    fn joining(members: u16) -> Change {
        Change::Joining {
            member: Member::new(format!("node-{members}")),
            incarnation: 1,
        }
    }

    fn nodes(ring: &Ring, slot: Slot, replicas: usize) -> Vec<NodeIndex> {
        ring.replicas_of_token(slot.token(), replicas).collect()
    }

    #[test]
    fn the_table_says_what_the_rings_say() {
        for (members, replicas) in [(1, 3), (2, 3), (3, 1), (4, 3), (5, 8), (6, 2), (9, 5)] {
            let leaving = (members > 1).then(|| Change::Leaving("node-0".into()));
            for change in [None, Some(joining(members)), leaving] {
                let mut membership = membership(members, replicas);
                membership.change = change;
                let placement = place(&membership, None);
                let after = match membership.change {
                    Some(_) => membership.completed(),
                    None => membership.clone(),
                };
                let changed = place(&after, Some(&placement));
                let distinct: BTreeSet<_> = Slot::all().map(|slot| placement.at(slot)).collect();
                assert_eq!(distinct.len(), placement.lists().len());
                assert_eq!(
                    placement.joint_lists().is_empty(),
                    membership.change.is_none()
                );
                for slot in Slot::all() {
                    let (now, next) = (
                        nodes(placement.ring(), slot, replicas),
                        nodes(changed.ring(), slot, replicas),
                    );
                    let list = placement.at(slot);
                    assert_eq!(list.leaders(), now);
                    assert_eq!(placement.slots().replicas(slot), now);
                    let those: BTreeSet<_> = list.members(list.next()).collect();
                    assert_eq!(those, next.into_iter().collect(), "{membership:?} {slot}");
                }
            }
        }
    }

    /// Placements are handed on from membership to membership; a process that starts with the last one has to see the
    /// same.
    #[test]
    fn what_became_of_another_placement_is_as_if_made_anew() {
        let mut former = place(&membership(4, 3), None);
        let mut membership = membership(4, 3);
        let changes = [
            joining(4),
            Change::Leaving("node-1".into()),
            joining(7),
            Change::Leaving("node-4".into()),
        ];
        for change in changes {
            for next in [
                membership.with(change.clone()),
                membership.with(change).completed(),
            ] {
                let [changed, anew] = [Some(&former), None].map(|from| place(&next, from));
                changed.ring().check_invariants();
                assert_eq!(changed.ring().digest(), anew.ring().digest());
                assert_eq!(changed.slots(), anew.slots());
                assert!(Slot::all().all(|slot| changed.at(slot) == anew.at(slot)));
                (former, membership) = (changed, next);
            }
        }
        let mut heavier = membership;
        heavier.members[0].weight = 7;
        let [changed, anew] = [Some(&former), None].map(|from| place(&heavier, from));
        assert_eq!(changed.slots(), anew.slots());
        assert_ne!(changed.slots(), former.slots());
    }

    #[test]
    fn of_a_large_cluster_one_change_is_made_in_place() {
        let names: Vec<String> = (0..90).map(|n| format!("node-{n}")).collect();
        let numbers = names.iter().map(|name| &**name).zip((0..90).map(NodeIndex));
        let numbers: BTreeMap<_, _> = numbers.collect();
        let place = |membership: &Membership, former: Option<&Placement>| {
            let placement = Placement::new(membership, &numbers, former);
            placement.ok().expect("it is allowed")
        };
        let mut membership = membership(80, 3);
        let mut former = place(&membership, None);
        for change in [joining(80), Change::Leaving("node-17".into()), joining(81)] {
            let begun = membership.with(change);
            let during = place(&begun, Some(&former));
            membership = begun.completed();
            former = place(&membership, Some(&during));
            assert_eq!(
                former.slots(),
                place(&membership, None).slots(),
                "{begun:?}"
            );
        }
    }

    #[test]
    fn a_node_is_new_where_it_holds_what_it_did_not() {
        let begun = membership(4, 3).with(joining(4));
        let [before, during, after] = [&membership(4, 3), &begun, &begun.completed()]
            .map(|membership| place(membership, None));
        let joiner = NodeIndex(9 - 4);
        assert!(!during.is_new_to(&before, joiner, true));
        assert!(after.is_new_to(&during, joiner, false));
        assert!(!after.is_new_to(&during, joiner, true));
        let other = NodeIndex(9);
        assert!(!after.is_new_to(&during, other, true));
        assert!(before.is_new_to(&after, other, true));
    }
}
