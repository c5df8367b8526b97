//! What a scenario promises.

use super::faults::Faults;
use super::scenario::Scenario;
use crate::replication::{Level, OnAmbiguous, quorum};
use crate::time::Duration;

/// What the protocol promises under the conditions of a [`Scenario`].
///
/// These depend on the scenario; the other [`Promise`](super::Promise)s are made in every one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promises {
    /// Acknowledged writes and the reads that find a value fit into one order that respects real time.
    pub linearizable: bool,
    /// No read finds what had been overwritten before it was asked.
    pub current: bool,
    /// After the first acknowledged write of a key no read misses.
    pub durable: bool,
    /// No increment of a counter is lost or counted twice, and no lock is taken twice.
    pub atomic: bool,
    /// What was loaded before a change, and deleted after it, is not found any more.
    pub fresh: bool,
    /// No request fails.
    pub available: bool,
    /// Under load nobody is taken for silent without a fault, goodput and the waits of bystanders keep within their
    /// bounds, and afterwards all is as before.
    pub responsive: bool,
}

/// Members wait this long for peers out of reach, and no partition or pause lasts as long.
const PATIENT: Duration = Duration::from_secs(8);
/// By then the members of a new cluster serve.
const STARTED: Duration = Duration::from_millis(1200);

impl Scenario {
    /// What must hold in every run of this scenario.
    #[must_use]
    pub fn promises(&self) -> Promises {
        let replicas = self.replicas.min(self.nodes - self.spares);
        let survives_a_crash = replicas > quorum(replicas);
        let crashes_alone = self.faults.are_crashes_alone();
        let has_started = self.first_request >= STARTED;
        let strict = is_strict(self.write_level) && is_strict(self.read_level);
        let in_budget =
            !self.faults.crash() || survives_a_crash && !self.faults.crash_beyond_budget;
        let forgets = self.deletes > 0 || self.expiring > 0 || self.max_entries.is_some();
        let default_levels = self.write_level != Level::One && crashes_alone;
        let durable = !forgets && in_budget && self.is_patient() && (strict || default_levels);
        let is_write_once = self.on_ambiguous == OnAmbiguous::Error;
        Promises {
            linearizable: strict && is_write_once,
            current: (strict || self.write_level == Level::All) && is_write_once
                // Under load leaders may change without a fault.
                || self.faults.are_none() && self.load.is_none(),
            durable,
            atomic: durable && self.updates > 0,
            fresh: strict && self.loads > 0,
            responsive: self.load.is_some(),
            available: has_started
                // Much at once delays writes, which others then overtake; and where a member crashes as well, a second
                // may be too short.
                && (self.load.is_none() || !is_write_once && !self.faults.crash())
                && self.updates == 0
                && self.loads == 0
                && (self.faults.are_none()
                    || crashes_alone
                        && in_budget
                        // A client whose coordinator is a member loses its request with that.
                        && self.through_members == 0
                        && self.on_ambiguous == OnAmbiguous::Rewrite
                        && self.write_level != Level::All
                        && self.read_level != Level::All),
        }
    }
}

impl Scenario {
    /// Whether restarted members wait for their peers for longer than any fault keeps those away.
    fn is_patient(&self) -> bool {
        let faults = &self.faults;
        let away = faults.pause_max.max(faults.partition_max);
        self.warm_max >= PATIENT
            && away * 2 <= self.warm_max
            && faults.straggle_max * 2 <= self.warm_max
            && faults.jump_every.is_none()
    }
}

impl Faults {
    const fn are_none(&self) -> bool {
        self.are_crashes_alone() && !self.crash() && self.change_every.is_none()
    }

    /// Whether members crash at all.
    const fn crash(&self) -> bool {
        self.crash_every.is_some() || self.crash_after_write > 0
    }

    /// Whether nothing else goes wrong; crashes need not happen either.
    const fn are_crashes_alone(&self) -> bool {
        let messages = self.loss == 0 && self.duplicate == 0 && self.straggle == 0;
        messages
            && self.partition_every.is_none()
            && self.swizzle_every.is_none()
            && self.pause_every.is_none()
            && self.slow_every.is_none()
            && self.suspect_every.is_none()
            && self.jump_every.is_none()
            && self.skew.is_zero()
    }
}

/// Whether any two sets of replicas that answer have one in common.
const fn is_strict(level: Level) -> bool {
    matches!(level, Level::Quorum | Level::All)
}
