//! What was: events, and the counters of a moment ago.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use memvault::replication::Event;
use memvault::time::Timestamp;

use crate::driver::Latency;

/// Events that are kept.
const MAX_EVENTS: usize = 100;

/// Events and counters since the start.
#[derive(Debug, Default)]
pub(super) struct History {
    /// How often each kind of event has happened.
    pub(super) counts: BTreeMap<&'static str, u64>,
    /// The last ones, oldest first.
    events: VecDeque<Noted>,
    /// The counters some time ago: at most two, oldest first.
    marks: VecDeque<Mark>,
}

/// An event that has happened.
#[derive(Debug)]
pub(super) struct Noted {
    pub(super) at: Timestamp,
    pub(super) name: &'static str,
    pub(super) text: String,
}

/// The counters at one time.
#[derive(Debug)]
struct Mark {
    at: Instant,
    commands: u64,
    latency: Latency,
}

/// What happened of late.
#[derive(Debug)]
pub(super) struct Recent {
    /// For how long, up to now; above 0.
    pub(super) seconds: f64,
    pub(super) commands: u64,
    pub(super) latency: Latency,
}

impl History {
    /// Notes an event.
    pub(super) fn note(&mut self, at: Timestamp, event: &Event) {
        *self.counts.entry(event.name()).or_default() += 1;
        if self.events.len() == MAX_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(Noted {
            at,
            name: event.name(),
            text: event.to_string(),
        });
    }

    /// The last events, oldest first.
    pub(super) fn events(&self) -> impl Iterator<Item = &Noted> {
        self.events.iter()
    }

    /// Remembers the counters of now.
    pub(super) fn mark(&mut self, commands: u64, latency: Latency) {
        if self.marks.len() == 2 {
            self.marks.pop_front();
        }
        self.marks.push_back(Mark {
            at: Instant::now(),
            commands,
            latency,
        });
    }

    /// What has happened since the older mark; `None` if there is none yet.
    pub(super) fn recent(&self, commands: u64, latency: &Latency) -> Option<Recent> {
        let mark = self.marks.front()?;
        let seconds = mark.at.elapsed().as_secs_f64();
        (seconds > 0.0).then(|| Recent {
            seconds,
            // Counters may have been set to zero meanwhile.
            commands: commands.saturating_sub(mark.commands),
            latency: latency.since(&mark.latency),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_last_events_are_kept_and_all_are_counted() {
        let mut history = History::default();
        for millis in 0..250 {
            let now = Timestamp::from_millis(millis);
            history.note(now, &Event::Paused { millis });
        }
        assert_eq!(history.counts["paused"], 250);
        let texts: Vec<_> = history.events().map(|event| &*event.text).collect();
        assert_eq!(texts.len(), MAX_EVENTS);
        assert_eq!(texts[0], "paused millis=150");
        assert_eq!(texts[99], "paused millis=249");
    }

    #[test]
    fn what_is_recent_is_what_came_after_the_older_mark() {
        let mut history = History::default();
        let mut latency = Latency::default();
        assert!(history.recent(7, &latency).is_none());
        for commands in [10, 20, 40] {
            history.mark(commands, latency.clone());
            latency.record(Duration::from_millis(commands));
        }
        let recent = history.recent(100, &latency).expect("there are marks");
        assert_eq!((recent.commands, recent.latency.count()), (80, 2));
        assert_eq!(history.recent(3, &latency).expect("reset").commands, 0);
    }
}
