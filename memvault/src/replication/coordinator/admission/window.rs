//! How many keys may be under way with one member: as many as it answers in time, and no more.
//!
//! The window of TCP (Jacobson, Congestion Avoidance and Control, 1988), in keys: it grows while answers come in
//! time, and is halved when one is late. So many nodes share a member without knowing of each other, and what is
//! beyond waits where it costs nothing.

use crate::time::{Duration, Instant};

/// The keys and bytes under way with one member.
#[derive(Debug)]
pub(super) struct Window {
    limit: usize,
    under_way: usize,
    bytes: usize,
    /// Below this it grows by one with each answer, above it by one with each round of answers.
    threshold: usize,
    /// Answers in time since it grew last.
    answers: usize,
    /// When it was halved last: what began before is not held against it a second time.
    halved_at: Instant,
    /// What the answer to a read is likely to have, in bytes.
    typical: usize,
}

/// The bounds of all windows of a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Keys under way with one member.
    pub(super) keys: usize,
    /// Bytes under way with one member; one key is let through in any case.
    pub(super) bytes: usize,
    /// An answer that takes longer is late.
    pub(super) late: Duration,
}

/// An end of a request on one key.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    /// The bytes that it was counted with when it began.
    pub(super) bytes: usize,
    /// When it began.
    pub(super) began: Instant,
    /// Bytes of the answer, if it was a read.
    pub(super) answered: Option<usize>,
    /// Whether its time tells something of the member: a dead or silent one is not merely slow.
    pub(super) tells: bool,
}

/// A window is never smaller, so that a member that is late for another reason still has work.
const LEAST: usize = 16;
/// A window begins small: a deep queue teaches nobody that it is one.
const START: usize = 64;
/// Answers above this are late for their size.
const SMALL: usize = 64 << 10;

impl Window {
    pub(super) const fn new(bounds: &Bounds) -> Self {
        Self {
            limit: if bounds.keys < START {
                bounds.keys
            } else {
                START
            },
            under_way: 0,
            bytes: 0,
            threshold: bounds.keys,
            answers: 0,
            halved_at: Instant::ZERO,
            typical: 0,
        }
    }

    pub(super) const fn is_idle(&self) -> bool {
        self.under_way == 0
    }

    pub(super) const fn under_way(&self) -> usize {
        self.under_way
    }

    /// Whether one more key may begin.
    pub(super) const fn has_room(&self, bounds: &Bounds) -> bool {
        self.under_way == 0 || self.under_way < self.limit && self.bytes < bounds.bytes
    }

    /// A key begins, with so many bytes to send. Returns what it counts for: a read counts for what it is likely to
    /// bring.
    pub(super) fn begin(&mut self, bytes: usize, is_read: bool) -> usize {
        let bytes = if is_read { bytes + self.typical } else { bytes };
        self.under_way += 1;
        self.bytes += bytes;
        bytes
    }

    pub(super) fn end(&mut self, now: Instant, bounds: &Bounds, end: End) {
        debug_assert!(
            self.under_way > 0 && self.bytes >= end.bytes,
            "nothing ends twice"
        );
        let was_full = self.under_way >= self.limit;
        self.under_way = self.under_way.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(end.bytes);
        if let Some(answered) = end.answered {
            self.typical = answered.max(self.typical - self.typical / 8);
        }
        if !end.tells || end.bytes.max(end.answered.unwrap_or(0)) > SMALL {
            return;
        }
        if now - end.began <= bounds.late {
            self.grow(bounds, was_full);
        } else if end.began >= self.halved_at {
            self.threshold = (self.limit / 2).max(LEAST);
            self.limit = self.threshold;
            self.answers = 0;
            self.halved_at = now;
        }
    }

    fn grow(&mut self, bounds: &Bounds, was_full: bool) {
        if !was_full || self.limit >= bounds.keys {
            return;
        }
        self.answers += 1;
        if self.limit < self.threshold || self.answers >= self.limit {
            self.limit += 1;
            self.answers = 0;
        }
        debug_assert!(self.limit <= bounds.keys, "it grows up to its bound");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds {
        keys: 256,
        bytes: 1000,
        late: Duration::from_millis(100),
    };

    fn end(began: u64) -> End {
        End {
            bytes: 1,
            began: Instant::from_millis(began),
            answered: None,
            tells: true,
        }
    }

    fn fill(window: &mut Window) -> usize {
        let mut begun = 0;
        while window.has_room(&BOUNDS) {
            window.begin(1, false);
            begun += 1;
        }
        begun
    }

    #[test]
    fn it_is_halved_once_for_all_that_was_late_together_and_grows_again() {
        let mut window = Window::new(&BOUNDS);
        window.limit = 256;
        assert_eq!(fill(&mut window), 256);
        for _ in 0..256 {
            window.end(Instant::from_millis(200), &BOUNDS, end(1));
        }
        assert!(window.is_idle());
        assert_eq!(fill(&mut window), 128);
        let mut answers = 0;
        while window.limit < 256 {
            window.end(Instant::from_millis(300), &BOUNDS, end(299));
            fill(&mut window);
            answers += 1;
        }
        // By one in each round.
        assert_eq!(answers, (128..256).sum::<usize>());
    }

    #[test]
    fn it_begins_small_and_doubles_with_each_round_of_answers_in_time() {
        let mut window = Window::new(&BOUNDS);
        assert_eq!(fill(&mut window), START);
        for _ in 0..START {
            window.end(Instant::from_millis(2), &BOUNDS, end(1));
            fill(&mut window);
        }
        assert_eq!(window.limit, 2 * START);
    }

    #[test]
    fn late_answers_never_close_it() {
        let mut window = Window::new(&BOUNDS);
        for round in 1..100 {
            fill(&mut window);
            window.end(
                Instant::from_millis(round * 1000),
                &BOUNDS,
                end(round * 1000 - 500),
            );
        }
        assert_eq!(window.limit, LEAST);
    }

    #[test]
    fn bytes_bound_it_and_reads_count_for_what_they_bring() {
        let mut window = Window::new(&BOUNDS);
        window.begin(5000, false);
        assert!(!window.has_room(&BOUNDS));
        window.end(
            Instant::from_millis(1),
            &BOUNDS,
            End {
                bytes: 5000,
                ..end(0)
            },
        );
        assert_eq!(window.begin(1, true), 1);
        let answer = End {
            answered: Some(600),
            ..end(0)
        };
        window.end(Instant::from_millis(1), &BOUNDS, answer);
        assert_eq!(window.begin(1, true), 601);
        assert!(window.has_room(&BOUNDS));
        window.begin(1, true);
        assert!(!window.has_room(&BOUNDS), "two of 601 bytes");
    }
}
