//! Large values, beside a bystander.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::Flags;
use super::bystander::Bystander;
use super::rig::{Alone, Rig};
use super::wire::{Wire, kind};
use crate::cluster::Starter;
use crate::report::{Report, histogram, micros, millis_at};

/// Mebibytes of a value.
const SIZES: [usize; 4] = [8, 16, 32, 60];

pub(super) fn measure(flags: &Flags, starter: &Starter, report: &mut Report) {
    let rig = Rig::start(starter);
    for (way, port) in [("gateway", rig.gateway()), ("member", rig.member(0))] {
        for size in SIZES {
            values(
                flags.times,
                &format!("{way}, {size} MiB"),
                port,
                size,
                report,
            );
        }
    }
    report.at_most("large: ejections", 0.0, rig.ejections() as f64, "");
    drop(rig);
    let alone = Alone::start(starter, &[]);
    let bystander = Bystander::start(alone.port);
    let until = Instant::now() + Duration::from_secs(flags.row_seconds);
    let (done, failures) = in_a_loop(alone.port, until);
    let seen = bystander.finish();
    report.note("node alone: values of 64 MiB set and got", done as f64, "");
    report.at_most("node alone: failed of them", 0.0, failures as f64, "");
    seen.note("node alone", report);
    seen.judge("node alone", 100.0, report);
}

fn values(times: usize, what: &str, port: u16, size: usize, report: &mut Report) {
    let bystander = Bystander::start(port);
    let (mut sets, mut gets) = (histogram(), histogram());
    let mut done = [0, 0];
    let mut failures = BTreeMap::<String, usize>::new();
    let mut wire = None;
    for turn in 0..times {
        let value = value(size, turn);
        let began = Instant::now();
        let set = with(&mut wire, port, |wire| {
            wire.ask(&[b"SET", KEY, &value]).map(|_| ())
        });
        sets.saturating_record(micros(began.elapsed()));
        let began = Instant::now();
        let get = with(&mut wire, port, |wire| got(wire, &value));
        gets.saturating_record(micros(began.elapsed()));
        for (number, outcome) in [set, get].into_iter().enumerate() {
            match outcome {
                Ok(()) => done[number] += 1,
                Err(why) => *failures.entry(kind(&why).to_owned()).or_default() += 1,
            }
        }
    }
    let seen = bystander.finish();
    for (name, done, times_of) in [("SET", done[0], &sets), ("GET", done[1], &gets)] {
        report.at_least(
            &format!("{what}: {name} done"),
            times as f64,
            f64::from(done),
            "",
        );
        report.note(
            &format!("{what}: {name} p50"),
            millis_at(times_of, 0.5),
            "ms",
        );
        report.note(
            &format!("{what}: {name} longest"),
            millis_at(times_of, 1.0),
            "ms",
        );
    }
    for (kind, count) in &failures {
        report.note(&format!("{what}: {kind}"), *count as f64, "");
    }
    seen.note(what, report);
    seen.judge(what, 500.0, report);
}

const KEY: &[u8] = b"large";

/// A value of so many mebibytes, told from others by its beginning.
fn value(size: usize, turn: usize) -> Vec<u8> {
    let mut value = vec![b'v'; size << 20];
    let stamp = format!("{turn:08}");
    value[..stamp.len()].copy_from_slice(stamp.as_bytes());
    value
}

fn got(wire: &mut Wire, value: &[u8]) -> Result<(), String> {
    let reply = wire.ask(&[b"GET", KEY])?;
    let mut expected = format!("${}\r\n", value.len()).into_bytes();
    let len = expected.len() + value.len() + 2;
    expected.extend_from_slice(&value[..8]);
    if reply.len != len || !reply.head.starts_with(&expected) {
        return Err("WRONG value".to_owned());
    }
    Ok(())
}

/// Does something on a connection, which is a new one after it was closed.
pub(super) fn with<T>(
    wire: &mut Option<Wire>,
    port: u16,
    act: impl FnOnce(&mut Wire) -> Result<T, String>,
) -> Result<T, String> {
    let mut open = match wire.take() {
        Some(wire) => wire,
        None => Wire::connect(port).map_err(|error| format!("CLOSED: {error}"))?,
    };
    let outcome = act(&mut open);
    let is_open = outcome
        .as_ref()
        .map_or_else(|why| why.starts_with('-'), |_| true);
    *wire = is_open.then_some(open);
    outcome
}

/// One client that sets and gets values of 64 MiB; how many it did, and how many failed.
pub(super) fn in_a_loop(port: u16, until: Instant) -> (usize, usize) {
    let (value, mut wire) = (value(64, 0), None);
    let (mut done, mut failed) = (0, 0);
    while Instant::now() < until {
        let set = with(&mut wire, port, |wire| {
            wire.ask(&[b"SET", KEY, &value]).map(|_| ())
        });
        let get = with(&mut wire, port, |wire| got(wire, &value));
        for outcome in [set, get] {
            done += usize::from(outcome.is_ok());
            failed += usize::from(outcome.is_err());
        }
    }
    (done, failed)
}
