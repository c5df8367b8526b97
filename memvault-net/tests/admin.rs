//! What the admin port of a node tells while that node refuses all requests.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use memvault::replication::{self, Member};
use memvault_net::driver::Settings;
use memvault_net::server::{Config, Role};

use crate::cluster::support::impostor_ahead;
use crate::running::{PATIENCE, Running, eventually, listener};

fn get(admin: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(admin).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

fn address(listener: &TcpListener) -> SocketAddr {
    listener.local_addr().expect("it is bound")
}

/// A node beside a member whose clock is an hour ahead, and where it tells of itself.
fn beside_another_time(
    role: impl FnOnce(String) -> (replication::Role, Vec<String>),
) -> (Running, SocketAddr) {
    let (own, other, admin) = (listener(), listener(), listener());
    let (role, more) = role(address(&own).to_string());
    let mut members = vec![address(&other).to_string()];
    members.extend(more);
    impostor_ahead(other, 3_600_000, |_stream| thread::sleep(PAUSE));
    let node = replication::Config::new(members.iter().map(Member::new).collect(), role);
    let mut config = Config::new(Role::Cluster(Box::new(Settings::new(node))));
    let tells = address(&admin);
    config.admin = Some(Arc::new(admin));
    (Running::start(own, config), tells)
}

/// How long the member with the other time keeps a connection without a word.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(300);

#[test]
fn a_node_that_refuses_everything_for_its_clock_is_not_ready() {
    let gateway = |_own: String| (replication::Role::Coordinator("gateway".to_owned()), vec![]);
    let member = |own: String| (replication::Role::Member(own.clone()), vec![own]);
    let nodes = [beside_another_time(gateway), beside_another_time(member)];
    for (node, admin) in &nodes {
        eventually("it refuses for its clock", || {
            let mut client = node.connect();
            client.write_all(b"SET k v\r\nQUIT\r\n").expect("it reads");
            let mut said = String::new();
            // It answers QUIT and closes.
            client.read_to_string(&mut said).expect("an answer");
            said.starts_with("-CLOCKSKEW ")
        });
        let ready = get(*admin, "/readyz");
        assert!(
            ready.starts_with("HTTP/1.1 503 ") && ready.contains("-CLOCKSKEW"),
            "{ready}"
        );
        assert!(get(*admin, "/healthz").starts_with("HTTP/1.1 200 "));
        assert!(get(*admin, "/api/status").contains("CLOCKSKEW"));
    }
}
