//! Which faults, when, and for how long: drawn from a seed, so that a run can be repeated.

use std::fmt;
use std::time::Duration;

use memvault::rng::Rng;

use crate::network::{CLIENTS, GATEWAY, MEMBERS, Wire};
use crate::scenario::Faults;

/// One fault.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// `kill -9`, and a start with empty memory after this long.
    Kill { victim: usize, down_for: Duration },
    /// SIGSTOP, and SIGCONT after this long.
    Freeze { victim: usize, frozen_for: Duration },
    /// These ways, from one process to another, are bad for this long.
    Wires {
        wires: Vec<(usize, usize)>,
        wire: Wire,
        bad_for: Duration,
    },
}

/// All faults of a run, each with the time since the one before it.
pub(crate) struct Plan(pub(crate) Vec<(Duration, Fault)>);

impl Plan {
    pub(crate) fn new(faults: Faults, mut rng: Rng, duration: Duration) -> Self {
        let mut plan = Vec::new();
        let mut at = Duration::ZERO;
        loop {
            let gap = Duration::from_millis(50) + rng.duration_below(Duration::from_millis(600));
            at += gap;
            if at >= duration {
                return Self(plan);
            }
            let left = duration - at;
            let fault = match (faults, rng.below(10)) {
                (Faults::Kills, _) | (_, 0..4) => kill(&mut rng),
                (_, 4..6) => freeze(&mut rng, left),
                _ => wires(&mut rng, left),
            };
            plan.push((gap, fault));
        }
    }
}

fn kill(rng: &mut Rng) -> Fault {
    let quick = rng.one_in_thousand(500);
    let longest = Duration::from_millis(if quick { 4 } else { 1500 });
    Fault::Kill {
        victim: member(rng),
        down_for: rng.duration_below(longest),
    }
}

/// Short ones most of the time, up to 10 s.
fn freeze(rng: &mut Rng, left: Duration) -> Fault {
    let longest = [300, 900, 2_000, 10_000][rng.below(4) as usize];
    let longest = Duration::from_millis(longest).min(left);
    Fault::Freeze {
        // The gateway, too: a coordinator that wakes up in the middle of its writes.
        victim: rng.below(MEMBERS as u64 + 1) as usize,
        frozen_for: Duration::from_millis(100) + rng.duration_below(longest),
    }
}

fn wires(rng: &mut Rng, left: Duration) -> Fault {
    let bad_for = Duration::from_millis(100) + rng.duration_below(Duration::from_secs(3).min(left));
    let wire = match rng.below(4) {
        0 => Wire::Slow {
            delay: rng.duration_below(Duration::from_millis(70)),
            jitter: Duration::from_millis(20),
        },
        1 => Wire::Lossy {
            percent: 1 + rng.below(10) as u8,
        },
        _ => Wire::Cut,
    };
    Fault::Wires {
        wires: some_wires(rng),
        wire,
        bad_for,
    }
}

/// A side of the cluster against the rest: both ways or one way, or a single pair of members.
fn some_wires(rng: &mut Rng) -> Vec<(usize, usize)> {
    let mut wires = Vec::new();
    let (out, back) =
        [(true, true), (true, true), (true, false), (false, true)][rng.below(4) as usize];
    let mut both = |a: usize, b: usize| {
        wires.extend(out.then_some((a, b)));
        wires.extend(back.then_some((b, a)));
    };
    if rng.one_in_thousand(200) {
        let a = member(rng);
        let b = (a + 1 + rng.below(MEMBERS as u64 - 1) as usize) % MEMBERS;
        both(a, b);
        return wires;
    }
    let alone = member(rng);
    let two = rng.one_in_thousand(500);
    // Gateway and clients are on the side of the majority or on the other one.
    let stray = rng.below(1 << 4) as usize;
    let is_cut_off = |process: usize| match process {
        GATEWAY => stray & 3 == 0,
        CLIENTS => stray >> 2 == 0,
        member => member == alone || two && member == (alone + 1) % MEMBERS,
    };
    for a in (0..=CLIENTS).filter(|process| is_cut_off(*process)) {
        for b in (0..=CLIENTS).filter(|process| !is_cut_off(*process)) {
            // Only members are connected to.
            if a < MEMBERS || b < MEMBERS {
                both(a, b);
            }
        }
    }
    wires
}

fn member(rng: &mut Rng) -> usize {
    rng.below(MEMBERS as u64) as usize
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill { victim, down_for } => {
                write!(
                    f,
                    "kill {} and start it after {down_for:.1?}",
                    name(*victim)
                )
            }
            Self::Freeze { victim, frozen_for } => {
                write!(f, "freeze {} for {frozen_for:.1?}", name(*victim))
            }
            Self::Wires {
                wires,
                wire,
                bad_for,
            } => {
                write!(f, "{wire:?} for {bad_for:.1?}:")?;
                let mut wires = wires.iter();
                wires.try_for_each(|(from, to)| write!(f, " {}>{}", name(*from), name(*to)))
            }
        }
    }
}

/// How a process is called in reports.
pub(crate) fn name(process: usize) -> String {
    match process {
        GATEWAY => "gateway".to_owned(),
        CLIENTS => "clients".to_owned(),
        member => format!("n{member}"),
    }
}
