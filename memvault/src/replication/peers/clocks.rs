//! Which wall clocks can be trusted: a node compares its own with those of the members.
//!
//! A clock is *wrong* if it differs from those of most others by more than [`Hlc::MAX_SKEW_MS`], until another agrees
//! with it. A node whose own clock is wrong mints no versions and answers no client; one whose clock seems wrong to
//! others does not lead. So a clock that is an hour off is a node less, not keys that nobody can write.

use super::Peers;
use crate::replication::Now;
use crate::replication::rules::{Rule, Rules};
use crate::ring::NodeIndex;
use crate::time::{Duration, Timestamp};
use crate::version::Hlc;

const MAX_SKEW: Duration = Duration::from_millis(Hlc::MAX_SKEW_MS);

/// Watches this process's own wall clock.
#[derive(Debug, Default)]
pub(in crate::replication) struct ClockWatch {
    last: Option<Now>,
    /// Whether it may have been wrong since it was last known to be right.
    was_wrong: bool,
}

impl ClockWatch {
    /// Whether the wall clock has jumped since the last look, compared with the monotonic one.
    pub(in crate::replication) fn has_jumped(&mut self, now: Now) -> bool {
        let Some(last) = self.last.replace(now) else {
            return false;
        };
        let expected = since_epoch(last.wall) + (now.instant - last.instant);
        let has_jumped = expected.abs_diff(since_epoch(now.wall)) > MAX_SKEW;
        self.was_wrong |= has_jumped;
        has_jumped
    }

    /// Whether a clock that was wrong has become right.
    pub(in crate::replication) const fn has_recovered(&mut self, own: OwnClock) -> bool {
        match own {
            OwnClock::Unknown => false,
            OwnClock::Wrong => {
                self.was_wrong = true;
                false
            }
            OwnClock::Right => core::mem::replace(&mut self.was_wrong, false),
        }
    }
}

/// What a node knows of its own clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::replication) enum OwnClock {
    /// Nobody was within reach since the start, or since it jumped.
    #[default]
    Unknown,
    Right,
    /// It differs from most others, or from the only one there was to ask.
    Wrong,
}

/// How the clock of a member within reach compares with this node's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::replication) enum Clock {
    Agrees,
    Differs,
}

/// How many clocks of members within reach agree, this node's own not included, and how many differ; and what
/// follows from it. Kept up to date, as every message asks whose clock is wrong.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::replication) struct Clocks {
    agree: usize,
    differ: usize,
    own: OwnClock,
}

impl Clocks {
    /// A member's clock is counted as `now` from now on, and no more as `before`.
    pub(in crate::replication) const fn recount(
        &mut self,
        before: Option<Clock>,
        now: Option<Clock>,
    ) {
        match before {
            Some(Clock::Agrees) => self.agree -= 1,
            Some(Clock::Differs) => self.differ -= 1,
            None => {}
        }
        match now {
            Some(Clock::Agrees) => self.agree += 1,
            Some(Clock::Differs) => self.differ += 1,
            None => {}
        }
    }

    /// This node's own clock may have become wrong; it has not become right.
    pub(in crate::replication) const fn doubt(&mut self) {
        if matches!(self.own, OwnClock::Right) {
            self.own = OwnClock::Unknown;
        }
    }

    /// Whatever was found out of this node's own clock is of no interest any more.
    pub(in crate::replication) const fn forget_own(&mut self) {
        self.own = OwnClock::Unknown;
    }

    /// Judges this node's own clock anew; a member's counts as one that agrees, once another has agreed with it.
    ///
    /// A wrong one stays so until another agrees: that those who differ are out of reach makes it no better.
    pub(in crate::replication) fn judge(&mut self, rules: Rules, is_member: bool) {
        let is_alone = self.agree == 0
            && self.own == OwnClock::Unknown
            && rules.keep(Rule::LoneClocksAreDoubted);
        let own = usize::from(is_member && !is_alone);
        if self.differ > self.agree + own {
            self.own = OwnClock::Wrong;
        } else if self.agree > 0 || !rules.keep(Rule::WrongClocksStayWrong) {
            self.own = OwnClock::Right;
        }
    }
}

impl Peers {
    /// Compares the clock of a member with this one's, `took` after the question was sent, and notes whether it
    /// has seen versions from the future. Returns whether something has turned out to be wrong with it.
    ///
    /// Only the present time says whose clock is wrong: versions from the future may be left from a time when
    /// all clocks were.
    pub(in crate::replication) fn compare_clock(
        &mut self,
        now: Now,
        took: Duration,
        node: NodeIndex,
        (wall, is_ahead): (Timestamp, bool),
    ) -> bool {
        let (mine, its) = (since_epoch(now.wall), since_epoch(wall));
        let differs = its > mine + MAX_SKEW || its + took + MAX_SKEW < mine;
        let Some(peer) = self.peer_mut(node) else {
            return false;
        };
        let is_new = (differs || is_ahead) && !(peer.clock_differs || peer.is_ahead);
        peer.clock_differs = differs;
        peer.is_ahead = is_ahead;
        self.count_clock(node);
        is_new
    }

    /// This node's own clock has jumped: it is not known to be right, and all others are different, until they have been
    /// compared anew. Of two members neither could tell otherwise whose clock it is.
    pub(in crate::replication) fn distrust_clocks(&mut self) {
        for node in self.indices() {
            if let Some(peer) = self.peer_mut(node) {
                peer.clock_differs = true;
            }
        }
        self.clocks.doubt();
        self.count_clocks();
    }

    /// What is known of this node's own clock. O(1).
    pub(in crate::replication) const fn own_clock(&self) -> OwnClock {
        self.clocks.own
    }

    /// Whether most of the members within reach have another time than this node, or had, and none has agreed
    /// since. O(1).
    pub(in crate::replication) fn is_own_clock_wrong(&self) -> bool {
        self.clocks.own == OwnClock::Wrong
    }

    /// Whether any member within reach has another time than this node. O(1).
    pub(in crate::replication) const fn do_clocks_differ(&self) -> bool {
        self.clocks.differ > 0
    }

    /// Whether the clock of this member seems wrong.
    pub(in crate::replication) fn clock_differs(&self, node: NodeIndex) -> bool {
        self.me() != Some(node) && self.peer(node).is_some_and(|peer| peer.clock_differs)
    }
}

const fn since_epoch(wall: Timestamp) -> Duration {
    Duration::from_millis(wall.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Instant;

    /// What a node knows of its own clock after the clocks of others were counted so, one after the other.
    fn judged(is_member: bool, recounts: &[(Option<Clock>, Option<Clock>)]) -> OwnClock {
        let mut clocks = Clocks::default();
        for (before, now) in recounts {
            clocks.recount(*before, *now);
            clocks.judge(Rules::default(), is_member);
        }
        clocks.own
    }

    const AGREES: Option<Clock> = Some(Clock::Agrees);
    const DIFFERS: Option<Clock> = Some(Clock::Differs);

    #[test]
    fn a_clock_is_judged_by_most_of_those_within_reach() {
        assert_eq!(judged(true, &[]), OwnClock::Unknown);
        assert_eq!(judged(true, &[(None, AGREES)]), OwnClock::Right);
        assert_eq!(
            judged(true, &[(None, AGREES), (None, DIFFERS)]),
            OwnClock::Right
        );
        let two_to_one = [(None, AGREES), (None, DIFFERS), (None, DIFFERS)];
        assert_eq!(judged(true, &two_to_one), OwnClock::Right);
        assert_eq!(judged(false, &two_to_one), OwnClock::Wrong);
    }

    #[test]
    fn the_only_other_one_is_believed_until_one_has_agreed() {
        assert_eq!(judged(true, &[(None, DIFFERS)]), OwnClock::Wrong);
        let then_agrees = [(None, DIFFERS), (DIFFERS, AGREES)];
        assert_eq!(judged(true, &then_agrees), OwnClock::Right);
        let then_jumps = [(None, AGREES), (AGREES, DIFFERS)];
        assert_eq!(judged(true, &then_jumps), OwnClock::Right);
    }

    #[test]
    fn a_wrong_clock_is_no_better_when_those_who_differ_are_gone() {
        let gone = [(None, DIFFERS), (DIFFERS, None)];
        assert_eq!(judged(true, &gone), OwnClock::Wrong);
        let mut clocks = Clocks::default();
        clocks.recount(None, DIFFERS);
        clocks.judge(Rules::default(), true);
        clocks.doubt();
        assert_eq!(clocks.own, OwnClock::Wrong, "another jump mends nothing");
    }

    fn at(millis: u64, wall: u64) -> Now {
        Now {
            instant: Instant::from_millis(millis),
            wall: Timestamp::from_millis(wall),
        }
    }

    #[test]
    fn a_clock_that_jumped_while_nobody_could_tell_has_recovered_once_another_agrees() {
        let mut watch = ClockWatch::default();
        assert!(!watch.has_jumped(at(0, 1_000_000)));
        assert!(!watch.has_jumped(at(100, 1_000_600)), "within the skew");
        assert!(watch.has_jumped(at(200, 4_600_000)));
        assert!(!watch.has_recovered(OwnClock::Unknown));
        assert!(watch.has_jumped(at(300, 1_000_300)));
        assert!(watch.has_recovered(OwnClock::Right));
        assert!(!watch.has_recovered(OwnClock::Right), "only once");
    }
}
