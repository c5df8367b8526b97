//! Resident bytes per entry of a member beside those of a node alone: what versions cost.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use memvault::resp::encode;

use crate::Args;
use crate::cluster::{Starter, free_ports};
use crate::report::Report;

/// Bytes of a value. The allocator rounds up to size classes, by more or less for each of these.
const VALUE_LENGTHS: [usize; 4] = [16, 28, 40, 52];

pub(crate) fn measure(args: &Args, starter: &Starter, report: &mut Report) {
    let mut extra = 0.0;
    for len in VALUE_LENGTHS {
        let alone = resident(starter, args.entries, len, false);
        let member = resident(starter, args.entries, len, true);
        let what = format!("resident bytes per entry, value of {len}");
        report.note(&format!("{what}: alone"), alone, "B");
        report.note(&format!("{what}: member"), member, "B");
        extra += (member - alone) / VALUE_LENGTHS.len() as f64;
    }
    report.at_most(
        "resident bytes per entry for versions, mean",
        16.0,
        extra,
        "B",
    );
}

fn resident(starter: &Starter, entries: usize, len: usize, is_member: bool) -> f64 {
    let port = free_ports(1);
    let (port_text, list) = (port.to_string(), format!("127.0.0.1:{port}"));
    let mut args = vec!["serve", "--port", &port_text];
    if is_member {
        args.extend(["--cluster", &list, "--replicas", "1"]);
    }
    let mut server = starter.start(&args);
    let (mut stream, value) = (connect(port), vec![b'v'; len]);
    // What the server needs for its work is there before, and does not count.
    set(&mut stream, 0..500, &value);
    let before = resident_bytes(&server);
    for from in (500..entries + 500).step_by(500) {
        set(&mut stream, from..from + 500, &value);
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

fn set(stream: &mut TcpStream, keys: Range<usize>, value: &[u8]) {
    let (mut bytes, count) = (Vec::new(), keys.len());
    for key in keys {
        encode::command(
            &mut bytes,
            &[b"SET", format!("key:{key:08}").as_bytes(), value],
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
