//! What a member has missed, as the one who led the writes remembers it: one number per member.
//!
//! Dynamo and its successors keep a hint per key for each node that was away. Here the leader remembers since when a
//! member has not confirmed its writes, tells it with every heartbeat, and the member pulls what is newer
//! from there. The memory is bounded whatever happens, nothing overflows, and nothing needs a Merkle tree.

use crate::version::Version;

/// Since when a member has missed versions that this node holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::replication) struct Missed {
    /// The hybrid logical time just before the oldest version that it has not begun to fetch.
    pub(in crate::replication) since: Option<u64>,
    /// The same of those that it is fetching.
    pulling: Option<u64>,
}

impl Missed {
    /// It did not confirm this version.
    pub(in crate::replication) fn note(&mut self, version: Version) {
        let before = version.hlc().saturating_sub(1);
        self.since = Some(self.since.map_or(before, |since| since.min(before)));
    }

    /// It is sent what is newer than `since`: the first piece, or the last.
    pub(in crate::replication) fn pulled(&mut self, since: u64, is_first: bool, is_last: bool) {
        if is_first {
            self.pull_broke();
            if self.since.is_some_and(|missed| since <= missed) {
                self.pulling = self.since.take();
            }
        }
        if is_last {
            self.pulling = None;
        }
    }

    /// It has stopped fetching: it must begin anew.
    pub(in crate::replication) fn pull_broke(&mut self) {
        let oldest = [self.since, self.pulling].into_iter().flatten().min();
        *self = Self {
            since: oldest,
            pulling: None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(hlc: u64) -> Version {
        Version::new(hlc, 0)
    }

    #[test]
    fn what_was_missed_is_remembered_until_all_of_it_was_fetched() {
        let mut missed = Missed::default();
        missed.note(version(9));
        missed.note(version(7));
        assert_eq!(missed.since, Some(6));
        missed.pulled(6, true, false);
        assert_eq!(missed.since, None);
        missed.pull_broke();
        assert_eq!(missed.since, Some(6));
        missed.pulled(0, true, true);
        assert_eq!(missed, Missed::default());
    }

    #[test]
    fn a_pull_from_too_late_on_does_not_count() {
        let mut missed = Missed::default();
        missed.note(version(7));
        missed.pulled(7, true, true);
        assert_eq!(missed.since, Some(6));
    }

    #[test]
    fn what_is_missed_during_a_pull_is_not_forgotten_at_its_end() {
        let mut missed = Missed::default();
        missed.note(version(7));
        missed.pulled(6, true, false);
        missed.note(version(8));
        missed.pulled(6, false, true);
        assert_eq!(missed.since, Some(7));
    }
}
