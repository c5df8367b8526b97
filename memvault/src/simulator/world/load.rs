//! What must hold under load: nobody is taken for silent without a fault, requests are answered, bystanders do not
//! wait.

use alloc::format;

use super::super::process::{member_id, member_number, process_name};
use super::super::violation::Promise;
use super::World;
use crate::replication::{DownReason, Event, Failure, Level, Outcome};
use crate::time::{Duration, Instant};

/// For how long after its end a fault explains that a process is taken for silent.
pub(super) const AFTERMATH: Duration = Duration::from_secs(3);

/// Whether a failure is one that load does not explain: a connection broke with its member, or that stood still, or a
/// write was overtaken and is not to be repeated.
pub(in super::super) const fn is_explained(outcome: Option<&Outcome>) -> bool {
    matches!(
        outcome,
        None | Some(Err(Failure::Indeterminate | Failure::Paused))
    )
}

impl World<'_> {
    /// Whether a request was refused while a member is away: what all can bear with ease the others just about can.
    pub(in super::super) fn is_refused_for_want(&mut self, outcome: Option<&Outcome>) -> bool {
        matches!(outcome, Some(Err(Failure::Overloaded))) && self.able() < 100
    }

    /// Looks at what a process tells.
    pub(super) fn judge_event(&mut self, number: usize, event: &Event) {
        let (Event::Ejected { node }
        | Event::Down {
            node,
            reason: DownReason::Silent,
        }) = event
        else {
            return;
        };
        let is_excused = |number: usize| {
            let process = self.processes.get(number);
            process.is_none_or(|process| process.excused_until > self.now)
        };
        let ejected = member_number(node).unwrap_or(usize::MAX);
        if self.scenario.load.is_none() || is_excused(ejected) || is_excused(number) {
            return;
        }
        self.report.ejections += 1;
        if self.promises.responsive {
            let name = process_name(self.scenario, number);
            let what = format!(
                "{name} takes {} for silent, without a fault",
                member_id(ejected)
            );
            self.violate(Promise::Responsiveness, None, what);
        }
    }

    /// A bystander's request is over.
    pub(in super::super) fn note_wait(
        &mut self,
        (coordinator, asked): (usize, Instant),
        outcome: Option<&Outcome>,
    ) {
        if self.scenario.load.is_none() {
            return;
        }
        let answered = self.now + self.spent(coordinator);
        let is_done = matches!(outcome, Some(Ok(_)));
        let wrong = self.traffic.meter.waited(asked, answered, is_done);
        let is_explained = is_explained(outcome) || self.is_refused_for_want(outcome);
        if let (Some(wrong), true) = (wrong, self.promises.responsive && !is_explained) {
            let what = format!("{wrong}: a bystander was answered with {outcome:?}");
            self.violate(Promise::Responsiveness, None, what);
        }
        let is_refused = matches!(outcome, Some(Err(Failure::Overloaded)));
        let is_default = self.scenario.write_level == Level::Auto;
        if is_default && self.promises.responsive && !is_done && !is_refused && !is_explained {
            let what = format!("a bystander was answered with {outcome:?}, whatever the load");
            self.violate(Promise::Responsiveness, None, what);
        }
    }

    /// Counts what was asked again.
    fn count_repetitions(&mut self) {
        let repeated: u64 = self.nodes().map(|node| node.statistics().retries).sum();
        self.report.repeated = repeated;
    }

    /// Looks at the load as a whole.
    pub(super) fn judge_load(&mut self) {
        let Some(load) = self.scenario.load else {
            return;
        };
        let unanswered = self.unanswered_bulks();
        if unanswered > 0 {
            let what = format!("{unanswered} requests of the load were never answered");
            self.violate(Promise::Deadline, None, what);
        }
        for (at, what) in self.traffic.meter.judge(load.goodput, load.longest) {
            if self.promises.responsive {
                let mut violation = self.violation(Promise::Responsiveness, None, what);
                violation.at = at;
                self.invariants.violations.push(violation);
            }
        }
        self.count_repetitions();
        self.report.under_load = self.traffic.meter.numbers();
    }
}
