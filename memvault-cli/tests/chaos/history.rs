//! What the clients did and what the nemesis did, on one clock.

use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant as StdInstant;

use memvault::simulator::history::{Act, Record};
use memvault::time::Instant;

/// A promise that belongs to a group of keys. Each group has keys and clients of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Group {
    /// Level QUORUM, and a write of unknown fate is an error: hits are linearizable, nothing is lost.
    Strict,
    /// As `Strict`, with deletions, so that what is missing may have been deleted.
    Deleted,
    /// The default level.
    Default,
}

impl Group {
    pub(crate) const ALL: [Self; 3] = [Self::Strict, Self::Deleted, Self::Default];

    /// Few keys meet more often, many cover more of the ring.
    pub(crate) const KEYS: usize = 24;

    /// The name of a key.
    pub(crate) fn key(self, number: usize) -> String {
        format!("{self:?}:{number}").to_lowercase()
    }
}

/// Everything that happened. A handle; clones share it.
#[derive(Clone)]
pub(crate) struct History(Arc<Shared>);

struct Shared {
    start: StdInstant,
    last_value: AtomicU64,
    records: Mutex<Vec<(Group, Record)>>,
    faults: Mutex<Vec<String>>,
    errors: Mutex<Vec<(Group, String)>>,
}

impl History {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Shared {
            start: StdInstant::now(),
            last_value: AtomicU64::new(0),
            records: Mutex::default(),
            faults: Mutex::default(),
            errors: Mutex::default(),
        }))
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::ZERO + self.0.start.elapsed()
    }

    /// A value that nobody has written yet.
    pub(crate) fn fresh_value(&self) -> u64 {
        self.0.last_value.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Notes a request that was asked at `asked` and is over now, one way or the other.
    pub(crate) fn note(
        &self,
        (group, key): (Group, usize),
        asked: Instant,
        written: Option<u64>,
        outcome: Result<Option<u64>, String>,
    ) {
        let now = self.now();
        let act = match (written, &outcome) {
            (Some(value), _) => Act::Write(value),
            (None, Ok(Some(value))) => Act::Hit(*value),
            (None, _) => Act::Miss,
        };
        let answered = outcome.is_ok().then_some(now);
        // A read that failed says nothing.
        if written.is_some() || answered.is_some() {
            let record = Record {
                key,
                act,
                asked,
                answered,
            };
            lock(&self.0.records).push((group, record));
        }
        if let Err(error) = outcome {
            let key = group.key(key);
            let at = asked.as_micros() / 1000;
            lock(&self.0.errors).push((group, format!("{at:>7} ms {key}: {error}")));
        }
    }

    /// Notes what the nemesis does.
    pub(crate) fn note_fault(&self, fault: impl Display) {
        let at = self.now().as_micros() / 1000;
        lock(&self.0.faults).push(format!("{at:>7} ms {fault}"));
    }

    pub(crate) fn records(&self, group: Group) -> Vec<Record> {
        let records = lock(&self.0.records);
        let of_group = records.iter().filter(|(other, _)| *other == group);
        of_group.map(|(_, record)| *record).collect()
    }

    pub(crate) fn errors(&self, group: Group) -> Vec<String> {
        let errors = lock(&self.0.errors);
        let of_group = errors.iter().filter(|(other, _)| *other == group);
        of_group.map(|(_, error)| error.clone()).collect()
    }

    pub(crate) fn faults(&self) -> Vec<String> {
        lock(&self.0.faults).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Nothing that panics holds the lock halfway.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
