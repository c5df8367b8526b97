//! A replica and its tombstones: which go, and when.

use super::replica::{Replica, is_recent};
use super::tombstones::LOOKS;
use crate::replication::Now;
use crate::replication::entry::Bytes;
use crate::version::Version;

impl Replica {
    /// Takes note of a tombstone that was just stored; where there are too many now, the oldest go.
    pub(in crate::replication) fn bury(&mut self, now: Now, key: &[u8], version: Version) {
        self.tombstones.add(&self.entries, key, version);
        while self.tombstones.are_too_many(&self.entries) {
            let Some((hash, version)) = self.tombstones.queue.pop_front() else {
                return;
            };
            if let Some(key) = self.entries.find_tombstone(hash, version).map(Bytes::from) {
                self.forget(now, &key);
                self.tombstones.dropped += 1;
            }
        }
    }

    /// Forgets some of the tombstones past their time that nobody asks for.
    pub(in crate::replication) fn drop_old_tombstones(&mut self, now: Now) {
        for _ in 0..LOOKS {
            let Some((hash, version)) = self.tombstones.queue.front().copied() else {
                return;
            };
            let found = self.entries.find_tombstone(hash, version);
            if found.is_some() && is_recent(now, version, self.tombstone_grace) {
                return;
            }
            if let Some(key) = found.map(Bytes::from) {
                self.forget(now, &key);
            }
            self.tombstones.queue.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::super::tombstones::SLACK;
    use super::*;
    use crate::replication::config::{Config, Member, Role};
    use crate::replication::entry::Entry;
    use crate::replication::wire::message::{NodeState, OfferKind, OfferReply};
    use crate::slot::slot_of;
    use crate::store::{self, Entries};
    use crate::time::{Instant, Timestamp};

    const START: u64 = 1_700_000_000_000;

    fn replica(max_bytes: Option<usize>) -> Replica {
        let config = Config::new([Member::new("a")].into(), Role::Member("a".into()));
        let limits = store::Config {
            max_bytes,
            ..store::Config::default()
        };
        let hasher = ahash::RandomState::with_seeds(1, 2, 3, 4);
        let mut replica = Replica::new(&config, Entries::new(limits, hasher));
        replica.state = NodeState::Serving;
        replica
    }

    fn at(millis: u64) -> Now {
        Now {
            instant: Instant::from_millis(millis),
            wall: Timestamp::from_millis(START + millis),
        }
    }

    /// Writes in the given millisecond; `None` deletes.
    fn offer(replica: &mut Replica, millis: u64, key: &str, value: Option<&str>) -> OfferReply {
        let now = at(millis);
        let entry = Entry {
            version: Version::at(now.wall),
            value: value.map(|value| value.as_bytes().into()),
            expire_at: None,
        };
        replica.offer(now, key.as_bytes(), &entry, OfferKind::Write)
    }

    #[test]
    fn a_storm_of_deletions_leaves_the_values_and_raises_the_floors() {
        const ROOM: usize = 100_000;
        let mut replica = replica(Some(ROOM));
        for n in 0..500 {
            offer(&mut replica, 1 + n, &format!("key-{n}"), Some("a value"));
        }
        for n in 0..20_000 {
            let reply = offer(&mut replica, 1_000 + n, &format!("gone-{n}"), None);
            assert_eq!(reply, OfferReply::Ack { counted: true });
        }
        for n in 0..500 {
            let key = format!("key-{n}");
            assert!(
                replica.entries.peek(key.as_bytes()).is_some(),
                "{key} was evicted"
            );
        }
        assert!(replica.entries.tombstone_bytes() <= ROOM / 20);
        assert!(replica.tombstones.queue.len() * 16 <= ROOM / 20);
        assert!(replica.entries.tombstones() > 10);
        assert_eq!(
            replica.tombstones.dropped() as usize,
            20_000 - replica.entries.tombstones()
        );
        // The first of them are forgotten, and that they were there is not.
        let floor = replica.floors.at(slot_of(b"gone-7"));
        assert!(floor >= Version::at(at(1_007).wall));
        assert!(replica.entries.peek(b"gone-7").is_none());
        let late = offer(&mut replica, 1_006, "gone-7", Some("back"));
        assert!(matches!(late, OfferReply::Nack { .. }), "{late:?}");
        assert!(
            replica.entries.peek(b"gone-19999").is_some(),
            "the newest are kept"
        );
    }

    #[test]
    fn tombstones_past_their_time_go_without_being_asked_for() {
        let mut replica = replica(None);
        for n in 0..1_500 {
            let key = format!("key-{n}");
            offer(&mut replica, 2 * n, &key, Some("value"));
            offer(&mut replica, 2 * n + 1, &key, None);
        }
        replica.drop_old_tombstones(at(599_000));
        assert_eq!(replica.entries.tombstones(), 1_500);
        replica.drop_old_tombstones(at(700_000));
        assert_eq!(replica.entries.tombstones(), 1_500 - LOOKS);
        replica.drop_old_tombstones(at(700_000));
        assert_eq!(
            (replica.entries.len(), replica.tombstones.queue.len()),
            (0, 0)
        );
    }

    #[test]
    fn a_key_that_is_deleted_and_set_all_the_time_leaves_no_records() {
        let mut replica = replica(None);
        for n in 0..10_000 {
            offer(&mut replica, 2 * n, "key", Some("value"));
            offer(&mut replica, 2 * n + 1, "key", None);
        }
        assert_eq!(replica.entries.len(), 1);
        assert!(replica.tombstones.queue.len() <= SLACK + 3);
    }
}
