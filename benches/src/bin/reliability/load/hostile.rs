//! One client that asks for too much, or never reads, and what the others notice of it.

use std::time::{Duration, Instant};

use super::Flags;
use super::bystander::Bystander;
use super::hostile_rows::ROWS;
use super::process::{Peak, mib, resident};
use super::rig::{Alone, Rig};
use super::wire::Wire;
use crate::cluster::Starter;
use crate::report::Report;

/// Others that are connected and say nothing meanwhile.
const SILENT: usize = 20;
/// After a row, until its memory is looked at.
const PAUSE: Duration = Duration::from_secs(3);

pub(super) fn measure(flags: &Flags, starter: &Starter, report: &mut Report) {
    more_files();
    let alone = Alone::start(starter, &[]);
    rows(flags, ("node", alone.port, alone.pid()), 100.0, report);
    drop(alone);
    let rig = Rig::start(starter);
    rows(
        flags,
        ("member", rig.member(0), rig.cluster.pid(0)),
        250.0,
        report,
    );
    rows(
        flags,
        ("gateway", rig.gateway(), rig.gateway_pid()),
        250.0,
        report,
    );
    report.at_most("hostile: ejections", 0.0, rig.ejections() as f64, "");
}

fn rows(flags: &Flags, (kind, port, pid): (&str, u16, u32), longest: f64, report: &mut Report) {
    for (name, act) in ROWS.iter().filter(|(name, _)| name.contains(&flags.row)) {
        let what = format!("{kind}: {name}");
        let mut silent: Vec<Wire> = (0..SILENT)
            .filter_map(|_| Wire::connect(port).ok())
            .collect();
        for wire in &mut silent {
            // Somebody who is known to the server.
            let _ = wire.ask(&[b"PING"]);
        }
        let (bystander, peak) = (Bystander::start(port), Peak::start(pid));
        let until = Instant::now() + Duration::from_secs(flags.row_seconds);
        let (done, failed) = act(port, until);
        let (seen, peak) = (bystander.finish(), peak.finish());
        std::thread::sleep(PAUSE);
        let cut_off = silent
            .iter_mut()
            .filter_map(|wire| wire.ask(&[b"PING"]).err())
            .count();
        report.note(&format!("{what}: rounds"), done as f64, "");
        report.note(&format!("{what}: its own failures"), failed as f64, "");
        let cut_off = cut_off as f64 + seen.closed as f64;
        report.at_most(&format!("{what}: others cut off"), 0.0, cut_off, "");
        seen.judge(&what, longest, report);
        report.note(&format!("{what}: most resident"), mib(peak).round(), "MiB");
        let after = mib(resident(pid)).round();
        report.note(
            &format!("{what}: resident {} s later", PAUSE.as_secs()),
            after,
            "MiB",
        );
    }
}

/// Thousands of connections need as many files, here and in the servers that are started after this.
pub(super) fn more_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        eprintln!("the limit of open files stays as it is: {error}");
    }
}
