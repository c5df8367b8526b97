//! Protected mode: who is let in from an address of this machine that is not a loopback one, as from another machine.

use std::io::Write;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use memvault::replication::{self, Body, Hello, Member, Message};
use memvault_net::client::Client;
use memvault_net::driver::Settings;
use memvault_net::server::{Config, Io, Role};

use crate::running::{PATIENCE, Running, ask, eventually, rest, skipped};

/// An address of this machine that others could call; `None`, and a word about it, if it has none.
fn outer_address() -> Option<IpAddr> {
    // 198.51.100.0/24 is set aside for documentation. Nothing is sent: the system looks up its routes.
    let socket = UdpSocket::bind("0.0.0.0:0").expect("a free port");
    let own = socket.connect("198.51.100.1:9").ok();
    let own = own.and_then(|()| socket.local_addr().ok());
    let own = own
        .map(|own| own.ip())
        .filter(|own| !own.is_loopback() && !own.is_unspecified());
    if own.is_none() {
        skipped("this machine has no address but its loopback ones: protected mode is not tested");
    }
    own
}

fn everywhere() -> TcpListener {
    TcpListener::bind("0.0.0.0:0").expect("a free port")
}

fn call(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
    stream
}

/// What is answered until the end of the connection.
fn answer_to(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = call(address);
    stream.write_all(request).expect("it reads");
    rest(&mut stream)
}

fn is_denial(answer: &str) -> bool {
    let names_flag = answer.contains("start it with --protected-mode no");
    answer.starts_with("-DENIED MemVault is running in protected mode") && names_flag
}

fn single(change: impl FnOnce(&mut Config)) -> Running {
    let mut config = Config::new(Role::Single(memvault::store::Config::default()));
    change(&mut config);
    Running::start(everywhere(), config)
}

#[test]
fn clients_from_elsewhere_are_refused_by_a_node_alone_however_it_waits() {
    let Some(own) = outer_address() else { return };
    for (threads, io) in [(1, Io::Auto), (1, Io::Smol), (2, Io::Auto)] {
        let server = single(|config| (config.threads, config.io) = (threads, io));
        let port = server.address.port();
        let denied = answer_to((own, port).into(), b"SET a 1\r\n");
        assert!(is_denial(&denied), "{denied}");
        let mut here = call(([127, 0, 0, 1], port).into());
        ask(&mut here, b"GET a\r\n", b"$-1\r\n");
        let shown = b"*2\r\n$14\r\nprotected-mode\r\n$3\r\nyes\r\n";
        ask(&mut here, b"CONFIG GET protected-mode\r\n", shown);
    }
}

#[test]
fn without_it_they_are_served() {
    let Some(own) = outer_address() else { return };
    let server = single(|config| config.protected = false);
    let mut stream = call((own, server.address.port()).into());
    ask(&mut stream, b"SET a 1\r\n", b"+OK\r\n");
}

#[test]
fn many_who_say_nothing_keep_nobody_else_waiting() {
    let Some(own) = outer_address() else { return };
    let server = single(|_| {});
    let port = server.address.port();
    let silent: Vec<_> = (0..300).map(|_| call((own, port).into())).collect();
    let mut here = call(([127, 0, 0, 1], port).into());
    ask(&mut here, b"PING\r\n", b"+PONG\r\n");
    for mut stream in silent {
        assert!(is_denial(&rest(&mut stream)));
    }
}

/// Two members that know each other by the outer address.
struct Two {
    addresses: Vec<String>,
    members: Vec<Running>,
}

fn settings(addresses: &[String], role: replication::Role) -> Settings {
    let list = addresses.iter().map(Member::new).collect();
    let mut node = replication::Config::new(list, role);
    node.replicas = 2;
    Settings::new(node)
}

impl Two {
    fn start(own: IpAddr, is_protected: bool) -> Self {
        let listeners = [everywhere(), everywhere()];
        let address = |listener: &TcpListener| {
            let port = listener.local_addr().expect("it is bound").port();
            SocketAddr::new(own, port).to_string()
        };
        let addresses: Vec<String> = listeners.iter().map(address).collect();
        let start = |(listener, id): (TcpListener, &String)| {
            let role = replication::Role::Member(id.clone());
            let mut config = Config::new(Role::Cluster(Box::new(settings(&addresses, role))));
            config.protected = is_protected;
            Running::start(listener, config)
        };
        let members = listeners.into_iter().zip(&addresses).map(start);
        let members = members.collect();
        Self { addresses, members }
    }

    /// The first member's address, from elsewhere.
    fn outer(&self) -> SocketAddr {
        self.addresses[0].parse().expect("an address")
    }

    fn greeting(&self, node_id: &str, is_member: bool) -> Vec<u8> {
        let mut bytes = Vec::new();
        let hello = Hello {
            node_id: node_id.to_owned(),
            incarnation: 1,
            digest: 0,
            replicas: 2,
            is_member,
            protocol: Hello::PROTOCOL,
            virtual_nodes: memvault::ring::VIRTUAL_NODES,
            op_deadline_ms: 1000,
            callee: String::new(),
        };
        let message = Message {
            id: 7,
            epoch: 1,
            body: Body::Hello(hello),
        };
        message.encode(&mut bytes);
        bytes
    }
}

#[test]
fn members_reach_each_other_and_serve_clients_on_their_own_machine() {
    let Some(own) = outer_address() else { return };
    let two = Two::start(own, true);
    eventually("both write", || {
        let port = two.members[0].address.port();
        let here = ([127, 0, 0, 1], port).into();
        let said = answer_to(here, b"CONSISTENCY all all\r\nSET a 1\r\nQUIT\r\n");
        said == "+OK\r\n+OK\r\n+OK\r\n"
    });
}

#[test]
fn only_the_greeting_of_a_member_opens_the_door() {
    let Some(own) = outer_address() else { return };
    let two = Two::start(own, true);
    let listed = &two.addresses[1];
    for denied in [
        &b"PING\r\n"[..],
        b"*1\r\n$4\r\nPING\r\n",
        b"*2\r\n$10\r\nNODE.HELLO\r\n$1\r\nx\r\n",
        b"*x\r\n",
        &[b"*1\r\n$5000\r\n", &[b'x'; 5000][..]].concat(),
        &two.greeting(listed, false),
    ] {
        let answer = answer_to(two.outer(), denied);
        assert!(is_denial(&answer), "{answer}");
    }
    // Let in, in however many pieces it comes; refused only then, as its list is another one.
    for member in [listed, "one that is to be added"] {
        let mut stream = call(two.outer());
        for byte in two.greeting(member, true) {
            stream.write_all(&[byte]).expect("it reads");
        }
        let answer = rest(&mut stream);
        assert!(answer.contains("the member lists differ"), "{answer}");
    }
}

#[test]
fn a_client_that_coordinates_is_told_what_to_do() {
    let Some(own) = outer_address() else { return };
    let connect = |two: &Two, patience| {
        let builder = Client::builder().cluster(two.addresses.clone());
        let builder = builder.replicas(2).ready_timeout(patience);
        async_io::block_on(builder.connect())
    };
    let two = Two::start(own, true);
    let error = connect(&two, Duration::ZERO).expect_err("it is refused");
    let text = error.to_string();
    let told = "it is in protected mode: start it with --protected-mode no";
    assert!(text.contains(told), "{text}");
    connect(&Two::start(own, false), PATIENCE).expect("it is served");
}
