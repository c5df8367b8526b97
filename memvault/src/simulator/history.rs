//! What happened, as the clients saw it, and whether it may have.
//!
//! A history is checked per key for *linearizable hits*: acknowledged writes, writes of unknown fate and
//! reads that found a value fit into one order that respects real time; a miss may happen at any time.
//! The test is that of Gibbons and Korach (1997) for registers whose values are all different: each value
//! lives in a zone from the first answer about it to the last question that returned it.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::violation::{Promise, Violation};
use crate::time::Instant;

/// What a client did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Act {
    /// Wrote this value; deletions count as values of their own.
    Write(u64),
    /// Read this value.
    Hit(u64),
    /// Read nothing.
    Miss,
}

/// One request of a client.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// The key's number.
    pub key: usize,
    /// What was done or found.
    pub act: Act,
    /// When it was asked.
    pub asked: Instant,
    /// When it was answered; `None` for a write that failed or never ended: its fate is unknown.
    pub answered: Option<Instant>,
}

/// The life of one value.
#[derive(Clone, Copy, Debug)]
struct Zone {
    value: u64,
    first_answer: Option<Instant>,
    last_question: Instant,
    written: Option<Instant>,
    first_read: Option<Instant>,
}

/// Every violation of linearizable hits.
#[must_use]
pub fn check_hits(records: &[Record]) -> Vec<Violation> {
    let mut keys: BTreeMap<usize, BTreeMap<u64, Zone>> = BTreeMap::new();
    for record in records {
        let (Act::Write(value) | Act::Hit(value)) = record.act else {
            continue;
        };
        let zones = keys.entry(record.key).or_default();
        zones
            .entry(value)
            .or_insert_with(|| Zone::new(value))
            .add(record);
    }
    let mut violations = Vec::new();
    for (key, zones) in &keys {
        check_key(*key, zones.values(), &mut violations);
    }
    violations
}

/// Misses after the first acknowledged write of a key: only meaningful for histories without deletions,
/// evictions and more failures than the budget.
#[must_use]
pub fn check_durability(records: &[Record]) -> Vec<Violation> {
    let mut acknowledged: BTreeMap<usize, Instant> = BTreeMap::new();
    for record in records {
        if let (Act::Write(_), Some(at)) = (record.act, record.answered) {
            let first = acknowledged.entry(record.key).or_insert(at);
            *first = at.min(*first);
        }
    }
    let lost = |record: &&Record| {
        record.act == Act::Miss
            && acknowledged
                .get(&record.key)
                .is_some_and(|at| record.asked > *at)
    };
    let describe = |record: &Record| Violation {
        promise: Promise::Durability,
        key: Some(record.key),
        at: record.answered.unwrap_or(record.asked),
        values: Vec::new(),
        what: format!(
            "lost, a read asked at {} ms missed",
            record.asked.as_micros() / 1000
        ),
    };
    records.iter().filter(lost).map(describe).collect()
}

/// Hits that were stale: the value found had been acknowledged, and then another, asked for after that, before the
/// read was asked. O(n log n).
#[must_use]
pub fn check_current(records: &[Record]) -> Vec<Violation> {
    let mut writes: BTreeMap<usize, Vec<(Instant, Instant)>> = BTreeMap::new();
    let mut acknowledged: BTreeMap<u64, Instant> = BTreeMap::new();
    for record in records {
        if let (Act::Write(value), Some(answered)) = (record.act, record.answered) {
            writes
                .entry(record.key)
                .or_default()
                .push((answered, record.asked));
            acknowledged.insert(value, answered);
        }
    }
    for list in writes.values_mut() {
        list.sort_unstable();
        // From here on: when the last of those answered so far was asked for.
        let mut latest = Instant::ZERO;
        for (_, asked) in list {
            latest = latest.max(*asked);
            *asked = latest;
        }
    }
    let is_stale = |record: &&Record| {
        let Act::Hit(value) = record.act else {
            return false;
        };
        let (Some(known), Some(list)) = (acknowledged.get(&value), writes.get(&record.key)) else {
            return false;
        };
        let before = list.partition_point(|(answered, _)| *answered < record.asked);
        let last = before.checked_sub(1).and_then(|last| list.get(last));
        last.is_some_and(|(_, asked)| asked > known)
    };
    let describe = |record: &Record| Violation {
        promise: Promise::CurrentHits,
        key: Some(record.key),
        at: record.answered.unwrap_or(record.asked),
        values: match record.act {
            Act::Hit(value) => [value].into(),
            Act::Write(_) | Act::Miss => Vec::new(),
        },
        what: format!(
            "stale, a read asked at {} ms found what had been overwritten",
            record.asked.as_micros() / 1000
        ),
    };
    records.iter().filter(is_stale).map(describe).collect()
}

fn check_key<'a>(
    key: usize,
    zones: impl Iterator<Item = &'a Zone>,
    violations: &mut Vec<Violation>,
) {
    let (mut forward, mut backward) = (Vec::new(), Vec::new());
    for zone in zones {
        let Some(written) = zone.written else {
            violations.push(broken(
                key,
                zone.last_question,
                [zone.value].into(),
                format!("value {} was read but never written", zone.value),
            ));
            continue;
        };
        if zone.first_read.is_some_and(|read| read < written) {
            violations.push(broken(
                key,
                written,
                [zone.value].into(),
                format!("value {} was read before it was written", zone.value),
            ));
        }
        match zone.first_answer {
            Some(first) if first < zone.last_question => {
                forward.push((first, zone.last_question, zone.value))
            }
            Some(first) => backward.push((zone.last_question, first, zone.value)),
            None => {}
        }
    }
    forward.sort_unstable();
    for pair in forward.windows(2) {
        if let [(_, end, before), (start, _, after)] = pair
            && start < end
        {
            violations.push(broken(
                key,
                *end,
                [*before, *after].into(),
                format!(
                    "values {before} and {after} were both current at {} ms",
                    start.as_micros() / 1000
                ),
            ));
        }
    }
    for (start, end, value) in &backward {
        // Forward zones that do not overlap are ordered by their end as well: one look-up finds the only
        // candidate.
        let at = forward.partition_point(|(from, ..)| from < start);
        if let Some((_, until, around)) = at.checked_sub(1).and_then(|at| forward.get(at))
            && end < until
        {
            violations.push(broken(
                key,
                *until,
                [*value, *around].into(),
                format!(
                    "write {value} was acknowledged within {} to {} ms while {around} stayed current",
                    start.as_micros() / 1000,
                    end.as_micros() / 1000
                ),
            ));
        }
    }
}

fn broken(key: usize, at: Instant, values: Vec<u64>, what: String) -> Violation {
    Violation {
        promise: Promise::LinearizableHits,
        key: Some(key),
        at,
        values,
        what,
    }
}

impl Zone {
    const fn new(value: u64) -> Self {
        Self {
            value,
            first_answer: None,
            last_question: Instant::ZERO,
            written: None,
            first_read: None,
        }
    }

    fn add(&mut self, record: &Record) {
        self.last_question = self.last_question.max(record.asked);
        if let Some(at) = record.answered {
            self.first_answer = Some(self.first_answer.map_or(at, |first| first.min(at)));
        }
        if matches!(record.act, Act::Write(_)) {
            self.written = Some(record.asked);
        } else if let Some(at) = record.answered {
            self.first_read = Some(self.first_read.map_or(at, |first| first.min(at)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(act: Act, asked: u64, answered: u64) -> Record {
        let answered = Some(Instant::from_millis(answered));
        Record {
            key: 0,
            act,
            asked: Instant::from_millis(asked),
            answered,
        }
    }

    #[test]
    fn a_sequential_history_is_fine() {
        let history = [
            record(Act::Write(1), 0, 1),
            record(Act::Hit(1), 2, 3),
            record(Act::Write(2), 4, 5),
            record(Act::Hit(2), 6, 7),
        ];
        assert_eq!(check_hits(&history), Vec::new());
    }

    #[test]
    fn a_stale_read_is_found() {
        let history = [
            record(Act::Write(1), 0, 1),
            record(Act::Write(2), 2, 3),
            record(Act::Hit(1), 4, 5),
        ];
        assert_eq!(check_hits(&history).len(), 1);
    }

    #[test]
    fn values_that_come_and_go_are_found() {
        let history = [
            record(Act::Write(1), 0, 1),
            record(Act::Write(2), 0, 1),
            record(Act::Hit(1), 2, 3),
            record(Act::Hit(2), 4, 5),
            record(Act::Hit(1), 6, 7),
        ];
        assert_eq!(check_hits(&history).len(), 1);
    }

    #[test]
    fn a_value_from_nowhere_is_found() {
        assert_eq!(check_hits(&[record(Act::Hit(9), 0, 1)]).len(), 1);
    }

    #[test]
    fn a_miss_after_an_acknowledged_write_is_lost_data() {
        let history = [record(Act::Write(1), 0, 1), record(Act::Miss, 2, 3)];
        assert_eq!(check_durability(&history).len(), 1);
        assert!(check_hits(&history).is_empty());
    }

    #[test]
    fn a_hit_is_stale_if_what_it_found_was_overwritten_before_it_was_asked() {
        let history = [
            record(Act::Write(1), 0, 1),
            record(Act::Write(2), 2, 3),
            record(Act::Hit(1), 2, 5),
            record(Act::Hit(1), 4, 5),
            record(Act::Hit(2), 4, 5),
        ];
        assert_eq!(check_current(&history).len(), 1);
    }
}
