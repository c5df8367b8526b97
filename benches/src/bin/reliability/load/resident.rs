//! Resident memory of a node at its limit, under loads that make it grow, by themselves and one after the other.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::Flags;
use super::hostile::more_files;
use super::hostile_rows::{drain, half_sent};
use super::large::with;
use super::process::{Peak, mib, resident};
use super::rig::Alone;
use super::wire::{Wire, command};
use crate::cluster::Starter;
use crate::report::Report;

/// 1.4 x 256 + 128 + 20 MiB.
const MOST: f64 = 506.4;
/// Limits of a node to which loads come one after the other, and what it may take with buffers this small: 1.4 times as
/// much, and 20 MiB.
const SIZES: [(&str, f64); 2] = [("256mb", 378.4), ("64mb", 109.6)];

type Load = fn(u16, Instant);

const LOADS: [(&str, Load); 6] = [
    ("churn of 1 B to 1 MiB", churn),
    ("APPEND and SETRANGE up to 64 MiB", growth),
    ("tiny keys", tiny),
    ("PX 300", short_lived),
    ("half-sent requests", half),
    ("unread replies", unread),
];

/// What the first load leaves behind is in the way of the second.
const SEQUENCES: [(&str, &[Load]); 4] = [
    ("churn, then tiny keys", &[churn, tiny]),
    ("tiny keys, then churn", &[tiny, churn]),
    ("growth, then tiny keys", &[growth, tiny]),
    ("churn, tiny keys, PX 300", &[churn, tiny, short_lived]),
];

pub(super) fn measure(flags: &Flags, starter: &Starter, report: &mut Report) {
    more_files();
    let mut limits = vec!["--max-memory", "256mb"];
    let help = starter.command(&["serve", "--help"]).output();
    let help = help.map(|help| String::from_utf8_lossy(&help.stdout).into_owned());
    if help.is_ok_and(|help| help.contains("--max-clients-memory")) {
        limits.extend(["--max-clients-memory", "128mb"]);
    } else {
        eprintln!("this memvault has no --max-clients-memory");
    }
    let mut alone = Alone::start(starter, &limits);
    for (name, load) in LOADS {
        let peak = Peak::start(alone.pid());
        load(
            alone.port,
            Instant::now() + Duration::from_secs(flags.row_seconds),
        );
        let peak = mib(peak.finish());
        report.at_most(&format!("{name}: most resident"), MOST, peak.round(), "MiB");
        if !alone.lives() {
            report.at_most(&format!("{name}: servers killed"), 0.0, 1.0, "");
            alone = Alone::start(starter, &limits);
        }
    }
    let flushed = Wire::connect(alone.port).map(|mut wire| wire.ask(&[b"FLUSHALL"]).is_ok());
    std::thread::sleep(Duration::from_secs(5));
    let after = mib(resident(alone.pid())).round();
    report.note("resident 5 s after FLUSHALL", after, "MiB");
    report.at_least(
        "FLUSHALL answered",
        1.0,
        f64::from(u8::from(flushed.unwrap_or(false))),
        "",
    );
    for (size, most) in SIZES {
        for (name, loads) in SEQUENCES {
            let name = format!("{size}: {name}");
            measure_sequence(flags, starter, (&name, size, most), loads, report);
        }
    }
}

/// One load after the other, on a node of its own.
fn measure_sequence(
    flags: &Flags,
    starter: &Starter,
    (name, size, most): (&str, &str, f64),
    loads: &[Load],
    report: &mut Report,
) {
    let alone = Alone::start(starter, &["--max-memory", size]);
    let peak = Peak::start(alone.pid());
    let mut withheld = 0.0_f64;
    for load in loads {
        let seconds = Duration::from_secs(flags.row_seconds);
        load(alone.port, Instant::now() + seconds);
        withheld = withheld.max(mib(number(alone.port, "maxmemory_withheld")));
    }
    let peak = mib(peak.finish()).round();
    report.at_most(&format!("{name}: most resident"), most, peak, "MiB");
    report.note(&format!("{name}: withheld"), withheld.round(), "MiB");
}

/// A number that `INFO` tells; 0 if it does not.
fn number(port: u16, name: &str) -> u64 {
    let info = Wire::connect(port).map(|mut wire| wire.ask(&[b"INFO", b"memory"]));
    let Ok(Ok(info)) = info else {
        return 0;
    };
    let text = String::from_utf8_lossy(&info.head);
    let rest = text
        .split_once(&format!("{name}:"))
        .map_or("", |(_, rest)| rest);
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}

/// Pipelines of what `add` makes, until the time is over; it returns how many commands that is.
fn batches(port: u16, until: Instant, count: usize, add: impl Fn(&mut Vec<u8>) -> usize) {
    let mut wire = None;
    while Instant::now() < until {
        let mut bytes = Vec::new();
        let commands: usize = (0..count).map(|_| add(&mut bytes)).sum();
        // What fails is seen by anyone who looks at the server.
        let _ = with(&mut wire, port, |wire| {
            let sent = wire.stream.write_all(&bytes);
            sent.map_err(|error| error.to_string())?;
            (0..commands).try_for_each(|_| wire.reply().map(|_| ()))
        });
    }
}

fn churn(port: u16, until: Instant) {
    let value = vec![b'v'; 1 << 20];
    batches(port, until, 16, |bytes| {
        let len = 1_usize << fastrand::u32(..=20);
        let len = fastrand::usize(1..=len);
        let key = format!("churn:{}", fastrand::u32(..1_000_000));
        bytes.extend(command(&[b"SET", key.as_bytes(), &value[..len]]));
        1
    });
}

fn growth(port: u16, until: Instant) {
    let part = vec![b'v'; 256 << 10];
    batches(port, until, 4, |bytes| {
        let key = format!("grows:{}", fastrand::u32(..8));
        if fastrand::bool() {
            bytes.extend(command(&[b"APPEND", key.as_bytes(), &part]));
        } else {
            let at = fastrand::usize(..(64 << 20) - part.len()).to_string();
            bytes.extend(command(&[
                b"SETRANGE",
                key.as_bytes(),
                at.as_bytes(),
                &part,
            ]));
        }
        if fastrand::u8(..100) == 0 {
            bytes.extend(command(&[b"DEL", key.as_bytes()]));
        } else {
            bytes.extend(command(&[b"STRLEN", key.as_bytes()]));
        }
        2
    });
}

fn tiny(port: u16, until: Instant) {
    batches(port, until, 1000, |bytes| {
        let key = format!("{:x}", fastrand::u64(..));
        bytes.extend(command(&[b"SET", key.as_bytes(), b"1"]));
        1
    });
}

fn short_lived(port: u16, until: Instant) {
    batches(port, until, 500, |bytes| {
        let key = format!("session:{:x}", fastrand::u64(..));
        bytes.extend(command(&[
            b"SET",
            key.as_bytes(),
            &[b's'; 300],
            b"PX",
            b"300",
        ]));
        1
    });
}

fn half(port: u16, until: Instant) {
    half_sent(port, until);
}

fn unread(port: u16, until: Instant) {
    let value = vec![b'v'; 1 << 20];
    let mut args: Vec<&[u8]> = vec![b"MGET"];
    args.extend([&b"mega"[..]; 1000]);
    let bytes = command(&args);
    let set = Wire::connect(port).map(|mut wire| wire.ask(&[b"SET", b"mega", &value]).is_ok());
    if !set.unwrap_or(false) {
        eprintln!("unread replies: the value could not be set");
    }
    let ask = || {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.write_all(&bytes)?;
        Ok::<_, std::io::Error>(stream)
    };
    let mut streams: Vec<_> = (0..4).filter_map(|_| ask().ok()).collect();
    std::thread::sleep(until.saturating_duration_since(Instant::now()));
    streams.iter_mut().for_each(drain);
}
