//! What led to a violation, in lines for people: the run is repeated, and the events about one key are
//! written down.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::TRACE_LINES;
use super::scenario::Scenario;
use super::violation::Violation;
use super::workload::number_of;
use crate::replication::{Body, Entry, OfferReply, PullReply, ReadReply};
use crate::time::{Duration, Instant};
use crate::version::Version;

/// Writes down what happens to one key.
pub(super) struct Trace {
    key: Vec<u8>,
    number: usize,
    /// Of interest; empty if all are.
    values: Vec<u64>,
    /// The versions of these values, as far as they are known.
    versions: BTreeSet<Version>,
    /// Who is deleting, where the deletion is of interest.
    deleting: BTreeSet<usize>,
    /// Questions about the key that have not been answered: who asked, and the id.
    asked: BTreeSet<(usize, u64)>,
    until: Instant,
    lines: VecDeque<String>,
}

/// How long after a violation became apparent its traces are still of interest.
const AFTERMATH: Duration = Duration::from_millis(2);

impl Trace {
    /// A trace for a violation about a key.
    pub(super) fn of(scenario: &Scenario, violation: &Violation) -> Option<Self> {
        let number = violation.key?;
        Some(Self {
            key: scenario.key_name(number),
            number,
            values: violation.values.clone(),
            versions: BTreeSet::new(),
            deleting: BTreeSet::new(),
            asked: BTreeSet::new(),
            until: violation.at + AFTERMATH,
            lines: VecDeque::new(),
        })
    }

    /// The last lines before the violation.
    pub(super) fn into_lines(self) -> Vec<String> {
        self.lines.into()
    }

    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }

    /// Adds a line.
    pub(super) fn note(&mut self, at: Instant, what: &str) {
        if at > self.until {
            return;
        }
        if self.lines.len() == TRACE_LINES {
            self.lines.pop_front();
        }
        let micros = at.as_micros();
        self.lines.push_back(format!(
            "{:>6}.{:03} ms  {what}",
            micros / 1000,
            micros % 1000
        ));
    }

    /// Whether a client's request is of interest: by key, and by value where only some are.
    pub(super) fn concerns(&self, key: usize, value: Option<u64>) -> bool {
        self.number == key
            && (self.values.is_empty() || value.is_some_and(|value| self.values.contains(&value)))
    }

    /// A coordinator begins a deletion of interest.
    pub(super) fn deletes(&mut self, process: usize) {
        self.deleting.insert(process);
    }

    /// A message arrives. `from` and `to` are processes.
    pub(super) fn message(
        &mut self,
        at: Instant,
        (from, to): (usize, usize),
        names: (&str, &str),
        id: u64,
        body: &Body,
    ) {
        let Some(what) = self.describe(from, to, id, body) else {
            return;
        };
        self.note(at, &format!("{} -> {}: {what}", names.0, names.1));
    }

    fn describe(&mut self, from: usize, to: usize, id: u64, body: &Body) -> Option<String> {
        match body {
            Body::Write(write) if *write.key == *self.key => {
                self.asked.insert((from, id));
                self.entry(from, &write.entry).map(|entry| {
                    let again = if write.first { "" } else { ", again" };
                    format!("write {entry}, {} replicas needed{again}", write.need)
                })
            }
            Body::Offer {
                key, entry, kind, ..
            } if **key == *self.key => {
                self.asked.insert((from, id));
                let entry = self.entry(from, entry)?;
                Some(format!("offer {entry} as {kind:?}"))
            }
            Body::Read { key, .. } if **key == *self.key => {
                self.asked.insert((from, id));
                self.values.is_empty().then(|| String::from("read"))
            }
            Body::Wrote(reply) if self.asked.contains(&(to, id)) => Some(format!("{reply:?}")),
            Body::Offered(OfferReply::Ack { counted }) if self.asked.contains(&(to, id)) => {
                Some(format!("accepted, counted: {counted}"))
            }
            Body::Offered(reply) if self.asked.contains(&(to, id)) => Some(format!("{reply:?}")),
            Body::Held(reply) if self.asked.contains(&(to, id)) => self.held(from, reply),
            Body::Pulled(PullReply::Chunk { entries, .. }) => {
                let pulled = entries.iter().find(|pulled| *pulled.key == *self.key)?;
                let entry = self.entry(from, &pulled.entry)?;
                Some(format!(
                    "pulled {entry}, unconfirmed: {}",
                    pulled.unconfirmed
                ))
            }
            _ => None,
        }
    }

    fn held(&mut self, from: usize, reply: &ReadReply) -> Option<String> {
        match reply {
            ReadReply::Loading | ReadReply::Pending | ReadReply::Overtaken { .. } => {
                self.values.is_empty().then(|| format!("{reply:?}"))
            }
            ReadReply::Holds {
                entry: Some(entry),
                floor,
                ..
            } => {
                let entry = self.entry(from, entry)?;
                Some(format!("holds {entry}, floor {floor:?}"))
            }
            ReadReply::Holds { floor, .. } => self
                .values
                .is_empty()
                .then(|| format!("holds nothing, floor {floor:?}")),
        }
    }

    /// The entry in words, if it is of interest.
    fn entry(&mut self, from: usize, entry: &Entry) -> Option<String> {
        let value = entry.value.as_deref().map(number_of);
        let of_interest = value.map_or_else(
            || self.deleting.contains(&from),
            |value| self.values.contains(&value),
        );
        if of_interest {
            self.versions.insert(entry.version);
        }
        let known = self.values.is_empty() || self.versions.contains(&entry.version);
        let what = value.map_or_else(|| String::from("nothing"), |value| format!("{value}"));
        known.then(|| format!("{what} ({:?})", entry.version))
    }
}
