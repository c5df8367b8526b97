//! Nodes that die or stand still, as clients see it: real processes, `kill -9` and SIGSTOP.

use std::time::{Duration, Instant};

use crate::cluster::Cluster;
use crate::redis::{Redis, bulk, ok};
use crate::support::eventually;
use crate::worker::Worker;

const KEYS: usize = 20_000;

/// Five members and a gateway; one client at the gateway, one at a member. Two members die one after the
/// other, come back empty and catch up; then a third one dies.
#[test]
fn killing_nodes_one_after_the_other_costs_no_request_and_no_key() {
    let mut cluster = Cluster::start(5);
    let (gateway, member) = (cluster.gateway.port, cluster.members[0].port);
    let workers = [
        Worker::start(gateway, "gateway", KEYS),
        Worker::start(member, "member", KEYS),
    ];
    let all_go_on = |keys| workers.iter().for_each(|worker| worker.wait_for(keys));
    all_go_on(KEYS / 4);
    cluster.members[1].kill();
    // A later write of the same client was answered: replication of those before the kill is done.
    all_go_on(KEYS / 4);
    cluster.members[2].kill();
    all_go_on(KEYS / 4);
    for number in [1, 2] {
        cluster.restart(number);
    }
    for number in [1, 2] {
        cluster.wait_until_serving(number);
    }
    all_go_on(KEYS);
    cluster.members[3].kill();
    all_go_on(KEYS / 4);

    let written = workers.map(Worker::finish);
    for keys in &written {
        for port in [
            gateway,
            member,
            cluster.members[1].port,
            cluster.members[2].port,
        ] {
            keys.check(port);
        }
    }
    for number in [0, 1, 2, 4] {
        cluster.members[number].assert_running();
    }
}

/// A member that stands still keeps its connections open, so only silence gives it away.
#[test]
fn a_node_that_stands_still_is_passed_over_after_one_time_out() {
    let cluster = Cluster::start(5);
    let mut redis = Redis::connect(cluster.gateway.port).expect("the gateway runs");
    let mut failovers = || -> u64 {
        let field = redis
            .info("failovers")
            .expect("a gateway counts fail-overs");
        field.parse().expect("a counter is a number")
    };
    let mut client = Redis::connect(cluster.gateway.port).expect("the gateway runs");
    let mut write_and_read = |round: u32, keys: std::ops::Range<u32>| {
        for key in keys {
            let (key, value) = (format!("key:{key}"), format!("round {round}"));
            assert_eq!(client.ask(&["SET", &key, &value]), ok());
            assert_eq!(client.ask(&["GET", &key]), bulk(&value));
        }
    };
    write_and_read(1, 0..500);

    cluster.members[2].pause();
    let before = failovers();
    let mut probe = Redis::connect(cluster.gateway.port).expect("the gateway runs");
    let silent = format!("id=127.0.0.1:{},", cluster.members[2].port);
    eventually("the silent member is ejected", || {
        write_and_read(2, 0..1);
        let nodes = (0..5).filter_map(|node| probe.info(&format!("node{node}")));
        nodes
            .filter(|node| node.contains(&silent))
            .all(|node| !node.contains("link=up"))
    });
    let ejected = failovers();
    write_and_read(3, 0..500);
    assert_eq!(
        failovers(),
        ejected,
        "nobody waits for the silent member any more (before: {before})"
    );

    cluster.members[2].resume();
    cluster.wait_until_serving(2);
    let mut resumed = Redis::connect(cluster.members[2].port).expect("the member runs");
    for key in 0..500 {
        assert_eq!(
            resumed.ask(&["GET", &format!("key:{key}")]),
            bulk("round 3")
        );
    }
}

/// A member stands still while everything is deleted: what it still knows of it is not told to anyone afterwards.
#[test]
fn what_was_flushed_while_a_member_stood_still_stays_deleted() {
    let cluster = Cluster::start(5);
    let mut gateway = Redis::connect(cluster.gateway.port).expect("the gateway runs");
    let keys: Vec<String> = (0..500).map(|key| format!("key:{key}")).collect();
    let of_all = |words: fn(&str) -> Vec<String>| -> Vec<Vec<String>> {
        keys.iter().map(|key| words(key)).collect()
    };
    let sets = of_all(|key| vec!["SET".into(), key.into(), "old".into()]);
    let gets = of_all(|key| vec!["GET".into(), key.into()]);
    let set = gateway.pipeline(&sets).expect("the gateway answers");
    assert!(set.iter().all(|reply| *reply == ok()), "{set:?}");

    cluster.members[2].pause();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(gateway.ask(&["FLUSHALL"]), ok());
    std::thread::sleep(Duration::from_secs(1));
    cluster.members[2].resume();
    let resumed = Instant::now();
    while resumed.elapsed() < Duration::from_secs(1) {
        let mut member = Redis::connect(cluster.members[2].port).expect("the member runs");
        for client in [&mut gateway, &mut member] {
            let got = client.pipeline(&gets).unwrap_or_default();
            let old = got.iter().filter(|reply| **reply == bulk("old")).count();
            assert_eq!(old, 0, "after {:?}", resumed.elapsed());
        }
    }
    cluster.wait_until_serving(2);
}
