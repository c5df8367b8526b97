//! One promise, one test: members that come back, and those who have lost one, get what they lack before they
//! vouch for it.

use crate::cluster::{Cluster, MISS, at, bytes, get, set, value};
use memvault::replication::{Answer, Event, Failure, Level, Levels, NodeState, Request};
use memvault::ring::NodeIndex;
use memvault::time::Duration;

const DONE: Result<Answer, Failure> = Ok(Answer::Done);

#[test]
fn keys_survive_when_every_node_is_killed_in_turn() {
    let mut cluster = Cluster::serving(5, 1);
    let client = cluster.client(0);
    let keys: Vec<String> = (0..200).map(|n| format!("key-{n}")).collect();
    for key in &keys {
        assert_eq!(cluster.set(client, key, key).outcome, DONE);
    }
    for victim in 0..5 {
        cluster.kill(victim);
        for key in &keys {
            assert_eq!(
                cluster.get(client, key).outcome,
                value(key),
                "{victim} is dead"
            );
        }
        cluster.restart(victim);
        cluster.wait_until_serving();
        for key in &keys {
            let strict = cluster.ask(client, get(key), at(Level::Quorum)).outcome;
            assert_eq!(strict, value(key), "{victim} is back");
        }
    }
}

#[test]
fn a_restarted_member_fetches_thousands_of_keys_even_if_a_source_dies_meanwhile() {
    let mut cluster = Cluster::start(5, 1, |config| config.max_requests = 100_000);
    cluster.wait_until_serving();
    let client = cluster.client(0);
    let pad = "x".repeat(300);
    let pairs: Vec<_> = (0..20_000)
        .map(|n| (bytes(&format!("key-{n}")), bytes(&format!("{n}{pad}"))))
        .collect();
    let stored = cluster.ask(client, Request::SetMany(pairs.clone()), Levels::default());
    assert_eq!(stored.outcome, DONE);
    cluster.kill(0);
    cluster.run(Duration::from_millis(100));
    // Chunks take a while, so that there is a meanwhile.
    cluster.rates.delay = Duration::from_millis(10);
    cluster.restart(0);
    cluster.run_until(Duration::from_secs(5), |cluster| {
        cluster
            .node(0)
            .entries()
            .is_some_and(|entries| entries.len() > 1000)
    });
    assert_eq!(
        cluster.node(0).state(),
        NodeState::Warming,
        "it has not fetched all yet"
    );
    cluster.kill(1);
    cluster.run(Duration::from_millis(200));
    cluster.restart(1);
    cluster.wait_until_serving();
    for (key, wanted) in &pairs {
        let found = cluster.ask(client, Request::Get(key.clone()), Levels::default());
        assert_eq!(found.outcome, Ok(Answer::Value(Some(wanted.clone()))));
    }
    let held: usize = (0..5)
        .map(|n| cluster.node(n).entries().map_or(0, |entries| entries.len()))
        .sum();
    assert_eq!(held, 3 * pairs.len());
}

#[test]
fn what_all_sources_have_told_counts_even_if_one_of_them_dies_before_it_has_told_the_rest() {
    let mut cluster = Cluster::start(3, 1, |config| config.max_requests = 100_000);
    cluster.wait_until_serving();
    let client = cluster.client(0);
    let pad = "x".repeat(300);
    let keys: Vec<_> = (0..10_000).map(|n| format!("key-{n}")).collect();
    let pairs = keys.iter().map(|key| (bytes(key), bytes(&pad))).collect();
    let stored = cluster.ask(client, Request::SetMany(pairs), Levels::default());
    assert_eq!(stored.outcome, DONE);
    cluster.kill(0);
    cluster.run(Duration::from_millis(100));
    cluster.rates.delay = Duration::from_millis(10);
    cluster.restart(0);
    cluster.run_until(Duration::from_secs(5), |cluster| {
        let entries = cluster.node(0).entries();
        entries.is_some_and(|entries| entries.len() > 5000)
    });
    cluster.kill(1);
    cluster.wait_until_serving();
    let degraded = |event: &Event| matches!(event, Event::DegradedStart { .. });
    assert!(
        cluster.events_of(0).any(degraded),
        "one source was not enough for the rest"
    );
    let mut found = 0;
    for key in &keys {
        let read = cluster.ask(client, get(key), at(Level::Quorum));
        found += usize::from(read.outcome == value(&pad));
    }
    assert!((2_000..8_000).contains(&found), "{found}");
}

#[test]
fn a_restarted_member_asks_nobody_until_its_former_acknowledgements_are_void() {
    let mut cluster = Cluster::serving(3, 1);
    let client = cluster.client(0);
    assert_eq!(cluster.set(client, "k", "v").outcome, DONE);
    cluster.kill(0);
    cluster.run(Duration::from_millis(50));
    cluster.restart(0);
    cluster.run(cluster.node(0).config().warm_delay() - Duration::from_millis(5));
    assert_eq!(cluster.node(0).state(), NodeState::Warming);
    assert_eq!(
        cluster.node(0).entries().map(|entries| entries.len()),
        Some(0)
    );
    cluster.wait_until_serving();
    assert_eq!(
        cluster.node(0).entries().map(|entries| entries.len()),
        Some(1)
    );
}

#[test]
fn a_restarted_member_does_not_trust_one_peer_alone_as_long_as_it_can_wait() {
    let mut cluster = Cluster::serving(3, 1);
    let client = cluster.client(0);
    assert_eq!(cluster.set(client, "k", "v").outcome, DONE);
    cluster.kill(0);
    cluster.kill(2);
    cluster.run(Duration::from_millis(50));
    cluster.restart(0);
    cluster.run(Duration::from_secs(9));
    assert_eq!(cluster.node(0).state(), NodeState::Warming);
    cluster.run(Duration::from_secs(4));
    assert_eq!(cluster.node(0).state(), NodeState::Serving);
    let degraded = |event: &Event| matches!(event, Event::DegradedStart { unconfirmed: 1 });
    assert!(cluster.events_of(0).any(degraded));
    assert_eq!(cluster.get(client, "k").outcome, value("v"));
}

#[test]
fn the_word_of_a_member_that_warms_up_does_not_count() {
    let mut cluster = Cluster::serving(3, 1);
    let client = cluster.client(0);
    cluster.kill(2);
    cluster.run(Duration::from_millis(50));
    cluster.restart(2);
    cluster.run(Duration::from_millis(500));
    cluster.pause(1);
    let written = cluster.ask(client, set("k", "v"), at(Level::Quorum));
    assert!(written.outcome.is_err(), "{written:?}");
    assert_eq!(cluster.node(2).state(), NodeState::Warming);
    assert_eq!(
        cluster
            .ask(client, get("k"), at(Level::Quorum))
            .outcome
            .ok(),
        None
    );
}

#[test]
fn after_more_failures_than_the_budget_a_quorum_misses_rather_than_finds_an_old_value() {
    let mut cluster = Cluster::serving(3, 1);
    let client = cluster.client(0);
    let keys: Vec<String> = (0..50).map(|n| format!("key-{n}")).collect();
    for key in &keys {
        assert_eq!(cluster.set(client, key, "old").outcome, DONE);
    }
    cluster.pause(2);
    for key in &keys {
        let written = cluster.ask(client, set(key, "new"), at(Level::Quorum));
        assert_eq!(written.outcome, DONE);
    }
    cluster.kill(0);
    cluster.kill(1);
    cluster.resume(2);
    cluster.restart(0);
    cluster.restart(1);
    cluster.wait_until_serving();
    for key in &keys {
        let read = cluster.ask(client, get(key), at(Level::Quorum));
        assert_eq!(
            read.outcome, MISS,
            "the new value is lost, and the old one must not come back"
        );
    }
}

#[test]
fn what_a_leader_told_only_one_follower_before_it_died_reaches_the_other() {
    let mut cluster = Cluster::serving(3, 1);
    let client = cluster.client(0);
    let [leader, late, _] = cluster.replicas_of("k")[..] else {
        panic!("three replicas");
    };
    assert_eq!(cluster.set(client, "k", "old").outcome, DONE);
    // Too short for anyone to notice.
    cluster.pause(late);
    assert_eq!(cluster.set(client, "k", "new").outcome, DONE);
    cluster.kill(leader);
    cluster.resume(late);
    cluster.run(Duration::from_millis(100));
    let entries = cluster.node(late).entries().expect("a member");
    let held = entries.peek(b"k").expect("it holds the key");
    assert_eq!(held.value, b"new");
    assert_eq!(cluster.node(late).state(), NodeState::Serving);
}

#[test]
fn what_a_leader_told_only_one_that_warmed_up_before_it_died_reaches_the_other() {
    let mut cluster = Cluster::serving(3, 1);
    let client = cluster.client(0);
    let [leader, late, warming] = cluster.replicas_of("k")[..] else {
        panic!("three replicas");
    };
    assert_eq!(cluster.set(client, "k", "old").outcome, DONE);
    cluster.kill(warming);
    cluster.run(Duration::from_millis(50));
    cluster.restart(warming);
    // So late that what it is told from now on cannot be from before its start.
    cluster.run(Duration::from_millis(1020));
    // What it sends is lost, too briefly for anyone to notice.
    let lost = NodeIndex(late.try_into().expect("it is small"));
    cluster.process(leader).transport_mut().cut(lost);
    let written = cluster.ask(client, set("k", "new"), at(Level::One));
    assert_eq!(written.outcome, DONE);
    cluster.run(Duration::from_millis(5));
    cluster.kill(leader);
    cluster.run(Duration::from_millis(5));
    assert_eq!(cluster.node(warming).state(), NodeState::Warming);
    cluster.restart(leader);
    cluster.wait_until_serving();
    cluster.run(Duration::from_secs(1));
    let entries = cluster.node(late).entries().expect("a member");
    let held = entries.peek(b"k").expect("it holds the key");
    assert_eq!(held.value, b"new");
}

#[test]
fn a_member_that_stood_still_for_a_moment_does_not_trust_its_own_memory() {
    let mut cluster = Cluster::serving(3, 1);
    let client = cluster.client(0);
    let leader = cluster.replicas_of("k")[0];
    assert_eq!(cluster.set(client, "k", "old").outcome, DONE);
    cluster.run(Duration::from_secs(2));
    cluster.pause(leader);
    assert_eq!(cluster.set(client, "k", "new").outcome, DONE);
    cluster.run(Duration::from_millis(100));
    cluster.resume(leader);
    // It has not read yet what came meanwhile.
    assert_eq!(cluster.get(leader, "k").outcome, value("new"));
}

#[test]
fn what_the_others_deleted_and_forgot_does_not_survive_a_pause() {
    let mut cluster = Cluster::start(5, 1, |_| {});
    cluster.entries.max_entries = Some(20);
    for member in 0..5 {
        cluster.restart(member);
    }
    cluster.wait_until_serving();
    let client = cluster.client(0);
    assert_eq!(cluster.set(client, "k", "v").outcome, DONE);
    let &[first, second, absent] = cluster.replicas_of("k").as_slice() else {
        panic!("a key has three replicas");
    };
    cluster.pause(absent);
    cluster.run(Duration::from_secs(3));
    let deleted = cluster.ask(client, Request::Delete(vec![bytes("k")]), Levels::default());
    assert_eq!(deleted.outcome, Ok(Answer::Count(1)));
    let others: Vec<_> = (0..200)
        .map(|n| format!("other-{n}"))
        .filter(|key| !cluster.replicas_of(key).contains(&absent))
        .collect();
    for key in &others {
        assert_eq!(cluster.set(client, key, "v").outcome, DONE);
    }
    for member in [first, second] {
        let entries = cluster.node(member).entries().expect("it is a member");
        assert!(entries.peek(b"k").is_none(), "{member} has evicted it");
    }
    cluster.resume(absent);
    cluster.run(Duration::from_secs(5));
    cluster.kill(first);
    cluster.kill(second);
    // Until then what a new leader says is not taken on trust.
    cluster.run(Duration::from_secs(5));
    assert_eq!(cluster.get(client, "k").outcome, MISS);
}
