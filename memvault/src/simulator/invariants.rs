//! What must hold inside every member at all times, whatever the clients see.
//!
//! - The version of a key (held, or else forgotten) never goes down before the member restarts.
//! - A floor never goes down.
//! - A version stands for one value in the whole cluster, for ever.
//! - A write takes effect by its deadline or never.
//! - A member keeps within its memory.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::process::EPOCH_MS;
use super::scenario::Scenario;
use super::violation::{Promise, Violation};
use super::workload::{LONGEST_UNNOTICED, number_of, number_of_key};
use crate::replication::{Body, Config, Node, read_quorum};
use crate::time::{Duration, Instant};
use crate::version::{Hlc, Version};

/// What was seen last of one key at one member.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    held: Option<Version>,
    floor: Version,
}

impl Mark {
    fn version(&self) -> Version {
        self.held.unwrap_or(self.floor).max(self.floor)
    }
}

/// What was looked at of one member.
#[derive(Clone, Debug, Default)]
struct View {
    marks: Vec<Mark>,
    /// By key: whether the member holds it, or takes it over, under the membership of `epoch`.
    holds: Vec<bool>,
    epoch: Option<u64>,
    /// See [`Node::changes`].
    changes: u64,
}

/// Remembers what every member had, and compares.
pub(super) struct Invariants {
    keys: Vec<Vec<u8>>,
    views: Vec<View>,
    /// The value of each version ever held; `None` is a tombstone.
    values: BTreeMap<Version, Option<u64>>,
    /// When each value was asked to be written.
    asked: BTreeMap<u64, Instant>,
    /// The values that expire.
    expiring: BTreeSet<u64>,
    /// Which members have refused a version for good.
    refused: BTreeSet<(usize, Version)>,
    /// Whether there are so many keys that only some are looked at after an input that changed several.
    is_sampled: bool,
    /// Whether inputs wait until a process comes to them: one that stores a version, and another upon it, in one go may
    /// do so in time, and the version is seen later elsewhere.
    is_loaded: bool,
    /// The next one to be looked at.
    next: usize,
    /// How long after that it may appear for the first time.
    longest: Duration,
    /// How far ahead of the time of the simulation a version can be in all soundness, in milliseconds.
    ahead_ms: u64,
    max_entries: Option<usize>,
    max_bytes: Option<usize>,
    pub(super) violations: Vec<Violation>,
}

impl View {
    fn new(keys: usize) -> Self {
        Self {
            marks: vec![Mark::default(); keys],
            ..Self::default()
        }
    }

    /// Notes which keys are the member's. Returns whether it goes by another member list than before.
    fn follow(&mut self, node: &Node, keys: &[Vec<u8>]) -> bool {
        let epoch = node.membership().epoch;
        let is_new = self.epoch != Some(epoch);
        let skipped_some = self.epoch.is_some_and(|before| epoch > before + 1);
        if is_new {
            self.epoch = Some(epoch);
            self.holds = keys.iter().map(|key| node.holds(key)).collect();
        }
        if skipped_some {
            // What it takes over may be what it held before the lists that it did not see: it begins anew with that.
            let gained = self.marks.iter_mut().zip(keys);
            for (mark, _) in gained.filter(|(_, key)| node.is_pending(key)) {
                *mark = Mark::default();
            }
        }
        is_new
    }
}

/// So many keys are looked at where not all are.
const SAMPLE: usize = 50;
/// What a message takes from one process of the same machine to another.
const SLACK: Duration = Duration::from_millis(5);

impl Invariants {
    pub(super) fn new(scenario: &Scenario, config: &Config) -> Self {
        let clocks = Duration::from_millis(Hlc::MAX_SKEW_MS) + scenario.faults.skew * 2;
        let unnoticed = if scenario.through_members > 0 {
            LONGEST_UNNOTICED
        } else {
            Duration::ZERO
        };
        let longest = config.op_deadline + clocks + unnoticed + SLACK;
        Self {
            keys: (0..scenario.all_keys())
                .map(|key| scenario.key_name(key))
                .collect(),
            views: vec![View::new(scenario.all_keys()); scenario.nodes],
            values: BTreeMap::new(),
            asked: BTreeMap::new(),
            expiring: BTreeSet::new(),
            refused: BTreeSet::new(),
            is_sampled: scenario.load.is_some_and(|load| load.has_wide_requests()),
            is_loaded: scenario.load.is_some(),
            next: 0,
            longest,
            ahead_ms: u64::try_from(clocks.as_millis()).unwrap_or(u64::MAX) + Hlc::MAX_SKEW_MS * 2,
            max_entries: scenario.max_entries,
            max_bytes: scenario.max_bytes,
            violations: Vec::new(),
        }
    }

    /// A member has lost its memory.
    pub(super) fn restarted(&mut self, member: usize) {
        if let Some(view) = self.views.get_mut(member) {
            *view = View::new(self.keys.len());
        }
    }

    /// A client asks for this value to be written.
    pub(super) fn asked(&mut self, at: Instant, value: u64) {
        self.asked.insert(value, at);
    }

    /// This value expires.
    pub(super) fn expires(&mut self, value: u64) {
        self.expiring.insert(value);
    }

    /// A member has refused this version for good.
    pub(super) fn refuses(&mut self, member: usize, version: Version) {
        self.refused.insert((member, version));
    }

    /// Whether these replicas, or so many of them that it was never acknowledged, have refused this version.
    pub(super) fn was_refused(&self, replicas: &[usize], version: Version) -> bool {
        let refused = |member: &&usize| self.refused.contains(&(**member, version));
        let refusals = replicas.iter().filter(refused).count();
        refusals >= read_quorum(replicas.len())
    }

    /// Looks at what a member holds, after an input that was about `key`, if about a single one.
    pub(super) fn check(&mut self, at: Instant, member: usize, node: &Node, key: Option<usize>) {
        let (Some(view), Some(changes)) = (self.views.get_mut(member), node.changes()) else {
            return;
        };
        let is_new_list = view.follow(node, &self.keys);
        let changed = changes - core::mem::replace(&mut view.changes, changes);
        let keys = match (changed, key) {
            _ if is_new_list => 0..self.keys.len(),
            (0, _) => return,
            (1, Some(key)) => key..key + 1,
            _ if self.is_sampled => self.sample(),
            _ => 0..self.keys.len(),
        };
        self.check_memory(at, member, node);
        for key in keys {
            self.check_key(at, member, node, key);
        }
    }

    /// Some of the keys, others each time.
    fn sample(&mut self) -> core::ops::Range<usize> {
        let from = self.next;
        let to = (from + SAMPLE).min(self.keys.len());
        self.next = if to == self.keys.len() { 0 } else { to };
        from..to
    }

    fn check_key(&mut self, at: Instant, member: usize, node: &Node, key: usize) {
        let (Some(name), Some(view)) = (self.keys.get(key), self.views.get_mut(member)) else {
            return;
        };
        let (Some(mark), Some((held, floor))) = (view.marks.get_mut(key), node.held(name)) else {
            return;
        };
        if !view.holds.get(key).is_some_and(|holds| *holds) {
            // What is left of a key that others hold now is dropped some time.
            *mark = Mark::default();
            return;
        }
        let version = held.as_ref().and_then(|held| held.meta.version);
        if (version, floor) == (mark.held, mark.floor) {
            return;
        }
        let value = held
            .as_ref()
            .and_then(|held| (!held.meta.tombstone).then(|| number_of(held.value)));
        let (before, now) = (
            *mark,
            Mark {
                held: version,
                floor,
            },
        );
        *mark = now;
        // What comes from a wrong clock is forgotten once the clock is right.
        let believable = EPOCH_MS + at.as_micros() / 1000 + self.ahead_ms;
        let is_sound = |version: Version| version.hlc() >> 16 <= believable;
        let went_down = floor < before.floor && is_sound(before.floor)
            || now.version() < before.version() && is_sound(before.version());
        if went_down {
            let what = format!("node-{member} went down from {before:?} to {now:?}");
            self.violate(Promise::Monotonicity, at, key, Vec::new(), what);
        }
        if let Some(version) = version {
            self.check_value(at, member, key, version, value);
        }
    }

    fn check_value(
        &mut self,
        at: Instant,
        member: usize,
        key: usize,
        version: Version,
        value: Option<u64>,
    ) {
        let known = self.values.get(&version).copied();
        if let Some(known) = known {
            // An entry past its time is handed on as a deletion.
            let has_expired = [value, known].contains(&None)
                && [value, known]
                    .iter()
                    .flatten()
                    .any(|value| self.expiring.contains(value));
            if known != value && !has_expired {
                let values = [value, known].into_iter().flatten().collect();
                let what =
                    format!("{version:?} is {value:?} at node-{member} and {known:?} elsewhere");
                self.violate(Promise::OneValuePerVersion, at, key, values, what);
            }
            return;
        }
        self.values.insert(version, value);
        let asked = value.and_then(|value| self.asked.get(&value).copied());
        if let (Some(value), Some(asked)) = (value, asked)
            && at > asked + self.longest
            && !self.is_loaded
        {
            let late = (at - asked).as_millis();
            let what = format!("value {value} took effect {late} ms after it was asked for");
            self.violate(Promise::Deadline, at, key, [value].into(), what);
        }
    }

    fn check_memory(&mut self, at: Instant, member: usize, node: &Node) {
        let Some(entries) = node.entries() else {
            return;
        };
        let (len, bytes) = (entries.len(), entries.bytes_used());
        let over = |is: usize, most: Option<usize>| most.is_some_and(|most| is > most);
        if over(len, self.max_entries) || over(bytes, self.max_bytes) {
            self.violations.push(Violation {
                promise: Promise::Memory,
                key: None,
                at,
                values: Vec::new(),
                what: format!("node-{member} has {len} entries of {bytes} bytes"),
            });
        }
    }

    fn violate(
        &mut self,
        promise: Promise,
        at: Instant,
        key: usize,
        values: Vec<u64>,
        what: String,
    ) {
        self.violations.push(Violation {
            promise,
            key: Some(key),
            at,
            values,
            what,
        });
    }
}

/// The version that somebody wants stored, or known never to be.
pub(super) fn version_of(body: &Body) -> Option<Version> {
    match body {
        Body::Write(write) => Some(write.entry.version),
        Body::Offer { entry, .. } => Some(entry.version),
        _ => None,
    }
}

/// The number of the key that a message is about, if it is about one alone.
pub(super) fn key_of(body: &Body) -> Option<usize> {
    match body {
        Body::Write(write) => number_of_key(&write.key),
        Body::Offer { key, .. } | Body::Read { key, .. } => number_of_key(key),
        _ => None,
    }
}
