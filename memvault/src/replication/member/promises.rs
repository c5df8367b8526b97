//! What a replica has promised to those who read, modify and write: nothing older than their version.
//!
//! Those who fill in what they load elsewhere are promised the same, of plain writes alone: see
//! [`Prepare`](crate::replication::wire::message::Prepare).
//!
//! The first half of CASPaxos (Rystsov, 2018), a compare-and-set register without a log: a coordinator that means to
//! change a value announces the version of the change to a read quorum before it decides. From then on a write
//! with a lower version cannot reach a quorum any more, so that what the reader saw is still the newest when
//! its own write comes. A promise matters only while older writes may be under way, so it is forgotten
//! after the window of retries.

use alloc::collections::{BTreeMap, VecDeque};

use crate::hash::Token;
use crate::time::{Duration, Instant};
use crate::version::Version;

/// The promises in force. Keys are told apart by their token; two that share one only wait for each other.
/// All operations are O(log n).
#[derive(Debug)]
pub(in crate::replication) struct Promises {
    keep: Duration,
    max: usize,
    versions: BTreeMap<Token, Version>,
    /// Invariant: every entry of `versions` is among these; one that was raised since is met earlier as well.
    order: VecDeque<(Instant, Token, Version)>,
    /// Promises that went early for lack of room bind all keys, for as long as they would have lasted.
    everywhere: Version,
    everywhere_until: Instant,
}

impl Promises {
    pub(in crate::replication) const fn new(keep: Duration, max: usize) -> Self {
        Self {
            keep,
            max,
            versions: BTreeMap::new(),
            order: VecDeque::new(),
            everywhere: Version::ZERO,
            everywhere_until: Instant::ZERO,
        }
    }

    /// The lowest version that may still be stored under this token.
    pub(in crate::replication) fn at(&self, token: Token) -> Version {
        let own = self.versions.get(&token).copied().unwrap_or(Version::ZERO);
        own.max(self.everywhere)
    }

    /// Raises the promise for this token to `version`; it never goes down before its time.
    pub(in crate::replication) fn raise(&mut self, now: Instant, token: Token, version: Version) {
        while self
            .order
            .front()
            .is_some_and(|(at, ..)| *at + self.keep < now)
        {
            self.pop();
        }
        if self.everywhere_until < now {
            self.everywhere = Version::ZERO;
        }
        if self.at(token) >= version {
            return;
        }
        self.versions.insert(token, version);
        self.order.push_back((now, token, version));
        if self.order.len() > self.max
            && let Some(dropped) = self.pop()
        {
            self.everywhere = self.everywhere.max(dropped);
            self.everywhere_until = now + self.keep;
        }
        debug_assert!(
            self.at(token) >= version,
            "it binds, whatever went for lack of room"
        );
        debug_assert!(
            self.versions.len() <= self.order.len(),
            "each ends in its time"
        );
        debug_assert!(self.order.len() <= self.max, "the oldest goes early");
    }

    /// Forgets the oldest, unless it was raised since. Returns what was forgotten.
    fn pop(&mut self) -> Option<Version> {
        let (_, token, version) = self.order.pop_front()?;
        if self.versions.get(&token) != Some(&version) {
            return None;
        }
        self.versions.remove(&token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP: Duration = Duration::from_secs(1);

    fn version(hlc: u64) -> Version {
        Version::new(hlc, 0)
    }

    #[test]
    fn a_promise_rises_and_ends_with_its_window() {
        let mut promises = Promises::new(KEEP, 10);
        promises.raise(Instant::from_millis(0), Token(1), version(5));
        promises.raise(Instant::from_millis(10), Token(1), version(3));
        assert_eq!(promises.at(Token(1)), version(5));
        promises.raise(Instant::from_millis(500), Token(1), version(7));
        promises.raise(Instant::from_millis(1100), Token(2), version(9));
        assert_eq!(promises.at(Token(1)), version(7), "raised 600 ms ago");
        promises.raise(Instant::from_millis(1600), Token(2), version(10));
        assert_eq!(promises.at(Token(1)), Version::ZERO);
    }

    #[test]
    fn one_that_there_is_no_room_for_binds_all_keys() {
        let mut promises = Promises::new(KEEP, 2);
        for number in 1..=3 {
            promises.raise(Instant::from_millis(0), Token(number), version(number));
        }
        assert_eq!(promises.at(Token(1)), version(1));
        assert_eq!(promises.at(Token(99)), version(1));
        promises.raise(Instant::from_millis(1001), Token(4), version(4));
        assert_eq!(promises.at(Token(99)), Version::ZERO, "its time is over");
        assert_eq!(promises.at(Token(4)), version(4));
    }
}
