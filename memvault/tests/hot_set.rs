//! Under memory pressure the keys that are read most stay on all replicas, although only one is asked for them.

use crate::cluster::{Cluster, get, set, value};
use memvault::replication::{Answer, Config, Failure, Levels};
use memvault::store;
use memvault::time::Duration;

/// Entries that a member may have.
const ROOM: usize = 200;
const HOT: usize = 60;
const DONE: Result<Answer, Failure> = Ok(Answer::Done);

#[test]
fn the_hot_set_survives_its_leader() {
    let (with, without) = (
        hits_after_a_kill(|_| {}),
        hits_after_a_kill(|config| config.max_touches = 0),
    );
    assert!(with >= 95, "{with} % of the hot keys are left");
    assert!(
        without <= 20,
        "{without} % are left, so that this shows nothing"
    );
}

#[test]
fn followers_are_told_as_much_as_the_limit_allows_and_only_under_pressure() {
    let sent = |cluster: &Cluster| -> Vec<u64> {
        let nodes = (0..3).map(|number| cluster.node(number).statistics());
        nodes.map(|counted| counted.touches_sent).collect()
    };
    let mut cluster = Cluster::serving(3, 1);
    load(&mut cluster, 3);
    assert_eq!(sent(&cluster), [0, 0, 0], "nobody has to make room");
    let mut cluster = limited(|config| config.max_touches = 5);
    load(&mut cluster, 4);
    for (number, sent) in sent(&cluster).into_iter().enumerate() {
        // Two followers, four seconds and the one under way.
        assert!((1..=2 * 5 * 5).contains(&sent), "node {number} sent {sent}");
    }
    let taken = (0..3).map(|number| cluster.node(number).statistics().touches_taken);
    assert!(taken.sum::<u64>() > 0);
}

/// The part of the hot keys of a member that are found right after its death, in percent.
fn hits_after_a_kill(configure: fn(&mut Config)) -> usize {
    let mut cluster = limited(configure);
    load(&mut cluster, 6);
    let client = cluster.client(0);
    let led: Vec<String> = (0..HOT)
        .map(hot)
        .filter(|key| leads(&cluster, key))
        .collect();
    for key in &led {
        assert_eq!(
            cluster.get(client, key).outcome,
            value("hot"),
            "the leader has it"
        );
    }
    cluster.kill(0);
    cluster.run(Duration::from_millis(5));
    let mut found = 0;
    for key in &led {
        found += usize::from(cluster.get(client, key).outcome == value("hot"));
    }
    found * 100 / led.len()
}

/// Three members that have little room.
fn limited(configure: fn(&mut Config)) -> Cluster {
    let mut cluster = Cluster::start(3, 1, configure);
    cluster.entries = store::Config {
        max_entries: Some(ROOM),
        ..store::Config::default()
    };
    for number in 0..3 {
        cluster.restart(number);
    }
    cluster.wait_until_serving();
    cluster
}

/// Reads hot keys, and writes others that nobody ever reads.
fn load(cluster: &mut Cluster, seconds: usize) {
    let client = cluster.client(0);
    for key in (0..HOT).map(hot) {
        assert_eq!(cluster.set(client, &key, "hot").outcome, DONE);
    }
    let (mut reads, mut writes) = (
        (0..HOT).map(hot).cycle(),
        (0..).map(|n| format!("cold-{n}")),
    );
    for _ in 0..seconds * 50 {
        let begun = cluster.now;
        for key in reads.by_ref().take(2) {
            let read = cluster.ask(client, get(&key), Levels::default());
            assert_eq!(read.outcome, value("hot"), "{key} on its leader");
        }
        let key = writes.next().expect("there are many");
        let write = cluster.ask(client, set(&key, "cold"), Levels::default());
        assert_eq!(write.outcome, DONE);
        cluster.run(Duration::from_millis(20) - (cluster.now - begun));
    }
}

fn hot(number: usize) -> String {
    format!("hot-{number}")
}

/// Whether the first member leads `key`.
fn leads(cluster: &Cluster, key: &str) -> bool {
    cluster.replicas_of(key)[0] == 0
}
