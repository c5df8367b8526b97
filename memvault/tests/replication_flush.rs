//! Flushes reach every member: those that stood still, those that were silent, and those that the coordinator cannot
//! reach. And the keys of all members are counted, each once.

use memvault::replication::{Answer, NodeState, Outcome, Request};
use memvault::ring::NodeIndex;
use memvault::time::Duration;

use crate::cluster::{Cluster, MISS, get, set};

const DONE: Outcome = Ok(Answer::Done);
const KEYS: usize = 60;

fn keys() -> impl Iterator<Item = String> {
    (0..KEYS).map(|number| format!("key-{number}"))
}

/// A cluster of five with some keys, and nothing that was changed lately.
fn filled(clients: usize) -> Cluster {
    let mut cluster = Cluster::serving(5, clients);
    let client = cluster.client(0);
    for key in keys() {
        assert_eq!(cluster.set(client, &key, "old").outcome, DONE);
    }
    cluster.run(Duration::from_secs(2));
    cluster
}

fn flush(cluster: &mut Cluster, client: usize) {
    let flushed = cluster.ask(client, Request::Flush, Default::default());
    assert_eq!(flushed.outcome, DONE);
}

/// Asks for every key at once, of everyone that is given.
fn read_all(cluster: &mut Cluster, whom: &[usize]) {
    let mut begun = Vec::new();
    for &number in whom {
        for key in keys() {
            let id = cluster.begin(number, get(&key), Default::default());
            begun.push((number, key, id));
        }
    }
    for (number, key, id) in begun {
        let read = cluster.finish(id).outcome;
        // One that notices that it stood still answers nothing that it was asked before.
        if read.is_ok() {
            assert_eq!(read, MISS, "{key} was flushed, says {number}");
        }
    }
}

fn holds_nothing(cluster: &Cluster, member: usize) -> bool {
    let entries = cluster.node(member).entries().expect("it is a member");
    keys().all(|key| entries.peek(key.as_bytes()).is_none())
}

#[test]
fn a_member_that_stood_still_during_a_flush_answers_nothing_from_before() {
    let mut cluster = filled(2);
    let (client, other) = (cluster.client(0), cluster.client(1));
    cluster.pause(2);
    cluster.run(Duration::from_millis(1000));
    flush(&mut cluster, client);
    cluster.run(Duration::from_millis(1000));
    cluster.resume(2);
    for _ in 0..100 {
        read_all(&mut cluster, &[client, other, 0, 2]);
        cluster.run(Duration::from_millis(3));
    }
    assert!(holds_nothing(&cluster, 2));
    assert_eq!(cluster.node(2).state(), NodeState::Serving);
}

#[test]
fn a_deletion_counts_for_a_member_that_stood_still_before_it_answers() {
    let mut cluster = filled(2);
    let (client, other) = (cluster.client(0), cluster.client(1));
    cluster.pause(2);
    cluster.run(Duration::from_millis(1000));
    for key in keys() {
        let delete = Request::Delete(vec![key.as_bytes().into()]);
        let deleted = cluster.ask(client, delete, Default::default());
        assert!(deleted.outcome.is_ok(), "{deleted:?}");
    }
    // Until nobody settles any more.
    cluster.run(Duration::from_millis(2000));
    cluster.resume(2);
    for _ in 0..100 {
        read_all(&mut cluster, &[client, other, 0, 2]);
        cluster.run(Duration::from_millis(3));
    }
}

#[test]
fn a_flush_reaches_a_member_that_was_silent_for_a_moment() {
    let mut cluster = filled(1);
    let client = cluster.client(0);
    // So short that it does not notice it itself, and so long that it is late with an answer.
    cluster.pause(2);
    let begun: Vec<_> = keys()
        .map(|key| cluster.begin(client, get(&key), Default::default()))
        .collect();
    cluster.run(Duration::from_millis(60));
    for id in begun {
        assert!(cluster.finish(id).outcome.is_ok());
    }
    flush(&mut cluster, client);
    cluster.resume(2);
    cluster.run(Duration::from_millis(200));
    assert!(holds_nothing(&cluster, 2));
}

#[test]
fn a_flush_reaches_members_that_the_coordinator_does_not_reach() {
    let mut cluster = filled(2);
    let (client, other) = (cluster.client(0), cluster.client(1));
    cluster.process(client).transport_mut().cut(NodeIndex(2));
    cluster.run(Duration::from_secs(3));
    flush(&mut cluster, client);
    cluster.run(Duration::from_millis(300));
    assert!(holds_nothing(&cluster, 2));
    read_all(&mut cluster, &[other, 0, 2]);
    // What is written after a flush stays.
    assert_eq!(
        cluster
            .ask(other, set("k", "new"), Default::default())
            .outcome,
        DONE
    );
    cluster.run(Duration::from_millis(500));
    let holders = (0..5).filter(|member| {
        let entries = cluster.node(*member).entries().expect("it is a member");
        entries.peek(b"k").is_some()
    });
    assert_eq!(holders.count(), 3);
}

#[test]
fn a_flush_counts_for_a_member_that_was_cut_off_before_it_answers() {
    for (apart, together) in [(700, 0), (700, 1500), (5000, 3000)] {
        let mut cluster = filled(2);
        let (client, other) = (cluster.client(0), cluster.client(1));
        for number in 0..7 {
            if number != 2 {
                cluster.process(number).transport_mut().cut(NodeIndex(2));
                cluster
                    .process(2)
                    .transport_mut()
                    .cut(NodeIndex(number as u16));
            }
        }
        cluster.run(Duration::from_millis(apart));
        flush(&mut cluster, client);
        cluster.run(Duration::from_millis(together));
        for number in 0..7 {
            cluster.process(number).transport_mut().heal();
        }
        for _ in 0..200 {
            read_all(&mut cluster, &[client, other, 0]);
            cluster.run(Duration::from_millis(3));
        }
        assert!(holds_nothing(&cluster, 2));
    }
}

#[test]
fn the_keys_of_the_whole_cluster_are_counted_each_once() {
    let mut cluster = filled(1);
    let client = cluster.client(0);
    let count = |cluster: &mut Cluster, whom| {
        let counted = cluster
            .ask(whom, Request::Count, Default::default())
            .outcome;
        match counted {
            Ok(Answer::Count(keys)) => keys,
            other => panic!("{other:?}"),
        }
    };
    for whom in [client, 0, 4] {
        assert_eq!(count(&mut cluster, whom), KEYS as i64);
    }
    cluster.kill(3);
    cluster.run(Duration::from_millis(500));
    let estimated = count(&mut cluster, client);
    assert!(
        (KEYS as i64 * 2 / 3..KEYS as i64 * 3 / 2).contains(&estimated),
        "{estimated}"
    );
    flush(&mut cluster, client);
    assert_eq!(count(&mut cluster, client), 0);
}
