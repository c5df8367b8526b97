//! What a node takes on at a time: wide requests in slices, callers by turns, and a word at once where waiting is
//! hopeless.

use memvault::replication::{Answer, Bytes, Failure, Level, Levels, Request};
use memvault::time::Duration;

use crate::cluster::{Cluster, MISS, at, bytes, get, set, value};

fn keys(count: usize) -> Vec<Bytes> {
    (0..count).map(|n| bytes(&format!("key-{n}"))).collect()
}

fn pairs(count: usize) -> Vec<(Bytes, Bytes)> {
    let keys = keys(count).into_iter();
    keys.map(|key| (Bytes::clone(&key), key)).collect()
}

fn wide(request: Request) -> Cluster {
    let mut cluster = Cluster::serving(5, 1);
    let client = cluster.client(0);
    let id = cluster.begin(client, request, at(Level::Quorum));
    let most = 5 * cluster.node(client).config().max_in_flight;
    let (under_way, waiting) = (
        cluster.node(client).in_flight(),
        cluster.node(client).waiting(),
    );
    assert!(under_way <= most, "{under_way} keys under way at a time");
    assert!(waiting > 0, "the others wait");
    let outcome = cluster.finish(id).outcome;
    assert!(outcome.is_ok(), "{outcome:?}");
    let node = cluster.node(client);
    assert_eq!((node.in_flight(), node.waiting()), (0, 0));
    cluster
}

#[test]
fn requests_of_the_widest_kind_are_carried_out_whole() {
    const KEYS: usize = 65_536;
    let mut cluster = wide(Request::SetMany(pairs(KEYS)));
    let client = cluster.client(0);
    let found = cluster.ask(client, Request::GetMany(keys(KEYS)), Levels::default());
    let expected = keys(KEYS).into_iter().map(Some).collect();
    assert_eq!(found.outcome, Ok(Answer::Values(expected)));
    let deleted = cluster.ask(client, Request::Delete(keys(KEYS)), Levels::default());
    assert_eq!(deleted.outcome, Ok(Answer::Count(KEYS as i64)));
    let ejected = cluster
        .events_of(client)
        .filter(|event| matches!(event, memvault::replication::Event::Ejected { .. }));
    assert_eq!(ejected.count(), 0);
}

#[test]
fn who_asks_little_does_not_wait_for_who_asks_much() {
    let mut cluster = Cluster::serving(3, 1);
    let client = cluster.client(0);
    let much = cluster.begin(client, Request::GetMany(keys(60_000)), Levels::default());
    let little = cluster.begin(client, set("k", "1"), at(Level::Quorum));
    cluster.run(Duration::from_millis(100));
    let ids: Vec<u64> = cluster.outcomes.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, [little, much], "in the order in which they were done");
    assert_eq!(cluster.get(client, "k").outcome, value("1"));
}

#[test]
fn writes_of_one_caller_begin_in_their_order() {
    let mut cluster = Cluster::start(3, 1, |config| config.max_in_flight = 1);
    cluster.wait_until_serving();
    let client = cluster.client(0);
    let now = cluster.time();
    let node = cluster.process(client);
    for n in 0..100 {
        let request = set("k", &format!("{n}"));
        node.request_of(now, (1000 + n, 7), request, Levels::default());
    }
    for n in 0..100 {
        assert_eq!(cluster.finish(1000 + n).outcome, Ok(Answer::Done));
    }
    assert_eq!(cluster.get(client, "k").outcome, value("99"));
}

#[test]
fn who_waits_in_vain_is_told_so_in_half_the_time() {
    let mut cluster = Cluster::start(3, 1, |config| config.max_in_flight = 1);
    cluster.wait_until_serving();
    let client = cluster.client(0);
    (0..3).for_each(|member| cluster.pause(member));
    // One is under way with each member that comes first, the others wait for it.
    let ids: Vec<u64> = (0..50)
        .map(|n| cluster.begin(client, get(&format!("key-{n}")), Levels::default()))
        .collect();
    cluster.run(Duration::from_millis(700));
    (0..3).for_each(|member| cluster.resume(member));
    let outcomes = ids.into_iter().map(|id| cluster.finish(id).outcome);
    let overloaded = outcomes.filter(|outcome| *outcome == Err(Failure::Overloaded));
    assert!(overloaded.count() >= 44);
    assert_eq!(cluster.node(client).statistics().overloaded, 47);
    cluster.run(Duration::from_secs(2));
    assert_eq!(cluster.get(client, "key-1").outcome, MISS);
}

#[test]
fn a_caller_that_has_asked_for_too_much_is_not_read_from_until_that_is_done() {
    let mut cluster = Cluster::start(3, 1, |config| config.max_requests = 10);
    cluster.wait_until_serving();
    let client = cluster.client(0);
    let now = cluster.time();
    assert!(cluster.node(client).has_room_for(7));
    let node = cluster.process(client);
    node.request_of(
        now,
        (1000, 7),
        Request::GetMany(keys(10)),
        Levels::default(),
    );
    assert!(!cluster.node(client).has_room_for(7));
    assert!(
        cluster.node(client).has_room_for(8),
        "others are none the worse"
    );
    cluster.finish(1000).outcome.expect("it is carried out");
    assert!(cluster.node(client).has_room_for(7));
}
