//! Keys past their time leave a server that nobody asks for them.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;

use crate::running::{Running, eventually};

const KEYS: usize = 50_000;

#[test]
fn an_idle_server_is_rid_of_them_with_one_thread_and_with_several() {
    for threads in [1, 3] {
        let server = Running::single(|config| config.threads = threads);
        let mut stream = server.connect();
        let mut commands = String::from("SET stays v\r\n");
        for number in 0..KEYS {
            write!(commands, "SET session-{number} value PX 300\r\n").expect("there is memory");
        }
        let mut writer = stream.try_clone().expect("a handle");
        let writing = std::thread::spawn(move || writer.write_all(commands.as_bytes()));
        let mut replies = vec![0; (KEYS + 1) * 5];
        stream.read_exact(&mut replies).expect("each is answered");
        writing.join().expect("no panic").expect("it is open");
        // Nobody asks for a key, and nothing is stored.
        eventually("all are gone", || dbsize(&mut stream) == 1);
        let info = info(&mut stream);
        let expired = format!("expired_keys:{KEYS}\r\n");
        assert!(info.contains(&expired), "{info}");
        assert!(info.contains("evicted_keys:0\r\n"), "{info}");
        assert!(info.contains("db0:keys=1,expires=0,avg_ttl=0"), "{info}");
    }
}

fn dbsize(stream: &mut TcpStream) -> usize {
    let line = line(stream, "DBSIZE\r\n");
    line.trim_start_matches(':').parse().expect("a number")
}

fn info(stream: &mut TcpStream) -> String {
    let header = line(stream, "INFO\r\n");
    let len: usize = header.trim_start_matches('$').parse().expect("a length");
    let mut text = vec![0; len + 2];
    stream.read_exact(&mut text).expect("it comes whole");
    String::from_utf8(text).expect("it is text")
}

/// The first line of a reply.
fn line(stream: &mut TcpStream, command: &str) -> String {
    stream.write_all(command.as_bytes()).expect("it is open");
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("it is open");
        line.push(byte[0]);
    }
    String::from_utf8_lossy(&line).trim_end().to_owned()
}
