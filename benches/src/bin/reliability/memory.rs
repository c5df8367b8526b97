//! Resident bytes per entry of a member beside those of a node alone: what versions cost.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use memvault::resp::encode;

use crate::Args;
use crate::cluster::{Starter, free_ports};
use crate::report::Report;

/// Bytes of a value; with its key an entry fills its size class about as well as any other.
const VALUE: [u8; 32] = [b'v'; 32];

pub(crate) fn measure(args: &Args, starter: &Starter, report: &mut Report) {
    let alone = resident(starter, args.entries, false);
    let member = resident(starter, args.entries, true);
    report.note("resident bytes per entry, node alone", alone, "B");
    report.note("resident bytes per entry, member", member, "B");
    report.at_most(
        "resident bytes per entry for versions",
        16.0,
        member - alone,
        "B",
    );
}

fn resident(starter: &Starter, entries: usize, is_member: bool) -> f64 {
    let port = free_ports(1);
    let (port_text, list) = (port.to_string(), format!("127.0.0.1:{port}"));
    let mut args = vec!["serve", "--port", &port_text];
    if is_member {
        args.extend(["--cluster", &list, "--replicas", "1"]);
    }
    let mut server = starter.start(&args);
    let mut stream = connect(port);
    set(&mut stream, 0..1);
    let before = resident_bytes(&server);
    for from in (0..entries).step_by(500) {
        set(&mut stream, from..(from + 500).min(entries));
    }
    let after = resident_bytes(&server);
    server.kill().expect("it is our child");
    server.wait().expect("it is our child");
    (after - before) as f64 / entries as f64
}

/// Waits for the server, and for a member to serve.
fn connect(port: u16) -> TcpStream {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) {
            stream.set_nodelay(true).expect("it is a TCP socket");
            let mut reply = [0; 256];
            let asked = stream.write_all(b"SET key:0 v\r\n");
            let read = asked.and_then(|()| stream.read(&mut reply));
            if read.is_ok_and(|read| reply[..read].starts_with(b"+OK")) {
                return stream;
            }
        }
        assert!(
            Instant::now() < deadline,
            "the server on port {port} does not serve"
        );
        thread::sleep(Duration::from_millis(50));
    }
}

fn set(stream: &mut TcpStream, keys: std::ops::Range<usize>) {
    let (mut bytes, count) = (Vec::new(), keys.len());
    for key in keys {
        encode::command(
            &mut bytes,
            &[b"SET", format!("key:{key:08}").as_bytes(), &VALUE],
        );
    }
    stream.write_all(&bytes).expect("the server reads");
    let mut replies = vec![0; count * b"+OK\r\n".len()];
    stream.read_exact(&mut replies).expect("the server replies");
    assert!(
        replies.chunks(5).all(|reply| reply == b"+OK\r\n"),
        "the server refuses"
    );
}

fn resident_bytes(server: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.id())).expect("Linux tells");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    kib.expect("it is a number of KiB") * 1024
}
