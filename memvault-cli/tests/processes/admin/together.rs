//! Members and gateways, and what each of them tells of the others.

use std::thread;
use std::time::Duration;

use memvault::slot::slot_of;
use serde_json::Value;

use super::{get, json, metric};
use crate::cluster::Cluster;
use crate::process::{Process, free_ports};
use crate::redis::Redis;
use crate::support::{eventually, memvault};

/// Three members, each with an admin port, which serve.
struct Members {
    ports: Vec<u16>,
    admin: Vec<u16>,
    processes: Vec<Process>,
}

impl Members {
    fn start() -> Self {
        let mut ports = free_ports(6);
        let admin = ports.split_off(3);
        let mut members = Self {
            ports,
            admin,
            processes: Vec::new(),
        };
        for number in 0..3 {
            let member = members.start_one(number);
            members.processes.push(member);
        }
        for by in 0..3 {
            eventually("all are seen to serve", || {
                (0..3).all(|of| members.told(by, of)["health"] == "serving")
            });
        }
        members
    }

    fn start_one(&self, number: usize) -> Process {
        let list: Vec<_> = (0..3).map(|number| self.id(number)).collect();
        let address = format!("127.0.0.1:{}", self.admin[number]);
        let arguments = ["serve", "--cluster", &list.join(","), "--admin", &address];
        Process::start(&arguments, self.ports[number])
    }

    fn id(&self, number: usize) -> String {
        format!("127.0.0.1:{}", self.ports[number])
    }

    /// What one member's admin port tells of another member.
    fn told(&self, by: usize, of: usize) -> Value {
        let overview = json(self.admin[by], "/api/cluster");
        let mut nodes = overview["nodes"].as_array().expect("a list").iter();
        let id = self.id(of);
        let node = nodes.find(|node| node["node"] == *id);
        node.expect("it is a member").clone()
    }
}

#[test]
fn a_gateway_tells_of_its_members_where_keys_are_and_what_happened() {
    let mut cluster = Cluster::start_with_admin(4);
    let admin = cluster.admin.expect("it was asked for");
    let status = json(admin, "/api/status");
    assert_eq!(
        (&status["role"], &status["ready"]),
        (&"gateway".into(), &true.into())
    );
    let members = status["cluster"]["members"].as_array().expect("a list");
    let sum = |name: &str| {
        members
            .iter()
            .filter_map(|member| member[name].as_f64())
            .sum::<f64>()
    };
    assert!((sum("leader_ratio") - 1.0).abs() < 1e-9, "{status}");
    assert!((sum("replica_ratio") - 3.0).abs() < 1e-9, "{status}");

    // A key of three bytes, one of which must be encoded: the command `ring` says the same.
    let place = json(admin, "/api/where?x=y&key=a%26+");
    assert_eq!(place["key"], "a& ");
    assert_eq!(place["slot"], slot_of(b"a& ").number());
    let ran = memvault(&["ring", "--cluster", &cluster.list, "--key", "a& ", "--json"]);
    let nodes = place["nodes"].as_array().expect("a list");
    assert_eq!(nodes.len(), 3);
    let last = nodes.iter().fold(0, |from, node| {
        let node = node.as_str().expect("an id");
        let found = ran.stdout[from..].find(node);
        from + found.unwrap_or_else(|| panic!("{node} is not next: {}", ran.stdout))
    });
    assert!(last > 0);

    let dead = format!("127.0.0.1:{}", cluster.members[1].port);
    cluster.members[1].kill();
    eventually("the death is an event", || {
        let status = json(admin, "/api/status");
        let events = status["events"].as_array().expect("a list").iter();
        let mut downs = events.filter(|event| event["event"] == "down");
        downs.any(|event| {
            event["text"]
                .as_str()
                .is_some_and(|text| text.contains(&dead))
        })
    });
    let status = json(admin, "/api/status");
    let mut members = status["cluster"]["members"]
        .as_array()
        .expect("a list")
        .iter();
    let seen = members
        .find(|member| member["node"] == *dead)
        .expect("it is a member");
    assert_eq!(seen["up"], false);
    assert!(status["events"][0]["time_ms"].as_u64().expect("a time") > 1_700_000_000_000);
}

#[test]
fn a_member_is_ready_when_it_serves_and_tells_of_the_others() {
    let ports = free_ports(6);
    let (ports, admin) = ports.split_at(3);
    let list: Vec<_> = ports
        .iter()
        .map(|port| format!("127.0.0.1:{port}"))
        .collect();
    let list = list.join(",");
    let start = |number: usize| {
        let address = format!("127.0.0.1:{}", admin[number]);
        let arguments = ["serve", "--cluster", &list, "--admin", &address];
        Process::start(&arguments, ports[number])
    };
    // Alone it waits for the others: it turns, and is not ready.
    let mut members = vec![start(0)];
    assert_eq!(get(admin[0], "/healthz").status, 200);
    let early = get(admin[0], "/readyz");
    assert_eq!((early.status, &early.body[..7]), (503, "warming"));
    members.extend([start(1), start(2)]);
    for admin in admin {
        eventually("all are ready", || get(*admin, "/readyz").status == 200);
    }
    let dead = format!("{{node=\"127.0.0.1:{}\"}}", ports[2]);
    let told = |name: &str| metric(admin[0], &format!("{name}{dead}"));
    eventually("the third is seen", || {
        told("memvault_member_up") == Some(1.0)
    });
    let share = told("memvault_member_leader_ratio").expect("told");
    assert!((0.2..0.5).contains(&share), "{share}");
    assert_eq!(told("memvault_member_replica_ratio"), Some(1.0));

    members[2].kill();
    eventually("its death is seen", || {
        told("memvault_member_up") == Some(0.0)
    });
    let down = metric(admin[0], "memvault_events_total{event=\"down\"}");
    assert!(down.expect("told") >= 1.0);
    members[2] = start(2);
    eventually("its return is seen", || {
        told("memvault_member_up") == Some(1.0)
    });
    let back = metric(admin[0], "memvault_events_total{event=\"rejoined\"}");
    assert!(back.expect("told") >= 1.0);
}

#[test]
fn every_admin_port_shows_the_whole_cluster() {
    let members = Members::start();
    let mut redis = Redis::connect(members.ports[0]).expect("it runs");
    for key in 0..100 {
        redis.ask(&["SET", &format!("k{key}"), "v"]);
        redis.ask(&["GET", &format!("k{key}")]);
        redis.ask(&["GET", "none"]);
    }
    for by in 0..3 {
        eventually("all tell what they have done", || {
            let nodes: Vec<_> = (0..3).map(|of| members.told(by, of)).collect();
            let sum = |name: &str| {
                let values = nodes.iter().filter_map(|node| node["told"][name].as_u64());
                values.sum::<u64>()
            };
            // The one that carried it out; a read may have asked more than one, a key is held by three.
            let [operations, hits, misses, keys] =
                ["operations", "hits", "misses", "keys"].map(sum);
            keys == 300 && hits >= 100 && misses >= 100 && operations >= hits + misses + 100
        });
        for of in 0..3 {
            let node = members.told(by, of);
            assert_eq!(node["is_here"], by == of);
            assert_eq!(
                (&node["health"], &node["problem"]),
                (&"serving".into(), &Value::Null)
            );
            assert_eq!(node["replica_ratio"], 1.0);
        }
    }
    // Rates and latencies are of the last second: there is load all the time, and two of three members answer another.
    eventually("they are at work", || {
        (0..64).for_each(|_| drop(redis.ask(&["SET", "k1", "w"])));
        let total = &json(members.admin[1], "/api/cluster")["total"];
        let samples = |name: &str| total[name]["samples"].as_u64().expect("a count");
        total["operations_per_second"].as_f64().expect("a number") > 0.0
            && samples("client_latency") > 0
            && samples("answer_latency") > 0
    });
}

#[test]
fn a_death_is_told_and_comes_with_a_number() {
    let mut members = Members::start();
    let events = |since: u64| json(members.admin[0], &format!("/api/events?since={since}"));
    eventually("its number is one", || {
        members.told(0, 2)["told"].is_object()
    });
    let before = events(0)["last"].as_u64().expect("a number");
    assert_eq!(events(before)["events"], serde_json::json!([]));
    let dead = members.id(2);
    members.processes[2].kill();
    let has = |event: &str, since: u64| {
        let events = json(members.admin[0], &format!("/api/events?since={since}"));
        let mut events = events["events"].as_array().expect("a list").iter();
        events.any(|it| it["event"] == event && it["node"] == *dead)
    };
    eventually("its death is an event", || has("down", before));
    eventually("nothing old is told of it", || {
        let node = members.told(0, 2);
        node["health"] == "down" && node["told"].is_null() && node["recent"].is_null()
    });
    let down = json(members.admin[0], "/api/events")["last"]
        .as_u64()
        .expect("a number");
    members.processes[2] = members.start_one(2);
    let has = |event: &str| {
        let events = json(members.admin[0], &format!("/api/events?since={down}"));
        let mut events = events["events"].as_array().expect("a list").iter();
        events.any(|it| it["event"] == event && it["node"] == *dead)
    };
    eventually("its return is an event", || has("rejoined"));
    eventually("it tells of itself again", || {
        let node = members.told(0, 2);
        node["health"] == "serving" && node["told"].is_object()
    });
}

#[test]
fn nodes_are_asked_only_while_somebody_looks() {
    let members = Members::start();
    let mut redis = Redis::connect(members.ports[1]).expect("it runs");
    let mut clients = || redis.info("connected_clients");
    eventually("nobody asks yet", || clients().as_deref() == Some("1"));
    json(members.admin[0], "/api/cluster");
    assert_eq!(clients().as_deref(), Some("2"));
    eventually("nobody asks any more", || clients().as_deref() == Some("1"));
}

#[test]
fn the_circle_is_told_slot_by_slot() {
    let members = Members::start();
    let ring = json(members.admin[0], "/api/ring");
    let leaders = ring["leaders"].as_array().expect("a list");
    assert_eq!(
        (ring["nodes"].as_array().map(Vec::len), leaders.len()),
        (Some(3), 16_384)
    );
    for key in 0..300 {
        let place = json(members.admin[0], &format!("/api/where?key=k{key}"));
        let leader = &leaders[place["slot"].as_u64().expect("a slot") as usize];
        let leader = &ring["nodes"][leader.as_u64().expect("a place") as usize];
        assert_eq!(place["nodes"][0], *leader, "k{key}");
    }
}

#[test]
fn evictions_and_expirations_of_a_member_are_counted() {
    let ports = free_ports(2);
    let (address, admin) = (format!("127.0.0.1:{}", ports[0]), ports[1]);
    let admin_address = format!("127.0.0.1:{admin}");
    let arguments = [
        "serve",
        "--cluster",
        &address,
        "--max-entries",
        "100",
        "--admin",
        &admin_address,
    ];
    let member = Process::start(&arguments, ports[0]);
    eventually("it serves", || get(admin, "/readyz").status == 200);
    let mut redis = Redis::connect(member.port).expect("it runs");
    for key in 0..150 {
        redis.ask(&["SET", &format!("k{key}"), "v"]);
    }
    redis.ask(&["SET", "short", "v", "PX", "1"]);
    thread::sleep(Duration::from_millis(5));
    redis.ask(&["GET", "short"]);
    let evicted = metric(admin, "memvault_evictions_total");
    assert_eq!(evicted, Some(51.0));
    assert_eq!(metric(admin, "memvault_expirations_total"), Some(1.0));
    assert_eq!(redis.info("evicted_keys").as_deref(), Some("51"));
    assert_eq!(redis.info("expired_keys").as_deref(), Some("1"));
}

#[test]
fn a_gateway_is_ready_when_a_member_serves() {
    let ports = free_ports(3);
    let member_address = format!("127.0.0.1:{}", ports[0]);
    let address = format!("127.0.0.1:{}", ports[2]);
    let arguments = ["gateway", "--cluster", &member_address, "--admin", &address];
    let _gateway = Process::start(&arguments, ports[1]);
    let early = get(ports[2], "/readyz");
    assert_eq!(early.status, 503);
    assert_eq!(early.body, "no member that serves is in view\n");
    let _member = Process::start(&["serve", "--cluster", &member_address], ports[0]);
    eventually("it is ready", || get(ports[2], "/readyz").status == 200);
    assert_eq!(get(ports[2], "/readyz").body, "serving\n");
}
