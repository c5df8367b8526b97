//! The server over real sockets: raw bytes in, raw bytes out.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use memvault::replication::{self, Member};
use memvault_net::client::Client;
use memvault_net::driver::Settings;
use memvault_net::server::{Config, Error, Io, Role, Server};

use crate::running::{PATIENCE, Running, ask, eventually, expect, listener, rest};

#[test]
fn commands_in_pieces_and_in_a_row_are_answered_in_order() {
    let server = Running::single(|_| {});
    let mut stream = server.connect();
    for byte in b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$2\r\n\r\n\r\n" {
        stream.write_all(&[*byte]).expect("it is open");
    }
    expect(&mut stream, b"+OK\r\n");
    ask(&mut stream, b"GET a\r\n", b"$2\r\n\r\n\r\n");
    let many = 10_000;
    let writer = stream.try_clone().expect("a handle");
    let writing = thread::spawn(move || {
        let mut writer = writer;
        for number in 0..many {
            let command = format!("ECHO {number}\r\n");
            writer.write_all(command.as_bytes()).expect("it is open");
        }
    });
    for number in 0..many {
        let text = number.to_string();
        expect(
            &mut stream,
            format!("${}\r\n{text}\r\n", text.len()).as_bytes(),
        );
    }
    writing.join().expect("no panic");
}

#[test]
fn whoever_sends_and_closes_still_gets_all_replies() {
    let server = Running::single(|_| {});
    let mut stream = server.connect();
    stream
        .write_all(b"SET a \"x y\" EX 10\r\nGET a\r\n")
        .expect("it is open");
    stream.shutdown(Shutdown::Write).expect("it is open");
    assert_eq!(rest(&mut stream), "+OK\r\n$3\r\nx y\r\n");
}

#[test]
fn a_malformed_frame_is_answered_and_closes_that_client_only() {
    let server = Running::single(|_| {});
    let mut other = server.connect();
    ask(&mut other, b"SET a 1\r\n", b"+OK\r\n");
    let mut stream = server.connect();
    stream
        .write_all(b"PING\r\n*1\r\n$x\r\nPING\r\n")
        .expect("it is open");
    let replies = rest(&mut stream);
    assert!(
        replies.starts_with("+PONG\r\n-ERR Protocol error: "),
        "{replies}"
    );
    ask(&mut other, b"GET a\r\n", b"$1\r\n1\r\n");
    ask(&mut other, b"QUIT\r\n", b"+OK\r\n");
    assert_eq!(rest(&mut other), "");
}

#[test]
fn one_client_too_many_is_told_so() {
    let server = Running::single(|config| config.max_clients = 2);
    let (mut one, mut two) = (server.connect(), server.connect());
    ask(&mut one, b"PING\r\n", b"+PONG\r\n");
    ask(&mut two, b"PING\r\n", b"+PONG\r\n");
    let refusal = rest(&mut server.connect());
    assert!(
        refusal.starts_with("-ERR max number of clients reached"),
        "{refusal}"
    );
    assert!(refusal.contains("--max-clients"), "{refusal}");
    drop(one);
    eventually("there is room again", || {
        let mut stream = server.connect();
        stream.write_all(b"PING\r\n").is_ok()
            && stream.read(&mut [0; 7]).is_ok_and(|read| read == 7)
    });
}

#[test]
fn silent_clients_are_closed_and_others_are_not() {
    let server = Running::single(|config| config.idle_timeout = Some(Duration::from_millis(500)));
    let (mut silent, mut lively) = (server.connect(), server.connect());
    let is_silent_open = thread::spawn(move || rest(&mut silent));
    let deadline = Instant::now() + PATIENCE;
    while !is_silent_open.is_finished() {
        assert!(Instant::now() < deadline, "still open");
        ask(&mut lively, b"PING\r\n", b"+PONG\r\n");
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(is_silent_open.join().expect("no panic"), "");
}

#[test]
fn a_slow_reader_holds_up_itself_only_and_loses_nothing() {
    let server = Running::single(|_| {});
    let mut slow = server.connect();
    let value = vec![b'v'; 1 << 20];
    slow.write_all(b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1048576\r\n")
        .expect("it is open");
    slow.write_all(&value).expect("it is open");
    ask(&mut slow, b"\r\n", b"+OK\r\n");
    let count = 64;
    for _ in 0..count {
        slow.write_all(b"GET a\r\n").expect("it is open");
    }
    let mut quick = server.connect();
    for _ in 0..100 {
        ask(&mut quick, b"PING\r\n", b"+PONG\r\n");
    }
    for _ in 0..count {
        expect(&mut slow, b"$1048576\r\n");
        let mut found = vec![0; value.len()];
        slow.read_exact(&mut found).expect("the value");
        assert!(found == value);
        expect(&mut slow, b"\r\n");
    }
}

#[test]
fn the_end_of_the_server_answers_what_was_received() {
    let mut server = Running::single(|config| config.shutdown_timeout = 2 * PATIENCE);
    let mut stream = server.connect();
    ask(&mut stream, b"PING\r\n", b"+PONG\r\n");
    stream
        .write_all(b"SET a 1\r\nGET a\r\n")
        .expect("it is open");
    // On this machine, what was sent is received.
    server.stop();
    assert_eq!(rest(&mut stream), "+OK\r\n$1\r\n1\r\n");
    server.join();
    assert!(
        TcpStream::connect(server.address).is_err(),
        "it still listens"
    );
}

#[test]
fn a_node_alone_refuses_to_be_a_peer() {
    let server = Running::single(|_| {});
    let builder = Client::builder().cluster([server.address.to_string()]);
    let builder = builder.ready_timeout(Duration::ZERO);
    let error = futures_lite::future::block_on(builder.connect()).expect_err("no cluster");
    assert!(error.to_string().contains("--cluster"), "{error}");
}

/// Members and a gateway, each a server.
pub(crate) struct Cluster {
    members: Vec<Option<Running>>,
    pub(crate) gateway: Running,
}

impl Cluster {
    pub(crate) fn start(count: usize) -> Self {
        let listeners: Vec<TcpListener> = (0..count).map(|_| listener()).collect();
        let ids = listeners.iter().map(|listener| {
            let address = listener.local_addr().expect("it is bound");
            address.to_string()
        });
        let ids: Vec<String> = ids.collect();
        let node = |role| {
            let members = ids.iter().map(Member::new).collect();
            let settings = Settings::new(replication::Config::new(members, role));
            Config::new(Role::Cluster(Box::new(settings)))
        };
        let members = listeners.into_iter().zip(&ids).map(|(listener, id)| {
            let config = node(replication::Role::Member(id.clone()));
            Some(Running::start(listener, config))
        });
        let members = members.collect();
        let gateway = node(replication::Role::Coordinator("gateway".into()));
        let gateway = Running::start(listener(), gateway);
        Self { members, gateway }
    }

    pub(crate) fn member(&self, number: usize) -> &Running {
        self.members[number].as_ref().expect("it runs")
    }

    pub(crate) fn wait_until_it_serves(&self) {
        let mut servers: Vec<&Running> = self.members.iter().flatten().collect();
        servers.push(&self.gateway);
        for server in servers {
            let mut stream = server.connect();
            eventually("the cluster serves", || {
                stream.write_all(b"SET ready yes\r\n").expect("it is open");
                let mut reply = [0; 256];
                let read = stream.read(&mut reply).expect("a reply");
                reply.starts_with(b"+OK\r\n") && read == 5
            });
            // One that serves is enough for that: as long as others warm up, it is not to be killed.
            eventually("all members serve, as this server sees them", || {
                let mut stream = server.connect();
                let asked = stream.write_all(b"INFO replication\r\nQUIT\r\n");
                asked.expect("it is open");
                let told = rest(&mut stream);
                let serving = told.matches(",link=up,state=serving").count();
                serving == self.members.iter().flatten().count()
            });
        }
    }
}

#[test]
fn members_and_a_gateway_serve_plain_clients_for_the_whole_cluster() {
    let mut cluster = Cluster::start(3);
    cluster.wait_until_it_serves();
    let mut through_gateway = cluster.gateway.connect();
    let mut through_member = cluster.member(0).connect();
    for number in 0..50 {
        let set = format!("SET key:{number} {number}\r\n");
        ask(&mut through_gateway, set.as_bytes(), b"+OK\r\n");
    }
    ask(
        &mut through_member,
        b"MGET key:1 nothing key:3\r\n",
        b"*3\r\n$1\r\n1\r\n$-1\r\n$1\r\n3\r\n",
    );
    // Pipelined, and in order although the keys are on different nodes.
    let commands: String = (0..50).map(|n| format!("GET key:{n}\r\n")).collect();
    let replies: String = (0..50)
        .map(|n| format!("${}\r\n{n}\r\n", n.to_string().len()))
        .collect();
    ask(&mut through_member, commands.as_bytes(), replies.as_bytes());
    through_gateway
        .shutdown(Shutdown::Write)
        .expect("it is open");
    assert_eq!(rest(&mut through_gateway), "");
    cluster.members[2] = None;
    ask(&mut through_member, commands.as_bytes(), replies.as_bytes());
    let mut again = cluster.gateway.connect();
    ask(&mut again, commands.as_bytes(), replies.as_bytes());
    ask(&mut again, b"SET key:1 new\r\n", b"+OK\r\n");
}

#[test]
fn whoever_sends_to_a_gateway_and_closes_still_gets_all_replies() {
    let cluster = Cluster::start(1);
    cluster.wait_until_it_serves();
    let mut stream = cluster.gateway.connect();
    stream
        .write_all(b"SET a 1\r\nGET a\r\nGET b\r\n")
        .expect("it is open");
    stream.shutdown(Shutdown::Write).expect("it is open");
    assert_eq!(rest(&mut stream), "+OK\r\n$1\r\n1\r\n$-1\r\n");
}

#[test]
fn a_server_tells_of_its_process_its_clients_and_its_limits() {
    let mut server = Running::single(|config| config.max_clients = 9);
    let _idle = server.connect();
    let mut stream = server.connect();
    let commands =
        b"INFO server clients stats\r\nCONFIG GET max-k*\r\nCONFIG SET port 1\r\nQUIT\r\n";
    stream.write_all(commands).expect("it reads");
    let mut replies = String::new();
    stream
        .read_to_string(&mut replies)
        .expect("it answers and closes");
    let port = format!("tcp_port:{}\r\n", server.address.port());
    for part in [
        port.as_str(),
        "# Server\r\nredis_version:",
        "\r\nuptime_in_seconds:",
        "# Clients\r\nconnected_clients:",
        "maxclients:9\r\n",
        "# Stats\r\ntotal_connections_received:",
        "*2\r\n$7\r\nmax-key\r\n$5\r\n65536\r\n",
        "-ERR CONFIG SET failed (possibly related to argument 'port') - can't set immutable config\r\n",
    ] {
        assert!(replies.contains(part), "{part} in {replies}");
    }
    server.stop();
    server.join();
}

#[test]
fn every_way_to_wait_for_clients_serves_them_and_is_told() {
    let best = if cfg!(target_os = "linux") {
        Io::Epoll
    } else {
        Io::Smol
    };
    for (asked, used, threads) in [
        (Io::Auto, best, 1),
        (best, best, 1),
        (Io::Smol, Io::Smol, 1),
        (Io::Smol, Io::Smol, 2),
    ] {
        let server = Running::single(|config| {
            config.io = asked;
            config.threads = threads;
        });
        let mut stream = server.connect();
        ask(&mut stream, b"SET a 1\r\n", b"+OK\r\n");
        ask(&mut stream, b"GET a\r\n", b"$1\r\n1\r\n");
        let name = used.name();
        let told = format!("*2\r\n$2\r\nio\r\n${}\r\n{name}\r\n", name.len());
        ask(&mut stream, b"CONFIG GET io\r\n", told.as_bytes());
    }
}

#[test]
fn a_node_of_a_cluster_cannot_wait_in_an_epoll_of_its_own() {
    let role = replication::Role::Member("a:1".to_owned());
    let settings = Settings::new(replication::Config::new(vec![Member::new("a:1")], role));
    let mut config = Config::new(Role::Cluster(Box::new(settings)));
    config.io = Io::Epoll;
    let error = Server::run(listener(), config, std::future::ready(()));
    let Err(error @ Error::Epoll(_)) = error else {
        panic!("it runs: {error:?}")
    };
    assert!(
        error.to_string().contains("use --io auto or smol"),
        "{error}"
    );
}
