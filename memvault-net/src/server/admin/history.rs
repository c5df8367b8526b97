//! What was: events, and the counters of a moment ago.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use memvault::replication::{Event, FieldValue};
use memvault::time::Timestamp;

use crate::driver::Latency;
use crate::flapping::{Flapping, PERIOD};

/// Events and counters since the start.
#[derive(Debug)]
pub(super) struct History {
    /// Events that are kept.
    pub(super) max_events: usize,
    /// How often each kind of event has happened.
    pub(super) counts: BTreeMap<&'static str, u64>,
    /// The last ones, oldest first; their numbers are in a row.
    events: VecDeque<Noted>,
    /// The counters some time ago: at most two, oldest first.
    marks: VecDeque<Mark>,
    flapping: Flapping,
}

/// An event that has happened.
#[derive(Debug)]
pub(super) struct Noted {
    /// Its number since the start, from 1 on.
    pub(super) number: u64,
    pub(super) at: Timestamp,
    pub(super) name: &'static str,
    /// The node that it is about, if there is one.
    pub(super) node: Option<String>,
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
    /// An empty one that keeps so many events, one at least.
    pub(super) fn new(max_events: usize) -> Self {
        Self {
            max_events: max_events.max(1),
            counts: BTreeMap::new(),
            events: VecDeque::new(),
            marks: VecDeque::new(),
            flapping: Flapping::default(),
        }
    }

    /// Notes an event of the cluster. All are counted; those of a member that flaps are kept as a summary.
    pub(super) fn note(&mut self, at: Timestamp, event: &Event) {
        if self.flapping.tells(Instant::now(), event) {
            let node = event.node().map(str::to_owned);
            self.add(at, event.name(), node, event.to_string());
        } else {
            *self.counts.entry(event.name()).or_default() += 1;
        }
    }

    /// Notes what members did all the time, once a minute of it is over.
    pub(super) fn sum_up(&mut self, at: Timestamp) {
        for summary in self.flapping.take_over(Instant::now()) {
            let (ejected, rejoined) = (summary.ejected, summary.rejoined);
            let node = FieldValue::Text(&summary.node);
            let seconds = PERIOD.as_secs();
            let text = format!(
                "flapping node={node} ejected={ejected} rejoined={rejoined} seconds={seconds}"
            );
            self.add(at, "flapping", Some(summary.node), text);
        }
    }

    /// Notes any event.
    pub(super) fn add(
        &mut self,
        at: Timestamp,
        name: &'static str,
        node: Option<String>,
        text: String,
    ) {
        *self.counts.entry(name).or_default() += 1;
        if self.events.len() == self.max_events {
            self.events.pop_front();
        }
        self.events.push_back(Noted {
            number: self.last_number() + 1,
            at,
            name,
            node,
            text,
        });
    }

    /// The number of the last event; 0 if there is none.
    pub(super) fn last_number(&self) -> u64 {
        self.events.back().map_or(0, |event| event.number)
    }

    /// The events after the one with this number that are still known, oldest first; if there is none with it
    /// yet, all: anyone who asks knows it from another process.
    pub(super) fn since(&self, number: u64) -> impl Iterator<Item = &Noted> {
        let number = if number > self.last_number() {
            0
        } else {
            number
        };
        self.events
            .iter()
            .filter(move |event| event.number > number)
    }

    /// The last events, at most `most`, oldest first.
    pub(super) fn latest(&self, most: usize) -> impl Iterator<Item = &Noted> {
        self.events
            .iter()
            .skip(self.events.len().saturating_sub(most))
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
        let mut history = History::new(100);
        for millis in 0..750 {
            let now = Timestamp::from_millis(millis);
            history.note(now, &Event::Paused { millis });
        }
        assert_eq!(history.counts["paused"], 750);
        let texts: Vec<_> = history.since(0).map(|event| &*event.text).collect();
        assert_eq!(texts.len(), 100);
        assert_eq!(texts[0], "paused millis=650");
        assert_eq!(texts[99], "paused millis=749");
        let latest: Vec<_> = history.latest(2).map(|event| event.number).collect();
        assert_eq!(latest, [749, 750]);
    }

    #[test]
    fn events_after_a_number_are_told() {
        let mut history = History::new(100);
        let numbers = |history: &History, since| {
            let events = history.since(since);
            events.map(|event| event.number).collect::<Vec<_>>()
        };
        assert!(numbers(&history, 7).is_empty());
        for node in ["a", "b", "c"] {
            let node = node.to_owned();
            history.note(Timestamp::from_millis(1), &Event::Rejoined { node });
        }
        assert_eq!(numbers(&history, 0), [1, 2, 3]);
        assert_eq!(numbers(&history, 2), [3]);
        assert!(numbers(&history, 3).is_empty());
        // A number of a process that ran before this one.
        assert_eq!(numbers(&history, 4), [1, 2, 3]);
        let last = history.latest(1).next().expect("an event");
        assert_eq!(last.node.as_deref(), Some("c"));
    }

    #[test]
    fn a_member_that_flaps_is_counted_and_kept_once() {
        let mut history = History::new(100);
        for _ in 0..20 {
            for event in [
                Event::Ejected { node: "a".into() },
                Event::Rejoined { node: "a".into() },
            ] {
                history.note(Timestamp::from_millis(1), &event);
            }
        }
        history.sum_up(Timestamp::from_millis(2));
        assert_eq!(history.counts["ejected"], 20);
        let names: Vec<_> = history.since(0).map(|event| event.name).collect();
        assert_eq!(names, ["ejected", "rejoined"]);
    }

    #[test]
    fn what_is_recent_is_what_came_after_the_older_mark() {
        let mut history = History::new(100);
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
