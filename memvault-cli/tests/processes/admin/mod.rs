//! The admin port of real processes: what it tells, and what it puts up with.

mod alone;
mod limits;
mod together;

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use crate::process::{Process, free_ports};
use crate::support::PATIENCE;

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

fn json(port: u16, path: &str) -> Value {
    let answer = get(port, path);
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.head.contains("Content-Type: application/json"));
    serde_json::from_str(&answer.body).expect("a document")
}
