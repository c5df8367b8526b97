//! Requests of as many keys as one may have, beside a bystander.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::Flags;
use super::bystander::Bystander;
use super::rig::Rig;
use super::wire::{Wire, command, kind};
use crate::cluster::Starter;
use crate::report::{Report, histogram, micros, millis_at};

/// What is asked, and the reply that it is to have.
struct Asked {
    name: &'static str,
    bytes: Vec<u8>,
    /// Bytes of the reply, and how it begins.
    len: usize,
    begins: String,
}

/// How one kind of request fared.
struct Outcome {
    times: Histogram<u64>,
    done: usize,
    failures: BTreeMap<String, usize>,
}

pub(super) fn measure(flags: &Flags, starter: &Starter, report: &mut Report) {
    let rig = Rig::start(starter);
    let asked = requests(flags.wide_keys);
    for (way, port) in [("gateway", rig.gateway()), ("member", rig.member(0))] {
        let idle = Bystander::alone(port, Duration::from_secs(5));
        idle.note(&format!("{way}, idle"), report);
        let bystander = Bystander::start(port);
        let mut outcomes = [Outcome::new(), Outcome::new(), Outcome::new()];
        let mut wire = None;
        for _ in 0..flags.times {
            for (asked, outcome) in asked.iter().zip(&mut outcomes) {
                outcome.add(|| plain(&mut wire, port, asked));
            }
        }
        let seen = bystander.finish();
        for (asked, outcome) in asked.iter().zip(&outcomes) {
            outcome.tell(&format!("{way}: {}", asked.name), flags, report);
        }
        seen.note(way, report);
        seen.judge(way, 250.0, report);
        let what = format!("{way}: bystander p99, x idle p99");
        report.at_most(&what, 5.0, seen.p99() / idle.p99(), "x");
    }
    by_the_client(flags, &rig, report);
    report.at_most("wide: ejections", 0.0, rig.ejections() as f64, "");
}

fn requests(count: usize) -> [Asked; 3] {
    let keys: Vec<String> = (0..count).map(|key| format!("wide:{key:06}")).collect();
    let mut get: Vec<&[u8]> = vec![b"MGET"];
    get.extend(keys.iter().map(|key| key.as_bytes()));
    let mut set: Vec<&[u8]> = vec![b"MSET"];
    set.extend(keys.iter().flat_map(|key| [key.as_bytes(), VALUE]));
    let mut del = get.clone();
    del[0] = b"DEL";
    let value = format!("${}\r\n", VALUE.len()).len() + VALUE.len() + 2;
    let (array, number) = (format!("*{count}\r\n"), format!(":{count}\r\n"));
    let asked = |name, args: &[&[u8]], len, begins| Asked {
        name,
        bytes: command(args),
        len,
        begins,
    };
    [
        asked("MSET", &set, 5, "+OK".to_owned()),
        asked("MGET", &get, array.len() + count * value, array),
        asked("DEL", &del, number.len(), number),
    ]
}

const VALUE: &[u8] = &[b'v'; 64];

fn plain(wire: &mut Option<Wire>, port: u16, asked: &Asked) -> Result<(), String> {
    let mut open = match wire.take() {
        Some(wire) => wire,
        None => Wire::connect(port).map_err(|error| format!("CLOSED: {error}"))?,
    };
    let reply = open.ask_bytes(&asked.bytes);
    // A client that was closed, or waited in vain, begins anew.
    if reply
        .as_ref()
        .map_or_else(|why| why.starts_with('-'), |_| true)
    {
        *wire = Some(open);
    }
    let reply = reply?;
    if reply.len != asked.len || !reply.head.starts_with(asked.begins.as_bytes()) {
        return Err(format!("INCOMPLETE: {} of {} bytes", reply.len, asked.len));
    }
    Ok(())
}

/// The same by the Rust client, whose bystander asks the gateway.
fn by_the_client(flags: &Flags, rig: &Rig<'_>, report: &mut Report) {
    let keys: Vec<String> = (0..flags.wide_keys)
        .map(|key| format!("rust:{key:06}"))
        .collect();
    let idle = Bystander::alone(rig.gateway(), Duration::from_secs(5));
    let bystander = Bystander::start(rig.gateway());
    let (mut set, mut get) = (Outcome::new(), Outcome::new());
    let mut del = Outcome::new();
    smol::block_on(async {
        let client = rig.cluster.client().await;
        for _ in 0..flags.times {
            let pairs = keys.iter().map(|key| (key, VALUE));
            set.note(
                Instant::now(),
                client.mset(pairs).await.map_err(|error| error.to_string()),
            );
            let began = Instant::now();
            let values = client.mget(&keys).await.map_err(|error| error.to_string());
            let found = values.map(|values| values.iter().flatten().count());
            get.note(began, found.and_then(|found| complete(found, keys.len())));
            let names = keys.iter().map(|key| key.as_bytes().into()).collect();
            let began = Instant::now();
            let gone = client
                .request(memvault::replication::Request::Delete(names))
                .await;
            let gone = gone.map(|_| ()).map_err(|error| error.to_string());
            del.note(began, gone);
        }
    });
    let seen = bystander.finish();
    for (name, outcome) in [("MSET", &set), ("MGET", &get), ("DEL", &del)] {
        outcome.tell(&format!("Rust client: {name}"), flags, report);
    }
    seen.note("Rust client", report);
    seen.judge("Rust client", 250.0, report);
    let what = "Rust client: bystander p99, x idle p99";
    report.at_most(what, 5.0, seen.p99() / idle.p99(), "x");
}

fn complete(found: usize, wanted: usize) -> Result<(), String> {
    if found == wanted {
        return Ok(());
    }
    Err(format!("INCOMPLETE: {found} of {wanted}"))
}

impl Outcome {
    fn new() -> Self {
        Self {
            times: histogram(),
            done: 0,
            failures: BTreeMap::new(),
        }
    }

    fn add(&mut self, request: impl FnOnce() -> Result<(), String>) {
        let began = Instant::now();
        self.note(began, request());
    }

    fn note(&mut self, began: Instant, outcome: Result<(), String>) {
        self.times.saturating_record(micros(began.elapsed()));
        match outcome {
            Ok(()) => self.done += 1,
            Err(why) => *self.failures.entry(kind(&why).to_owned()).or_default() += 1,
        }
    }

    fn tell(&self, what: &str, flags: &Flags, report: &mut Report) {
        let wanted = format!("{what} of {} keys answered", flags.wide_keys);
        report.at_least(&wanted, flags.times as f64, self.done as f64, "");
        for (part, quantile) in [("p50", 0.5), ("longest", 1.0)] {
            report.note(
                &format!("{what}, {part}"),
                millis_at(&self.times, quantile),
                "ms",
            );
        }
        for (kind, count) in &self.failures {
            report.note(&format!("{what}: {kind}"), *count as f64, "");
        }
    }
}
