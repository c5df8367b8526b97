//! Requests with many keys that have not been split up yet: it is done a slice at a time, callers by turns.

use alloc::collections::VecDeque;

use hashbrown::HashMap;

use super::{Pending, Share};
use crate::consistency::Levels;
use crate::replication::coordinator::job::Tasks;
use crate::time::Instant;

/// A request of which some keys have yet to go to their lanes.
pub(in crate::replication::coordinator) struct Wide {
    pub(in crate::replication::coordinator) request: u64,
    pub(in crate::replication::coordinator) caller: u64,
    pub(in crate::replication::coordinator) levels: Levels,
    /// As [`Pending::asked_at`].
    pub(in crate::replication::coordinator) asked_at: Option<Instant>,
    /// Those keys, and the slot of the first.
    pub(in crate::replication::coordinator) tasks: Tasks,
    pub(in crate::replication::coordinator) slot: u32,
}

/// All such requests.
pub(super) struct Splitting {
    requests: HashMap<u64, VecDeque<Wide>, ahash::RandomState>,
    /// Callers that have any, the next to have its turn first.
    turns: VecDeque<u64>,
}

impl Splitting {
    pub(super) const fn new(hasher: ahash::RandomState) -> Self {
        Self {
            requests: HashMap::with_hasher(hasher),
            turns: VecDeque::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// Whether further requests of this caller have to wait behind one.
    pub(super) fn has(&self, caller: u64) -> bool {
        self.requests.contains_key(&caller)
    }

    pub(super) fn push(&mut self, wide: Wide) {
        let caller = wide.caller;
        let requests = self.requests.entry(caller).or_default();
        requests.push_back(wide);
        if requests.len() == 1 {
            self.turns.push_back(caller);
        }
        debug_assert_eq!(
            self.turns.len(),
            self.requests.len(),
            "a turn for each caller"
        );
    }

    /// The next key.
    pub(super) fn next(&mut self) -> Option<Pending> {
        while let Some(caller) = self.turns.pop_front() {
            let Some(requests) = self.requests.get_mut(&caller) else {
                continue;
            };
            let pending = requests.front_mut().and_then(Wide::next);
            if pending.is_none() {
                requests.pop_front();
            }
            if requests.is_empty() {
                self.requests.remove(&caller);
            } else {
                self.turns.push_back(caller);
            }
            if pending.is_some() {
                return pending;
            }
        }
        None
    }
}

impl Wide {
    /// Keys, and bytes of keys and values. O(keys).
    pub(super) fn share(&self) -> Share {
        Share {
            keys: self.tasks.len(),
            bytes: self.tasks.bytes(),
        }
    }

    fn next(&mut self) -> Option<Pending> {
        let task = self.tasks.next()?;
        let slot = self.slot;
        self.slot += 1;
        let who = (self.request, self.caller);
        Some(Pending::new(who, slot, task, self.levels, self.asked_at))
    }
}
