//! Real redis-server processes as nodes: they are killed, stand still and come back, as clients see it.

use std::process::{Child, Command, Stdio};

use memvault::resp::Reply;
use rustix::process::Signal;

use crate::process::{Process, free_ports};
use crate::redis::{Redis, bulk, ok};
use crate::support::{eventually, memvault, signal_pid};
use crate::worker::Worker;

/// A running redis-server that saves nothing; killed when dropped.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    /// `None` if redis-server is not installed.
    fn start(port: u16) -> Option<Self> {
        let spawned = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no"])
            .args(["--dir", env!("CARGO_TARGET_TMPDIR")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        let child = match spawned {
            Ok(child) => child,
            Err(error) => {
                eprintln!("SKIPPED: redis-server cannot be started (is it installed?): {error}");
                return None;
            }
        };
        let server = Self { child, port };
        eventually("redis-server answers PING", || {
            Redis::connect(port).is_ok_and(|mut redis| redis.try_ask(&["PING"]).is_ok())
        });
        Some(server)
    }

    fn kill(&mut self) {
        self.child.kill().expect("it is our child");
        self.child.wait().expect("it is our child");
    }

    fn signal(&self, signal: Signal) {
        signal_pid(self.child.id(), signal);
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn servers(count: usize) -> Option<Vec<Server>> {
    free_ports(count).into_iter().map(Server::start).collect()
}

fn list(servers: &[Server]) -> String {
    let addresses: Vec<_> = servers.iter().map(Server::address).collect();
    addresses.join(",")
}

fn gateway(list: &str, more: &[&str]) -> Process {
    let arguments = [&["gateway", "--cluster", list], more].concat();
    Process::start(&arguments, free_ports(1)[0])
}

/// Waits until the gateway uses a server.
fn wait_until_used(gateway: &mut Redis, server: &Server) {
    let line = format!("id={},link=up,state=serving", server.address());
    eventually("the gateway uses the server", || {
        let mut nodes = (0..4).filter_map(|node| gateway.info(&format!("node{node}")));
        nodes.any(|node| node == line)
    });
}

/// Reads all keys; each must hold what was written to it once, or be a miss. Returns how many are.
fn count_misses(gateway: &mut Redis) -> usize {
    let is_miss = |key: &usize| match gateway.ask(&["GET", &format!("load:{key}")]) {
        Reply::Null => true,
        found => {
            let text = String::from_utf8_lossy(found.as_bytes().expect("a value")).into_owned();
            assert!(text.starts_with(&format!("value of {key} in")), "{text}");
            false
        }
    };
    (0..KEYS).filter(is_miss).count()
}

const KEYS: usize = 2_000;

/// Four redis-servers, two replicas. One is killed under load and comes back empty; one stands still.
#[test]
fn killing_a_redis_server_costs_no_request_and_its_return_costs_misses_only() {
    let Some(mut servers) = servers(4) else {
        return;
    };
    let gateway = gateway(&list(&servers), &["--plain-redis", "--replicas", "2"]);
    let mut redis = Redis::connect(gateway.port).expect("the gateway runs");
    eventually("the gateway serves", || {
        redis.ask(&["SET", "probe", "x"]) == ok()
    });
    for server in &servers {
        wait_until_used(&mut redis, server);
    }
    assert_eq!(redis.ask(&["FLUSHALL"]), ok());

    let worker = Worker::start(gateway.port, "load", KEYS);
    worker.wait_for(KEYS);
    servers[1].kill();
    worker.wait_for(3 * KEYS);
    let written = worker.finish();
    written.check(gateway.port);

    // It is back, empty: a key that it leads is a miss until it is written again, and never a wrong value.
    servers[1] = Server::start(servers[1].port).expect("it was installed before");
    wait_until_used(&mut redis, &servers[1]);
    let misses = count_misses(&mut redis);
    assert!((KEYS / 8..KEYS / 2).contains(&misses), "{misses} misses");
    let worker = Worker::start(gateway.port, "load", KEYS);
    worker.wait_for(KEYS);
    let written = worker.finish();
    written.check(gateway.port);
    let mut kept = 0;
    for server in &servers {
        let mut direct = Redis::connect(server.port).expect("it runs");
        kept += direct.ask(&["DBSIZE"]).as_integer().expect("a number");
    }
    assert_eq!(kept, 2 * KEYS as i64, "each key is on two servers");

    // One stands still: its keys are served by the others, and it takes part again when it goes on.
    servers[2].signal(Signal::STOP);
    written.check(gateway.port);
    for key in 0..KEYS {
        assert_eq!(redis.ask(&["SET", &format!("load:{key}"), "new"]), ok());
    }
    servers[2].signal(Signal::CONT);
    wait_until_used(&mut redis, &servers[2]);
    for key in 0..KEYS {
        assert_eq!(redis.ask(&["SET", &format!("load:{key}"), "newer"]), ok());
        assert_eq!(redis.ask(&["GET", &format!("load:{key}")]), bulk("newer"));
    }
}

/// What an operator gets to read who mixes things up.
#[test]
fn mixed_clusters_and_levels_that_need_versions_are_refused_with_a_clear_error() {
    let Some(servers) = servers(2) else { return };
    let list = list(&servers);
    let ask = |more: &[&str]| {
        let command = ["get", "k", "--cluster", &list, "--replicas", "2"];
        memvault(&[&command[..], more].concat())
    };
    let set = ["set", "k", "v", "--ttl", "1h", "--cluster", &list];
    let set = memvault(&[&set[..], &["--replicas", "2", "--plain-redis"]].concat());
    assert_eq!(set.code, Some(0), "{set:?}");
    assert_eq!(ask(&["--plain-redis"]).stdout, "v\n");
    let mut direct = Redis::connect(servers[0].port).expect("it runs");
    let left = direct.ask(&["PTTL", "k"]).as_integer().expect("a number");
    assert!((3_500_000..=3_600_000).contains(&left), "{left} ms");

    let refused = ask(&["--plain-redis", "--level", "quorum"]);
    assert_ne!(refused.code, Some(0));
    let part = "level quorum needs versions, and plain Redis servers (plain-redis) keep none";
    assert!(refused.stderr.contains(part), "{refused:?}");

    // Without the flag: each node is named, and the flag too.
    let refused = ask(&["--timeout", "500ms"]);
    for server in &servers {
        let address = server.address();
        let mut lines = refused.stderr.lines();
        let line = lines.find(|line| line.contains(&address));
        let line = line.unwrap_or_else(|| panic!("{address} is not named: {refused:?}"));
        assert!(line.contains("use --plain-redis"), "{line}");
    }

    // One of our own members among them: refused in either direction, with the reason in the log.
    let port = free_ports(1)[0];
    let own = format!("127.0.0.1:{port}");
    let _member = Process::start(&["serve", "--cluster", &own, "--replicas", "1"], port);
    let mixed = format!("{list},{own}");
    let plain = gateway(&mixed, &["--plain-redis"]);
    eventually("the member is refused", || {
        let output = plain.output();
        let mut lines = output.lines();
        lines.any(|line| {
            line.contains(&format!("rejected node={own}")) && line.contains("leave plain-redis out")
        })
    });
    let ours = gateway(&mixed, &[]);
    for server in &servers {
        let address = server.address();
        eventually("the server is refused", || {
            let output = ours.output();
            let mut lines = output.lines();
            lines.any(|line| {
                line.contains(&format!("rejected node={address}"))
                    && line.contains("use --plain-redis")
            })
        });
    }
}
