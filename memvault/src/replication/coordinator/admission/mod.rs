//! Admission: how much is begun at a time, what waits, and what is told at once that waiting is hopeless.
//!
//! ```text
//! request --split, a slice at a time--> keys --> lane of the first replica --window--> operation
//!                                                  callers in turn              ends: room for the next
//! ```
//!
//! A request with many keys is carried out in slices, as the windows let it: it takes no more than its turn, whatever
//! its size. The keys of one caller begin in the order in which it asked, so that the later of two plain writes of
//! one key has the later version.
//! Cost: O(1) per key. A change of the members sorts all that waits.

mod lane;
mod splitting;
mod window;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use hashbrown::HashMap;

use super::task::Task;
use crate::consistency::Levels;
use crate::replication::config::Config;
use crate::replication::entry::Bytes;
use crate::replication::request::Failure;
use crate::ring::NodeIndex;
use crate::time::{Duration, Instant};
use lane::Lane;
use splitting::Splitting;
pub(super) use splitting::Wide;
use window::{Bounds, End};

/// One key of a request that has not begun.
pub(super) struct Pending {
    pub(super) request: u64,
    pub(super) caller: u64,
    pub(super) slot: u32,
    pub(super) key: Bytes,
    pub(super) task: Task,
    pub(super) levels: Levels,
    /// When it was asked for, if its time runs since then. Keys of a wide request, and of a caller that asks for one
    /// thing behind the other, have their time from when their turn comes.
    pub(super) asked_at: Option<Instant>,
    /// In the order in which they came.
    number: u64,
}

/// Leave to begin: to be given back at the end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leave {
    caller: u64,
    lane: NodeIndex,
    bytes: usize,
    began: Instant,
}

/// What a caller has waiting and under way.
#[derive(Clone, Copy, Debug, Default)]
struct Share {
    keys: usize,
    bytes: usize,
}

/// All that waits, and how much is under way.
pub(super) struct Admission {
    bounds: Bounds,
    max_waiting: Share,
    max_per_caller: Share,
    patience: Duration,
    splitting: Splitting,
    /// By the first replica.
    lanes: BTreeMap<NodeIndex, Lane>,
    /// Lanes in which something waits that could begin, by turns.
    ready: VecDeque<NodeIndex>,
    waiting: Share,
    shares: HashMap<u64, Share, ahash::RandomState>,
    /// How long a key takes from its beginning to its end, smoothed; in microseconds.
    usual_micros: u64,
    last_number: u64,
    hasher: ahash::RandomState,
}

impl Share {
    const fn add(&mut self, bytes: usize) {
        self.keys += 1;
        self.bytes += bytes;
    }

    const fn join(&mut self, other: Self) {
        self.keys += other.keys;
        self.bytes += other.bytes;
    }

    const fn take(&mut self, bytes: usize) {
        debug_assert!(
            self.keys > 0 && self.bytes >= bytes,
            "nothing is given back twice"
        );
        self.keys = self.keys.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

impl Admission {
    pub(super) fn new(config: &Config, hasher: &ahash::RandomState) -> Self {
        Self {
            bounds: Bounds {
                keys: config.max_in_flight.max(1),
                bytes: config.max_in_flight_bytes,
                late: config.write_attempt,
            },
            max_waiting: Share {
                keys: config.max_waiting,
                bytes: config.max_waiting_bytes,
            },
            max_per_caller: Share {
                keys: config.max_requests,
                bytes: config.max_in_flight_bytes,
            },
            patience: config.max_wait,
            splitting: Splitting::new(hasher.clone()),
            lanes: BTreeMap::new(),
            ready: VecDeque::new(),
            waiting: Share::default(),
            shares: HashMap::with_hasher(hasher.clone()),
            usual_micros: 0,
            last_number: 0,
            hasher: hasher.clone(),
        }
    }

    /// Keys that wait.
    pub(super) const fn waiting(&self) -> usize {
        self.waiting.keys
    }

    /// Lanes that are not idle, and callers with a share: none at rest.
    pub(super) fn unfinished(&self) -> usize {
        let lanes = self.lanes.values().filter(|lane| !lane.is_idle());
        lanes.count() + self.shares.len() + self.waiting.keys
    }

    /// Whether a caller may ask for more: what it has asked for is not too much already.
    pub(super) fn has_room_for(&self, caller: u64) -> bool {
        let share = self.shares.get(&caller).copied().unwrap_or_default();
        share.keys < self.max_per_caller.keys && share.bytes < self.max_per_caller.bytes
    }

    /// What speaks against letting so many more keys wait behind others.
    pub(super) const fn refusal(&self, keys: usize, bytes: usize) -> Option<Failure> {
        let is_full = self.waiting.keys + keys > self.max_waiting.keys
            || self.waiting.bytes + bytes > self.max_waiting.bytes;
        if is_full {
            return Some(Failure::Overloaded);
        }
        None
    }

    /// Whether a further caller would wait for the lane of `first` in vain, by what keys take at present.
    pub(super) fn is_hopeless(&self, now: Instant, first: NodeIndex) -> bool {
        let Some(lane) = self.lanes.get(&first) else {
            return false;
        };
        let rounds = lane.waiting() as u64 / lane.window.under_way().max(1) as u64;
        let wait = rounds.saturating_mul(self.usual_micros);
        let patience = lane.patience(now, self.patience);
        wait > u64::try_from(patience.as_micros()).unwrap_or(u64::MAX)
    }

    /// A request waits to be split up. O(keys), a few nanoseconds each.
    pub(super) fn add(&mut self, wide: Wide) {
        let share = wide.share();
        self.waiting.join(share);
        self.shares.entry(wide.caller).or_default().join(share);
        self.splitting.push(wide);
    }

    /// Takes keys to the lanes of `first_of` them, so many at most.
    pub(super) fn split(
        &mut self,
        now: Instant,
        most: usize,
        first_of: impl Fn(&[u8]) -> NodeIndex,
    ) {
        for _ in 0..most {
            let Some(mut pending) = self.splitting.next() else {
                return;
            };
            self.last_number += 1;
            pending.number = self.last_number;
            self.push(now, first_of(&pending.key), pending);
        }
    }

    fn push(&mut self, now: Instant, first: NodeIndex, pending: Pending) {
        let (bounds, hasher) = (&self.bounds, &self.hasher);
        let lane = self.lanes.entry(first);
        let lane = lane.or_insert_with(|| Lane::new(bounds, hasher));
        lane.push(now, pending);
        self.note_ready(first);
    }

    fn note_ready(&mut self, first: NodeIndex) {
        if let Some(lane) = self.lanes.get_mut(&first)
            && !lane.is_ready
            && lane.can_go_on(&self.bounds)
        {
            lane.is_ready = true;
            self.ready.push_back(first);
        }
    }

    /// Whether something waits that could begin, or go to its lane.
    pub(super) fn can_go_on(&self) -> bool {
        !self.ready.is_empty() || !self.splitting.is_empty()
    }

    /// The next key that may begin.
    pub(super) fn next(&mut self, now: Instant) -> Option<(Pending, Leave)> {
        while let Some(first) = self.ready.pop_front() {
            let Some(lane) = self.lanes.get_mut(&first) else {
                continue;
            };
            debug_assert!(lane.is_ready, "a lane is on the list once");
            lane.is_ready = false;
            if let Some(pending) = lane.pop(now) {
                self.waiting.take(pending.bytes());
                let leave = lane.begin(now, first, &pending);
                self.note_ready(first);
                return Some((pending, leave));
            }
        }
        None
    }

    /// Leave for a key that need not wait at all; `None` if it has to.
    pub(super) fn pass(
        &mut self,
        now: Instant,
        first: NodeIndex,
        pending: &Pending,
    ) -> Option<Leave> {
        if self.splitting.has(pending.caller) {
            return None;
        }
        let (bounds, hasher) = (&self.bounds, &self.hasher);
        let lane = self.lanes.entry(first);
        let lane = lane.or_insert_with(|| Lane::new(bounds, hasher));
        if lane.waiting() > 0 || !lane.window.has_room(bounds) {
            return None;
        }
        let share = self.shares.entry(pending.caller).or_default();
        share.add(pending.bytes());
        Some(lane.begin(now, first, pending))
    }

    /// A key that began is done, with an answer of so many bytes if it was a read. `tells` says whether its time tells
    /// something of the member that it was sent to.
    pub(super) fn end(
        &mut self,
        now: Instant,
        leave: Leave,
        sent: usize,
        answered: Option<usize>,
        tells: bool,
    ) {
        let Leave {
            caller,
            lane: first,
            bytes,
            began,
        } = leave;
        self.give_back(caller, sent);
        let took = u64::try_from((now - began).as_micros()).unwrap_or(u64::MAX);
        self.usual_micros = self.usual_micros - self.usual_micros / 16 + took / 16;
        let end = End {
            bytes,
            began,
            answered,
            tells,
        };
        let lane = self.lanes.get_mut(&first);
        debug_assert!(lane.is_some(), "a lane with keys under way stays");
        if let Some(lane) = lane {
            lane.window.end(now, &self.bounds, end);
            self.note_ready(first);
        }
    }

    fn give_back(&mut self, caller: u64, bytes: usize) {
        let Some(share) = self.shares.get_mut(&caller) else {
            debug_assert!(false, "who has something under way has a share");
            return;
        };
        share.take(bytes);
        if share.keys == 0 {
            debug_assert_eq!(share.bytes, 0, "bytes go with their keys");
            self.shares.remove(&caller);
        }
    }

    /// A key whose turn has not come for too long.
    pub(super) fn pop_impatient(&mut self, now: Instant) -> Option<Pending> {
        let patience = self.patience;
        let mut lanes = self.lanes.values_mut();
        let pending = lanes.find_map(|lane| lane.pop_impatient(now, patience))?;
        self.drop_pending(&pending);
        Some(pending)
    }

    /// A key that waited will not begin.
    fn drop_pending(&mut self, pending: &Pending) {
        let bytes = pending.bytes();
        self.waiting.take(bytes);
        self.give_back(pending.caller, bytes);
    }

    /// A key that was let through does not begin after all.
    pub(super) fn withdraw(&mut self, now: Instant, leave: Leave, sent: usize) {
        self.end(now, leave, sent, None, false);
    }

    /// The members have changed: what waits may have another first replica now.
    pub(super) fn rearrange(&mut self, now: Instant, first_of: impl Fn(&[u8]) -> NodeIndex) {
        let mut all: Vec<Pending> = self.lanes.values_mut().flat_map(Lane::drain).collect();
        all.sort_unstable_by_key(|pending| pending.number);
        for pending in all {
            self.push(now, first_of(&pending.key), pending);
        }
        self.lanes.retain(|_, lane| !lane.is_idle());
    }
}

impl Pending {
    pub(super) fn new(
        (request, caller): (u64, u64),
        slot: u32,
        (key, task): (Bytes, Task),
        levels: Levels,
        asked_at: Option<Instant>,
    ) -> Self {
        Self {
            request,
            caller,
            slot,
            key,
            task,
            levels,
            asked_at,
            number: 0,
        }
    }

    /// Bytes of key and value.
    pub(super) fn bytes(&self) -> usize {
        self.key.len() + self.task.value_len()
    }
}
