//! What must hold inside every member at all times, whatever the clients see.
//!
//! - The version of a key (held, or else forgotten) never goes down before the member restarts.
//! - A floor never goes down.
//! - A version stands for one value in the whole cluster, for ever.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::violation::{Promise, Violation};
use super::workload::{key_name, number_of};
use crate::replication::Node;
use crate::time::Instant;
use crate::version::Version;

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

/// Remembers what every member had, and compares.
pub(super) struct Audit {
    keys: Vec<Vec<u8>>,
    /// By member, then by key.
    marks: Vec<Vec<Mark>>,
    /// The value of each version ever held; `None` is a tombstone.
    values: BTreeMap<Version, Option<u64>>,
    pub(super) violations: Vec<Violation>,
}

impl Audit {
    pub(super) fn new(members: usize, keys: usize) -> Self {
        Self {
            keys: (0..keys).map(key_name).collect(),
            marks: vec![vec![Mark::default(); keys]; members],
            values: BTreeMap::new(),
            violations: Vec::new(),
        }
    }

    /// A member has lost its memory.
    pub(super) fn restarted(&mut self, member: usize) {
        if let Some(marks) = self.marks.get_mut(member) {
            marks.fill(Mark::default());
        }
    }

    /// Looks at all keys of a member.
    pub(super) fn check(&mut self, at: Instant, member: usize, node: &Node) {
        let Some(marks) = self.marks.get_mut(member) else {
            return;
        };
        for (number, (key, mark)) in self.keys.iter().zip(marks).enumerate() {
            let Some((held, floor)) = node.held(key) else {
                return;
            };
            if !node.holds(key) {
                // What is left of a key that others hold now is dropped some time.
                *mark = Mark::default();
                continue;
            }
            let held_version = held.as_ref().and_then(|held| held.meta.version);
            if (held_version, floor) == (mark.held, mark.floor) {
                continue;
            }
            let version = held_version.unwrap_or(floor).max(floor);
            if floor < mark.floor || version < mark.version() {
                self.violations.push(Violation {
                    promise: Promise::Monotonicity,
                    key: Some(number),
                    at,
                    values: Vec::new(),
                    what: format!(
                        "node-{member} went down from {mark:?} to {held_version:?}, floor {floor:?}"
                    ),
                });
            }
            *mark = Mark {
                held: held_version,
                floor,
            };
            if let (Some(held), Some(version)) = (held, held_version) {
                let value = (!held.meta.tombstone).then(|| number_of(held.value));
                let known = *self.values.entry(version).or_insert(value);
                if known != value {
                    self.violations.push(Violation {
                        promise: Promise::OneValuePerVersion,
                        key: Some(number),
                        at,
                        values: [value, known].into_iter().flatten().collect(),
                        what: format!(
                            "{version:?} is {value:?} at node-{member} and {known:?} elsewhere"
                        ),
                    });
                }
            }
        }
    }
}
