//! Which node to kill, and who is next in line for its keys.

use std::collections::{BTreeMap, HashSet};

use memvault::ring::Ring;
use memvault::slot::{SlotTable, slot_of};

use super::load::key;

/// The node that leads the most keys, and what follows from its death.
#[derive(Clone, Debug)]
pub(super) struct Victim {
    /// Its number in the list of members.
    pub(super) number: usize,
    /// Numbers of the keys that it leads.
    pub(super) keys: HashSet<usize>,
    /// Who leads them after it, and how many, the most first.
    pub(super) successors: Vec<(String, usize)>,
}

impl Victim {
    /// Chooses among `members` for the keys with the numbers below `keys`.
    pub(super) fn choose(members: &[String], keys: usize) -> Self {
        let mut ring = Ring::new();
        for member in members {
            ring.add(member, 1).expect("ports differ");
        }
        // The first two of its preference list: who leads a key, and who leads it when that one is dead.
        let table = SlotTable::new(&ring, 2);
        let lists: Vec<Vec<&str>> = (0..keys)
            .map(|number| {
                let nodes = table.replicas(slot_of(key(number).as_bytes())).iter();
                nodes.filter_map(|node| ring.node_id(*node)).collect()
            })
            .collect();
        let led_by = |member: &str| lists.iter().filter(|list| list[0] == member).count();
        let leading = members.iter().enumerate();
        let number = leading
            .max_by_key(|(_, member)| led_by(member))
            .map_or(0, |(number, _)| number);
        let mut victim = Self {
            number,
            keys: HashSet::new(),
            successors: Vec::new(),
        };
        let mut successors: BTreeMap<&str, usize> = BTreeMap::new();
        for (key, list) in lists.iter().enumerate() {
            if list[0] == members[number] {
                victim.keys.insert(key);
                *successors.entry(list[1]).or_default() += 1;
            }
        }
        let owned = successors
            .into_iter()
            .map(|(successor, keys)| (successor.to_owned(), keys));
        victim.successors = owned.collect();
        victim
            .successors
            .sort_by_key(|&(_, keys)| std::cmp::Reverse(keys));
        victim
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_victim_leads_keys_and_others_inherit_all_of_them() {
        let members: Vec<_> = (1..=5).map(|port| format!("127.0.0.1:{port}")).collect();
        let victim = Victim::choose(&members, 1000);
        assert!(victim.keys.len() >= 200);
        let inherited: usize = victim.successors.iter().map(|(_, keys)| keys).sum();
        assert_eq!(inherited, victim.keys.len());
        assert!(
            victim
                .successors
                .iter()
                .all(|(successor, _)| *successor != members[victim.number])
        );
    }
}
