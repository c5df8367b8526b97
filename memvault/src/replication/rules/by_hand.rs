//! Rules that seeds show too seldom, if at all, each shown by hand: what a replica answers with and without.

use alloc::string::String;
use core::time::Duration;

use crate::replication::config::{Config, Member, Role};
use crate::replication::entry::Entry;
use crate::replication::member::replica::Replica;
use crate::replication::wire::message::{NodeState, OfferKind, OfferReply, Refusal};
use crate::replication::{Now, Rule};
use crate::store::{self, Entries};
use crate::time::{Instant, Timestamp};
use crate::version::Version;

const NOW: Now = Now {
    instant: Instant::ZERO,
    wall: Timestamp::from_millis(1_000_000),
};

/// A replica that serves, and breaks this rule.
fn replica(broken: Option<Rule>) -> Replica {
    let role = Role::Member(String::from("a"));
    let config = Config {
        broken,
        ..Config::new([Member::new("a")].into(), role)
    };
    let hasher = ahash::RandomState::with_seeds(1, 2, 3, 4);
    let mut replica = Replica::new(&config, Entries::new(store::Config::default(), hasher));
    replica.state = NodeState::Serving;
    replica
}

/// Offers a value whose version was made so long after `NOW`.
fn offer(replica: &mut Replica, later: Duration, kind: OfferKind) -> OfferReply {
    let wall = NOW.wall.as_millis() + u64::try_from(later.as_millis()).unwrap_or(u64::MAX);
    let entry = Entry {
        version: Version::at(Timestamp::from_millis(wall)),
        value: Some([1].into()),
        expire_at: None,
    };
    replica.offer(NOW, b"key", &entry, kind)
}

#[test]
fn a_fenced_version_is_refused_for_ever() {
    let fenced_then_written = |broken| {
        let mut replica = replica(broken);
        offer(&mut replica, Duration::ZERO, OfferKind::Fence);
        offer(&mut replica, Duration::ZERO, OfferKind::Write)
    };
    let kept = fenced_then_written(None);
    assert!(matches!(kept, OfferReply::Nack { .. }), "{kept:?}");
    let broken = fenced_then_written(Some(Rule::RefusedVersionsAreRemembered));
    assert_eq!(broken, OfferReply::Ack { counted: true });
}

#[test]
fn a_version_from_the_far_future_is_refused() {
    let from_the_future = |broken| {
        let hour = Duration::from_secs(3600);
        offer(&mut replica(broken), hour, OfferKind::Write)
    };
    let kept = from_the_future(None);
    let refusal = Refusal::Skew;
    assert!(
        matches!(kept, OfferReply::Nack { refusal: why, .. } if why == refusal),
        "{kept:?}"
    );
    let broken = from_the_future(Some(Rule::FutureIsRefused));
    assert_eq!(broken, OfferReply::Ack { counted: true });
}

#[test]
fn the_word_of_one_that_warms_up_does_not_count() {
    let while_warming = |broken| {
        let mut replica = replica(broken);
        replica.state = NodeState::Warming;
        offer(&mut replica, Duration::ZERO, OfferKind::Write)
    };
    assert_eq!(while_warming(None), OfferReply::Ack { counted: false });
    let broken = while_warming(Some(Rule::WarmingDoesNotCount));
    assert_eq!(broken, OfferReply::Ack { counted: true });
}
