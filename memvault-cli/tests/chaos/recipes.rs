//! Recipes from reports about other systems, each of which ended in a stale or missing value there.
//!
//! The keys are led by the member that leaves and comes back. Each step is done for all of them, by a plain
//! client at the default level through the gateway, and by the Rust client at level QUORUM.

use memvault::ring::Ring;
use rustix::process::Signal;

use crate::clients::{Ask, Plain, connect_strict};
use crate::cluster::Cluster;
use crate::network::{CLIENTS, MEMBERS, Network, Proxies, Wire, id};
use crate::support::eventually;

/// Report 604 of twemproxy: a node leaves, is written around, returns, is written to, and leaves again; then
/// the value of its first absence is read.
#[test]
fn twemproxy_604_a_node_that_leaves_twice_brings_no_old_value_back() {
    let network = Proxies::new();
    let cluster = Cluster::start(&network, "twemproxy-604");
    let mut stage = Stage::new(&network, 0);
    stage.set(1);
    stage.cut_off(true);
    stage.expect(1);
    stage.set(2);
    stage.cut_off(false);
    stage.expect(2);
    stage.set(3);
    stage.cut_off(true);
    stage.expect(3);
    stage.cut_off(false);
    eventually("the node has caught up", || cluster.all_serve(&[]));
    stage.expect(3);
}

/// The same by a node that stands still: its connections stay, and it wakes up with what it had.
#[test]
fn twemproxy_604_a_node_that_stands_still_twice_brings_no_old_value_back() {
    let network = Proxies::new();
    let cluster = Cluster::start(&network, "twemproxy-604-frozen");
    let mut stage = Stage::new(&network, 1);
    stage.set(1);
    cluster.signal(1, Signal::STOP);
    stage.expect(1);
    stage.set(2);
    cluster.signal(1, Signal::CONT);
    stage.expect(2);
    stage.set(3);
    cluster.signal(1, Signal::STOP);
    stage.expect(3);
    cluster.signal(1, Signal::CONT);
    stage.expect(3);
}

/// Report 202 of mcrouter: packets to the main node are dropped, the key is deleted and set again elsewhere;
/// when the node can be reached again, its old value is read.
#[test]
fn mcrouter_202_what_a_node_has_missed_is_not_read_from_it() {
    let network = Proxies::new();
    let _cluster = Cluster::start(&network, "mcrouter-202");
    let mut stage = Stage::new(&network, 2);
    stage.set(1);
    stage.cut_off(true);
    stage.delete();
    stage.expect_none();
    stage.set(2);
    stage.expect(2);
    stage.cut_off(false);
    // While it is found again, while it catches up, and when it leads again.
    for _ in 0..30 {
        stage.expect(2);
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}

/// Report 225 of olric: a replica starts again, empty, and right after it the owner; then the key is gone.
/// Waiting for each to serve is all that it takes to keep everything, one node after the other.
#[test]
fn olric_225_restarts_one_after_the_other_lose_nothing() {
    let network = Proxies::new();
    let mut cluster = Cluster::start(&network, "olric-225");
    let mut stage = Stage::new(&network, 3);
    stage.set(1);
    for member in [4, 3, 2, 1, 0] {
        cluster.kill(member);
        cluster.start_process(member);
        stage.expect(1);
        eventually("it serves again", || cluster.all_serve(&[]));
    }
    stage.expect(1);
}

/// The same without waiting: two of three copies are gone, more than any quorum bears, and the default level
/// still finds what the third one holds.
#[test]
fn olric_225_restarts_without_waiting_leave_what_the_last_copy_holds() {
    let network = Proxies::new();
    let mut cluster = Cluster::start(&network, "olric-225-hasty");
    let mut stage = Stage::new(&network, 3);
    stage.set(1);
    for member in [4, 3] {
        cluster.kill(member);
        cluster.start_process(member);
    }
    stage.expect_at_default(1);
    eventually("both serve again", || cluster.all_serve(&[]));
    stage.expect_at_default(1);
}

/// The clients, and the node that leaves.
struct Stage<'a> {
    network: &'a dyn Network,
    victim: usize,
    /// At level QUORUM, and at the default level; each with its keys.
    clients: [(Box<dyn Ask>, Vec<String>); 2],
}

impl<'a> Stage<'a> {
    fn new(network: &'a dyn Network, victim: usize) -> Self {
        let mut ring = Ring::new();
        for member in 0..MEMBERS {
            ring.add(&id(member), 1).expect("ids differ");
        }
        let own = id(victim);
        let leads = |key: &String| {
            let leader = ring.replicas(key.as_bytes(), 1).next();
            leader.and_then(|leader| ring.node_id(leader)) == Some(&own)
        };
        let mut keys = (0..).map(|number| format!("recipe:{number}")).filter(leads);
        let mut some_keys = || keys.by_ref().take(20).collect();
        let strict: Box<dyn Ask> = Box::new(connect_strict(network));
        let plain: Box<dyn Ask> = Box::new(Plain::of_gateway(network));
        Self {
            network,
            victim,
            clients: [(strict, some_keys()), (plain, some_keys())],
        }
    }

    /// Cuts the node off from everything, or ends that.
    fn cut_off(&self, is_cut: bool) {
        let others = (0..=CLIENTS).filter(|other| *other != self.victim);
        let wires: Vec<_> = others
            .flat_map(|other| [(self.victim, other), (other, self.victim)])
            .collect();
        self.network
            .set(&wires, if is_cut { Wire::Cut } else { Wire::Open });
    }

    /// Sets the keys of each client to a value.
    fn set(&mut self, value: u64) {
        self.each(|client, key| assert_eq!(client.set(key, value), Ok(()), "SET {key}"));
    }

    fn delete(&mut self) {
        self.each(|client, key| assert_eq!(client.del(key), Ok(()), "DEL {key}"));
    }

    fn expect(&mut self, value: u64) {
        self.each(|client, key| assert_eq!(client.get(key), Ok(Some(value)), "GET {key}"));
    }

    fn expect_none(&mut self) {
        self.each(|client, key| assert_eq!(client.get(key), Ok(None), "GET {key}"));
    }

    /// What both clients have written, as a plain client finds it.
    fn expect_at_default(&mut self, value: u64) {
        let [(_, strict_keys), (client, keys)] = &mut self.clients;
        for key in strict_keys.iter().chain(keys.iter()) {
            assert_eq!(client.get(key), Ok(Some(value)), "GET {key}");
        }
    }

    fn each(&mut self, act: impl Fn(&mut dyn Ask, &str)) {
        for (client, keys) in &mut self.clients {
            for key in keys {
                act(client.as_mut(), key);
            }
        }
    }
}
