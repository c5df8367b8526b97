//! The keys that wait for one member: callers in turn, each in its own order.

use alloc::collections::VecDeque;

use hashbrown::HashMap;

use super::window::{Bounds, Window};
use super::{Leave, Pending};
use crate::ring::NodeIndex;
use crate::time::{Duration, Instant};

/// The keys whose first replica is one and the same member.
pub(super) struct Lane {
    pub(super) window: Window,
    queues: HashMap<u64, VecDeque<Pending>, ahash::RandomState>,
    /// Callers with a key that waits, the next to have its turn first.
    turns: VecDeque<Turn>,
    /// Since when somebody has been waiting here without a break.
    busy_since: Instant,
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

/// So much shorter is the wait in a queue that stands (Nichols and Jacobson, Controlling Delay, 2012).
const STANDING: u32 = 5;

impl Lane {
    pub(super) fn new(bounds: &Bounds, hasher: &ahash::RandomState) -> Self {
        Self {
            window: Window::new(bounds),
            queues: HashMap::with_hasher(hasher.clone()),
            turns: VecDeque::new(),
            busy_since: Instant::ZERO,
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
        if self.turns.is_empty() {
            self.busy_since = now;
        }
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

    /// The same, if its caller has waited for longer than is worth while.
    pub(super) fn pop_impatient(&mut self, now: Instant, patience: Duration) -> Option<Pending> {
        let first = self.turns.front()?;
        if now - first.since < self.patience(now, patience) {
            return None;
        }
        self.pop(now)
    }

    /// How long it is worth while to wait. A queue that is a passing burst is gone within that time. One that has stood
    /// for longer does nothing but make everybody wait, so it is kept short; not where it is only that few callers wait
    /// for a slow member, with many keys each.
    pub(super) fn patience(&self, now: Instant, patience: Duration) -> Duration {
        let is_long = self.turns.len() > self.window.under_way();
        if is_long && now - self.busy_since > patience {
            patience / STANDING
        } else {
            patience
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consistency::Level;
    use crate::replication::coordinator::Levels;
    use crate::replication::coordinator::task::Task;

    const PATIENCE: Duration = Duration::from_millis(500);

    fn lane() -> Lane {
        let bounds = Bounds {
            keys: 1,
            bytes: 1000,
            late: Duration::from_millis(100),
        };
        Lane::new(&bounds, &ahash::RandomState::with_seeds(1, 2, 3, 4))
    }

    /// A caller of its own asks at that time.
    fn ask(lane: &mut Lane, millis: u64) {
        let levels = Levels {
            write: Level::Auto,
            read: Level::Auto,
        };
        let what = ([].into(), Task::Get);
        let pending = Pending::new((millis, millis + 1), 0, what, levels, None);
        lane.push(Instant::from_millis(millis), pending);
    }

    /// How many have waited for too long at that time.
    fn impatient(lane: &mut Lane, millis: u64) -> usize {
        let now = Instant::from_millis(millis);
        let gone = core::iter::from_fn(|| lane.pop_impatient(now, PATIENCE));
        gone.count()
    }

    #[test]
    fn a_burst_may_wait_and_a_queue_that_stands_is_kept_short() {
        let mut lane = lane();
        for millis in 0..500 {
            ask(&mut lane, millis);
        }
        assert_eq!(impatient(&mut lane, 499), 0);
        assert_eq!(impatient(&mut lane, 500), 1);
        // It has stood for longer than anyone should wait: what has waited for more than a fifth of that goes.
        assert_eq!(impatient(&mut lane, 501), 401);
        assert_eq!(lane.waiting(), 98);
    }

    #[test]
    fn a_queue_that_was_empty_may_be_long_again() {
        let mut lane = lane();
        ask(&mut lane, 0);
        assert_eq!(impatient(&mut lane, 600), 1);
        ask(&mut lane, 600);
        assert_eq!(impatient(&mut lane, 1000), 0);
        assert_eq!(impatient(&mut lane, 1100), 1);
    }
}
