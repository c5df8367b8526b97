//! Twice the load that a cluster can carry, and then half: what is done meanwhile, and how soon all is as before.

use std::time::Duration;

use super::Flags;
use super::generator::{Load, Outcome, Phase, run};
use super::rig::Rig;
use crate::cluster::Starter;
use crate::failover;
use crate::report::{Report, millis_at};

/// Requests under way on each connection while the capacity is looked for.
const WINDOWS: [usize; 3] = [1, 8, 64];
const CONNECTIONS: usize = 64;
/// For each of these windows.
const LOOK: Duration = Duration::from_secs(5);
/// Seconds that a kill and a freeze take.
const FAULT_SECONDS: u64 = 8;

pub(super) fn measure(flags: &Flags, starter: &Starter, report: &mut Report) {
    let mut rig = Rig::start(starter);
    // A connection to a member that is killed fails by itself: with faults all go through the gateway.
    let faults = flags.overload_faults;
    let ports = if faults > 0 {
        vec![rig.gateway()]
    } else {
        rig.ports()
    };
    let load = |window| Load {
        ports: ports.clone(),
        connections: CONNECTIONS,
        window,
    };
    let look = Phase {
        time: LOOK,
        rate: None,
    };
    let mut capacity = 0.0_f64;
    for window in WINDOWS {
        let outcome = &run(&load(window), &[look, look])[1];
        let what = format!("closed loop, {CONNECTIONS} connections x {window}");
        report.note(&what, outcome.per_second().round(), "/s");
        report.at_most(&format!("{what}: failed"), 0.0, outcome.failed() as f64, "");
        capacity = capacity.max(outcome.per_second());
    }
    let seconds = flags.overload_seconds.max(faults as u64 * FAULT_SECONDS);
    let phase = |seconds, share| Phase {
        time: Duration::from_secs(seconds),
        rate: Some(capacity * share),
    };
    let phases = [phase(seconds, 2.0), phase(1, 0.5), phase(10, 0.5)];
    let outcomes = std::thread::scope(|scope| {
        let load = load(*WINDOWS.last().expect("there are some"));
        let running = scope.spawn(move || run(&load, &phases));
        if faults > 0 {
            std::thread::sleep(Duration::from_secs(2));
            smol::block_on(failover::under_load(faults, &mut rig.cluster, report));
        }
        running.join().expect("it does not panic")
    });
    let [twice, settling, after] = &outcomes[..] else {
        unreachable!("there is an outcome for each phase")
    };
    tell(
        &format!("twice the capacity for {seconds} s"),
        twice,
        report,
    );
    let share = twice.per_second() * 100.0 / capacity;
    report.at_least("goodput under twice the capacity", 80.0, share.round(), "%");
    tell("half of it, first second", settling, report);
    tell("half of it, later", after, report);
    let failed = (after.failed() + after.late) as f64;
    report.at_most("after one second: failed or late", 0.0, failed, "");
    report.at_most("overload: ejections", 0.0, ejections(&rig, faults), "");
}

/// With faults some are as they should be.
fn ejections(rig: &Rig<'_>, faults: usize) -> f64 {
    if faults > 0 {
        0.0
    } else {
        rig.ejections() as f64
    }
}

fn tell(what: &str, outcome: &Outcome, report: &mut Report) {
    report.note(
        &format!("{what}: answered in time"),
        outcome.per_second().round(),
        "/s",
    );
    report.note(&format!("{what}: answered later"), outcome.late as f64, "");
    for (part, quantile) in [("p50", 0.5), ("p99", 0.99), ("longest", 1.0)] {
        report.note(
            &format!("{what}: {part}"),
            millis_at(&outcome.times, quantile),
            "ms",
        );
    }
    for (kind, count) in &outcome.failures {
        report.note(&format!("{what}: {kind}"), *count as f64, "");
    }
}
