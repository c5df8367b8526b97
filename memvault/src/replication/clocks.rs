//! Which wall clocks can be trusted: a node compares its own with those of the members.
//!
//! A clock is *wrong* if it differs from those of most others by more than [`Hlc::MAX_SKEW_MS`]. A node
//! whose own clock is wrong mints no versions and answers no requests; one whose clock seems wrong to
//! others does not lead. So a clock that is an hour off is a node less, not keys that nobody can write.

use super::Now;
use super::peers::Peers;
use crate::ring::NodeIndex;
use crate::time::{Duration, Timestamp};
use crate::version::Hlc;

const MAX_SKEW: Duration = Duration::from_millis(Hlc::MAX_SKEW_MS);

/// Watches this process's own wall clock.
#[derive(Debug, Default)]
pub(super) struct ClockWatch {
    last: Option<Now>,
    was_wrong: bool,
}

impl ClockWatch {
    /// Whether the wall clock has jumped since the last look, compared with the monotonic one.
    pub(super) fn has_jumped(&mut self, now: Now) -> bool {
        let Some(last) = self.last.replace(now) else {
            return false;
        };
        let expected = since_epoch(last.wall) + (now.instant - last.instant);
        expected.abs_diff(since_epoch(now.wall)) > MAX_SKEW
    }

    /// Whether a clock that was wrong has become right. To be told whether it `is_wrong` now.
    pub(super) const fn has_recovered(&mut self, is_wrong: bool) -> bool {
        let recovered = self.was_wrong && !is_wrong;
        self.was_wrong = is_wrong;
        recovered
    }
}

/// How the clock of a member within reach compares with this node's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clock {
    Agrees,
    Differs,
}

/// How many clocks of members within reach agree, this node's own not included, and how many differ. Kept
/// up to date, as every message asks whose clock is wrong.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clocks {
    agree: usize,
    differ: usize,
}

impl Clocks {
    /// A member's clock is counted as `now` from now on, and no more as `before`.
    pub(super) const fn recount(&mut self, before: Option<Clock>, now: Option<Clock>) {
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
}

impl Peers {
    /// Compares the clock of a member with this one's, `took` after the question was sent, and notes whether it
    /// has seen versions from the future. Returns whether something has turned out to be wrong with it.
    ///
    /// Only the present time says whose clock is wrong: versions from the future may be left from a time when
    /// all clocks were.
    pub(super) fn compare_clock(
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

    /// Takes all clocks for different until each has been compared anew.
    pub(super) fn distrust_clocks(&mut self) {
        for node in self.indices() {
            if let Some(peer) = self.peer_mut(node) {
                peer.clock_differs = true;
            }
        }
        self.count_clocks();
    }

    /// Whether most of the members within reach have another time than this node. O(1).
    pub(super) fn is_own_clock_wrong(&self) -> bool {
        self.clocks.differ > self.clocks.agree + usize::from(self.me().is_some())
    }

    /// Whether the clock of this member seems wrong.
    pub(super) fn clock_differs(&self, node: NodeIndex) -> bool {
        self.me() != Some(node) && self.peer(node).is_some_and(|peer| peer.clock_differs)
    }
}

const fn since_epoch(wall: Timestamp) -> Duration {
    Duration::from_millis(wall.as_millis())
}
