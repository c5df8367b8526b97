//! The one decision that reads and tests share: what do these replicas, taken together, know?

use crate::replication::membership::preference::{Preference, ReplicaSet};
use crate::version::Version;

/// What one replica says of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::replication) struct Vote {
    /// The voter, as a set of one.
    pub(in crate::replication) voter: ReplicaSet,
    /// The version it holds, a tombstone's included; an unconfirmed entry is not held.
    pub(in crate::replication) held: Option<Version>,
    /// The highest version that it may have forgotten.
    pub(in crate::replication) floor: Version,
}

impl Vote {
    /// Whether this replica cannot have forgotten anything newer than `best`.
    pub(in crate::replication) fn is_certain_of(&self, best: Version) -> bool {
        self.held.is_some() || self.floor <= best
    }
}

/// What follows from the votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::replication) enum Resolution {
    /// Nobody holds the key.
    Absent,
    /// Something newer than what is held may have been forgotten: more votes are needed, or it is a miss.
    Uncertain,
    /// `best` is the newest version that was ever acknowledged.
    Best {
        /// The newest version held.
        best: Version,
        /// The voters that hold it.
        holders: ReplicaSet,
    },
}

/// Combines the votes on one key of the replicas in `list`. O(n), pure.
///
/// Needs votes of a quorum to mean anything: among so many is one of every quorum that acknowledged a write.
/// A few less would do for that where the number of replicas is even, but not to bring what was found to a
/// quorum.
pub(in crate::replication) fn resolve(
    list: &Preference,
    votes: impl Iterator<Item = Vote> + Clone,
) -> Resolution {
    debug_assert!(
        votes
            .clone()
            .try_fold(ReplicaSet::EMPTY, |before, vote| {
                let is_first = before.and(vote.voter).is_empty();
                is_first.then(|| before.or(vote.voter))
            })
            .is_some(),
        "nobody votes twice"
    );
    let Some(best) = votes.clone().filter_map(|vote| vote.held).max() else {
        return Resolution::Absent;
    };
    let voters = |predicate: &dyn Fn(&Vote) -> bool| {
        let those = votes.clone().filter(|vote| predicate(vote));
        those.fold(ReplicaSet::EMPTY, |set, vote| set.or(vote.voter))
    };
    if !list.is_quorum(voters(&|vote| vote.is_certain_of(best))) {
        return Resolution::Uncertain;
    }
    let holders = voters(&|vote| vote.held == Some(best));
    debug_assert!(
        !holders.is_empty() || list.nodes().is_empty(),
        "the best is held by somebody"
    );
    Resolution::Best { best, holders }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replication::config::{quorum, read_quorum};
    use crate::ring::NodeIndex;

    fn three() -> Preference {
        Preference::collect([0, 1, 2].map(NodeIndex).into_iter())
    }

    /// The nodes 0, 1 and 2 in order: the version that each holds, or else has forgotten.
    fn decide(votes: &[Result<u64, u64>]) -> Resolution {
        let list = three();
        let vote = |(node, vote): (u16, &Result<u64, u64>)| Vote {
            voter: list.set_of(NodeIndex(node)),
            held: vote.ok().map(|hlc| Version::new(hlc, 0)),
            floor: Version::new(vote.err().unwrap_or(0), 0),
        };
        resolve(&list, (0..).zip(votes).map(vote))
    }

    fn best(hlc: u64, holders: &[u16]) -> Resolution {
        Resolution::Best {
            best: Version::new(hlc, 0),
            holders: three().filter(|node| holders.contains(&node.0)),
        }
    }

    #[test]
    fn nobody_holds_it() {
        assert_eq!(decide(&[Err(9), Err(0)]), Resolution::Absent);
    }

    #[test]
    fn the_newest_version_wins_and_its_holders_are_known() {
        assert_eq!(decide(&[Ok(7), Ok(3), Ok(7)]), best(7, &[0, 2]));
    }

    #[test]
    fn a_replica_that_forgot_something_newer_makes_it_uncertain() {
        assert_eq!(decide(&[Ok(7), Err(8)]), Resolution::Uncertain);
        assert_eq!(decide(&[Ok(7), Err(7)]), best(7, &[0]));
    }

    #[test]
    fn read_and_write_quorums_always_overlap() {
        for replicas in 1..=8 {
            assert!(read_quorum(replicas) + quorum(replicas) > replicas);
        }
    }
}
