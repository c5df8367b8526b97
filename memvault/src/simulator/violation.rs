//! A broken promise.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::time::Instant;

/// What a run is checked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Promise {
    /// Acknowledged writes, writes of unknown fate and reads that found a value fit into one order that
    /// respects real time.
    LinearizableHits,
    /// No read finds what had been overwritten before it was asked.
    CurrentHits,
    /// What was acknowledged is found.
    Durability,
    /// No request fails.
    Availability,
    /// Every request is answered by its deadline, and takes effect by then or never.
    Deadline,
    /// No increment of a counter is lost or counted twice, and no lock is taken twice.
    AtomicUpdates,
    /// What was loaded before a change, and deleted after it, is not found any more.
    FreshLoads,
    /// No value is read after its time.
    Expiry,
    /// Once faults have stopped, all replicas of a key come to hold the same, or know that they have forgotten
    /// it.
    Convergence,
    /// Once faults have stopped, all members serve, and nothing is left of requests that have ended.
    Rest,
    /// A member's version of a key never goes down, nor does a floor.
    Monotonicity,
    /// A version stands for one value, everywhere and for ever.
    OneValuePerVersion,
    /// A member that is warming up answers no reads, and its acknowledgements do not count.
    WarmingIsSilent,
    /// Under load nobody is taken for silent, most requests are answered in time, bystanders wait for no longer than was
    /// said, and afterwards all is as before.
    Responsiveness,
    /// A member keeps within its memory.
    Memory,
    /// Nothing asks without end.
    NoStorm,
}

/// A broken promise: which, where, when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which promise.
    pub promise: Promise,
    /// The number of the key, if it is about one.
    pub key: Option<usize>,
    /// When it had become apparent, in simulated time.
    pub at: Instant,
    /// The values concerned, as the clients number them; may be empty.
    pub values: Vec<u64>,
    /// What happened, in words.
    pub what: String,
}

impl Promise {
    /// The promise in a few words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LinearizableHits => "linearizable hits",
            Self::CurrentHits => "current hits",
            Self::Durability => "durability",
            Self::Availability => "availability",
            Self::Deadline => "deadline",
            Self::AtomicUpdates => "atomic updates",
            Self::FreshLoads => "fresh loads",
            Self::Expiry => "expiry",
            Self::Convergence => "convergence",
            Self::Rest => "rest",
            Self::Monotonicity => "monotonicity",
            Self::OneValuePerVersion => "one value per version",
            Self::WarmingIsSilent => "warming is silent",
            Self::Responsiveness => "responsiveness",
            Self::Memory => "memory",
            Self::NoStorm => "no storm",
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.at.as_micros() / 1000;
        write!(f, "{} broken at {millis} ms: ", self.promise.name())?;
        if let Some(key) = self.key {
            write!(f, "key-{key}: ")?;
        }
        write!(f, "{}", self.what)
    }
}
