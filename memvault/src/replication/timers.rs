//! Timers that all run equally long: a queue, so setting and firing one is O(1).

use alloc::collections::VecDeque;

use crate::time::{Duration, Instant};

/// Timers of one and the same duration. Who sets one off checks whether the timer still matters.
#[derive(Debug)]
pub(super) struct TimerQueue<T> {
    duration: Duration,
    /// Invariant: in order of time, as every timer runs equally long and `now` never goes back.
    queue: VecDeque<(Instant, T)>,
    /// How much later every timer in the queue is due than it says there.
    postponed: Duration,
}

impl<T> TimerQueue<T> {
    pub(super) const fn new(duration: Duration) -> Self {
        Self {
            duration,
            queue: VecDeque::new(),
            postponed: Duration::ZERO,
        }
    }

    /// Starts a timer. While others are postponed it goes off no sooner than they do.
    pub(super) fn start(&mut self, now: Instant, timer: T) {
        let at = now + self.duration;
        if self.queue.is_empty() {
            self.postponed = Duration::ZERO;
        }
        let since_start = (at - Instant::ZERO).saturating_sub(self.postponed);
        let at = Instant::ZERO + since_start;
        let last = self.queue.back().map_or(at, |(last, _)| *last);
        self.queue.push_back((at.max(last), timer));
        debug_assert!(
            self.queue
                .back()
                .is_some_and(|(at, _)| *at + self.postponed >= now),
            "none is due before it has begun"
        );
    }

    /// Lets every timer that runs go off later by this much. O(1).
    pub(super) fn postpone(&mut self, by: Duration) {
        self.postponed += by;
    }

    /// Timers that have not gone off.
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// When the next timer is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.queue.front().map(|(at, _)| *at + self.postponed)
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

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[test]
    fn what_runs_is_postponed_and_what_is_started_later_is_not() {
        let mut timers = TimerQueue::new(Duration::from_millis(100));
        timers.start(at(0), 'a');
        timers.postpone(Duration::from_millis(30));
        timers.start(at(50), 'b');
        assert_eq!(timers.next(), Some(at(130)));
        assert_eq!(timers.pop_due(at(129)), None);
        assert_eq!(timers.pop_due(at(130)), Some('a'));
        assert_eq!(timers.next(), Some(at(150)));
        assert_eq!(timers.pop_due(at(150)), Some('b'));
        timers.start(at(200), 'c');
        assert_eq!(timers.next(), Some(at(300)));
    }

    #[test]
    fn timers_go_off_in_the_order_in_which_they_were_started() {
        let mut timers = TimerQueue::new(Duration::from_millis(100));
        timers.start(at(0), 'a');
        timers.postpone(Duration::from_millis(500));
        timers.start(at(10), 'b');
        assert_eq!(timers.next(), Some(at(600)));
        assert_eq!(timers.pop_due(at(600)), Some('a'));
        assert_eq!(timers.pop_due(at(600)), Some('b'));
        assert_eq!(timers.next(), None);
    }
}
