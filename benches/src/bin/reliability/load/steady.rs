//! Ordinary load for a long time: four load generators, and nobody dies.

use std::process::{Child, Stdio};
use std::time::Duration;

use super::Flags;
use super::rig::Rig;
use crate::cluster::Starter;
use crate::report::Report;

/// Load generators; the first two ask the gateway, the others a member each.
const GENERATORS: usize = 4;

pub(super) fn measure(flags: &Flags, starter: &Starter, report: &mut Report) {
    let rig = Rig::start(starter);
    let seconds = flags.steady_seconds;
    let ports = [rig.gateway(), rig.gateway(), rig.member(0), rig.member(1)];
    let loads: Vec<Child> = (0..GENERATORS)
        .map(|at| generator(starter, ports[at], seconds, at))
        .collect();
    let (mut requests, mut errors, mut longest, mut p99) = (0.0, 0.0, 0.0_f64, 0.0_f64);
    for load in loads {
        let output = load.wait_with_output().expect("it was started");
        let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let number = |name: &str| told[name].as_f64();
        // A generator that gave up has told why.
        requests += number("requests").unwrap_or(0.0);
        errors += number("errors").unwrap_or(1.0);
        longest = longest.max(told["all"]["max_us"].as_f64().unwrap_or(f64::NAN) / 1000.0);
        p99 = p99.max(told["all"]["p99_us"].as_f64().unwrap_or(f64::NAN) / 1000.0);
    }
    // Who was taken for dead in the last moment is told a moment later.
    std::thread::sleep(Duration::from_secs(1));
    let what = format!("{seconds} s of load by {GENERATORS} generators");
    report.note(&format!("{what}: requests"), requests, "");
    report.note(
        &format!("{what}: per second"),
        (requests / seconds as f64).round(),
        "/s",
    );
    report.note(&format!("{what}: p99, worst generator"), p99, "ms");
    report.note(&format!("{what}: longest"), longest, "ms");
    report.at_most(&format!("{what}: failed requests"), 0.0, errors, "");
    report.at_most(
        &format!("{what}: ejections"),
        0.0,
        rig.ejections() as f64,
        "",
    );
}

fn generator(starter: &Starter, port: u16, seconds: u64, number: usize) -> Child {
    let (server, time) = (format!("127.0.0.1:{port}"), format!("{seconds}s"));
    let seed = (number + 1).to_string();
    let args = [
        "bench",
        "--server",
        &server,
        "--duration",
        &time,
        "--seed",
        &seed,
        "--json",
    ];
    let mut command = starter.command(&args);
    let command = command.args([
        "--connections",
        "50",
        "--value-size",
        "400",
        "--ratio",
        "9:1",
    ]);
    command
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary can be run")
}
