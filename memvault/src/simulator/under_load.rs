//! The scenarios in which much is asked for, rather than much going wrong.

use super::faults::Faults;
use super::load::{Costs, Load, Phase, Rate};
use super::scenario::Scenario;
use crate::replication::{Level, OnAmbiguous};
use crate::time::Duration;

/// Bystanders alone, before and after.
const BEFORE: Phase = Phase::quiet("before", Duration::from_millis(1500));
const AFTER: Phase = Phase::quiet("after", Duration::from_millis(1500));

const LOAD: Load = Load {
    costs: Costs::SMALL,
    sources: 3,
    keys: 200,
    through_members: 250,
    phases: &[],
    slowness: 1,
    goodput: 80,
    longest: Duration::from_millis(250),
};

/// Five members, three bystanders; at QUORUM, or at the default levels, as the seed has it.
const fn loaded(seed: u64, load: Load) -> Scenario {
    let (level, on_ambiguous) = if seed.is_multiple_of(2) {
        (Level::Quorum, OnAmbiguous::Error)
    } else {
        (Level::Auto, OnAmbiguous::Rewrite)
    };
    let first_request = Duration::from_millis(1500);
    Scenario {
        clients: 3,
        think: Duration::from_millis(10),
        first_request,
        duration: first_request.saturating_add(load.lasts()),
        deletes: 0,
        write_level: level,
        read_level: level,
        on_ambiguous,
        load: Some(load),
        ..Scenario::calm(seed)
    }
}

const WIDE: Load = Load {
    keys: 2000,
    phases: &[
        BEFORE,
        Phase {
            name: "500 keys",
            lasts: Duration::from_secs(2),
            rate: Rate::Every(Duration::from_millis(250)),
            keys: 500,
            bytes: 64,
            is_bearable: true,
        },
        Phase {
            name: "2000 keys",
            lasts: Duration::from_secs(3),
            rate: Rate::Every(Duration::from_millis(1000)),
            keys: 2000,
            bytes: 64,
            is_bearable: true,
        },
        AFTER,
    ],
    ..LOAD
};

/// Requests of 500 keys, then of 2000, through processes of their own, through members, or through those of the
/// bystanders.
pub(super) const fn wide(seed: u64) -> Scenario {
    let mut load = WIDE;
    load.sources = if (seed / 2).is_multiple_of(2) { 0 } else { 2 };
    Scenario {
        deletes: 300,
        ..loaded(seed, load)
    }
}

const LARGE: Load = Load {
    keys: 4,
    phases: &[
        BEFORE,
        Phase {
            name: "half a MiB",
            lasts: Duration::from_secs(2),
            rate: Rate::Every(Duration::from_millis(100)),
            keys: 1,
            bytes: 512 << 10,
            is_bearable: true,
        },
        Phase {
            name: "4 MiB",
            lasts: Duration::from_secs(3),
            rate: Rate::Every(Duration::from_millis(500)),
            keys: 1,
            bytes: 4 << 20,
            is_bearable: true,
        },
        AFTER,
    ],
    longest: Duration::from_millis(80),
    ..LOAD
};

/// Values of half a MiB, then of 4: those take 84 ms on each link.
pub(super) const fn large(seed: u64) -> Scenario {
    let mut load = LARGE;
    load.sources = if (seed / 2).is_multiple_of(2) { 0 } else { 2 };
    loaded(seed, load)
}

const OVERLOAD: Load = Load {
    sources: 8,
    through_members: 100,
    phases: &[
        BEFORE,
        Phase {
            name: "rising",
            lasts: Duration::from_millis(1500),
            rate: Rate::RisingTo(20_000),
            keys: 1,
            bytes: 64,
            is_bearable: false,
        },
        Phase::quiet("rest", Duration::from_millis(1200)),
        Phase {
            name: "twice the capacity",
            lasts: Duration::from_millis(3000),
            rate: Rate::OfCapacity(200),
            keys: 1,
            bytes: 64,
            is_bearable: false,
        },
        Phase {
            name: "half the capacity",
            lasts: Duration::from_millis(1500),
            rate: Rate::OfCapacity(50),
            keys: 1,
            bytes: 64,
            is_bearable: true,
        },
        AFTER,
    ],
    goodput: 90,
    longest: Duration::from_millis(500),
    ..LOAD
};

/// The cluster's capacity is found, then twice as much is asked for, then half of it.
pub(super) const fn overload(seed: u64) -> Scenario {
    Scenario {
        nodes: 3,
        ..loaded(seed, OVERLOAD)
    }
}

const SLOW: Load = Load {
    slowness: 4,
    longest: Duration::from_millis(350),
    phases: &[
        BEFORE,
        Phase {
            name: "steady",
            lasts: Duration::from_secs(4),
            rate: Rate::Every(Duration::from_millis(1)),
            keys: 1,
            bytes: 64,
            is_bearable: true,
        },
        Phase {
            name: "200 keys",
            lasts: Duration::from_secs(3),
            rate: Rate::Every(Duration::from_millis(200)),
            keys: 200,
            bytes: 64,
            is_bearable: true,
        },
        AFTER,
    ],
    ..LOAD
};

/// One member is several times slower than the others, and not dead.
pub(super) const fn slow(seed: u64) -> Scenario {
    loaded(seed, SLOW)
}

/// As [`overload`], and members crash. The default levels: no bystander may notice more than a pause.
pub(super) const fn overload_kills(seed: u64) -> Scenario {
    let mut faults = Faults::none();
    faults.crash_every = Some(Duration::from_millis(2500));
    let mut load = OVERLOAD;
    // One that has waited for its turn may have to go to another member.
    load.longest = Duration::from_millis(700);
    beside_faults(seed, faults, load)
}

/// As [`overload`], and processes stand still for a moment.
pub(super) const fn overload_stops(seed: u64) -> Scenario {
    let mut faults = Faults::none();
    faults.pause_every = Some(Duration::from_millis(2500));
    let mut load = OVERLOAD;
    // A bystander's own process, or a member that it asks, stands still for up to 0.9 s.
    load.longest = Duration::from_millis(1100);
    beside_faults(seed, faults, load)
}

const fn beside_faults(seed: u64, faults: Faults, load: Load) -> Scenario {
    Scenario {
        nodes: 3,
        write_level: Level::Auto,
        read_level: Level::Auto,
        on_ambiguous: OnAmbiguous::Rewrite,
        faults,
        ..loaded(seed, load)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Named, Report, run};

    /// Runs a scenario for some seeds: it keeps its promises, and as many requests were made as it says.
    fn responds_in(name: &str, least: u64) -> Report {
        let named = Named::find(name).expect("it is in the catalogue");
        let mut total = Report::default();
        for seed in 1..=2 {
            let scenario = (named.scenario)(seed);
            assert!(scenario.promises().responsive, "seed {seed}");
            let report = run(&scenario);
            assert_eq!(report.violations, [], "seed {seed}");
            let asked: u64 = report.under_load.iter().map(|phase| phase.asked).sum();
            assert!(asked >= least, "seed {seed}: {report:#?}");
            total.add(&report);
        }
        assert_eq!(total.ejections, 0, "{total:?}");
        total
    }

    #[test]
    fn requests_of_many_keys_harm_nobody() {
        responds_in("wide", 4);
    }

    #[test]
    fn large_values_harm_nobody() {
        responds_in("large", 20);
    }

    #[test]
    fn twice_the_capacity_is_borne_and_leaves_nothing_behind() {
        let total = responds_in("overload", 10_000);
        assert!(total.refused > 1000, "{total:?}");
    }

    #[test]
    fn a_slow_member_is_slow_and_not_dead() {
        responds_in("slow", 1000);
    }

    #[test]
    fn kills_beside_overload_leave_nothing_behind() {
        let total = responds_in("overload-kills", 10_000);
        assert!(total.crashes > 0, "{total:?}");
    }

    #[test]
    fn processes_that_stand_still_beside_overload_are_not_missed_for_long() {
        let total = responds_in("overload-stops", 10_000);
        assert!(total.pauses > 0, "{total:?}");
    }
}
