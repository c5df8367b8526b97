//! The timers of operations.

use alloc::collections::BTreeSet;

use crate::replication::config::Config;
use crate::replication::timers::TimerQueue;
use crate::time::{Duration, Instant};

/// A timer of an operation. Only the one started last counts: an operation never has two at once, or each
/// would ask again and start another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timer {
    pub(super) operation: u64,
    pub(super) round: u32,
}

/// Which of the timers of an operation goes off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wake {
    /// Those asked are silent.
    Silence,
    /// A pause is over.
    Resume,
}

/// All timers of all operations.
pub(super) struct Timers {
    writes: TimerQueue<Timer>,
    reads: TimerQueue<Timer>,
    pauses: TimerQueue<Timer>,
    deadlines: TimerQueue<u64>,
    /// Of values so large that they have more time, and of those that have waited for their turn.
    other_deadlines: BTreeSet<(Instant, u64)>,
}

/// Pause before a request that found no replica looks again.
const PAUSE: Duration = Duration::from_millis(10);

impl Timers {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            writes: TimerQueue::new(config.write_attempt),
            reads: TimerQueue::new(config.read_attempt),
            pauses: TimerQueue::new(PAUSE),
            deadlines: TimerQueue::new(config.op_deadline),
            other_deadlines: BTreeSet::new(),
        }
    }

    /// Timers that have not gone off.
    pub(super) fn len(&self) -> usize {
        let attempts = self.writes.len() + self.reads.len() + self.pauses.len();
        attempts + self.deadlines.len() + self.other_deadlines.len()
    }

    /// An attempt begins: to read, or to change something.
    pub(super) fn start_attempt(&mut self, now: Instant, timer: Timer, is_read: bool) {
        let attempts = if is_read {
            &mut self.reads
        } else {
            &mut self.writes
        };
        attempts.start(now, timer);
    }

    pub(super) fn start_pause(&mut self, now: Instant, timer: Timer) {
        self.pauses.start(now, timer);
    }

    /// The time of an operation begins that has as much of it as most.
    pub(super) fn start_deadline(&mut self, now: Instant, operation: u64) {
        self.deadlines.start(now, operation);
    }

    /// An operation ends then at the latest.
    pub(super) fn add_deadline(&mut self, ends_at: Instant, operation: u64) {
        self.other_deadlines.insert((ends_at, operation));
    }

    /// The operation has ended.
    pub(super) fn remove_deadline(&mut self, ends_at: Instant, operation: u64) {
        self.other_deadlines.remove(&(ends_at, operation));
    }

    /// Attempts may take longer by this much. Deadlines stay, as callers wait.
    pub(super) fn postpone(&mut self, lateness: Duration) {
        for attempts in [&mut self.writes, &mut self.reads] {
            attempts.postpone(lateness);
        }
    }

    /// An operation whose time is over.
    pub(super) fn pop_deadline(&mut self, now: Instant) -> Option<u64> {
        if let Some(id) = self.deadlines.pop_due(now) {
            return Some(id);
        }
        let is_over = |(ends_at, _): &&(Instant, u64)| *ends_at <= now;
        self.other_deadlines.first().filter(is_over)?;
        self.other_deadlines.pop_first().map(|(_, id)| id)
    }

    /// An attempt or a pause that is over.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<(Timer, Wake)> {
        let silence = |timer| (timer, Wake::Silence);
        let attempt = self.writes.pop_due(now).or_else(|| self.reads.pop_due(now));
        let pause = |timer| (timer, Wake::Resume);
        attempt
            .map(silence)
            .or_else(|| self.pauses.pop_due(now).map(pause))
    }

    /// Drops timers from the front that nobody needs: `round` tells which timer of an operation counts, if it is there.
    pub(super) fn drop_stale(&mut self, round: impl Fn(u64) -> Option<u32>) {
        let counts = |timer: &Timer| round(timer.operation) == Some(timer.round);
        self.writes.drop_stale(counts);
        self.reads.drop_stale(counts);
        self.pauses.drop_stale(counts);
        self.deadlines.drop_stale(|id| round(*id).is_some());
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        let other = self.other_deadlines.first().map(|(ends_at, _)| *ends_at);
        let next = [
            other,
            self.deadlines.next(),
            self.writes.next(),
            self.reads.next(),
            self.pauses.next(),
        ];
        next.into_iter().flatten().min()
    }
}
