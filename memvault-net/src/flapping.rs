//! Members that fall silent and come back all the time: that is told once, and then summed up, as it would drown
//! everything else.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use memvault::replication::Event;

/// For how long what a member does is summed up.
pub(crate) const PERIOD: Duration = Duration::from_secs(60);

/// What the members have done of late. One entry for each that fell silent in the last [`PERIOD`].
#[derive(Debug, Default)]
pub(crate) struct Flapping {
    spells: BTreeMap<String, Spell>,
}

/// What one member has done since a time.
#[derive(Debug)]
struct Spell {
    since: Instant,
    ejected: u64,
    rejoined: u64,
    /// It is away since it went down, rather than since it fell silent: its return is no part of this.
    is_down: bool,
}

/// What was not told of a member at once.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) node: String,
    /// How often it was ejected since the first time, which was told, and used again.
    pub(crate) ejected: u64,
    pub(crate) rejoined: u64,
}

impl Flapping {
    /// Whether an event is to be told now; if not, it is part of a [`Summary`] later.
    pub(crate) fn tells(&mut self, now: Instant, event: &Event) -> bool {
        match event {
            Event::Ejected { node } => {
                let spell = self.spells.entry(node.clone());
                let spell = spell.or_insert_with(|| Spell::new(now));
                spell.ejected += 1;
                spell.is_down = false;
                spell.ejected == 1
            }
            Event::Rejoined { node } => self.spells.get_mut(node).is_none_or(|spell| {
                let was_down = std::mem::take(&mut spell.is_down);
                spell.rejoined += u64::from(!was_down);
                was_down || spell.rejoined == 1
            }),
            Event::Down { node, .. } => {
                if let Some(spell) = self.spells.get_mut(node) {
                    spell.is_down = true;
                }
                true
            }
            _ => true,
        }
    }

    /// What is left to tell of those whose time is over. O(members that fell silent lately).
    pub(crate) fn take_over(&mut self, now: Instant) -> Vec<Summary> {
        let mut summaries = Vec::new();
        self.spells.retain(|node, spell| {
            let is_over = now - spell.since >= PERIOD;
            if is_over && spell.ejected > 1 {
                summaries.push(Summary {
                    node: node.clone(),
                    ejected: spell.ejected - 1,
                    rejoined: spell.rejoined.saturating_sub(1),
                });
            }
            !is_over
        });
        summaries
    }
}

impl Spell {
    const fn new(since: Instant) -> Self {
        Self {
            since,
            ejected: 0,
            rejoined: 0,
            is_down: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use memvault::replication::DownReason;

    use super::*;

    fn ejected(node: &str) -> Event {
        Event::Ejected { node: node.into() }
    }

    fn rejoined(node: &str) -> Event {
        Event::Rejoined { node: node.into() }
    }

    #[test]
    fn the_first_time_is_told_and_the_rest_of_a_minute_summed_up() {
        let (start, mut flapping) = (Instant::now(), Flapping::default());
        let mut told = 0;
        for turn in 0..50 {
            let now = start + Duration::from_secs(turn);
            told += usize::from(flapping.tells(now, &ejected("a")));
            told += usize::from(flapping.tells(now, &rejoined("a")));
            assert_eq!(flapping.take_over(now), []);
        }
        assert_eq!(told, 2);
        let over = start + PERIOD;
        assert!(flapping.tells(over, &ejected("b")));
        let summary = Summary {
            node: "a".into(),
            ejected: 49,
            rejoined: 49,
        };
        assert_eq!(flapping.take_over(over), [summary]);
        assert!(flapping.tells(over, &ejected("a")) && flapping.tells(over, &rejoined("a")));
        assert_eq!(flapping.take_over(over + PERIOD), []);
    }

    #[test]
    fn deaths_and_returns_are_always_told() {
        let (now, mut flapping) = (Instant::now(), Flapping::default());
        let (node, reason) = ("a".to_owned(), DownReason::Silent);
        let down = Event::Down { node, reason };
        for _ in 0..3 {
            flapping.tells(now, &ejected("a"));
            assert!(flapping.tells(now, &down));
            assert!(flapping.tells(now, &rejoined("a")));
        }
        assert!(flapping.tells(now, &rejoined("b")));
    }
}
