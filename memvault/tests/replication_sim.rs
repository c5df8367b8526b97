//! The cluster in the simulator: what the protocol promises holds under every fault, for many seeds.
//!
//! A failure prints its seed; `MEMVAULT_SEED=n cargo test --test replication_sim` repeats that one.
//! `MEMVAULT_SEEDS=n` sets how many seeds each scenario runs.

use memvault::simulator::{Faults, Report, Scenario, run};
use memvault::time::Duration;

/// Runs a scenario for many seeds and gives each report to `check`.
fn for_seeds(scenario: impl Fn(u64) -> Scenario, check: impl Fn(&Report) -> Vec<String>) -> Report {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse::<u64>().ok())
    };
    let seeds = match number("MEMVAULT_SEED") {
        Some(seed) => seed..=seed,
        None => 1..=number("MEMVAULT_SEEDS").unwrap_or(40),
    };
    let mut total = Report::default();
    for seed in seeds {
        let report = run(&scenario(seed));
        let mut violations = check(&report);
        violations.extend_from_slice(&report.inconsistencies);
        assert!(
            violations.is_empty(),
            "seed {seed}: {violations:#?}\n{report:#?}"
        );
        total.add(&report);
    }
    println!("{total:?}");
    total
}

fn violations(report: &Report) -> Vec<String> {
    report.violations.clone()
}

fn violations_and_losses(report: &Report) -> Vec<String> {
    let all = report.lost.iter().chain(&report.violations);
    all.cloned().collect()
}

#[test]
fn without_faults_every_request_succeeds() {
    let total = for_seeds(Scenario::calm, violations);
    assert_eq!(total.failures, 0);
    assert!(total.hits > 1000, "{total:?}");
}

#[test]
fn hits_are_linearizable_under_every_fault() {
    let total = for_seeds(Scenario::stormy, violations);
    assert!(total.crashes > 40 && total.hits > 1000, "{total:?}");
}

#[test]
fn hits_are_linearizable_with_evictions() {
    let scenario = |seed| Scenario {
        max_entries: Some(3),
        floor_buckets: 4,
        ..Scenario::stormy(seed)
    };
    for_seeds(scenario, violations);
}

#[test]
fn hits_are_linearizable_beyond_the_budget() {
    let scenario = |seed| {
        let faults = Faults {
            crash_beyond_budget: true,
            crash_every: Some(Duration::from_millis(700)),
            ..Faults::all()
        };
        Scenario {
            faults,
            ..Scenario::stormy(seed)
        }
    };
    for_seeds(scenario, violations);
}

#[test]
fn hits_are_linearizable_in_clusters_of_any_size() {
    for_seeds(Scenario::varied, violations);
}

#[test]
fn no_acknowledged_write_is_lost_within_the_budget() {
    let scenario = |seed| Scenario {
        deletes: 0,
        warm_max: Duration::from_secs(8),
        // After a cold start the members take everything up to their floors for forgotten, and with clocks
        // that differ those lie up to 0.4 s in the future of the others.
        first_request: Duration::from_millis(1700),
        ..Scenario::stormy(seed)
    };
    for_seeds(scenario, violations_and_losses);
}

#[test]
fn nothing_is_lost_or_stale_while_members_come_back_all_the_time() {
    for_seeds(Scenario::hasty, violations_and_losses);
}

#[test]
fn hits_are_linearizable_when_members_come_back_before_their_peers() {
    let scenario = |seed| {
        let faults = Faults {
            crash_beyond_budget: true,
            ..Scenario::hasty(seed).faults
        };
        Scenario {
            warm_max: Duration::from_millis(600),
            faults,
            ..Scenario::hasty(seed)
        }
    };
    for_seeds(scenario, violations);
}

#[test]
fn kills_alone_fail_no_request_at_the_default_level() {
    let scenario = |seed| {
        let faults = Faults {
            crash_every: Some(Duration::from_millis(2500)),
            ..Faults::default()
        };
        Scenario {
            write_level: Default::default(),
            read_level: Default::default(),
            on_ambiguous: Default::default(),
            deletes: 0,
            faults,
            ..Scenario::calm(seed)
        }
    };
    let total = for_seeds(scenario, |report| report.lost.clone());
    assert_eq!(total.failures, 0);
}

#[test]
fn equal_seeds_give_equal_runs() {
    let (first, second) = (run(&Scenario::stormy(5)), run(&Scenario::stormy(5)));
    assert_eq!(first.fingerprint, second.fingerprint);
    assert_ne!(first.fingerprint, run(&Scenario::stormy(6)).fingerprint);
}
