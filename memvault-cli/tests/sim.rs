//! The simulator on the command line.

use crate::support::{Ran, Running, memvault};
use rustix::process::Signal;
use serde_json::Value;

/// A sweep that is over soon: no more runs than a document tells violations in full.
const SWEEP: [&str; 5] = ["sim", "--seeds", "18", "--duration", "2s"];

fn sim(args: &[&str]) -> Ran {
    memvault(&[&SWEEP, args].concat())
}

/// The document, without what may differ between two runs.
fn lasting(ran: &Ran) -> Value {
    let mut document: Value = serde_json::from_str(&ran.stdout).expect("one line of JSON");
    let fields = document.as_object_mut().expect("an object");
    let varies = |name: &str| name.starts_with("wall") || name.starts_with("speed");
    assert!(fields.keys().any(|name| varies(name)));
    fields.retain(|name, _| !varies(name));
    document
}

#[test]
fn the_json_depends_on_the_flags_alone() {
    let one = sim(&["--json", "--threads", "1"]);
    assert_eq!((one.code, one.stderr.as_str()), (Some(0), ""));
    let (again, three) = (
        sim(&["--json", "--threads", "1"]),
        sim(&["--json", "--threads", "3"]),
    );
    assert_eq!(lasting(&one), lasting(&again));
    assert_eq!(lasting(&one), lasting(&three));
    assert_ne!(lasting(&one), lasting(&sim(&["--json", "--seed", "2"])));

    let document = lasting(&one);
    assert_eq!(document["runs"], 18);
    assert_eq!(document["broken_runs"], 0);
    assert_eq!(document["simulated_seconds"], 36.0);
    assert_eq!(document["violations"], Value::Array(Vec::new()));
    let scenarios = document["scenarios"].as_array().expect("a list");
    let requests = |scenario: &Value| scenario["requests"].as_u64().expect("a count");
    assert_eq!(
        scenarios.iter().map(requests).sum::<u64>(),
        requests(&document)
    );
    assert!(
        scenarios.len() > 8 && requests(&document) > 1000,
        "{document}"
    );
}

#[test]
fn hours_say_how_many_runs() {
    let ran = memvault(&[
        "sim",
        "--hours",
        "0.01",
        "--duration",
        "5s",
        "--scenario",
        "calm",
        "--json",
    ]);
    // 36 seconds in runs of 5.
    assert_eq!(lasting(&ran)["runs"], 8, "{ran:?}");
}

#[test]
fn a_summary_for_people() {
    let ran = sim(&["--scenario", "hasty"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    for part in [
        "18 runs, scenario hasty, seeds 1 to 18: 0.01 cluster-hours",
        "every promise was kept",
        "simulated seconds per second",
    ] {
        assert!(ran.stdout.contains(part), "no {part:?} in {}", ran.stdout);
    }
    assert!(!ran.stdout.contains('\x1b'), "colours without a terminal");
}

#[test]
fn what_is_broken_is_told_with_the_command_that_repeats_it() {
    // Requests do fail in a storm; nobody promised that they do not, so it has to be asked for.
    let flags = [
        "--faults",
        "all,loss=10%",
        "--nodes",
        "4",
        "--check",
        "available",
    ];
    let ran = sim(&[&["--scenario", "stormy", "--json"], &flags[..]].concat());
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let document = lasting(&ran);
    let violations = document["violations"].as_array().expect("a list");
    assert_eq!(
        document["broken_runs"].as_u64(),
        Some(violations.len() as u64)
    );
    let first = violations.first().expect("there is one");
    let what = first["broken"][0]["what"].as_str().expect("words");
    assert_eq!(first["broken"][0]["promise"], "availability");

    let command = first["command"].as_str().expect("words");
    let words: Vec<_> = command.split(' ').skip(1).collect();
    let again = memvault(&[&words[..], &["--json"]].concat());
    assert_eq!(again.code, Some(1), "{command}: {again:?}");
    let again = lasting(&again);
    assert_eq!(&again["violations"][0], first);

    let text = memvault(&words);
    assert_eq!(text.code, Some(1));
    let line = format!("again: {command}\n");
    assert!(text.stdout.contains(&line), "{}", text.stdout);
    assert!(text.stdout.contains(what) && text.stdout.contains("1 run broke a promise"));
}

#[test]
fn ctrl_c_ends_it_with_the_summary_so_far() {
    let mut running = Running::start(&[
        "sim",
        "--seeds",
        "1000000",
        "--duration",
        "1s",
        "--threads",
        "1",
    ]);
    running.wait_for_handler();
    running.signal(Signal::INT);
    let line = running.wait_for("runs, ");
    assert!(line.contains("interrupted, 1 000 000 planned"), "{line}");
    assert_eq!(running.wait(), Some(130));
}

#[test]
fn a_wrong_flag_is_named_with_what_it_expects() {
    let cases: [(&str, &str, &str); 11] = [
        ("--seeds", "0", "a whole number from 1 to"),
        ("--seed", "x", "a whole number from 0"),
        ("--hours", "0", "such as 11 or 0.5"),
        ("--duration", "20", "20s or 20ms?"),
        ("--threads", "0", "1 to 1024"),
        ("--nodes", "101", "1 to 100"),
        ("--scenario", "sunny", "calm, stormy"),
        (
            "--faults",
            "loss=2%,fire",
            "expected none, all, delay, loss,",
        ),
        ("--write-level", "most", "one, quorum, all or auto"),
        ("--on-ambiguous", "shrug", "rewrite or error"),
        (
            "--check",
            "everything",
            "linearizable, current, durable, atomic, fresh, available or responsive",
        ),
    ];
    for (flag, value, part) in cases {
        let ran = memvault(&["sim", flag, value]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
        for part in [flag, part] {
            assert!(ran.stderr.contains(part), "no {part:?} in {}", ran.stderr);
        }
    }
    let both = memvault(&["sim", "--seeds", "9", "--hours", "1"]);
    assert_eq!(both.code, Some(2));
    assert!(both.stderr.contains("cannot be used with"), "{both:?}");
}

#[test]
fn growth_is_measured_and_its_json_depends_on_the_flags_alone() {
    let flags = [
        "sim",
        "scale",
        "--nodes",
        "12",
        "--keys",
        "5000",
        "--clients",
        "3",
    ];
    let (text, json) = (
        memvault(&flags),
        memvault(&[&flags[..], &["--json"]].concat()),
    );
    assert_eq!(
        (text.code, json.code),
        (Some(0), Some(0)),
        "{text:?} {json:?}"
    );
    for part in [
        "Shares of 5 000 keys with 3 replicas",
        "unplugged",
        "messages/s",
    ] {
        assert!(text.stdout.contains(part), "no {part:?} in {}", text.stdout);
    }
    let steady = |ran: &Ran| {
        let mut document: Value = serde_json::from_str(&ran.stdout).expect("one line of JSON");
        for size in document["sizes"].as_array_mut().expect("a list") {
            size.as_object_mut()
                .expect("an object")
                .remove("wall_seconds");
        }
        document
    };
    let again = memvault(&[&flags[..], &["--json"]].concat());
    assert_eq!(steady(&json), steady(&again));
    let sizes = steady(&json);
    assert_eq!(
        (&sizes["sizes"][0]["nodes"], &sizes["sizes"][1]["nodes"]),
        (&10.into(), &12.into())
    );
    // All but the dead one and itself, and all clients.
    assert_eq!(sizes["sizes"][1]["unplugged_down_ms"]["members"], 10);
    assert_eq!(sizes["sizes"][1]["killed_noticed_ms"]["clients"], 3);
}

#[test]
fn a_cluster_smaller_than_its_scenario_still_runs() {
    let ran = sim(&["--nodes", "1", "--replicas", "1", "--json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let document = lasting(&ran);
    assert_eq!(document["runs"], 18);
    assert!(document["hits"].as_u64() > Some(100), "{document}");
}
