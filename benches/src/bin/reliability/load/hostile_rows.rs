//! What a hostile client does. Each goes on until the time is over; it returns how often it did it, and how often
//! it was told an error or closed.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use super::large::{in_a_loop, with};
use super::wire::{Wire, command};

type Act = fn(u16, Instant) -> (usize, usize);

pub(super) const ROWS: [(&str, Act); 9] = [
    ("pipelined MGETs of 65 000 keys", wide_pipeline),
    ("MGET of 1 000 000 keys", widest),
    ("unfinished command of 180 MiB", unfinished),
    ("4 x unread MGET of 1000 x 1 MiB", unread),
    ("200 000 GETs written first", whole_pipeline),
    ("2000 half values of 1 MiB", half_sent),
    ("values of 64 MiB in a loop", in_a_loop),
    ("8 clients with values of 1 MiB", megabytes),
    ("SETRANGE k 4000000 x", ranges),
];

/// Does something again and again, on one connection while that lives.
fn repeat(
    port: u16,
    until: Instant,
    act: impl Fn(&mut Wire) -> Result<(), String>,
) -> (usize, usize) {
    let (mut wire, mut done, mut failed) = (None, 0, 0);
    while Instant::now() < until {
        match with(&mut wire, port, &act) {
            Ok(()) => done += 1,
            Err(why) => {
                if failed == 0 {
                    eprintln!(
                        "the hostile client's first failure: {}",
                        &why[..why.len().min(150)]
                    );
                }
                failed += 1;
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
    (done, failed)
}

fn many_keys(from: usize, count: usize) -> Vec<u8> {
    let keys: Vec<String> = (from..from + count)
        .map(|key| format!("k{key:x}"))
        .collect();
    let mut args: Vec<&[u8]> = vec![b"MGET"];
    args.extend(keys.iter().map(|key| key.as_bytes()));
    command(&args)
}

fn wide_pipeline(port: u16, until: Instant) -> (usize, usize) {
    let bytes: Vec<u8> = (0..10)
        .flat_map(|turn| many_keys(turn * 65_000, 65_000))
        .collect();
    repeat(port, until, |wire| pipeline(wire, &bytes, 10))
}

fn widest(port: u16, until: Instant) -> (usize, usize) {
    let bytes = many_keys(0, 1_000_000);
    repeat(port, until, |wire| wire.ask_bytes(&bytes).map(|_| ()))
}

fn whole_pipeline(port: u16, until: Instant) -> (usize, usize) {
    let value = [b'v'; 400];
    let get = command(&[b"GET", b"four-hundred"]);
    let bytes = get.repeat(200_000);
    repeat(port, until, |wire| {
        wire.ask(&[b"SET", b"four-hundred", &value])?;
        pipeline(wire, &bytes, 200_000)
    })
}

/// Writes all before it reads; a server that stops reading is given ten seconds.
fn pipeline(wire: &mut Wire, bytes: &[u8], replies: usize) -> Result<(), String> {
    let patience = Some(Duration::from_secs(10));
    wire.stream
        .set_write_timeout(patience)
        .map_err(|error| error.to_string())?;
    let written = wire.stream.write_all(bytes);
    written.map_err(|error| format!("STANDS still: {error}"))?;
    // An error reply is a reply: the next ones still come.
    let mut first = Ok(());
    for _ in 0..replies {
        match wire.reply() {
            Ok(_) => {}
            Err(why) if why.starts_with('-') => first = first.and(Err(why)),
            Err(why) => return Err(why),
        }
    }
    first
}

/// Three arguments of 60 MiB, and nothing behind them.
fn unfinished(port: u16, until: Instant) -> (usize, usize) {
    let argument = vec![b'v'; 60 << 20];
    let mut bytes = b"*5\r\n$4\r\nMSET\r\n".to_vec();
    for _ in 0..3 {
        bytes.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
        bytes.extend_from_slice(&argument);
        bytes.extend_from_slice(b"\r\n");
    }
    repeat(port, until, |wire| {
        let sent = wire.stream.write_all(&bytes);
        std::thread::sleep(Duration::from_millis(500));
        // Whether it was closed or not: the next one begins anew.
        let _ = wire.stream.shutdown(Shutdown::Both);
        *wire = Wire::connect(port).map_err(|error| error.to_string())?;
        sent.map_err(|error| error.to_string())
    })
}

/// Four connections that ask for a gigabyte each and read nothing.
fn unread(port: u16, until: Instant) -> (usize, usize) {
    let mut wires: Vec<Wire> = (0..4).filter_map(|_| Wire::connect(port).ok()).collect();
    let value = vec![b'v'; 1 << 20];
    let mut args: Vec<&[u8]> = vec![b"MGET"];
    args.extend([&b"mega"[..]; 1000]);
    let bytes = command(&args);
    let mut failed = 0;
    for wire in &mut wires {
        let set = wire.ask(&[b"SET", b"mega", &value]).is_ok();
        failed += usize::from(!set || wire.stream.write_all(&bytes).is_err());
    }
    std::thread::sleep(until.saturating_duration_since(Instant::now()));
    (wires.len(), failed)
}

/// Two thousand connections that stop in the middle of a value.
pub(super) fn half_sent(port: u16, until: Instant) -> (usize, usize) {
    let mut bytes = b"*3\r\n$3\r\nSET\r\n$4\r\nhalf\r\n$1048576\r\n".to_vec();
    bytes.resize(bytes.len() + (512 << 10), b'v');
    let mut streams = Vec::new();
    let mut failed = 0;
    for _ in 0..2000 {
        let sent = TcpStream::connect(("127.0.0.1", port)).and_then(|mut stream| {
            stream.set_write_timeout(Some(Duration::from_secs(5)))?;
            stream.write_all(&bytes)?;
            Ok(stream)
        });
        match sent {
            Ok(stream) => streams.push(stream),
            Err(_) => failed += 1,
        }
    }
    std::thread::sleep(until.saturating_duration_since(Instant::now()));
    (streams.len(), failed)
}

fn megabytes(port: u16, until: Instant) -> (usize, usize) {
    std::thread::scope(|scope| {
        let one = |number: usize| {
            scope.spawn(move || {
                let (key, value) = (format!("mb:{number}"), vec![b'v'; 1 << 20]);
                repeat(port, until, |wire| {
                    wire.ask(&[b"SET", key.as_bytes(), &value])?;
                    wire.ask(&[b"GET", key.as_bytes()]).map(|_| ())
                })
            })
        };
        let threads: Vec<_> = (0..8).map(one).collect();
        let counts = threads
            .into_iter()
            .map(|thread| thread.join().expect("it does not panic"));
        counts.fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1))
    })
}

/// One writer: nobody can overtake it.
fn ranges(port: u16, until: Instant) -> (usize, usize) {
    let value = vec![b'v'; 4_000_000];
    repeat(port, until, |wire| {
        wire.ask(&[b"SET", b"range", &value])?;
        wire.ask(&[b"SETRANGE", b"range", b"4000000", b"x"])?;
        wire.ask(&[b"GET", b"range"]).map(|_| ())
    })
}

/// Reads whatever comes until the other side closes, or is silent for a moment.
pub(super) fn drain(stream: &mut TcpStream) {
    let mut chunk = vec![0; 256 << 10];
    let _ = stream.set_read_timeout(Some(Duration::from_millis(500)));
    while stream.read(&mut chunk).is_ok_and(|len| len > 0) {}
}
