//! Members join and leave while everything goes wrong: the same promises hold as in a cluster that stays.
//!
//! A failure prints its seed; `MEMVAULT_SEED=n cargo test --test all replication_ring_change` repeats that one.
//! `MEMVAULT_SEEDS=n` sets how many seeds each scenario runs.

use memvault::replication::{Level, OnAmbiguous};
use memvault::simulator::{Faults, Report, Scenario, run};
use memvault::time::Duration;

/// Members join and leave, and these faults happen.
fn changing(seed: u64, faults: Faults) -> Scenario {
    let scenario = Scenario::changing(seed);
    Scenario {
        faults: Faults {
            change_every: scenario.faults.change_every,
            ..faults
        },
        ..scenario
    }
}

fn for_seeds(scenario: impl Fn(u64) -> Scenario) -> Report {
    for_some_seeds(10, scenario)
}

/// As [`for_seeds`], with so many unless the environment says how many.
fn for_some_seeds(some: u64, scenario: impl Fn(u64) -> Scenario) -> Report {
    let number = |name: &str| {
        let text = std::env::var(name).ok()?;
        text.parse::<u64>().ok()
    };
    let seeds = match number("MEMVAULT_SEED") {
        Some(seed) => seed..=seed,
        None => 1..=number("MEMVAULT_SEEDS").unwrap_or(some),
    };
    let mut total = Report::default();
    for seed in seeds {
        let scenario = scenario(seed);
        let report = run(&scenario);
        assert!(report.violations.is_empty(), "seed {seed}: {report:#?}");
        total.add(&report);
    }
    println!("{total:?}");
    total
}

#[test]
fn changes_alone_fail_and_lose_nothing_at_the_default_level() {
    let total = for_seeds(|seed| Scenario {
        write_level: Level::Auto,
        read_level: Level::Auto,
        on_ambiguous: OnAmbiguous::Rewrite,
        ..changing(seed, Faults::none())
    });
    assert_eq!(total.failures, 0);
    assert!(total.changes > 0, "{total:?}");
}

#[test]
fn changes_and_kills_fail_and_lose_nothing_at_the_default_level() {
    let total = for_seeds(|seed| Scenario {
        write_level: Level::Auto,
        read_level: Level::Auto,
        on_ambiguous: OnAmbiguous::Rewrite,
        ..changing(
            seed,
            Faults {
                crash_every: Some(Duration::from_millis(2500)),
                ..Faults::none()
            },
        )
    });
    assert_eq!(total.failures, 0);
    assert!(total.changes > 0 && total.crashes > 0, "{total:?}");
}

#[test]
fn nothing_is_lost_or_stale_under_every_fault() {
    let total = for_seeds(|seed| changing(seed, Faults::all()));
    assert!(total.changes > 0 && total.crashes > 0, "{total:?}");
}

#[test]
fn hits_are_linearizable_with_deletions_and_evictions() {
    for_seeds(|seed| Scenario {
        deletes: 200,
        max_entries: Some(4),
        hash_tags: 4,
        ..changing(seed, Faults::all())
    });
}

#[test]
fn hits_are_linearizable_in_small_and_hasty_clusters() {
    for_seeds(|seed| Scenario {
        nodes: 4,
        spares: 1,
        keys: 4,
        clients: 8,
        think: Duration::from_millis(3),
        ..changing(seed, Scenario::hasty(seed).faults)
    });
}

#[test]
fn updates_are_atomic() {
    let total = for_some_seeds(6, |seed| Scenario {
        updates: 700,
        ..changing(seed, Faults::all())
    });
    assert!(total.updates > 10_000 && total.changes > 0, "{total:?}");
}

#[test]
fn what_expires_does_not_come_back() {
    let total = for_some_seeds(6, |seed| Scenario {
        expiring: 500,
        deletes: 200,
        tombstone_grace: Duration::from_millis(100),
        through_members: 300,
        ..changing(seed, Faults::all())
    });
    assert!(total.changes > 0, "{total:?}");
}
