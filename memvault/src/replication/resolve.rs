//! The one decision that reads, warm-up and tests share: what do these replicas, taken together, know?

use super::config::quorum;
use crate::version::Version;

/// What one replica says of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vote {
    /// The version it holds, a tombstone's included; an unconfirmed entry is not held.
    pub held: Option<Version>,
    /// The highest version that it may have forgotten.
    pub floor: Version,
}

impl Vote {
    /// Whether this replica cannot have forgotten anything newer than `best`.
    #[must_use]
    pub fn is_certain_of(&self, best: Version) -> bool {
        self.held.is_some() || self.floor <= best
    }
}

/// What follows from the votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// Nobody holds the key.
    Absent,
    /// Something newer than `best` may have been forgotten: more votes are needed, or it is a miss.
    Uncertain {
        /// The newest version held.
        best: Version,
    },
    /// `best` is the newest version that was ever acknowledged.
    Best {
        /// The newest version held.
        best: Version,
        /// How many voters hold it.
        holders: usize,
    },
}

/// Combines votes on one key of `replicas` replicas. O(n), pure.
///
/// Needs votes of at least `replicas - quorum + 1` replicas to mean anything: among so many is one of every
/// quorum that acknowledged a write.
#[must_use]
pub fn resolve(votes: impl Iterator<Item = Vote> + Clone, replicas: usize) -> Resolution {
    let Some(best) = votes.clone().filter_map(|vote| vote.held).max() else {
        return Resolution::Absent;
    };
    let certain = votes
        .clone()
        .filter(|vote| vote.is_certain_of(best))
        .count();
    if certain < read_quorum(replicas) {
        return Resolution::Uncertain { best };
    }
    Resolution::Best {
        best,
        holders: votes.filter(|vote| vote.held == Some(best)).count(),
    }
}

/// How many replicas a reader must hear so that one of every write quorum is among them.
pub(super) const fn read_quorum(replicas: usize) -> usize {
    replicas - quorum(replicas) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(hlc: u64) -> Vote {
        Vote {
            held: Some(Version::new(hlc, 0)),
            floor: Version::ZERO,
        }
    }

    fn forgot(hlc: u64) -> Vote {
        Vote {
            held: None,
            floor: Version::new(hlc, 0),
        }
    }

    #[test]
    fn nobody_holds_it() {
        assert_eq!(
            resolve([forgot(9), forgot(0)].into_iter(), 3),
            Resolution::Absent
        );
    }

    #[test]
    fn the_newest_version_wins_and_its_holders_are_counted() {
        let best = Version::new(7, 0);
        assert_eq!(
            resolve([held(7), held(3), held(7)].into_iter(), 3),
            Resolution::Best { best, holders: 2 }
        );
    }

    #[test]
    fn a_replica_that_forgot_something_newer_makes_it_uncertain() {
        let best = Version::new(7, 0);
        assert_eq!(
            resolve([held(7), forgot(8)].into_iter(), 3),
            Resolution::Uncertain { best }
        );
        assert_eq!(
            resolve([held(7), forgot(7)].into_iter(), 3),
            Resolution::Best { best, holders: 1 }
        );
    }

    #[test]
    fn read_and_write_quorums_always_overlap() {
        for replicas in 1..=8 {
            assert!(read_quorum(replicas) + quorum(replicas) > replicas);
        }
    }
}
