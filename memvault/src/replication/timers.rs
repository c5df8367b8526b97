//! Timers that all run equally long: a queue, so setting and firing one is O(1).

use alloc::collections::VecDeque;

use crate::time::{Duration, Instant};

/// Timers of one and the same duration. Whoever fires checks whether the timer still matters.
#[derive(Debug)]
pub(super) struct TimerQueue<T> {
    duration: Duration,
    /// Invariant: in order of time, as every timer runs equally long and `now` never goes back.
    queue: VecDeque<(Instant, T)>,
}

impl<T> TimerQueue<T> {
    pub(super) const fn new(duration: Duration) -> Self {
        Self {
            duration,
            queue: VecDeque::new(),
        }
    }

    /// Starts a timer.
    pub(super) fn start(&mut self, now: Instant, timer: T) {
        self.queue.push_back((now + self.duration, timer));
    }

    /// Timers that have not gone off.
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// When the next timer is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.queue.front().map(|(at, _)| *at)
    }

    /// Drops timers that no longer matter from the front, so that nobody is woken for them. O(1) per timer.
    pub(super) fn drop_stale(&mut self, matters: impl Fn(&T) -> bool) {
        while self.queue.front().is_some_and(|(_, timer)| !matters(timer)) {
            self.queue.pop_front();
        }
    }

    /// The next timer that is due at `now`.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<T> {
        if self.next()? > now {
            return None;
        }
        self.queue.pop_front().map(|(_, timer)| timer)
    }
}
