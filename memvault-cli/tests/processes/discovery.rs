//! Members that know one seed each: real processes, real datagrams.

use std::net::UdpSocket;
use std::thread;
use std::time::Duration;

use memvault::replication::{Level, Levels};
use memvault_net::client::Client;

use crate::process::{Process, free_ports};
use crate::redis::{Redis, bulk, ok};
use crate::support::{Running, command, eventually, memvault};

fn address(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

/// A member called `id` that knows only `seed`.
fn member(id: &str, port: u16, seed: u16) -> Process {
    Process::start(
        &["serve", "--node-id", id, "--discover", &address(seed)],
        port,
    )
}

/// Has the member at `server` add a waiting one, as soon as it has called.
fn add(id: &str, port: u16, server: u16) {
    let node = format!("{id}={}", address(port));
    eventually("the new node is added", || {
        let output = command(&["cluster", "add", &node, "--server", &address(server)])
            .args(["--wait", "--timeout", "10s"])
            .output();
        output.expect("the command runs").status.success()
    });
}

/// Waits until `server` sees `id` serve at `port`.
fn wait_until_seen(server: u16, id: &str, port: u16) {
    eventually("the member is seen where it is", || {
        let ran = memvault(&["cluster", "status", "--server", &address(server), "--json"]);
        let status: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
        let nodes = status["nodes"].as_array().cloned().unwrap_or_default();
        nodes.iter().any(|node| {
            node["id"] == id
                && node["address"] == address(port)
                && node["link"] == "up"
                && node["state"] == "serving"
        })
    });
}

/// One member starts a cluster, two join, a gateway and a client look on, each by one seed. A member is killed
/// and comes back at another port, which it tells nobody but its seed.
#[test]
fn a_member_that_comes_back_at_another_port_is_found_by_all() {
    let ports = free_ports(5);
    let [a, b, c, elsewhere, front] = ports[..] else {
        panic!("five ports");
    };
    let of_itself = format!("a={}", address(a));
    let seed = address(a);
    let mut words = vec!["serve", "--node-id", "a", "--cluster", &of_itself];
    words.extend(["--discover", &seed]);
    let _a = Process::start(&words, a);
    let mut process_b = member("b", b, a);
    add("b", b, a);
    let _c = member("c", c, a);
    add("c", c, a);
    let _gateway = Process::start(&["gateway", "--discover", &address(c)], front);
    let client = smol::block_on(Client::builder().discover([address(b)]).connect());
    let client = client.expect("the cluster serves");
    let of_all = Levels {
        write: Level::All,
        read: Level::All,
    };
    let client = client.with_levels(of_all);
    eventually("the client reaches all three", || {
        smol::block_on(client.set("before", "1")).is_ok()
    });

    process_b.kill();
    let _b = member("b", elsewhere, c);
    for server in [a, c, elsewhere, front] {
        wait_until_seen(server, "b", elsewhere);
    }
    eventually("the client reaches all three again", || {
        smol::block_on(client.set("after", "2")).is_ok()
    });
    let mut gateway = Redis::connect(front).expect("the gateway runs");
    assert_eq!(gateway.ask(&["CONSISTENCY", "ALL", "ALL"]), ok());
    assert_eq!(gateway.ask(&["SET", "through the gateway", "3"]), ok());
    assert_eq!(gateway.ask(&["GET", "after"]), bulk("2"));
}

/// Who finds nobody says so and goes on; what is no datagram of discovery is ignored.
#[test]
fn a_member_without_an_answer_says_whom_it_asks_and_ignores_junk() {
    let ports = free_ports(2);
    let (port, silent) = (ports[0], ports[1]);
    let mut waiting = Running::start(&[
        "serve",
        "--port",
        &port.to_string(),
        "--discover",
        &address(silent),
    ]);
    waiting.wait_for("listening address=");
    let stranger = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    // Again and again: it listens for datagrams a moment after it listens for clients.
    thread::spawn(move || {
        for _ in 0..100 {
            // An error is that of the datagram before, which nobody took.
            let _ = stranger.send_to(b"PING\r\n", address(port));
            thread::sleep(Duration::from_millis(100));
        }
    });
    let line = waiting.wait_for("discovery-ignored");
    assert!(line.contains("not of this protocol"), "{line}");
    let line = waiting.wait_for("discovery-no-answer");
    assert!(line.contains(&address(silent)) && line.contains("--discover"));
}
