//! The admin port of real processes: what it tells, and what it puts up with.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::cluster::Cluster;
use crate::process::{Process, free_ports};
use crate::redis::Redis;
use crate::support::{PATIENCE, Running, eventually, memvault};

/// A response, taken apart.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

/// Sends bytes and reads until the server closes.
fn send(port: u16, bytes: &[u8]) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(bytes)?;
    read(stream)
}

fn read(mut stream: TcpStream) -> std::io::Result<Answer> {
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let status = head.strip_prefix("HTTP/1.1 ").expect("a status line");
    Ok(Answer {
        status: status[..3].parse().expect("a status"),
        head: head.to_owned(),
        body: body.to_owned(),
    })
}

fn get(port: u16, path: &str) -> Answer {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    send(port, request.as_bytes()).expect("an answer")
}

/// The value of a metric without labels, or with these: `name{label="value"}`.
fn metric(port: u16, name: &str) -> Option<f64> {
    let text = get(port, "/metrics").body;
    let mut lines = text.lines();
    lines.find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

/// A node alone with an admin port.
fn node(arguments: &[&str]) -> (Process, u16) {
    let [port, admin] = free_ports(2)[..] else {
        panic!("two ports were asked for");
    };
    let address = format!("127.0.0.1:{admin}");
    let arguments = [&["serve", "--admin", &address], arguments].concat();
    (Process::start(&arguments, port), admin)
}

#[test]
fn a_node_alone_counts_what_its_clients_do() {
    for threads in ["1", "2"] {
        let flags = ["--threads", threads, "--max-entries", "100"];
        let (node, admin) = node(&flags);
        let mut redis = Redis::connect(node.port).expect("it runs");
        let sets: Vec<_> = (0..300)
            .map(|key| vec!["SET".to_owned(), format!("k{key}"), "v".to_owned()])
            .collect();
        redis.pipeline(&sets).expect("replies");
        for _ in 0..100 {
            redis.ask(&["GET", "none"]);
        }
        redis.ask(&["GET", "k299"]);
        // The present state of a connection is told, and a sample of one request in 16 was timed.
        assert_eq!(metric(admin, "memvault_connected_clients"), Some(1.0));
        let calls = |name| {
            metric(
                admin,
                &format!("memvault_commands_total{{command=\"{name}\"}}"),
            )
        };
        assert_eq!((calls("get"), calls("set")), (Some(101.0), Some(300.0)));
        assert_eq!(calls("mget"), None);
        let seconds = "memvault_command_duration_seconds_total{command=\"set\"}";
        assert!(metric(admin, seconds).expect("told") > 0.0);
        assert_eq!(metric(admin, "memvault_misses_total"), Some(100.0));
        assert_eq!(metric(admin, "memvault_hits_total"), Some(1.0));
        assert_eq!(metric(admin, "memvault_entries"), Some(100.0));
        assert_eq!(metric(admin, "memvault_evictions_total"), Some(200.0));
        assert_eq!(metric(admin, "memvault_max_entries"), Some(100.0));
        let timed = metric(admin, "memvault_request_duration_seconds_count");
        assert!((5.0..=8.0).contains(&timed.expect("told")), "{timed:?}");
        let infinite = "memvault_request_duration_seconds_bucket{le=\"+Inf\"}";
        assert_eq!(metric(admin, infinite), timed);
        assert_eq!(get(admin, "/healthz").body, "ok\n");
        assert_eq!(get(admin, "/readyz").body, "serving\n");
    }
}

fn json(port: u16, path: &str) -> Value {
    let answer = get(port, path);
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.head.contains("Content-Type: application/json"));
    serde_json::from_str(&answer.body).expect("a document")
}

#[test]
fn the_status_of_a_node_alone_is_a_document() {
    let (node, admin) = node(&["--max-memory", "1mb"]);
    let mut redis = Redis::connect(node.port).expect("it runs");
    redis.ask(&["SET", "a", "b"]);
    for key in ["a", "a", "a", "none"] {
        redis.ask(&["GET", key]);
    }
    let status = json(admin, "/api/status");
    assert_eq!(status["role"], "alone");
    assert_eq!(
        (&status["ready"], &status["state"]),
        (&true.into(), &"serving".into())
    );
    assert_eq!(status["hit_ratio"], 0.75);
    assert_eq!(status["entries"], 1);
    assert_eq!(status["memory_limit_bytes"], 1 << 20);
    assert!(status["memory_used_bytes"].as_u64().expect("told") > 0);
    assert_eq!(status["cluster"], Value::Null);
    assert_eq!(status["clients"]["connected"], 1);
    eventually("what is recent becomes old", || {
        json(admin, "/api/status")["recent"]["commands_per_second"] == 0.0
    });
    assert_eq!(
        json(admin, "/api/where?key=a")["nodes"],
        serde_json::json!([])
    );
    let answer = get(admin, "/api/where?kez=a");
    assert_eq!(answer.status, 400);
    assert!(
        answer.body.contains("/api/where?key=KEY"),
        "{}",
        answer.body
    );
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
fn bad_requests_get_an_answer_that_says_what_is_wrong() {
    let (_node, admin) = node(&[]);
    let long = format!("GET /metrics HTTP/1.1\r\na: {}", "b".repeat(9000));
    let many = format!("GET /metrics HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(100));
    for (bytes, status, text) in [
        (
            "GET /x HTTP/1.1\r\n\r\n",
            404,
            "/metrics, /healthz, /readyz",
        ),
        ("GET /page/page.js HTTP/1.1\r\n\r\n", 404, "/metrics"),
        ("POST /page.js HTTP/1.1\r\n\r\n", 405, "GET or HEAD"),
        ("GET /api HTTP/1.1\r\n\r\n", 404, "/api/cluster"),
        (
            "GET /api/events?since=-1 HTTP/1.1\r\n\r\n",
            400,
            "since=NUMBER",
        ),
        (
            "GET /api/events?sinc=1 HTTP/1.1\r\n\r\n",
            400,
            "since=NUMBER",
        ),
        ("PUT / HTTP/1.1\r\n\r\n", 405, "expected GET or HEAD"),
        ("OPTIONS /api/cluster HTTP/1.1\r\n\r\n", 405, "GET or HEAD"),
        ("GET /metrics/ HTTP/1.1\r\n\r\n", 404, "/metrics"),
        ("GET /../metrics HTTP/1.1\r\n\r\n", 404, "/metrics"),
        ("GET /%2e%2e/etc/passwd HTTP/1.1\r\n\r\n", 404, "/metrics"),
        ("GET //metrics HTTP/1.1\r\n\r\n", 404, "/metrics"),
        (
            "POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
            405,
            "expected GET or HEAD",
        ),
        ("DELETE /healthz HTTP/1.1\r\n\r\n", 405, "GET or HEAD"),
        ("GET /metrics HTTP/3.0\r\n\r\n", 505, "HTTP/1.1"),
        ("SET a b\r\n", 505, "HTTP/1.1"),
        ("\x16\x03\x01\r\n\r\n", 400, "HTTP/1.1"),
        (&long, 431, "8192 bytes"),
        (&many, 431, "64 lines"),
    ] {
        let answer = send(admin, bytes.as_bytes()).expect("an answer");
        assert_eq!(answer.status, status, "{bytes:.40}");
        assert!(answer.body.contains(text), "{bytes:.40}: {}", answer.body);
        let allows = answer.head.contains("\r\nAllow: GET, HEAD\r\n");
        assert_eq!(allows, status == 405, "{}", answer.head);
    }
    let head = send(admin, b"HEAD /healthz HTTP/1.1\r\n\r\n").expect("an answer");
    assert_eq!((head.status, &*head.body), (200, ""));
    assert!(head.head.contains("\r\nContent-Length: 3\r\n"));
}

#[test]
fn slow_and_many_connections_do_not_keep_others_out_for_long() {
    let (node, admin) = node(&[]);
    let open = || TcpStream::connect(("127.0.0.1", admin)).expect("it listens");
    let mut slow: Vec<_> = (0..32).map(|_| open()).collect();
    for stream in &mut slow {
        stream.write_all(b"GET /metrics HT").expect("it reads");
    }
    let full = read(open()).expect("an answer");
    assert_eq!(full.status, 503);
    assert!(full.body.contains("32 connections"), "{}", full.body);
    // Clients of the cache do not notice.
    let mut redis = Redis::connect(node.port).expect("it runs");
    redis.ask(&["PING"]);
    // One that leaves makes room at once, the others after some seconds.
    drop(slow.pop());
    eventually("there is room again", || {
        send(admin, b"GET /healthz HTTP/1.1\r\n\r\n").is_ok_and(|answer| answer.status == 200)
    });
    for stream in slow {
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        let answer = read(stream).expect("an answer");
        assert_eq!(answer.status, 408, "{}", answer.body);
    }
}

#[test]
fn limits_are_what_their_flags_say() {
    let flags = [
        "--admin-max-connections",
        "2",
        "--admin-max-head",
        "1kb",
        "--admin-max-header-lines",
        "3",
        "--admin-read-timeout",
        "50ms",
        "--admin-timeout",
        // An answer that came later than this would not come at all.
        "3s",
    ];
    let (_node, admin) = node(&flags);
    let slow = TcpStream::connect(("127.0.0.1", admin)).expect("it listens");
    slow.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let slow = read(slow).expect("an answer");
    assert_eq!(slow.status, 408, "{}", slow.body);
    assert!(
        slow.body.contains("50ms (--admin-read-timeout)"),
        "{}",
        slow.body
    );
    let long = format!("GET /healthz HTTP/1.1\r\na: {}", "b".repeat(1100));
    let many = format!("GET /healthz HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(4));
    for (bytes, text) in [(long, "1024 bytes (--admin-max-head)"), (many, "3 lines")] {
        let answer = send(admin, bytes.as_bytes()).expect("an answer");
        assert_eq!(answer.status, 431);
        assert!(answer.body.contains(text), "{}", answer.body);
    }
    let (_node, admin) = node(&["--admin-max-connections", "1", "--admin-read-timeout", "1h"]);
    let _open = TcpStream::connect(("127.0.0.1", admin)).expect("it listens");
    let full = TcpStream::connect(("127.0.0.1", admin)).and_then(read);
    let full = full.expect("an answer");
    assert_eq!(full.status, 503);
    assert!(full.body.contains("1 connections"), "{}", full.body);
}

#[test]
fn an_end_of_input_amid_a_request_does_no_harm() {
    let (_node, admin) = node(&[]);
    let mut stream = TcpStream::connect(("127.0.0.1", admin)).expect("it listens");
    stream.write_all(b"GET /he").expect("it reads");
    stream.shutdown(Shutdown::Write).expect("a socket");
    let mut rest = Vec::new();
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    stream.read_to_end(&mut rest).expect("it closes");
    assert_eq!(rest, b"");
    assert_eq!(get(admin, "/healthz").status, 200);
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
            // Whoever carried it out; a read may have asked more than one, a key is held by three.
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
fn the_circle_is_told_in_parts() {
    let members = Members::start();
    let ring = json(members.admin[0], "/api/ring");
    let leaders = ring["leaders"].as_array().expect("a list");
    assert_eq!(
        (ring["nodes"].as_array().map(Vec::len), leaders.len()),
        (Some(3), 2880)
    );
    // Virtual nodes may be narrower than a part; most are not.
    let agree = (0..300).filter(|key| {
        let place = json(members.admin[0], &format!("/api/where?key=k{key}"));
        let position = place["position"].as_f64().expect("a fraction");
        let leader = &leaders[(position * 2880.0) as usize];
        place["nodes"][0] == ring["nodes"][leader.as_u64().expect("a place") as usize]
    });
    assert!(agree.count() > 200);
}

#[test]
fn the_page_comes_in_files_and_may_load_nothing_else() {
    let (_node, admin) = node(&[]);
    for (path, kind, text) in [
        ("/", "text/html; charset=utf-8", "<title>MemVault</title>"),
        ("/page.css", "text/css; charset=utf-8", "color-scheme"),
        (
            "/page.js",
            "text/javascript; charset=utf-8",
            "\"use strict\";",
        ),
        ("/icon.svg", "image/svg+xml", "<svg"),
    ] {
        let answer = get(admin, path);
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.body.contains(text), "{path}");
        for header in [
            &format!("Content-Type: {kind}\r\n"),
            "Content-Security-Policy: default-src 'none'; script-src 'self';",
            "X-Content-Type-Options: nosniff",
        ] {
            assert!(answer.head.contains(header), "{path}: {}", answer.head);
        }
    }
}

#[test]
fn a_node_alone_is_a_cluster_of_one() {
    let (node, admin) = node(&["--max-memory", "1mb"]);
    let mut redis = Redis::connect(node.port).expect("it runs");
    redis.ask(&["SET", "a", "b"]);
    redis.ask(&["GET", "a"]);
    let overview = json(admin, "/api/cluster");
    assert_eq!(
        (&overview["role"], &overview["gateway"]),
        (&"alone".into(), &Value::Null)
    );
    assert_eq!(overview["nodes"].as_array().map(Vec::len), Some(1));
    assert_eq!(overview["nodes"][0]["told"]["hits"], 1);
    assert_eq!(overview["total"]["keys"], 1);
    assert_eq!(overview["total"]["memory_limit_bytes"], 1 << 20);
    assert_eq!(json(admin, "/api/events")["events"], serde_json::json!([]));
    assert_eq!(
        json(admin, "/api/ring")["nodes"],
        serde_json::json!(["this node"])
    );
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

#[test]
fn wrong_flags_and_taken_ports_are_named() {
    for (command, address) in [("serve", "9400"), ("gateway", "a:b"), ("up", "::1:9400")] {
        let ran = memvault(&[command, "--admin", address]);
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(ran.stderr.contains("--admin <HOST:PORT>"), "{}", ran.stderr);
        assert!(ran.stderr.contains("127.0.0.1:9400"), "{}", ran.stderr);
    }
    for (flag, value, expected) in [
        ("--admin-max-connections", "0", "1 to 10000"),
        ("--admin-max-head", "511", "512b to 1mb"),
        ("--admin-max-header-lines", "1001", "1 to 1000"),
        ("--admin-read-timeout", "5", "5s or 5ms"),
        ("--admin-timeout", "0s", "more than 0"),
        ("--admin-max-events", "x", "1 to 100000"),
    ] {
        for command in ["serve", "up"] {
            let ran = memvault(&[command, "--admin", "127.0.0.1:1", flag, value]);
            assert_eq!(ran.code, Some(2), "{}", ran.stderr);
            assert!(
                ran.stderr.contains(flag) && ran.stderr.contains(expected),
                "{}",
                ran.stderr
            );
        }
    }
    let alone = memvault(&["serve", "--admin-max-events", "5"]);
    assert_eq!(alone.code, Some(2));
    assert!(
        alone.stderr.contains("--admin <HOST:PORT>"),
        "{}",
        alone.stderr
    );
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound").to_string();
    let ran = memvault(&["serve", "--port", "0", "--admin", &address]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stderr.contains("is in use (--admin 127.0.0.1:"),
        "{}",
        ran.stderr
    );
    let ran = memvault(&["up", "--count", "2", "--admin", "127.0.0.1:65534"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("--admin 127.0.0.1:65534"),
        "{}",
        ran.stderr
    );
    let ran = memvault(&["up", "--count", "3", "--admin", "127.0.0.1:7000"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("port 7001"), "{}", ran.stderr);
}

#[test]
fn an_address_that_others_reach_is_warned_about() {
    let mut node = Running::start(&["serve", "--port", "0", "--admin", "0.0.0.0:0"]);
    let line = node.wait_for("WARN");
    assert!(line.contains("--admin"), "{line}");
}
