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
    sources: 4,
    keys: 200,
    through_members: 250,
    phases: &[],
    slowness: 1,
    longest: Duration::from_millis(250),
};

/// Five members, three bystanders; at QUORUM, or at the default levels, as the seed has it.
const fn loaded(seed: u64, load: Load) -> Scenario {
    let (level, on_ambiguous) = if seed.is_multiple_of(2) {
        (Level::Quorum, OnAmbiguous::Error)
    } else {
        (Level::Auto, OnAmbiguous::Retag)
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
    keys: 3000,
    phases: &[
        BEFORE,
        Phase {
            name: "hundreds of keys",
            lasts: Duration::from_secs(2),
            rate: Rate::Every(Duration::from_millis(100)),
            keys: 300,
            bytes: 64,
            is_bearable: true,
        },
        Phase {
            name: "thousands of keys",
            lasts: Duration::from_secs(3),
            rate: Rate::Every(Duration::from_millis(500)),
            keys: 3000,
            bytes: 64,
            is_bearable: true,
        },
        AFTER,
    ],
    ..LOAD
};

/// Requests of hundreds or thousands of keys, through processes of their own, through members, or through those of the
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
    longest: Duration::from_millis(500),
    ..LOAD
};

/// Values of half a MiB, then of 4: those take 84 ms on each link.
pub(super) const fn large(seed: u64) -> Scenario {
    let mut load = LARGE;
    load.sources = if (seed / 2).is_multiple_of(2) { 0 } else { 2 };
    loaded(seed, load)
}

const OVERLOAD: Load = Load {
    phases: &[
        BEFORE,
        Phase {
            name: "rising",
            lasts: Duration::from_secs(3),
            rate: Rate::RisingTo(6000),
            keys: 1,
            bytes: 64,
            is_bearable: false,
        },
        Phase::quiet("rest", Duration::from_millis(1500)),
        Phase {
            name: "twice the capacity",
            lasts: Duration::from_secs(3),
            rate: Rate::OfCapacity(200),
            keys: 1,
            bytes: 64,
            is_bearable: false,
        },
        Phase {
            name: "half the capacity",
            lasts: Duration::from_secs(3),
            rate: Rate::OfCapacity(50),
            keys: 1,
            bytes: 64,
            is_bearable: true,
        },
        AFTER,
    ],
    longest: Duration::from_secs(1),
    ..LOAD
};

/// The cluster's capacity is found, then twice as much is asked for, then half of it.
pub(super) const fn overload(seed: u64) -> Scenario {
    loaded(seed, OVERLOAD)
}

const SLOW: Load = Load {
    slowness: 4,
    phases: &[
        BEFORE,
        Phase {
            name: "steady",
            lasts: Duration::from_secs(4),
            rate: Rate::Every(Duration::from_millis(3)),
            keys: 1,
            bytes: 64,
            is_bearable: true,
        },
        Phase {
            name: "hundreds of keys",
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
    beside_faults(seed, faults)
}

/// As [`overload`], and processes stand still for a moment.
pub(super) const fn overload_stops(seed: u64) -> Scenario {
    let mut faults = Faults::none();
    faults.pause_every = Some(Duration::from_millis(2500));
    beside_faults(seed, faults)
}

const fn beside_faults(seed: u64, faults: Faults) -> Scenario {
    Scenario {
        write_level: Level::Auto,
        read_level: Level::Auto,
        on_ambiguous: OnAmbiguous::Retag,
        faults,
        ..loaded(seed, OVERLOAD)
    }
}
