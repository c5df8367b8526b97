//! What must hold inside every member at all times, whatever the clients see.
//!
//! - The version of a key (held, or else forgotten) never goes down before the member restarts.
//! - A floor never goes down.
//! - A version stands for one value in the whole cluster, for ever.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::workload::{key_name, number_of};
use crate::replication::Node;
use crate::version::Version;

/// The highest versions seen of one key at one member.
#[derive(Clone, Copy, Default)]
struct Mark {
    version: Version,
    floor: Version,
}

/// Remembers what every member had, and compares.
pub(super) struct Audit {
    keys: Vec<Vec<u8>>,
    /// By member, then by key.
    marks: Vec<Vec<Mark>>,
    /// The value of each version ever held; `None` is a tombstone.
    values: BTreeMap<Version, Option<u64>>,
    pub(super) violations: Vec<String>,
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
    pub(super) fn check(&mut self, member: usize, node: &Node) {
        let Some(marks) = self.marks.get_mut(member) else {
            return;
        };
        for (key, mark) in self.keys.iter().zip(marks) {
            let Some((held, floor)) = node.held(key) else {
                return;
            };
            if floor < mark.floor {
                let was = mark.floor;
                self.violations.push(format!(
                    "member {member}: a floor went down from {was:?} to {floor:?}"
                ));
            }
            let mut version = floor;
            if let Some(held) = held {
                version = held.meta.version.unwrap_or(Version::ZERO).max(floor);
                let value = (!held.meta.tombstone).then(|| number_of(held.value));
                let known = *self
                    .values
                    .entry(held.meta.version.unwrap_or_default())
                    .or_insert(value);
                if known != value {
                    self.violations.push(format!(
                        "member {member}: version {:?} is {value:?} here and {known:?} elsewhere",
                        held.meta.version
                    ));
                }
            }
            if version < mark.version {
                let was = mark.version;
                self.violations.push(format!(
                    "member {member}: a key went down from {was:?} to {version:?}"
                ));
            }
            *mark = Mark { version, floor };
        }
    }
}
