//! More clients than there is room for, and what the system allows by default.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, prlimit};

use crate::process::free_ports;
use crate::redis::Redis;
use crate::support::{PATIENCE, Running, Server, command, eventually};

/// What a new client hears on a `PING`.
fn hear(address: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    // It may be closed already.
    let _ = stream.write_all(b"PING\r\n");
    let mut heard = Vec::new();
    let mut byte = [0];
    while stream.read(&mut byte).expect("a word, not silence") > 0 {
        heard.push(byte[0]);
        if byte == *b"\n" {
            break;
        }
    }
    (stream, String::from_utf8(heard).expect("text"))
}

/// `memvault serve` under `ulimit` with these words.
fn limited(ulimit: &str, flags: &[&str]) -> (Running, String) {
    let mut shell = std::process::Command::new("sh");
    let plain = command(&["serve", "--port", "0"]);
    shell.args(["-c", &format!("ulimit {ulimit} && exec \"$0\" \"$@\"")]);
    shell
        .arg(plain.get_program())
        .args(plain.get_args())
        .args(flags);
    let mut process = Running::of(shell);
    let line = process.wait_for("listening address=");
    let (_, rest) = line.split_once("address=").expect("just seen");
    let address = rest.split(' ').next().expect("never empty").to_owned();
    (process, address)
}

#[test]
fn who_finds_no_place_is_told_so_also_where_few_files_may_be_open() {
    for flags in [&[][..], &["--threads", "3"], &["--io", "smol"]] {
        let (mut process, address) = limited("-n 64", flags);
        let warned = process.wait_for("too-few-open-files");
        assert!(warned.contains("allowed=64"), "{warned}");
        let heard: Vec<_> = (0..100).map(|_| hear(&address)).collect();
        let served = heard.iter().filter(|(_, text)| text == "+PONG\r\n").count();
        let refused = "-ERR max number of clients reached: ";
        let told = heard
            .iter()
            .filter(|(_, text)| text.starts_with(refused))
            .count();
        assert_eq!(served + told, 100);
        assert!(served >= 5 && told >= 36, "{served} are served");
        assert!(
            warned.contains(&format!("max_clients={served}")),
            "{warned}"
        );
        drop(heard);
        eventually("there is room again", || hear(&address).1 == "+PONG\r\n");
    }
}

#[test]
fn the_limit_of_open_files_is_raised_where_that_is_allowed() {
    let (_process, address) = limited("-Sn 64", &["--max-clients", "300"]);
    let heard: Vec<_> = (0..301).map(|_| hear(&address)).collect();
    let served = heard.iter().filter(|(_, text)| text == "+PONG\r\n").count();
    assert_eq!(served, 300);
    let last = &heard[300].1;
    assert!(last.contains("the limit is 300 (--max-clients)"), "{last}");
}

#[test]
fn too_few_files_for_any_client_are_an_error() {
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "ulimit -n 24 && exec \"$0\" serve --port 0"]);
    shell.arg(env!("CARGO_BIN_EXE_memvault"));
    let mut process = Running::of(shell);
    let line = process.wait_for("error:");
    assert!(
        line.contains("24 open files") && line.contains("ulimit -n"),
        "{line}"
    );
    assert_eq!(process.wait(), Some(1));
}

/// Processor time of a process so far, in ticks of a hundredth of a second.
fn ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let (_, rest) = stat.rsplit_once(") ").expect("a name");
    let fields = rest.split(' ').skip(11).take(2);
    fields
        .map(|field| field.parse::<u64>().expect("a number"))
        .sum()
}

#[test]
fn without_a_descriptor_left_callers_are_told_and_no_loop_spins() {
    let [admin] = free_ports(1)[..] else {
        panic!("one port")
    };
    let admin = format!("127.0.0.1:{admin}");
    let server = Server::start(&["--admin", &admin]);
    assert_eq!(hear(&server.address).1, "+PONG\r\n");
    let pid = server.process.pid();
    let process = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let open = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .expect("it runs")
        .count() as u64;
    // It has inherited ours.
    let lowered = Rlimit {
        current: Some(open),
        ..getrlimit(Resource::Nofile)
    };
    let before = prlimit(process, Resource::Nofile, lowered);
    let before = before.expect("it is ours");
    // What was open a moment ago for the first client may be free by now.
    let heard: Vec<_> = (0..25).map(|_| hear(&server.address)).collect();
    let refused = "no file descriptor is left (ulimit -n)";
    let told = heard.iter().filter(|(_, text)| text.contains(refused));
    assert!(told.count() >= 22, "{heard:?}");
    let mut page = TcpStream::connect(&admin).expect("it listens");
    page.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let _ = page.write_all(b"GET /healthz HTTP/1.1\r\n\r\n");
    let mut told = String::new();
    page.read_to_string(&mut told).expect("an answer");
    // One may have become free meanwhile; what counts is that there is an answer.
    let is_answered = told.starts_with("HTTP/1.1 503 ") || told.starts_with("HTTP/1.1 200 ");
    assert!(is_answered, "{told}");
    let idle = ticks(pid);
    std::thread::sleep(Duration::from_secs(1));
    assert!(ticks(pid) < idle + 50, "it spins");
    drop(heard);
    prlimit(process, Resource::Nofile, before).expect("it is ours");
    eventually("it serves again", || hear(&server.address).1 == "+PONG\r\n");
}

#[test]
fn a_burst_of_callers_waits_for_a_busy_server() {
    let [admin] = free_ports(1)[..] else {
        panic!("one port")
    };
    let admin = format!("127.0.0.1:{admin}");
    let server = Server::start(&["--admin", &admin]);
    assert_eq!(hear(&server.address).1, "+PONG\r\n");
    server.process.signal(Signal::STOP);
    for address in [&server.address, &admin] {
        let address = address.parse().expect("an address");
        let call = || TcpStream::connect_timeout(&address, Duration::from_millis(900));
        let calls: Vec<_> = (0..500).map(|_| call()).collect();
        let refused = calls.iter().filter(|call| call.is_err()).count();
        assert_eq!(refused, 0, "of the callers of {address}");
    }
    server.process.signal(Signal::CONT);
}

/// Whether the system watches over a connection to this port, as it tells in /proc: a timer of the second kind.
fn is_watched(port: u16) -> bool {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("it is there");
    let local = format!(":{port:04X}");
    let mut rows = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    // Established, and not listening.
    rows.any(|row| row[1].ends_with(&local) && row[3] == "01" && row[5].starts_with("02:"))
}

#[test]
fn the_system_watches_over_silent_clients_unless_it_is_told_not_to() {
    for (flags, silence) in [(&[][..], "300"), (&["--tcp-keepalive", "0s"][..], "0")] {
        let server = Server::start(flags);
        let port = server.address.rsplit_once(':').expect("an address").1;
        let port = port.parse().expect("a port");
        let mut redis = Redis::connect(port).expect("it runs");
        let told = format!("{:?}", redis.ask(&["CONFIG", "GET", "tcp-keepalive"]));
        let bytes = silence
            .as_bytes()
            .iter()
            .map(u8::to_string)
            .collect::<Vec<_>>()
            .join(", ");
        assert!(
            told.contains(silence) || told.contains(&format!("[{bytes}]")),
            "{told}"
        );
        assert_eq!(is_watched(port), silence != "0");
    }
}
