//! The end of a run: is everything at rest, do the replicas agree, was the history allowed?

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::hash::Hasher;

use super::super::history::{self, Act, Record};
use super::super::process::member_id;
use super::super::report::Report;
use super::super::violation::Promise;
use super::World;
use crate::replication::{Node, NodeState};
use crate::slot::slot_of;
use crate::time::Instant;
use crate::version::Version;

impl World<'_> {
    pub(super) fn finish(mut self) -> (Report, Vec<String>) {
        self.check_rest();
        self.check_convergence();
        self.check_rows();
        self.judge_load();
        for question in core::mem::take(&mut self.workload.questions).into_values() {
            let (key, asked) = (question.key, question.asked);
            let what = format!(
                "the request of {} ms was never answered",
                asked.as_micros() / 1000
            );
            self.violate(Promise::Deadline, Some(key), what);
            if matches!(question.act, Act::Write(_)) {
                self.workload.records.push(Record {
                    key,
                    act: question.act,
                    asked,
                    answered: None,
                });
            }
        }
        self.judge_history();
        let epochs = self.nodes().map(|node| node.membership().epoch);
        self.report.changes = epochs.max().unwrap_or(1).saturating_sub(1) / 2;
        self.report.simulated_ms = self.now.as_micros() / 1000;
        self.report.fingerprint = self.fingerprint();
        let trace = self.trace.map_or_else(Vec::new, |trace| trace.into_lines());
        (self.report, trace)
    }

    fn judge_history(&mut self) {
        let records = &self.workload.records;
        let violations = &mut self.report.violations;
        violations.append(&mut self.invariants.violations);
        if self.promises.linearizable {
            violations.append(&mut history::check_hits(records));
        }
        let mut stale = history::check_current(records);
        self.report.stale = stale.len() as u64;
        if self.promises.current {
            violations.append(&mut stale);
        }
        if self.promises.durable {
            violations.append(&mut history::check_durability(records));
        }
        self.report.updates = self.updates.done();
        self.report.unknown_updates = self.updates.unknown();
        if self.promises.atomic {
            let updates = core::mem::take(&mut self.updates);
            violations.append(&mut updates.check(self.scenario.read_level));
        }
        violations.sort_by_key(|violation| violation.at);
    }

    fn fingerprint(&mut self) -> u64 {
        for record in &self.workload.records {
            self.fingerprint.write_u64(record.asked.as_micros());
            self.fingerprint
                .write_u64(record.answered.map_or(0, Instant::as_micros));
        }
        self.fingerprint.finish()
    }

    /// Nothing is left of requests that have ended, and every member serves.
    fn check_rest(&mut self) {
        for number in 0..self.processes.len() {
            let node = self.node(number);
            let unfinished = node.map_or(0, Node::unfinished);
            let state = node.map(Node::state);
            if unfinished > 0 {
                let what = format!("process {number} has {unfinished} timers and requests left");
                self.violate(Promise::Rest, None, what);
            }
            let is_to_serve = number >= self.scenario.nodes || self.is_member(number);
            if is_to_serve && state != Some(NodeState::Serving) {
                let what = format!("process {number} does not serve but is {state:?}");
                self.violate(Promise::Rest, None, what);
            }
        }
    }

    /// All replicas of a key have come to agree.
    fn check_convergence(&mut self) {
        for key in 0..self.scenario.all_keys() {
            if let Some(what) = self.disagreement(&self.scenario.key_name(key)) {
                self.violate(Promise::Convergence, Some(key), what);
            }
        }
    }

    /// How the replicas of a key differ: each has to hold the newest version that any of them holds, or to
    /// know that it has forgotten it; unless that is a write that they refused for good, and nobody was told that it
    /// was done.
    fn disagreement(&self, key: &[u8]) -> Option<String> {
        let replicas = self.replicas_of(key);
        let mut votes = Vec::new();
        for replica in &replicas {
            let (held, floor) = self.node(*replica)?.held(key)?;
            // What survived more crashes than the budget is good for a read at ONE, and binds nobody.
            let confirmed = held.filter(|held| !held.meta.unconfirmed);
            votes.push((confirmed.and_then(|held| held.meta.version), floor));
        }
        let best: Version = votes.iter().filter_map(|(held, _)| *held).max()?;
        let agrees = |(held, floor): &(Option<Version>, Version)| match held {
            Some(held) => *held == best,
            None => *floor >= best,
        };
        if votes.iter().all(agrees) || self.invariants.was_refused(&replicas, best) {
            return None;
        }
        let votes: Vec<String> = replicas
            .iter()
            .zip(votes)
            .map(|(number, (held, floor))| format!("node-{number} holds {held:?}, floor {floor:?}"))
            .collect();
        Some(votes.join("; "))
    }

    /// The members that are replicas of a key, by the latest member list that anyone alive goes by.
    pub(in super::super) fn replicas_of(&self, key: &[u8]) -> Vec<usize> {
        let processes = (0..self.processes.len()).filter_map(|number| {
            let node = self.node(number)?;
            Some((node.membership().epoch, number, node))
        });
        let Some((_, number, node)) = processes.max_by_key(|(epoch, ..)| *epoch) else {
            return Vec::new();
        };
        let replicas = node.slots().replicas(slot_of(key)).iter();
        replicas.map(|index| self.member(number, *index)).collect()
    }

    fn is_member(&self, number: usize) -> bool {
        self.latest_membership()
            .is_some_and(|membership| membership.has_member(&member_id(number)))
    }

    pub(super) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.processes
            .iter()
            .filter_map(|process| process.node.as_ref())
    }

    pub(in super::super) fn node(&self, number: usize) -> Option<&Node> {
        self.processes.get(number)?.node.as_ref()
    }
}
