//! What is logged over and over is summed up.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use log::Level;

/// Time over which repeated events are summed up.
pub(super) const WINDOW: Duration = Duration::from_secs(10);

/// How often each event was logged of late.
///
/// An event is known by its name and the node that it is about, if there is one. Of one that repeats, `max` in
/// [`WINDOW`] are let through, and [`MANY_NODES`] times as many of one name; the rest is counted, and told when the
/// time is over, with what the last of them said: a log whose last word on a node is long past would mislead. Cost: a
/// look-up for each event. Nodes are named by anyone who greets, so there are never more than about [`FORGET_ABOVE`]
/// and the names of our own.
#[derive(Debug)]
pub(super) struct Floods {
    /// `None` lets everything through.
    max: Option<u64>,
    windows: HashMap<Key, Window>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    name: String,
    node: Option<String>,
}

#[derive(Clone, Debug)]
struct Window {
    end: Instant,
    told: u64,
    held: u64,
    level: Level,
    /// The fields of the last that was held back.
    last: String,
}

/// Events that were not told one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Summary {
    pub(super) name: String,
    pub(super) node: Option<String>,
    pub(super) more: u64,
    /// The most severe of them.
    pub(super) level: Level,
    /// The fields of the last of them.
    pub(super) last: String,
}

/// What becomes of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Tell,
    Hold,
    /// The first that is held back: from now on something is due.
    BeginToHold,
}

impl Floods {
    pub(super) fn new(max: Option<u64>) -> Self {
        Self {
            max,
            windows: HashMap::new(),
        }
    }

    /// Whether an event is to be told; `fields` gives what it says, for the sum.
    pub(super) fn judge(
        &mut self,
        now: Instant,
        level: Level,
        name: &str,
        node: Option<String>,
        fields: impl Fn() -> String,
    ) -> Verdict {
        let Some(max) = self.max else {
            return Verdict::Tell;
        };
        if self.windows.len() > FORGET_ABOVE {
            self.windows
                .retain(|_, window| now < window.end || window.held > 0);
        }
        let of_all = Key {
            name: name.to_owned(),
            node: None,
        };
        if let Some(node) = node {
            let of_nodes = max.saturating_mul(MANY_NODES);
            let verdict = self.count(now, level, of_all.clone(), of_nodes, &fields);
            if verdict != Verdict::Tell {
                return verdict;
            }
            let of_one = Key {
                node: Some(node),
                ..of_all
            };
            return self.count(now, level, of_one, max, &fields);
        }
        self.count(now, level, of_all, max, &fields)
    }

    fn count(
        &mut self,
        now: Instant,
        level: Level,
        key: Key,
        max: u64,
        fields: &dyn Fn() -> String,
    ) -> Verdict {
        let fresh = Window {
            end: now + WINDOW,
            told: 0,
            held: 0,
            level,
            last: String::new(),
        };
        let window = self.windows.entry(key).or_insert_with(|| fresh.clone());
        if now >= window.end && window.held == 0 {
            *window = fresh;
        }
        if window.told < max {
            window.told += 1;
            return Verdict::Tell;
        }
        window.held += 1;
        window.last = fields();
        // The more severe, the less.
        window.level = window.level.min(level);
        match window.held {
            1 => Verdict::BeginToHold,
            _ => Verdict::Hold,
        }
    }

    /// When there is something to sum up.
    pub(super) fn due(&self) -> Option<Instant> {
        let held = self.windows.values().filter(|window| window.held > 0);
        held.map(|window| window.end).min()
    }

    /// The sums whose time is over by `now`; of all that was held back if `now` is `None`.
    pub(super) fn sum_up(&mut self, now: Option<Instant>) -> Vec<Summary> {
        let is_over = |window: &Window| now.is_none_or(|now| window.end <= now);
        let over = self.windows.extract_if(|_, window| is_over(window));
        let held = over.filter(|(_, window)| window.held > 0);
        let summary = |(key, window): (Key, Window)| Summary {
            name: key.name,
            node: key.node,
            more: window.held,
            level: window.level,
            last: window.last,
        };
        held.map(summary).collect()
    }
}

/// How many times as often an event may be told of all nodes together as of one.
const MANY_NODES: u64 = 20;
/// Windows above which those are forgotten that are over.
const FORGET_ABOVE: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    fn told(floods: &mut Floods, now: Instant, times: usize, node: Option<&str>) -> usize {
        let mut judge = |time: usize| {
            let fields = || format!("link={time}");
            floods.judge(now, Level::Warn, "down", node.map(str::to_owned), fields)
        };
        (0..times)
            .filter(|time| judge(*time) == Verdict::Tell)
            .count()
    }

    #[test]
    fn some_are_told_and_the_rest_is_a_sum() {
        let (mut floods, now) = (Floods::new(Some(10)), Instant::now());
        assert_eq!(told(&mut floods, now, 15_001, None), 10);
        assert_eq!(floods.due(), Some(now + WINDOW));
        assert_eq!(floods.sum_up(Some(now)), []);
        let sums = floods.sum_up(Some(now + WINDOW));
        let expected = Summary {
            name: "down".to_owned(),
            node: None,
            more: 14_991,
            level: Level::Warn,
            last: "link=15000".to_owned(),
        };
        assert_eq!(sums, [expected]);
        assert_eq!(floods.due(), None);
        assert_eq!(told(&mut floods, now + WINDOW, 12, None), 10);
    }

    #[test]
    fn rare_events_are_always_told() {
        let (mut floods, mut now) = (Floods::new(Some(2)), Instant::now());
        for _ in 0..100 {
            assert_eq!(told(&mut floods, now, 2, Some("a")), 2);
            now += WINDOW;
        }
        assert_eq!(floods.sum_up(None), []);
    }

    #[test]
    fn one_node_does_not_silence_another_but_made_up_ones_do_not_flood() {
        let (mut floods, now) = (Floods::new(Some(10)), Instant::now());
        assert_eq!(told(&mut floods, now, 50, Some("a")), 10);
        assert_eq!(told(&mut floods, now, 5, Some("b")), 5);
        let made_up = (0..10_000).map(|number| format!("node-{number}"));
        let all: usize = made_up
            .map(|node| told(&mut floods, now, 1, Some(&node)))
            .sum();
        assert!(all < 200, "{all}");
        assert!(floods.windows.len() < 300);
        let more: u64 = floods.sum_up(None).iter().map(|sum| sum.more).sum();
        assert_eq!(more as usize, 10_055 - 15 - all);
    }

    #[test]
    fn without_a_limit_all_are_told() {
        let mut floods = Floods::new(None);
        assert_eq!(told(&mut floods, Instant::now(), 1000, None), 1000);
    }
}
