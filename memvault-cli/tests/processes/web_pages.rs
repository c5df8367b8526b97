//! What a web page has a browser send to the port of a server: closed, not executed, and told.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::process::{Process, free_ports};
use memvault::resp::Reply;

use crate::redis::{Redis, ok};
use crate::support::{PATIENCE, eventually};

/// Sends bytes and reads until the server closes.
fn send(port: u16, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    stream.write_all(bytes).expect("it reads");
    let mut said = Vec::new();
    // Closed with bytes unread, it may be reset.
    let _ = stream.read_to_end(&mut said);
    String::from_utf8(said).expect("text")
}

fn check(process: &Process) {
    let mut redis = Redis::connect(process.port).expect("it runs");
    eventually("it serves", || {
        redis
            .try_ask(&["SET", "kept", "1"])
            .is_ok_and(|reply| reply == ok())
    });
    let body = "SET pwned 1\r\nFLUSHALL\r\n";
    let request = format!(
        "POST / HTTP/1.1\r\nHost: localhost:{}\r\nOrigin: http://evil.example\r\nContent-Type: text/plain\r\n\
         Content-Length: {}\r\n\r\n{body}",
        process.port,
        body.len()
    );
    assert_eq!(send(process.port, request.as_bytes()), "");
    // As a form sends it, and with headers in another order.
    let get = format!("GET /?a=b HTTP/1.1\r\nhost: localhost\r\n\r\n{body}");
    let said = send(process.port, get.as_bytes());
    assert!(
        said.starts_with("-ERR ") && said.lines().count() == 1,
        "{said}"
    );
    assert_eq!(redis.ask(&["GET", "pwned"]), Reply::Null);
    assert_ne!(redis.ask(&["GET", "kept"]), Reply::Null);
    eventually("it is logged", || {
        process.output().contains("web-page-closed")
    });
}

#[test]
fn a_web_page_cannot_have_commands_executed_by_a_node() {
    for flags in [&[][..], &["--threads", "2"], &["--io", "smol"]] {
        let [port] = free_ports(1)[..] else {
            panic!("one port")
        };
        check(&Process::start(&[&["serve"], flags].concat(), port));
    }
}

#[test]
fn nor_by_a_member_or_a_gateway() {
    let ports = free_ports(3);
    let list = format!("127.0.0.1:{},127.0.0.1:{}", ports[0], ports[1]);
    let members: Vec<_> = ports[..2]
        .iter()
        .map(|port| Process::start(&["serve", "--cluster", &list], *port))
        .collect();
    let gateway = Process::start(&["gateway", "--cluster", &list], ports[2]);
    check(&members[0]);
    check(&gateway);
}
