//! A process as a server with one queue: what comes while it is busy waits.

use alloc::collections::VecDeque;

use super::event::Event;
use crate::time::{Duration, Instant};

/// What a process is busy with, and what waits for it. All of it is idle in a scenario without a load.
#[derive(Default)]
pub(super) struct Server {
    waiting: VecDeque<Event>,
    /// Requests of clients: they and what comes from links take turns, as both have connections of their own.
    requests: VecDeque<Event>,
    /// Whether it is a request's turn.
    is_requests_turn: bool,
    /// How many of these belong to the present round: timers have their turn between two rounds, as in an event loop.
    round: usize,
    /// Whether it is at work, so that it will look for more by itself.
    pub(super) is_busy: bool,
    /// Whether a timer went off while it was busy.
    pub(super) is_timer_due: bool,
    /// What the present input has taken so far.
    pub(super) spent: Duration,
}

/// An event loop reads from each of its connections once before it looks at its timers: from so many.
const ROUND: usize = 16;

/// What a server does next.
pub(super) enum Next {
    Input(Event),
    Timers,
    Nothing,
}

impl Server {
    pub(super) fn push(&mut self, input: Event) {
        if matches!(input, Event::Request { .. }) {
            self.requests.push_back(input);
        } else {
            self.waiting.push_back(input);
        }
    }

    pub(super) fn next(&mut self) -> Next {
        let is_idle = self.waiting.is_empty() && self.requests.is_empty();
        if self.round == 0 || is_idle {
            self.round = ROUND;
            if core::mem::take(&mut self.is_timer_due) {
                return Next::Timers;
            }
        }
        self.round = self.round.saturating_sub(1);
        self.is_requests_turn = !self.is_requests_turn;
        let mut queues = [&mut self.waiting, &mut self.requests];
        if self.is_requests_turn {
            queues.reverse();
        }
        let input = queues.into_iter().find_map(VecDeque::pop_front);
        input.map_or(Next::Nothing, Next::Input)
    }

    /// When what was handled at `now` is done.
    pub(super) fn done(&mut self, now: Instant, slowness: u32) -> Instant {
        let spent = core::mem::take(&mut self.spent) * slowness;
        // Time is counted in microseconds; what is left is not lost.
        let micros = spent.as_micros();
        self.spent = Duration::from_nanos((spent.as_nanos() % 1000) as u64) / slowness.max(1);
        now + Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }
}
