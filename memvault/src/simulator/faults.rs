//! What goes wrong, and how often.

use crate::rng::Rng;
use crate::time::Duration;

/// What goes wrong, and how often. Mean times are those of a uniform distribution from a quarter of the
/// mean to seven quarters of it. All of it stops at the end of the scenario's `duration`.
///
/// Messages may always overtake each other, also those of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Faults {
    /// Mean time that a message takes.
    pub delay: Duration,
    /// Messages lost, per thousand.
    pub loss: u64,
    /// Messages delivered twice, per thousand.
    pub duplicate: u64,
    /// Messages that take up to `straggle_max`, per thousand.
    pub straggle: u64,
    /// See `straggle`.
    pub straggle_max: Duration,
    /// Mean time between two crashes with loss of memory.
    pub crash_every: Option<Duration>,
    /// Acknowledged writes whose leader crashes at once, per thousand: some replicas may not have heard of
    /// them yet.
    pub crash_after_write: u64,
    /// Crashes that reset no connection, per thousand, as when a machine loses its power: the others notice by
    /// its silence, or by the answer of its next life to what was meant for this one.
    pub silent_crash: u64,
    /// A crashed member comes back within this; half of them come back within 3 ms.
    pub restart_max: Duration,
    /// Whether a member may crash while another is not serving.
    pub crash_beyond_budget: bool,
    /// Mean time between two partitions, three in ten of them one-way; half of them isolate one member.
    pub partition_every: Option<Duration>,
    /// A partition heals within this.
    pub partition_max: Duration,
    /// Mean time between two rounds of "swizzle-clog": the links of one member stop one by one, and come
    /// back in random order.
    pub swizzle_every: Option<Duration>,
    /// Mean time between two pauses of one process.
    pub pause_every: Option<Duration>,
    /// A pause ends within this.
    pub pause_max: Duration,
    /// Mean time between two bouts of slowness: for up to 2 s, everything that one member sends takes a
    /// hundred times as long.
    pub slow_every: Option<Duration>,
    /// Mean time between two false suspicions: one process takes one member for silent.
    pub suspect_every: Option<Duration>,
    /// Mean time between two commands of an operator that changes the members.
    pub change_every: Option<Duration>,
    /// Wall clocks differ from the true time by up to this much, and change every two seconds.
    pub skew: Duration,
    /// Mean time between two jumps of one wall clock by up to an hour, forwards or backwards, for up to 3 s.
    pub jump_every: Option<Duration>,
}

impl Faults {
    /// None, on a fast network.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            delay: Duration::from_micros(700),
            loss: 0,
            duplicate: 0,
            straggle: 0,
            straggle_max: Duration::from_millis(200),
            crash_every: None,
            crash_after_write: 0,
            silent_crash: 0,
            restart_max: Duration::from_millis(600),
            crash_beyond_budget: false,
            partition_every: None,
            partition_max: Duration::from_millis(700),
            swizzle_every: None,
            pause_every: None,
            pause_max: Duration::from_millis(900),
            slow_every: None,
            suspect_every: None,
            change_every: None,
            skew: Duration::ZERO,
            jump_every: None,
        }
    }

    /// Everything at once that a cluster is to live through without much ado; no wrong clocks.
    #[must_use]
    pub const fn all() -> Self {
        Self {
            loss: 20,
            duplicate: 50,
            straggle: 10,
            crash_every: Some(Duration::from_millis(2500)),
            silent_crash: 200,
            partition_every: Some(Duration::from_millis(2000)),
            pause_every: Some(Duration::from_millis(2500)),
            skew: Duration::from_millis(200),
            ..Self::none()
        }
    }

    /// Each kind of fault or none of it, with a strength of its own. The ranges are those of TigerBeetle's
    /// simulator: loss up to 30 %, duplicates up to 50 %, delays of 0.1 to 100 ms, stragglers of up to 5 s,
    /// pauses of up to 10 s, restarts after up to 5 s.
    pub(super) fn drawn(rng: &mut Rng) -> Self {
        let delay_us = 100 << rng.below(11);
        let mut per_mille = |most| {
            if sometimes(rng) { rng.below(most) } else { 0 }
        };
        let (loss, duplicate, straggle) = (per_mille(300), per_mille(500), per_mille(100));
        let mut every = || {
            let millis = 700 + rng.below(5000);
            sometimes(rng).then_some(Duration::from_millis(millis))
        };
        let (crash_every, partition_every, swizzle_every) = (every(), every(), every());
        let (pause_every, slow_every, suspect_every) = (every(), every(), every());
        Self {
            delay: Duration::from_micros(delay_us),
            loss,
            duplicate,
            straggle,
            straggle_max: Duration::from_millis(1 + rng.below(5000)),
            crash_every,
            crash_after_write: if sometimes(rng) { rng.below(20) } else { 0 },
            restart_max: Duration::from_millis(1 + rng.below(5000)),
            crash_beyond_budget: sometimes(rng),
            partition_every,
            partition_max: Duration::from_millis(1 + rng.below(5000)),
            swizzle_every,
            pause_every,
            pause_max: Duration::from_millis(1 + rng.below(10_000)),
            slow_every,
            suspect_every: suspect_every.map(|every| every / 20),
            silent_crash: rng.below(500),
            skew: Duration::from_millis(rng.below(250)),
            change_every: None,
            jump_every: rng.one_in_thousand(250).then_some(Duration::from_secs(2)),
        }
    }
}

const fn sometimes(rng: &mut Rng) -> bool {
    rng.one_in_thousand(500)
}

impl Default for Faults {
    fn default() -> Self {
        Self::none()
    }
}
