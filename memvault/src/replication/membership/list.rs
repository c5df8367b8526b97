//! Who the members are, and which change of them is under way: one membership for each epoch.
//!
//! ```text
//! epoch e           e + 1                                  e + 2
//! members --------> members, and one joining or leaving -> members with (or, given up, without) the change
//! keys on P         keys on P, and on P' as it will be     keys on P'
//! ```

use alloc::string::String;
use alloc::vec::Vec;

use crate::hash::token;
use crate::replication::config::{Config, Member, WEIGHTS};
use crate::ring::MAX_NODES;

/// The member list of one epoch. A later epoch replaces it; two of one epoch are never mixed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// Counts the lists: 1 is the list that the processes were started with, 0 a list of nodes that may
    /// know a better one.
    pub epoch: u64,
    /// The members, by id.
    pub members: Vec<Member>,
    /// Replicas per key.
    pub replicas: u8,
    /// The change under way.
    pub change: Option<Change>,
}

/// A change of the members that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// A node takes over its share of the keys, to become a member.
    Joining {
        /// The node.
        member: Member,
        /// Its process start: if it starts again, this attempt has failed.
        incarnation: u32,
    },
    /// The others take over the keys of the member with this id.
    Leaving(String),
}

impl Membership {
    /// The membership that a configuration describes.
    pub(in crate::replication) fn of_config(config: &Config) -> Self {
        let mut members = config.members.clone();
        members.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        Self {
            epoch: u64::from(!config.is_seed_list),
            members,
            replicas: u8::try_from(config.replicas).unwrap_or(u8::MAX),
            change: None,
        }
    }

    /// The next membership: the same members, and this change begins.
    #[must_use]
    pub fn with(&self, change: Change) -> Self {
        debug_assert!(self.change.is_none(), "one change at a time");
        Self {
            epoch: self.epoch + 1,
            change: Some(change),
            ..self.clone()
        }
    }

    /// The next membership: the change under way is done.
    #[must_use]
    pub fn completed(&self) -> Self {
        debug_assert!(self.change.is_some(), "nothing is under way");
        Self {
            epoch: self.epoch + 1,
            members: self.next_members(),
            replicas: self.replicas,
            change: None,
        }
    }

    /// The next membership: the change under way is given up.
    #[must_use]
    pub fn aborted(&self) -> Self {
        debug_assert!(self.change.is_some(), "nothing is under way");
        Self {
            epoch: self.epoch + 1,
            change: None,
            ..self.clone()
        }
    }

    /// The members after the change under way, by id.
    #[must_use]
    pub fn next_members(&self) -> Vec<Member> {
        let mut members = self.members.clone();
        match &self.change {
            None => {}
            Some(Change::Joining { member, .. }) => {
                let at = members.partition_point(|other| other.id < member.id);
                members.insert(at, member.clone());
            }
            Some(Change::Leaving(id)) => members.retain(|member| member.id != *id),
        }
        members
    }

    /// Everyone that has a part in it: the members, and one that joins.
    pub fn nodes(&self) -> impl Iterator<Item = &Member> {
        let joining = match &self.change {
            Some(Change::Joining { member, .. }) => Some(member),
            _ => None,
        };
        self.members.iter().chain(joining)
    }

    /// Whether the node with this id is a member, joining ones not yet counted.
    #[must_use]
    pub fn has_member(&self, id: &str) -> bool {
        self.members.iter().any(|member| member.id == id)
    }

    /// Why this is no usable membership, if it is none.
    pub(in crate::replication) fn flaw(&self) -> Option<&'static str> {
        let is_sorted = |members: &[Member]| members.is_sorted_by(|a, b| a.id < b.id);
        let next = self.next_members();
        if self.epoch == u64::MAX {
            Some("its epoch is the last one")
        } else if !(1..=Config::MAX_REPLICAS).contains(&usize::from(self.replicas)) {
            Some("its number of replicas is out of range")
        } else if !is_sorted(&self.members) || !is_sorted(&next) {
            Some("its members are not in order, or one is named twice")
        } else if self.members.is_empty() || next.is_empty() || next.len() >= MAX_NODES {
            Some("it has no members, or too many")
        } else if Config::bad_weights(self.nodes()) {
            Some(WEIGHTS)
        } else {
            None
        }
    }

    /// Hashes all that decides placement and quorums; not the addresses, which may look different from
    /// different networks.
    #[must_use]
    pub fn digest(&self) -> u64 {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&self.epoch.to_le_bytes());
        bytes.push(self.replicas);
        for member in &self.members {
            add_member(&mut bytes, b'm', member);
        }
        match &self.change {
            None => {}
            Some(Change::Joining {
                member,
                incarnation,
            }) => {
                add_member(&mut bytes, b'j', member);
                bytes.extend_from_slice(&incarnation.to_le_bytes());
            }
            Some(Change::Leaving(id)) => {
                bytes.push(b'l');
                bytes.extend_from_slice(id.as_bytes());
            }
        }
        token(&bytes).0
    }
}

impl Change {
    /// The change in words: `joining=d`.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Joining { member, .. } => alloc::format!("joining={}", member.id),
            Self::Leaving(id) => alloc::format!("leaving={id}"),
        }
    }
}

/// Lengths first, so that no two lists have the same bytes.
fn add_member(bytes: &mut Vec<u8>, kind: u8, member: &Member) {
    bytes.push(kind);
    bytes.extend_from_slice(&(member.id.len() as u64).to_le_bytes());
    bytes.extend_from_slice(member.id.as_bytes());
    bytes.extend_from_slice(&member.weight.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::replication::config::Role;

    fn membership(ids: &[&str]) -> Membership {
        let members = ids.iter().map(|id| Member::new(*id)).collect();
        let role = Role::Coordinator("test".into());
        Membership::of_config(&Config::new(members, role))
    }

    fn ids(members: &[Member]) -> Vec<&str> {
        members.iter().map(|member| member.id.as_str()).collect()
    }

    #[test]
    fn a_join_is_done_in_two_epochs() {
        let first = membership(&["c", "a"]);
        let joining = first.with(Change::Joining {
            member: Member::new("b"),
            incarnation: 7,
        });
        assert_eq!(ids(&joining.members), ["a", "c"]);
        assert_eq!(joining.nodes().count(), 3);
        let done = joining.completed();
        assert_eq!((done.epoch, done.change.is_none()), (3, true));
        assert_eq!(ids(&done.members), ["a", "b", "c"]);
        let given_up = joining.aborted();
        assert_eq!(
            (given_up.epoch, ids(&given_up.members)),
            (3, vec!["a", "c"])
        );
    }

    #[test]
    fn a_leaver_is_a_member_until_the_end() {
        let leaving = membership(&["a", "b"]).with(Change::Leaving("a".into()));
        assert!(leaving.has_member("a"));
        assert_eq!(ids(&leaving.next_members()), ["b"]);
        assert!(!leaving.completed().has_member("a"));
    }

    #[test]
    fn weights_that_would_keep_the_members_busy_are_refused() {
        let flaw = |weights: &[u32]| {
            let members = (100..).zip(weights).map(|(number, weight)| Member {
                weight: *weight,
                ..Member::new(alloc::format!("{number}"))
            });
            let role = Role::Coordinator("test".into());
            Membership::of_config(&Config::new(members.collect(), role)).flaw()
        };
        for allowed in [&[64, 1, 1, 1, 1][..], &[64; 4], &[1; 300]] {
            assert_eq!(flaw(allowed), None, "{allowed:?}");
        }
        for refused in [&[0][..], &[1, 65], &[64, 64, 64, 64, 1], &[u32::MAX; 3]] {
            assert_eq!(flaw(refused), Some(WEIGHTS), "{refused:?}");
        }
    }

    #[test]
    fn the_digest_is_that_of_the_content_whatever_the_order_and_the_addresses() {
        let first = membership(&["a", "b"]);
        let mut elsewhere = membership(&["b", "a"]);
        elsewhere.members[0].address = "10.0.0.1:6379".into();
        assert_eq!(first.digest(), elsewhere.digest());
        let leaving = first.with(Change::Leaving("a".into()));
        let other = first.with(Change::Leaving("b".into()));
        assert_ne!(leaving.digest(), other.digest());
        assert_ne!(leaving.completed().digest(), leaving.aborted().digest());
        assert_ne!(
            membership(&["ab"]).digest(),
            membership(&["a", "b"]).digest()
        );
    }
}
