//! One promise, one test: what a cluster does when nodes die, fall silent and come back.

use crate::cluster::FaultRates;
use crate::cluster::{Cluster, MISS, STEP, at, bytes, get, set, value};
use memvault::replication::{
    Action, Answer, Config, DownReason, Event, Failure, Level, Levels, Member, Node, NodeState,
    Now, Request, Role,
};
use memvault::ring::NodeIndex;
use memvault::store;
use memvault::time::{Duration, Instant};

const DONE: Result<Answer, Failure> = Ok(Answer::Done);

#[test]
fn the_default_level_writes_with_a_quorum_and_goes_on_with_fewer() {
    let mut cluster = Cluster::serving(3, 1);
    let client = cluster.client(0);
    assert_eq!(Levels::default(), at(Level::Auto));
    assert_eq!(cluster.set(client, "k", "1").outcome, DONE);
    assert_eq!(cluster.node(client).statistics().degraded_writes, 0);
    cluster.kill(1);
    cluster.kill(2);
    cluster.run(Duration::from_millis(5));
    assert_eq!(cluster.set(client, "k", "2").outcome, DONE);
    assert_eq!(cluster.get(client, "k").outcome, value("2"));
    assert_eq!(cluster.node(client).statistics().degraded_writes, 1);
    assert!(
        cluster
            .events_of(client)
            .any(|event| *event == Event::DegradedWrites)
    );
}

#[test]
fn what_all_replicas_acknowledged_survives_two_deaths_at_a_time() {
    for survivor in 0..3 {
        let mut cluster = Cluster::serving(3, 1);
        let client = cluster.client(0);
        assert_eq!(
            cluster.ask(client, set("k", "v"), at(Level::All)).outcome,
            DONE
        );
        for victim in (0..3).filter(|victim| *victim != survivor) {
            cluster.kill(victim);
        }
        let read = cluster.ask(client, get("k"), at(Level::One));
        assert_eq!(read.outcome, value("v"), "{survivor} is left");
    }
}

#[test]
fn a_level_that_is_named_is_never_weakened() {
    let mut cluster = Cluster::serving(3, 1);
    let client = cluster.client(0);
    cluster.kill(1);
    cluster.run(Duration::from_millis(5));
    assert_eq!(
        cluster
            .ask(client, set("k", "1"), at(Level::Quorum))
            .outcome,
        DONE
    );
    let all = cluster.ask(client, set("k", "2"), at(Level::All)).outcome;
    assert_eq!(all, no_quorum(Level::All, 2, 3));
    cluster.kill(2);
    cluster.run(Duration::from_millis(5));
    let write = cluster
        .ask(client, set("k", "3"), at(Level::Quorum))
        .outcome;
    assert_eq!(write, no_quorum(Level::Quorum, 1, 2));
    let read = cluster.ask(client, get("k"), at(Level::Quorum)).outcome;
    assert_eq!(read, no_quorum(Level::Quorum, 1, 2));
    assert_eq!(
        cluster.ask(client, set("k", "4"), at(Level::One)).outcome,
        DONE
    );
}

fn no_quorum(level: Level, live: usize, need: usize) -> Result<Answer, Failure> {
    Err(Failure::NoQuorum { level, live, need })
}

#[test]
fn after_more_failures_than_the_budget_the_default_level_still_finds_what_the_survivor_holds() {
    let mut cluster = Cluster::serving(3, 1);
    let client = cluster.client(0);
    let keys: Vec<String> = (0..100).map(|n| format!("key-{n}")).collect();
    for key in &keys {
        assert_eq!(cluster.set(client, key, "old").outcome, DONE);
        assert_eq!(cluster.set(client, key, "new").outcome, DONE);
    }
    cluster.kill(1);
    cluster.kill(2);
    cluster.run(Duration::from_millis(300));
    cluster.restart(1);
    cluster.restart(2);
    for _ in 0..40 {
        // Before, while and after the two catch up.
        for key in keys.iter().step_by(7) {
            assert_eq!(cluster.get(client, key).outcome, value("new"));
        }
        cluster.run(Duration::from_millis(50));
    }
    cluster.wait_until_serving();
    for key in &keys {
        assert_eq!(cluster.get(client, key).outcome, value("new"));
        // At QUORUM it is a miss: the two that came back cannot rule out that they once knew better.
        let strict = cluster.ask(client, get(key), at(Level::Quorum)).outcome;
        assert!(strict == MISS || strict == value("new"), "{strict:?}");
    }
    cluster.kill(0);
    cluster.run(Duration::from_millis(5));
    for key in &keys {
        assert_eq!(cluster.get(client, key).outcome, value("new"));
    }
}

#[test]
fn two_coordinators_that_disagree_about_who_is_alive_never_hang() {
    let mut cluster = Cluster::serving(3, 2);
    let (a, b) = (cluster.client(0), cluster.client(1));
    cluster.process(a).transport_mut().cut(NodeIndex(0));
    cluster.process(b).transport_mut().cut(NodeIndex(1));
    for round in 0..300 {
        let key = format!("key-{}", round % 10);
        let of_a = cluster.begin(a, set(&key, "a"), Levels::default());
        let of_b = cluster.begin(b, set(&key, "b"), Levels::default());
        for id in [of_a, of_b] {
            let finished = cluster.finish(id);
            assert_eq!(finished.outcome, DONE);
            assert!(finished.took < Duration::from_millis(1000), "{finished:?}");
        }
        let (seen_by_a, seen_by_b) = (cluster.get(a, &key).outcome, cluster.get(b, &key).outcome);
        assert!(
            seen_by_a == value("a") || seen_by_a == value("b"),
            "{seen_by_a:?}"
        );
        assert_eq!(seen_by_a, seen_by_b);
    }
}

#[test]
fn fewer_live_nodes_than_replicas_work_with_an_event() {
    let mut cluster = Cluster::serving(3, 1);
    let client = cluster.client(0);
    cluster.kill(0);
    cluster.run(Duration::from_millis(50));
    let few = Event::FewNodes {
        live: 2,
        replicas: 3,
    };
    assert!(cluster.events_of(client).any(|event| *event == few));
    assert!(
        cluster.events_of(1).any(|event| *event == few),
        "members tell it too"
    );
    for n in 0..50 {
        let key = format!("key-{n}");
        assert_eq!(cluster.set(client, &key, "v").outcome, DONE);
        assert_eq!(cluster.get(client, &key).outcome, value("v"));
    }
}

#[test]
fn a_cluster_of_fewer_members_than_replicas_works() {
    let mut cluster = Cluster::serving(1, 1);
    let client = cluster.client(0);
    assert_eq!(
        cluster.ask(client, set("k", "v"), at(Level::All)).outcome,
        DONE
    );
    assert_eq!(
        cluster.ask(client, get("k"), at(Level::Quorum)).outcome,
        value("v")
    );
}

#[test]
fn without_a_live_node_requests_fail_at_once_and_recover_when_one_is_back() {
    let mut cluster = Cluster::serving(3, 1);
    let client = cluster.client(0);
    assert_eq!(cluster.set(client, "k", "v").outcome, DONE);
    let in_flight = cluster.begin(client, set("k", "w"), Levels::default());
    for member in 0..3 {
        cluster.kill(member);
    }
    let finished = cluster.finish(in_flight);
    assert_eq!(finished.outcome, Err(Failure::Unavailable));
    for request in [get("k"), set("k", "v"), Request::Delete(vec![bytes("k")])] {
        let finished = cluster.ask(client, request, Levels::default());
        assert_eq!(finished.outcome, Err(Failure::Unavailable));
        assert!(finished.took <= STEP, "{finished:?}");
    }
    cluster.restart(1);
    cluster.run_until(Duration::from_secs(20), |cluster| {
        cluster.node(client).is_ready()
    });
    assert_eq!(cluster.set(client, "k", "x").outcome, DONE);
    assert_eq!(cluster.get(client, "k").outcome, value("x"));
}

#[test]
fn silence_costs_one_time_out_per_request_and_after_400_ms_nothing() {
    let mut cluster = Cluster::serving(5, 1);
    let client = cluster.client(0);
    let keys: Vec<String> = (0..60).map(|n| format!("key-{n}")).collect();
    for key in &keys {
        assert_eq!(cluster.set(client, key, "v").outcome, DONE);
    }
    cluster.pause(2);
    let mut in_flight = Vec::new();
    for key in &keys {
        in_flight.push((cluster.begin(client, get(key), Levels::default()), 31));
        in_flight.push((cluster.begin(client, set(key, "v"), Levels::default()), 101));
    }
    let begun = cluster.now;
    for (id, limit) in in_flight {
        let finished = cluster.finish(id);
        assert!(finished.outcome.is_ok(), "{finished:?}");
        let took = cluster.now - begun;
        assert!(took <= Duration::from_millis(limit + 100), "{took:?}");
    }
    // Its link is silent for 400 ms: until then every request that asks it costs that.
    let ejected = Event::Ejected {
        node: "node-2".into(),
    };
    cluster.run_until(Duration::from_millis(430), |cluster| {
        cluster.events_of(client).any(|event| *event == ejected)
    });
    for key in &keys {
        assert!(cluster.set(client, key, "w").took <= STEP * 2);
        assert!(cluster.get(client, key).took <= STEP * 2);
    }
    let silent = Event::Down {
        node: "node-2".into(),
        reason: DownReason::Silent,
    };
    cluster.run(Duration::from_millis(1700));
    assert!(cluster.events_of(client).any(|event| *event == silent));
    cluster.resume(2);
    cluster.run_until(Duration::from_secs(20), |cluster| {
        cluster
            .node(client)
            .peers()
            .all(|peer| peer.is_up && peer.state == NodeState::Serving)
    });
    for key in &keys {
        assert_eq!(
            cluster.ask(client, get(key), at(Level::All)).outcome,
            value("w")
        );
    }
}

#[test]
fn reconnect_attempts_back_off_with_full_jitter() {
    let members = vec![Member::new("a")];
    let mut config = Config::new(members, Role::Coordinator("client".into()));
    config.reconnect_max = Duration::from_secs(5);
    let (tick, max) = (Duration::from_millis(25), config.reconnect_max);
    let (mut shares, mut longest) = (Vec::new(), Duration::ZERO);
    for seed in 0..50 {
        let mut node = Node::new(
            config.clone(),
            1,
            seed,
            store::Config::default(),
            Now::default(),
        )
        .expect("the configuration is sound");
        let (mut now, mut last, mut failures) = (Now::default(), None, 0);
        while failures < 12 {
            node.handle_timeout(now);
            while let Some(action) = node.poll_action() {
                let Action::Connect(peer) = action else {
                    continue;
                };
                if let Some(last) = last {
                    let wait = now.instant - last;
                    let bound = max.min(Duration::from_millis(50) * (1 << (failures - 1)));
                    assert!(wait <= bound + tick, "attempt {failures} after {wait:?}");
                    longest = longest.max(wait);
                    if bound > tick * 20 {
                        shares.push(wait.as_secs_f64() / bound.as_secs_f64());
                    }
                }
                last = Some(now.instant);
                failures += 1;
                node.handle_disconnected(now, peer);
            }
            now.instant = node.poll_timeout().max(now.instant);
        }
    }
    // Full jitter: uniform between nothing and the bound.
    let mean = shares.iter().sum::<f64>() / shares.len() as f64;
    assert!((0.4..0.6).contains(&mean), "{mean}");
    assert!(shares.iter().any(|share| *share < 0.1) && shares.iter().any(|share| *share > 0.9));
    assert!(longest > max / 2);
}

#[test]
fn a_read_whose_leader_falls_silent_finds_what_that_one_acknowledged_last() {
    let mut cluster = Cluster::serving(3, 1);
    let client = cluster.client(0);
    cluster.kill(0);
    // What it sends takes its time, and what is not on its way when it stands still is not sent.
    cluster.rates.delay = Duration::from_millis(20);
    cluster.restart(0);
    cluster.wait_until_serving();
    for n in 0..60 {
        let key = format!("key-{n}");
        assert_eq!(cluster.set(client, &key, "old").outcome, DONE);
        // Nobody doubts a leader that has been the same for a while.
        cluster.run(Duration::from_millis(2500));
        assert_eq!(cluster.set(client, &key, "new").outcome, DONE);
        cluster.pause(0);
        assert_eq!(cluster.get(client, &key).outcome, value("new"), "{key}");
        cluster.resume(0);
        cluster.run(Duration::from_millis(100));
    }
}

#[test]
fn requests_end_well_over_links_that_lose_repeat_and_reorder() {
    let mut cluster = Cluster::start(5, 2, |_| {});
    cluster.rates = FaultRates {
        loss: 20,
        duplicate: 100,
        delay: Duration::from_millis(8),
    };
    for number in 0..7 {
        cluster.restart(number);
    }
    cluster.wait_until_serving();
    let mut failed = 0;
    for round in 0..1000_u32 {
        let client = cluster.client(round as usize % 2);
        let (key, text) = (format!("key-{}", round % 20), round.to_string());
        let written = cluster.ask(client, set(&key, &text), at(Level::Quorum));
        if written.outcome != DONE {
            failed += 1;
            continue;
        }
        let read = cluster.ask(client, get(&key), at(Level::Quorum));
        // One client after the other: nothing else can have been written meanwhile.
        assert!(
            read.outcome == value(&text) || read.outcome.is_err(),
            "{read:?}"
        );
    }
    assert!(failed < 20, "{failed} of 1000 writes failed");
}

#[test]
fn one_that_sends_rubbish_is_cut_off_and_the_others_go_on() {
    use memvault::transport::{Driver, LoopbackNetwork, Transport, TransportEvent};
    let network = LoopbackNetwork::new();
    let config = Config::new(vec![Member::new("a")], Role::Member("a".into()));
    let node = Node::new(config, 1, 1, store::Config::default(), Now::default()).expect("sound");
    let mut member = Driver::new(node, network.attach(0));
    let me = memvault::replication::Link::Peer(NodeIndex(0));
    for rubbish in [
        &b"*1\r\n$4\r\nPING\r\n"[..],
        b"*1\r\n$9\r\nNODE.PING\r\n",
        b"*x\r\n",
        b"*-5\r\n$",
    ] {
        let mut stranger = network.attach(9);
        stranger.connect(NodeIndex(0));
        assert_eq!(
            stranger.poll(Instant::ZERO),
            Some(TransportEvent::Connected(NodeIndex(0)))
        );
        stranger.send(me, rubbish);
        member.run(Now::default());
        assert_eq!(
            stranger.poll(Instant::ZERO),
            Some(TransportEvent::Closed(me)),
            "{rubbish:?}"
        );
    }
}

#[test]
fn a_delete_that_is_sent_twice_answers_as_the_first_would_have() {
    for leader in 0..3 {
        let mut cluster = Cluster::serving(3, 1);
        let client = cluster.client(0);
        assert_eq!(cluster.set(client, "k", "1").outcome, DONE);
        cluster.run(Duration::from_millis(5));
        let others: Vec<_> = (0..3).filter(|number| *number != leader).collect();
        // It deletes and passes the deletion on, and falls silent before it hears of the others.
        others.iter().for_each(|other| cluster.pause(*other));
        let deletion = Request::Delete([bytes("k")].into());
        let id = cluster.begin(client, deletion, at(Level::Quorum));
        cluster.step();
        cluster.pause(leader);
        others.iter().for_each(|other| cluster.resume(*other));
        let answer = cluster.finish(id).outcome;
        assert_eq!(answer, Ok(Answer::Count(1)), "node {leader} fell silent");
    }
}

#[test]
fn what_cannot_wait_is_refused_whole_and_what_can_is_carried_out() {
    let mut cluster = Cluster::start(3, 1, |config| {
        config.max_requests = 3;
        config.max_in_flight = 1;
        config.max_waiting = 3;
    });
    cluster.wait_until_serving();
    let client = cluster.client(0);
    let keys = |count: usize| {
        (0..count)
            .map(|n| bytes(&format!("{{of one leader}}{n}")))
            .collect()
    };
    let pairs = (0..4).map(|n| (bytes(&format!("{{of one leader}}{n}")), bytes("1")));
    let many = Request::SetMany(pairs.collect());
    let (keys_asked, max_requests) = (4, 3);
    assert_eq!(
        cluster.ask(client, many, Levels::default()).outcome,
        Err(Failure::TooManyKeys {
            keys: keys_asked,
            max_requests
        })
    );
    let none = Ok(Answer::Values(vec![None; 3]));
    let two = cluster.begin(client, Request::GetMany(keys(2)), Levels::default());
    let three = cluster.begin(client, Request::GetMany(keys(3)), Levels::default());
    assert_eq!(cluster.finish(three).outcome, Err(Failure::Overloaded));
    assert_eq!(
        cluster.finish(two).outcome,
        Ok(Answer::Values(vec![None; 2]))
    );
    let again = cluster.ask(client, Request::GetMany(keys(3)), Levels::default());
    assert_eq!(again.outcome, none);
}

#[test]
fn replicas_that_are_late_with_an_answer_still_count_at_the_default_level() {
    let mut cluster = Cluster::serving(3, 1);
    let client = cluster.client(0);
    let [leader, second, third] = cluster.replicas_of("k")[..] else {
        panic!("three replicas");
    };
    cluster.pause(second);
    cluster.pause(third);
    let write = cluster.begin(client, set("k", "v"), Levels::default());
    cluster.run(Duration::from_millis(250));
    cluster.resume(second);
    assert_eq!(cluster.finish(write).outcome, DONE);
    for number in [client, leader, second] {
        assert_eq!(cluster.node(number).statistics().degraded_writes, 0);
    }
    let entries = cluster.node(second).entries().expect("a member");
    assert!(entries.peek(b"k").is_some(), "two have it");
    // Once nothing was heard of them for a while, the one that is left has to do.
    cluster.run(Duration::from_secs(1));
    cluster.pause(second);
    let write = cluster.set(client, "k", "w");
    assert_eq!(write.outcome, DONE);
    assert!(write.took < Duration::from_millis(600), "{write:?}");
    assert_eq!(cluster.node(client).statistics().degraded_writes, 1);
}
