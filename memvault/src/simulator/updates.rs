//! Clients that read, modify and write: counters by `INCR`, locks by `SET NX`.
//!
//! A counter tells of every increment that was lost or counted twice: its results are all different, they
//! grow in real time, and none is larger than the number of increments asked for by then. Of those who take
//! the same lock one wins at most.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::event::Event;
use super::process::levels;
use super::violation::{Promise, Violation};
use super::world::World;
use crate::command::{Condition, Edit, Expiry, Update};
use crate::replication::{Answer, Bytes, Failure, Level, Outcome, Request};
use crate::time::{Duration, Instant};

/// What a client asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Increment,
    Look,
    Lock,
}

/// One request on a counter or a lock.
#[derive(Clone, Copy, Debug)]
struct Use {
    client: usize,
    kind: Kind,
    key: u64,
    asked: Instant,
    /// The number found, and when; `None` if the fate of the request is unknown.
    answered: Option<(Instant, i64)>,
}

/// The requests on counters and locks.
#[derive(Debug, Default)]
pub(super) struct Updates {
    under_way: BTreeMap<u64, Use>,
    ended: Vec<Use>,
    /// Increments and locks whose fate is unknown.
    unknown: u64,
    done: u64,
}

/// Different counters.
const COUNTERS: u64 = 3;
/// A lock is taken once; after this long the next one is wanted.
const LOCK_EVERY: Duration = Duration::from_millis(50);
/// As a client's limit on values; no number comes near it.
const MAX_LEN: usize = 64;

impl World<'_> {
    /// Asks for an increment, a look or a lock.
    pub(super) fn ask_update(&mut self, client: usize) {
        let kind = match self.rng.below(8) {
            0 => Kind::Lock,
            1 | 2 => Kind::Look,
            _ => Kind::Increment,
        };
        let key = match kind {
            Kind::Lock => self.now.as_micros() / u64::try_from(LOCK_EVERY.as_micros()).unwrap_or(1),
            _ => self.rng.below(COUNTERS),
        };
        self.workload.next_value += 1;
        let id = self.workload.next_value;
        let asked = self.now;
        let entry = Use {
            client,
            kind,
            key,
            asked,
            answered: None,
        };
        self.updates.under_way.insert(id, entry);
        let levels = levels(self.scenario);
        let incarnation = self.incarnation_of(client);
        self.input(client, incarnation, |node, now| {
            node.handle_request(now, id, request(kind, key, client), levels);
        });
    }

    /// Takes the outcome of such a request. Returns whether it was one.
    pub(super) fn complete_update(&mut self, id: u64, outcome: &Outcome) -> bool {
        let Some(mut entry) = self.updates.under_way.remove(&id) else {
            return false;
        };
        match outcome {
            Ok(answer) => {
                entry.answered = Some((self.now, number(answer)));
                self.updates.done += 1;
            }
            Err(failure) => {
                self.report.failures += 1;
                if self.promises.available {
                    self.violate(Promise::Availability, None, format!("{failure}"));
                }
                if entry.kind == Kind::Look || did_nothing(failure) {
                    self.think(entry.client);
                    return true;
                }
                self.updates.unknown += 1;
            }
        }
        self.updates.ended.push(entry);
        self.think(entry.client);
        true
    }

    /// Lets a client think before it asks again.
    pub(super) fn think(&mut self, client: usize) {
        let think = self.rng.duration_below(self.scenario.think * 2);
        self.schedule(think + Duration::from_micros(1), Event::Ask { client });
    }
}

impl Updates {
    /// Increments, looks and locks that were answered.
    pub(super) const fn done(&self) -> u64 {
        self.done
    }

    /// Increments and locks of unknown fate, those that never ended included.
    pub(super) const fn unknown(&self) -> u64 {
        self.unknown
    }

    /// What was lost, counted twice, or won twice. Only at a read level of QUORUM or ALL must a mere look
    /// show all that was done before.
    pub(super) fn check(mut self, read_level: Level) -> Vec<Violation> {
        let exact_looks = matches!(read_level, Level::Quorum | Level::All);
        let never_ended = core::mem::take(&mut self.under_way);
        self.ended.extend(never_ended.into_values());
        let mut violations = Vec::new();
        for counter in 0..COUNTERS {
            let of_it = |entry: &&Use| entry.kind != Kind::Lock && entry.key == counter;
            let uses: Vec<Use> = self.ended.iter().filter(of_it).copied().collect();
            check_counter(counter, &uses, exact_looks, &mut violations);
        }
        let mut won = BTreeSet::new();
        for entry in self.ended.iter().filter(|entry| entry.kind == Kind::Lock) {
            if let Some((at, 1)) = entry.answered
                && !won.insert(entry.key)
            {
                let what = format!("lock-{} was taken twice", entry.key);
                violations.push(broken(at, what));
            }
        }
        violations
    }
}

fn check_counter(counter: u64, uses: &[Use], exact_looks: bool, violations: &mut Vec<Violation>) {
    let mut results = BTreeSet::new();
    for entry in uses.iter().filter(|entry| entry.kind == Kind::Increment) {
        if let Some((at, result)) = entry.answered
            && !results.insert(result)
        {
            let what = format!("counter-{counter}: {result} was the result of two increments");
            violations.push(broken(at, what));
        }
    }
    // By the time of the question: the increments asked for, and the largest result known by then.
    let mut asked: Vec<Instant> = uses
        .iter()
        .filter(|entry| entry.kind == Kind::Increment)
        .map(|entry| entry.asked)
        .collect();
    asked.sort_unstable();
    let mut known: Vec<(Instant, i64)> = uses.iter().filter_map(|entry| entry.answered).collect();
    known.sort_unstable();
    let mut largest = 0;
    for (_, result) in &mut known {
        largest = largest.max(*result);
        *result = largest;
    }
    for entry in uses {
        let Some((at, result)) = entry.answered else {
            continue;
        };
        let before = known.partition_point(|(answered, _)| *answered < entry.asked);
        let least = before.checked_sub(1).and_then(|at| known.get(at));
        let least = match entry.kind {
            Kind::Look if !exact_looks => 0,
            _ => least.map_or(0, |(_, result)| *result) + i64::from(entry.kind == Kind::Increment),
        };
        let most = asked.partition_point(|asked| *asked < at) as i64;
        if result < least || result > most {
            let what = format!(
                "counter-{counter}: {:?} asked at {} ms gave {result}, expected {least} to {most}",
                entry.kind,
                entry.asked.as_micros() / 1000
            );
            violations.push(broken(at, what));
        }
    }
}

fn broken(at: Instant, what: String) -> Violation {
    Violation {
        promise: Promise::AtomicUpdates,
        key: None,
        at,
        values: Vec::new(),
        what,
    }
}

fn request(kind: Kind, key: u64, client: usize) -> Request {
    let name = match kind {
        Kind::Lock => format!("lock-{key}"),
        _ => format!("counter-{key}"),
    };
    let key = Bytes::from(name.into_bytes());
    match kind {
        Kind::Increment => Request::Update {
            key,
            update: Update::Edit {
                edit: Edit::Add(1),
                max_len: MAX_LEN,
            },
        },
        Kind::Look => Request::Get(key),
        Kind::Lock => Request::Set {
            key,
            value: Bytes::from(format!("client-{client}").into_bytes()),
            expiry: Expiry::None,
            condition: Condition::IfAbsent,
            return_old: false,
        },
    }
}

/// The number in an answer: a result, the value of a counter, 1 for a lock that was taken; one out of all
/// bounds for what is none.
fn number(answer: &Answer) -> i64 {
    match answer {
        Answer::Count(count) => *count,
        Answer::Done => 1,
        Answer::NotDone | Answer::Value(None) => 0,
        Answer::Value(Some(value)) => core::str::from_utf8(value)
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(i64::MIN),
        _ => i64::MIN,
    }
}

/// Whether a failure says that nothing was done.
const fn did_nothing(failure: &Failure) -> bool {
    matches!(
        failure,
        Failure::Unavailable
            | Failure::Loading
            | Failure::Overloaded
            | Failure::ClockSkew
            | Failure::TooLarge
    )
}
