//! The keys that wait for one member: callers in turn, each in its own order.

use alloc::collections::VecDeque;

use hashbrown::HashMap;

use super::window::{Bounds, Window};
use super::{Leave, Pending};
use crate::ring::NodeIndex;
use crate::time::Instant;

/// The keys whose first replica is one and the same member.
pub(super) struct Lane {
    pub(super) window: Window,
    queues: HashMap<u64, VecDeque<Pending>, ahash::RandomState>,
    /// Callers with a key that waits, the next to have its turn first.
    turns: VecDeque<Turn>,
    /// Whether it is among those that can go on.
    pub(super) is_ready: bool,
}

/// A caller whose next key waits.
#[derive(Clone, Copy, Debug)]
struct Turn {
    caller: u64,
    /// Since when that key is its next one.
    since: Instant,
}

impl Lane {
    pub(super) fn new(bounds: &Bounds, hasher: &ahash::RandomState) -> Self {
        Self {
            window: Window::new(bounds),
            queues: HashMap::with_hasher(hasher.clone()),
            turns: VecDeque::new(),
            is_ready: false,
        }
    }

    /// Callers that wait for their turn.
    pub(super) fn waiting(&self) -> usize {
        self.turns.len()
    }

    /// Whether somebody waits and could begin.
    pub(super) fn can_go_on(&self, bounds: &Bounds) -> bool {
        !self.turns.is_empty() && self.window.has_room(bounds)
    }

    /// Whether nothing waits and nothing is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.turns.is_empty() && self.window.is_idle()
    }

    /// A key waits behind those of its caller.
    pub(super) fn push(&mut self, now: Instant, pending: Pending) {
        let caller = pending.caller;
        let queue = self.queues.entry(caller).or_default();
        queue.push_back(pending);
        if queue.len() == 1 {
            self.turns.push_back(Turn { caller, since: now });
        }
        debug_assert_eq!(
            self.turns.len(),
            self.queues.len(),
            "a turn for each caller"
        );
    }

    /// The key whose turn it is; its caller has its next turn after all others.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Pending> {
        let Turn { caller, .. } = self.turns.pop_front()?;
        let queue = self.queues.get_mut(&caller);
        debug_assert!(queue.is_some(), "who has a turn has a key that waits");
        let queue = queue?;
        let pending = queue.pop_front();
        debug_assert!(pending.is_some(), "a queue goes with its last key");
        if queue.is_empty() {
            self.queues.remove(&caller);
        } else {
            self.turns.push_back(Turn { caller, since: now });
        }
        pending
    }

    /// The same, if it is somebody's turn since then or longer.
    pub(super) fn pop_since(&mut self, now: Instant, since: Instant) -> Option<Pending> {
        let first = self.turns.front()?;
        if first.since > since {
            return None;
        }
        self.pop(now)
    }

    /// Leave for a key to begin in this lane, which is that of `first`.
    pub(super) fn begin(&mut self, now: Instant, first: NodeIndex, pending: &Pending) -> Leave {
        let bytes = self.window.begin(pending.bytes(), pending.task.is_read());
        Leave {
            caller: pending.caller,
            lane: first,
            bytes,
            began: now,
        }
    }

    /// All keys that wait, each caller's in its own order.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Pending> + '_ {
        self.turns.clear();
        self.queues.drain().flat_map(|(_, queue)| queue)
    }
}
