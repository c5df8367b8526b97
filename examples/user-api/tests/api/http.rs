//! As much of an HTTP client as these tests need.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use crate::processes::PATIENCE;

/// A response.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Value,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut values = lines.filter(|(given, _)| given.eq_ignore_ascii_case(name));
        values.next().map(|(_, value)| value)
    }

    /// What part the cache had in it.
    pub(crate) fn cache(&self) -> &str {
        self.header("x-cache").unwrap_or("")
    }

    pub(crate) fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or("")
    }
}

/// Sends these bytes on a connection of their own, and reads what comes back until the server closes it.
pub(crate) fn send_raw(address: SocketAddr, bytes: &[u8]) -> Option<Response> {
    let mut stream = TcpStream::connect(address).expect("the server accepts");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.write_all(bytes).expect("the server reads");
    let mut answer = Vec::new();
    // A server that does not want to read on may reset the connection after its answer.
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).expect("text");
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Response {
        status,
        head: head.to_owned(),
        body: serde_json::from_str(body).unwrap_or(Value::Null),
    })
}

/// A request with a body of JSON, or without.
pub(crate) fn request(address: SocketAddr, method: &str, path: &str, body: &str) -> Response {
    let body = if body.is_empty() {
        String::new()
    } else {
        let len = body.len();
        format!("content-type: application/json\r\ncontent-length: {len}\r\n\r\n{body}")
    };
    let end = if body.is_empty() { "\r\n" } else { "" };
    let text =
        format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{body}{end}");
    let response = send_raw(address, text.as_bytes());
    response.unwrap_or_else(|| panic!("{method} {path} is answered"))
}

pub(crate) fn get(address: SocketAddr, path: &str) -> Response {
    request(address, "GET", path, "")
}
