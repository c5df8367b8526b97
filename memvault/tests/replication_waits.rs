//! One promise, one test: nobody waits for a member that is back, or leads again, for longer than that takes.

use crate::cluster::{Cluster, at, get, set, value};
use memvault::replication::{Answer, Failure, Level, NodeState};
use memvault::ring::NodeIndex;
use memvault::time::Duration;

const DONE: Result<Answer, Failure> = Ok(Answer::Done);

/// Three members that serve and a client; messages take their time.
fn distant(delay: Duration) -> Cluster {
    let mut cluster = Cluster::serving(3, 1);
    // It counts from a start on.
    cluster.rates.delay = delay;
    for number in 0..4 {
        cluster.restart(number);
    }
    cluster.wait_until_serving();
    cluster
}

#[test]
fn a_member_that_was_away_for_a_minute_is_reached_by_all_before_it_serves() {
    const CLIENTS: usize = 20;
    let mut cluster = Cluster::serving(3, CLIENTS);
    for victim in 0..3 {
        cluster.kill(victim);
        cluster.run(Duration::from_secs(60));
        cluster.restart(victim);
        cluster.run_until(Duration::from_secs(5), |cluster| {
            cluster.node(victim).state() == NodeState::Serving
        });
        // As in a rolling restart: the next one goes as soon as the last one is ready.
        cluster.step();
        let next = (victim + 1) % 3;
        cluster.kill(next);
        for number in 0..CLIENTS {
            let client = cluster.client(number);
            let written = cluster.ask(client, set("k", "v"), at(Level::Quorum));
            assert_eq!(written.outcome, DONE, "client {number}, {next} is dead");
        }
        cluster.restart(next);
        cluster.wait_until_serving();
    }
}

#[test]
fn a_write_does_not_wait_for_a_heartbeat_to_hear_that_members_lead_again() {
    let mut longest = Duration::ZERO;
    // Whatever the time is between two heartbeats.
    for phase in 0..20 {
        let mut cluster = distant(Duration::from_millis(2));
        cluster.run(Duration::from_millis(5 * phase));
        for number in 0..3 {
            cluster.pause(number);
        }
        cluster.run(Duration::from_millis(600));
        // They fetch what they may have missed, before they lead again.
        for number in 0..3 {
            cluster.resume(number);
        }
        let client = cluster.client(0);
        let written = cluster.ask(client, set("k", "v"), at(Level::Quorum));
        assert_eq!(written.outcome, DONE);
        longest = longest.max(written.took);
    }
    assert!(longest < Duration::from_millis(50), "{longest:?}");
}

/// Writes at ONE for 3 s, one each millisecond. Returns how often a member has caught up meanwhile, and for how many
/// milliseconds at most.
fn catches_up(cluster: &mut Cluster, number: usize) -> (u32, u32) {
    let client = cluster.client(0);
    let (mut away, mut longest, mut times) = (0, 0, 0);
    for round in 0..3000 {
        let key = format!("key-{}", round % 50);
        cluster.begin(client, set(&key, "v"), at(Level::One));
        cluster.step();
        let is_away = cluster.node(number).state() == NodeState::CatchingUp;
        times += u32::from(is_away && away == 0);
        away = if is_away { away + 1 } else { 0 };
        longest = longest.max(away);
    }
    (times, longest)
}

#[test]
fn whoever_fetches_what_it_has_missed_leads_again_before_the_next_tick() {
    let mut cluster = distant(Duration::from_millis(1));
    let missing = NodeIndex(1);
    cluster.process(0).transport_mut().cut(missing);
    let (times, _) = catches_up(&mut cluster, 1);
    assert_eq!(times, 0, "nobody can tell it");
    cluster.process(0).transport_mut().heal();
    let (times, longest) = catches_up(&mut cluster, 1);
    assert!(
        times > 0 && longest < 25,
        "{times} times, at most {longest} ms"
    );
}

#[test]
fn a_returned_member_keeps_nobody_from_leading_that_was_only_told_later() {
    for number in [1, 2] {
        let mut cluster = distant(Duration::from_millis(1));
        cluster.kill(0);
        cluster.run(Duration::from_millis(100));
        cluster.restart(0);
        // Some of these are known to one source and not yet to the other when the returned member asks them.
        let (times, _) = catches_up(&mut cluster, number);
        assert_eq!(times, 0, "node {number}");
        assert_eq!(cluster.node(0).state(), NodeState::Serving);
    }
}

/// How many reads a member has answered.
fn answered_reads(cluster: &Cluster, number: usize) -> u64 {
    let statistics = cluster.node(number).statistics();
    statistics.replica_hits + statistics.replica_misses
}

#[test]
fn who_catches_up_is_not_asked_as_long_as_the_others_suffice() {
    let mut cluster = Cluster::serving(3, 1);
    let client = cluster.client(0);
    assert_eq!(cluster.set(client, "k", "v").outcome, DONE);
    // It stood still, and cannot fetch what it may have missed.
    for source in [0, 1] {
        let transport = cluster.process(2).transport_mut();
        transport.cut(NodeIndex(source));
    }
    cluster.pause(2);
    cluster.run(Duration::from_millis(600));
    cluster.resume(2);
    cluster.run(Duration::from_millis(150));
    assert_eq!(cluster.node(2).state(), NodeState::CatchingUp);
    let before = answered_reads(&cluster, 2);
    for _ in 0..20 {
        let read = cluster.ask(client, get("k"), at(Level::Quorum));
        assert_eq!(read.outcome, value("v"));
    }
    assert_eq!(answered_reads(&cluster, 2), before);
    cluster.kill(1);
    let read = cluster.ask(client, get("k"), at(Level::Quorum));
    assert_eq!(read.outcome, value("v"));
    assert_eq!(answered_reads(&cluster, 2), before + 1);
}
