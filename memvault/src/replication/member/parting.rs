//! Entries that a replica parts with of its own accord: evicted, or past their time.
//!
//! Both are forgotten in the same way: the version raises the floor of its slot, and if the write may still be
//! retried, its version is kept. So nothing older can come in later, whether a reader found the entry expired, an
//! insertion took it out to make room, or nobody asked for it any more. Expiry by itself only means that this happens
//! soon.

use super::floors::Floors;
use super::recent_versions::RecentVersions;
use super::replica::{Replica, is_recent};
use crate::replication::Now;
use crate::replication::rules::{Rule, Rules};
use crate::slot::slot_of;
use crate::store::{Entries, EntryRef};
use crate::time::{Duration, Timestamp};
use crate::version::Version;

impl Replica {
    /// Removes up to `limit` entries that are past their time, and that nobody may have asked for. Returns whether
    /// there are more. O(`limit`).
    ///
    /// As long as the wall clock may be wrong, there are none: by it, all could be.
    pub(in crate::replication) fn expire_some(&mut self, now: Now, limit: usize) -> bool {
        let (entries, mut parting) = self.parting(now);
        entries.expire(limit, &mut |gone| parting.remember(&gone));
        let next = self.entries.next_expiry();
        !self.distrusts_wall(now) && next.is_some_and(|at| at <= now.wall)
    }

    /// The entries, and what has to know of those that go of their own accord.
    pub(in crate::replication) fn parting(&mut self, now: Now) -> (&mut Entries, Parting<'_>) {
        let distrusts_wall = self.distrusts_wall(now);
        let trusted = if distrusts_wall {
            Timestamp::default()
        } else {
            now.wall
        };
        self.entries.set_now(trusted);
        let parting = Parting {
            now,
            trusted,
            remembers_all: distrusts_wall,
            rules: self.rules,
            floors: &mut self.floors,
            accepted: &mut self.accepted,
            retry_window: self.retry_window,
            changes: &mut self.changes,
            evicted: &mut self.evicted,
            expired: &mut self.expired,
        };
        (&mut self.entries, parting)
    }
}

/// What a replica remembers of entries that go because they are evicted or past their time.
pub(in crate::replication) struct Parting<'a> {
    now: Now,
    /// By which they are past it.
    trusted: Timestamp,
    /// Whether each could be recent, as the wall clock may be wrong.
    remembers_all: bool,
    rules: Rules,
    floors: &'a mut Floors,
    accepted: &'a mut RecentVersions,
    retry_window: Duration,
    changes: &'a mut u64,
    evicted: &'a mut u64,
    expired: &'a mut u64,
}

impl Parting<'_> {
    pub(in crate::replication) fn remember(&mut self, gone: &EntryRef<'_>) {
        *self.changes += 1;
        let is_expired = gone.meta.is_expired(self.trusted);
        let (count, rule) = if is_expired {
            (&mut *self.expired, Rule::ExpiryIsRemembered)
        } else {
            (&mut *self.evicted, Rule::EvictionIsRemembered)
        };
        *count += u64::from(!gone.meta.tombstone);
        let version = gone.meta.version.unwrap_or(Version::ZERO);
        if self.rules.keep(rule) {
            self.floors.raise(slot_of(gone.key), version);
        }
        let is_recent = self.remembers_all || is_recent(self.now, version, self.retry_window);
        if !gone.meta.unconfirmed && is_recent {
            self.accepted.insert(self.now.instant, version);
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;

    use super::*;
    use crate::replication::config::{Config, Member, Role};
    use crate::replication::entry::Entry;
    use crate::replication::wire::message::{NodeState, OfferKind, OfferReply};
    use crate::store;
    use crate::time::Instant;

    const START: u64 = 1_700_000_000_000;
    const TTL: u64 = 60_000;

    fn at(millis: u64) -> Now {
        Now {
            instant: Instant::from_millis(millis),
            wall: Timestamp::from_millis(START + millis),
        }
    }

    /// A replica with a thousand entries that expire.
    fn replica() -> Replica {
        let role = Role::Member(String::from("a"));
        let config = Config::new([Member::new("a")].into(), role);
        let hasher = ahash::RandomState::with_seeds(1, 2, 3, 4);
        let entries = Entries::new(store::Config::default(), hasher);
        let mut replica = Replica::new(&config, entries);
        replica.state = NodeState::Serving;
        for number in 0..1_000 {
            let reply = offer(&mut replica, at(number), &format!("key-{number}"), number);
            assert_eq!(reply, OfferReply::Ack { counted: true });
        }
        replica
    }

    /// Offers a write that was made `made` milliseconds after the start.
    fn offer(replica: &mut Replica, now: Now, key: &str, made: u64) -> OfferReply {
        let made = START + made;
        let entry = Entry {
            version: Version::at(Timestamp::from_millis(made)),
            value: Some([1].into()),
            expire_at: Some(Timestamp::from_millis(made + TTL)),
        };
        replica.offer(now, key.as_bytes(), &entry, OfferKind::Write)
    }

    #[test]
    fn what_expired_unasked_still_stands_against_older_writes() {
        let mut replica = replica();
        let now = at(TTL + 2_000);
        let mut steps = 1;
        while replica.expire_some(now, 100) {
            steps += 1;
        }
        assert_eq!(steps, 10);
        assert_eq!((replica.entries.len(), replica.expired()), (0, 1_000));
        for number in 0..1_000 {
            let version = Version::at(Timestamp::from_millis(START + number));
            assert!(
                replica
                    .floors
                    .at(slot_of(format!("key-{number}").as_bytes()))
                    >= version
            );
        }
        let late = offer(&mut replica, now, "key-7", 6);
        assert!(matches!(late, OfferReply::Nack { .. }), "{late:?}");
        let new = offer(&mut replica, now, "key-7", TTL + 2_000);
        assert_eq!(new, OfferReply::Ack { counted: true });
    }

    #[test]
    fn a_write_that_may_be_retried_is_acknowledged_again_after_its_value_expired() {
        let mut replica = replica();
        let now = at(TTL + 1_000);
        let entry = Entry {
            version: Version::at(now.wall),
            value: Some([1].into()),
            expire_at: Some(Timestamp::from_millis(START + TTL + 1_010)),
        };
        let mut offer = |now| replica.offer(now, b"short", &entry, OfferKind::Write);
        let ack = OfferReply::Ack { counted: true };
        assert_eq!(offer(now), ack);
        let later = at(TTL + 1_020);
        replica.expire_some(later, 10_000);
        assert!(replica.entries.peek(b"short").is_none());
        assert_eq!(
            replica.offer(later, b"short", &entry, OfferKind::Write),
            ack
        );
    }

    #[test]
    fn by_a_clock_that_may_be_wrong_nothing_expires() {
        let mut replica = replica();
        let now = Now {
            instant: Instant::from_millis(2_000),
            wall: Timestamp::from_millis(START + 3_600_000),
        };
        replica.distrust_wall(now);
        assert!(!replica.expire_some(now, 10_000));
        // Nor does it go with what is stored.
        let stored = Entry {
            version: Version::at(now.wall),
            value: Some([1].into()),
            expire_at: None,
        };
        replica.offer(now, b"another", &stored, OfferKind::Write);
        assert_eq!((replica.entries.len(), replica.expired()), (1_001, 0));
    }
}
