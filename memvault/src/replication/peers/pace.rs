//! How often members are pinged, and what their silence means: the more there are, the more seldom.
//!
//! A member that owes an answer is pinged at the usual pace again, however many there are. So a large cluster
//! notices a silent member later by the time by which pings are further apart, and by no more.

use crate::replication::config::Config;
use crate::rng::Rng;
use crate::time::{Duration, Instant};

/// The times that a node goes by with so many others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Between two pings of a member that owes an answer.
    heartbeat: Duration,
    /// Between two pings of a member that answers.
    interval: Duration,
    suspect_after: Duration,
    down_after: Duration,
}

impl Pace {
    /// The pace of a node that pings `others`.
    pub(super) fn of(config: &Config, others: usize) -> Self {
        let round = 1_000_000 * others as u64 / config.ping_rate.max(1);
        Self {
            heartbeat: config.heartbeat,
            interval: config.heartbeat.max(Duration::from_micros(round)),
            suspect_after: config.suspect_after,
            down_after: config.down_after,
        }
    }

    /// Silence after which a member is no longer chosen.
    pub(super) fn suspect_after(&self) -> Duration {
        self.suspect_after + self.stretch()
    }

    /// Silence after which the link to a member is closed.
    pub(super) fn down_after(&self) -> Duration {
        self.down_after + self.stretch()
    }

    /// Time that a member has for answering a greeting, which does not wait for a ping.
    pub(super) const fn greeting(&self) -> Duration {
        self.down_after
    }

    /// Whether a ping is due to a member that was last pinged and last heard at these times.
    pub(super) fn is_due(&self, now: Instant, pinged_at: Instant, heard_at: Instant) -> bool {
        let owes = pinged_at > heard_at;
        now - pinged_at >= if owes { self.heartbeat } else { self.interval }
    }

    /// Shortest time between two pings of a member that a request waits for; as long as the requests' pause between
    /// two attempts, but in a large cluster, where many members may be waited for at a time.
    pub(super) fn impatient(&self) -> Duration {
        self.interval / 10
    }

    /// When a member that has just come up counts as pinged, so that not all of a large cluster are pinged at
    /// the same moment.
    pub(super) fn first_ping(&self, now: Instant, rng: &mut Rng) -> Option<Instant> {
        let ago = (!self.stretch().is_zero()).then(|| rng.duration_below(self.interval))?;
        Some(Instant::ZERO + (now - Instant::ZERO).saturating_sub(ago))
    }

    fn stretch(&self) -> Duration {
        self.interval - self.heartbeat
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replication::config::Role;

    fn pace(others: usize) -> Pace {
        let config = Config::new([].into(), Role::Coordinator("test".into()));
        Pace::of(&config, others)
    }

    const fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[test]
    fn up_to_a_hundred_others_are_pinged_as_often_as_the_setting_says() {
        for others in [0, 1, 20, 100] {
            let pace = pace(others);
            assert!(pace.is_due(at(1100), at(1000), at(1001)), "{others}");
            assert!(!pace.is_due(at(1099), at(1000), at(1001)), "{others}");
            assert_eq!(pace.suspect_after(), Duration::from_millis(400));
            assert_eq!(pace.down_after(), Duration::from_millis(1500));
            assert_eq!(pace.first_ping(at(1000), &mut Rng::new(1)), None);
            assert_eq!(pace.impatient(), Duration::from_millis(10));
        }
    }

    #[test]
    fn more_are_pinged_more_seldom_unless_they_owe_an_answer() {
        let pace = pace(1000);
        assert!(!pace.is_due(at(1999), at(1000), at(1001)));
        assert!(pace.is_due(at(2000), at(1000), at(1001)));
        assert!(pace.is_due(at(2100), at(2000), at(1001)));
        assert!(!pace.is_due(at(2099), at(2000), at(1001)));
        // A second ping and two more, all without an answer, before it is taken for silent.
        assert_eq!(pace.suspect_after(), Duration::from_millis(1300));
        assert_eq!(pace.down_after(), Duration::from_millis(2400));
        assert_eq!(pace.impatient(), Duration::from_millis(100));
    }
}
