//! The load generator against a node.

use crate::support::{Server, memvault};
use serde_json::Value;

#[test]
fn counts_are_exact_and_the_json_can_be_read() {
    let server = Server::start(&[]);
    let ran = server.ask(&[
        "bench",
        "--requests",
        "1003",
        "--connections",
        "7",
        "--pipeline",
        "4",
        "--threads",
        "2",
        "--keys",
        "100",
        "--ratio",
        "1:1",
        "--fill",
        "--zipf",
        "0.99",
        "--json",
    ]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let report: Value = serde_json::from_str(&ran.stdout).expect("one line of JSON");
    assert_eq!(report["requests"], 1003);
    assert_eq!(report["errors"], 0);
    assert_eq!(report["hit_ratio"], 1.0);
    let of = |command: &str| report[command]["requests"].as_u64().expect("a count");
    assert_eq!(of("get") + of("set"), 1003);
    assert!(report["requests_per_second"].as_f64() > Some(0.0));
    let all = &report["all"];
    let at = |name: &str| all[name].as_f64().expect("a time");
    assert!(at("p50_us") > 0.0 && at("p50_us") <= at("p99_us") && at("p99_us") <= at("max_us"));
}

#[test]
fn a_report_for_people() {
    let server = Server::start(&[]);
    let ran = server.ask(&[
        "bench", "-n", "500", "-c", "3", "--keys", "10", "--ratio", "0:1",
    ]);
    assert_eq!(ran.code, Some(0));
    for part in [
        "3 connections, pipeline 1, 1 thread",
        "500 requests in ",
        "no errors",
        "p99.9",
        "SET ",
    ] {
        assert!(ran.stdout.contains(part), "no {part:?} in {}", ran.stdout);
    }
    assert!(!ran.stdout.contains("GET  "), "{}", ran.stdout);
    assert!(!ran.stdout.contains('\x1b'), "colours without a terminal");
}

#[test]
fn the_clock_can_end_it() {
    let server = Server::start(&[]);
    let ran = server.ask(&["bench", "--duration", "200ms", "--json"]);
    let report: Value = serde_json::from_str(&ran.stdout).expect("one line of JSON");
    assert!(report["seconds"].as_f64() >= Some(0.2));
    assert!(report["requests"].as_u64() > Some(0));
}

#[test]
fn errors_are_counted_and_give_exit_code_1() {
    let server = Server::start(&["--max-key", "3"]);
    let ran = server.ask(&["bench", "-n", "100", "--ratio", "0:1", "--json"]);
    assert_eq!(ran.code, Some(1));
    let report: Value = serde_json::from_str(&ran.stdout).expect("one line of JSON");
    assert_eq!(report["errors"], 100);
    assert!(ran.stderr.starts_with("first error: ERR "), "{ran:?}");

    let server = Server::start(&["--max-clients", "2"]);
    let ran = server.ask(&["bench", "-n", "1000", "-c", "20"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""));
    let said = "the server said: ERR max number of clients reached";
    assert!(ran.stderr.contains(said), "{ran:?}");

    let nobody = memvault(&["bench", "--server", "127.0.0.1:1"]);
    assert_eq!(nobody.code, Some(1));
    assert!(
        nobody.stderr.contains("is the server running"),
        "{nobody:?}"
    );
}
