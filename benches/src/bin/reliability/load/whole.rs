//! Pipelines that are written as a whole before the first reply is read, beside redis-server.

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use memvault_benches::spread::Spread;

use super::Flags;
use super::process::cpu_seconds;
use super::rig::{Alone, Rig, wait_until_it_serves};
use super::wire::{Wire, command};
use crate::cluster::{Starter, free_ports};
use crate::report::Report;

const ROUNDS: usize = 3;
const KEYS: usize = 10_000;
/// A server that reads nothing for so long stands still.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) fn measure(flags: &Flags, starter: &Starter, report: &mut Report) {
    let redis = of_redis(flags, report);
    for threads in ["1", "4"] {
        let alone = Alone::start(starter, &["--threads", threads]);
        let what = format!("node, {threads} threads");
        judge(flags, &what, alone.port, &[alone.pid()], redis, report);
    }
    let rig = Rig::start(starter);
    let pids = |first: u32| {
        let mut pids = rig.pids();
        pids.sort_unstable_by_key(|pid| *pid != first);
        pids
    };
    judge(
        flags,
        "member",
        rig.member(0),
        &pids(rig.cluster.pid(0)),
        redis,
        report,
    );
    judge(
        flags,
        "gateway",
        rig.gateway(),
        &pids(rig.gateway_pid()),
        redis,
        report,
    );
}

/// Seconds of processor time that redis-server takes, if there is one.
fn of_redis(flags: &Flags, report: &mut Report) -> Option<f64> {
    let port = free_ports(1);
    let redis = Redis::start(port)?;
    let spent = rounds(flags, port, &[redis.0.id()]);
    let cpu = spent.ok()?.0.median;
    report.note("redis-server: CPU", cpu, "s");
    Some(cpu)
}

fn judge(
    flags: &Flags,
    what: &str,
    port: u16,
    pids: &[u32],
    redis: Option<f64>,
    report: &mut Report,
) {
    let requests = flags.requests;
    match rounds(flags, port, pids) {
        Ok((own, all, took)) => {
            report.at_least(
                &format!("{what}: answered"),
                requests as f64,
                requests as f64,
                "",
            );
            report.note(&format!("{what}: took"), took.median, "s");
            report.note(&format!("{what}: CPU"), own.median, "s");
            report.note(
                &format!("{what}: CPU, quartiles apart"),
                own.high - own.low,
                "s",
            );
            if pids.len() > 1 {
                report.note(&format!("{what}: CPU of all processes"), all.median, "s");
            }
            if let Some(redis) = redis {
                report.at_most(
                    &format!("{what}: CPU, x redis-server"),
                    1.2,
                    own.median / redis,
                    "x",
                );
            }
        }
        Err(why) => {
            eprintln!("{what}: {why}");
            report.at_least(&format!("{what}: answered"), requests as f64, 0.0, "");
        }
    }
}

/// Processor time of the first process and of all, and time on the wall, in seconds.
fn rounds(flags: &Flags, port: u16, pids: &[u32]) -> Result<(Spread, Spread, Spread), String> {
    fill(port)?;
    let gets: Vec<u8> = (0..flags.requests)
        .flat_map(|turn| command(&[b"GET", format!("whole:{}", turn % KEYS).as_bytes()]))
        .collect();
    let (mut own, mut all, mut took) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let spent = || pids.iter().map(|pid| cpu_seconds(*pid)).collect::<Vec<_>>();
        let (before, began) = (spent(), Instant::now());
        write_then_read(port, &gets, flags.requests)?;
        took.push(began.elapsed().as_secs_f64());
        let spent: Vec<_> = spent()
            .iter()
            .zip(&before)
            .map(|(now, then)| now - then)
            .collect();
        own.push(spent.first().copied().unwrap_or(0.0));
        all.push(spent.iter().sum());
    }
    Ok((Spread::of(own), Spread::of(all), Spread::of(took)))
}

fn fill(port: u16) -> Result<(), String> {
    let mut wire = Wire::connect(port).map_err(|error| error.to_string())?;
    for key in 0..KEYS {
        wire.ask(&[b"SET", format!("whole:{key}").as_bytes(), &[b'v'; 64]])?;
    }
    Ok(())
}

fn write_then_read(port: u16, bytes: &[u8], replies: usize) -> Result<(), String> {
    let mut wire = Wire::connect(port).map_err(|error| error.to_string())?;
    let patience = wire.stream.set_write_timeout(Some(PATIENCE));
    let written = patience.and_then(|()| wire.stream.write_all(bytes));
    written.map_err(|error| format!("STANDS still: {error}"))?;
    for reply in 0..replies {
        wire.reply()
            .map_err(|why| format!("reply {reply}: {why}"))?;
    }
    Ok(())
}

/// A redis-server without files. It ends with this.
struct Redis(Child);

impl Redis {
    fn start(port: u16) -> Option<Self> {
        let text = port.to_string();
        let args = [
            "--port",
            &text,
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ];
        let mut command = Command::new("redis-server");
        let started = command.args(args).stdout(Stdio::null()).spawn();
        let Ok(process) = started else {
            eprintln!("redis-server is not installed: nothing to compare with");
            return None;
        };
        let redis = Self(process);
        wait_until_it_serves(port);
        Some(redis)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
