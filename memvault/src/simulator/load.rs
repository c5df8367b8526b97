//! Load: what work costs, and how much of it is asked for.
//!
//! Without a [`Load`] messages cost no time and links have no width. With one, a process is a server with one queue:
//! while it is busy its inputs wait and its timers come late, and the node is told the time at which they come. A link
//! is a queue too, for each direction: what waits there leaves in pieces, one after the other, and none is lost or
//! overtaken.

use crate::time::Duration;

/// What work costs in a [`Scenario`](super::Scenario), and what is asked for beside its clients.
///
/// The clients of the scenario are the bystanders: each makes one small request after another, and what matters is how
/// long those take. The bulk of the requests comes from sources, which do not wait for answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// What takes how long.
    pub costs: Costs,
    /// Processes that coordinate what the phases ask for. None: the bystanders' own do, as one gateway does for many.
    pub sources: usize,
    /// Keys of what the phases ask for: others than those of the clients.
    pub keys: usize,
    /// Requests of the phases that a member coordinates instead, per thousand.
    pub through_members: u64,
    /// What is asked for, one phase after the other, from [`first_request`](super::Scenario::first_request) on.
    pub phases: &'static [Phase],
    /// How much slower one member is, drawn from the seed, without being dead; 1 for as fast as the others.
    pub slowness: u32,
    /// Of the capacity of those members that serve, in percent, that is to be answered in time under more than that.
    pub goodput: u64,
    /// The longest that a bystander may wait for an answer.
    pub longest: Duration,
}

/// What takes how long. A message costs both its sender and its receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Costs {
    /// Bytes per second of one direction of one link.
    pub width: u64,
    /// Processor time for what is written or read in one go: as much as waits, up to a piece of a large message.
    pub per_chunk: Duration,
    /// Processor time for each key of a message or a request.
    pub per_key: Duration,
    /// Processor time for each 1024 bytes of their values.
    pub per_kib: Duration,
}

/// A while during which requests come in alike, as a Poisson process: whether the earlier ones were answered or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phase {
    /// What it is called in messages to people.
    pub name: &'static str,
    /// How long it lasts.
    pub lasts: Duration,
    /// How many requests come.
    pub rate: Rate,
    /// Keys of each request.
    pub keys: usize,
    /// Bytes of each value that is written; at least 8.
    pub bytes: usize,
    /// Whether the cluster can bear it: no request fails, but for those of the first second after a phase that it could
    /// not bear.
    pub is_bearable: bool,
}

/// How many requests come in a [`Phase`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rate {
    /// None.
    None,
    /// One in this time, on average.
    Every(Duration),
    /// More and more, up to so many in a second at the end: the most that is answered in any half second is the
    /// cluster's capacity.
    RisingTo(u64),
    /// So many percent of the capacity that was found.
    OfCapacity(u64),
}

impl Phase {
    /// Nothing is asked but by the bystanders.
    pub(super) const fn quiet(name: &'static str, lasts: Duration) -> Self {
        Self {
            name,
            lasts,
            rate: Rate::None,
            keys: 1,
            bytes: 8,
            is_bearable: true,
        }
    }
}

impl Load {
    /// Whether some requests have several keys.
    pub(super) fn has_wide_requests(&self) -> bool {
        self.phases.iter().any(|phase| phase.keys > 1)
    }

    /// How long all phases take together.
    pub(super) const fn lasts(&self) -> Duration {
        let (mut sum, mut at) = (Duration::ZERO, 0);
        while at < self.phases.len() {
            sum = sum.saturating_add(self.phases[at].lasts);
            at += 1;
        }
        sum
    }
}

impl Costs {
    /// What each of some ten processes has of two processors, and a link of half a gigabit.
    pub const SMALL: Self = Self {
        width: 50_000_000,
        per_chunk: Duration::from_micros(20),
        per_key: Duration::from_micros(20),
        per_kib: Duration::from_micros(1),
    };

    /// Processor time for a message or a request of so many keys and bytes.
    pub(super) fn work(&self, keys: usize, bytes: usize) -> Duration {
        let nanos = |each: Duration| u64::try_from(each.as_nanos()).unwrap_or(u64::MAX);
        let by_bytes = nanos(self.per_kib).saturating_mul(bytes as u64) / 1024;
        let by_keys = nanos(self.per_key).saturating_mul(keys.max(1) as u64);
        Duration::from_nanos(by_bytes.saturating_add(by_keys))
    }

    /// How long so many bytes take to leave.
    pub(super) fn passage(&self, bytes: usize) -> Duration {
        Duration::from_nanos((bytes as u64).saturating_mul(1_000_000_000) / self.width.max(1))
    }
}
