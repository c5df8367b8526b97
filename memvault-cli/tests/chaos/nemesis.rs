//! Carries out the plan.

use std::thread;
use std::time::Instant;

use rustix::process::Signal;

use crate::cluster::Cluster;
use crate::history::History;
use crate::network::{Network, Wire};
use crate::plan::{Fault, Plan, name};

/// Breaks things, and mends them when their time is over.
pub(crate) struct Nemesis<'a> {
    network: &'a dyn Network,
    cluster: Cluster<'a>,
    plan: Plan,
    history: History,
    /// What is to be mended, and when.
    pending: Vec<(Instant, Cure)>,
}

enum Cure {
    Start(usize),
    Resume(usize),
    Open(Vec<(usize, usize)>),
}

impl<'a> Nemesis<'a> {
    pub(crate) fn new(
        network: &'a dyn Network,
        cluster: Cluster<'a>,
        plan: Plan,
        history: &History,
    ) -> Self {
        let history = history.clone();
        Self {
            network,
            cluster,
            plan,
            history,
            pending: Vec::new(),
        }
    }

    /// Carries out the whole plan.
    pub(crate) fn rage(&mut self) {
        let mut at = Instant::now();
        for (gap, fault) in std::mem::take(&mut self.plan.0) {
            at += gap;
            self.mend_until(at);
            self.begin(fault);
        }
        self.mend_until(at);
    }

    /// Mends all at once, and gives the cluster back.
    pub(crate) fn calm(mut self) -> Cluster<'a> {
        self.history.note_fault("calm");
        for (_, cure) in std::mem::take(&mut self.pending) {
            self.mend(cure);
        }
        self.cluster
    }

    fn begin(&mut self, fault: Fault) {
        let now = Instant::now();
        match &fault {
            Fault::Kill { victim, down_for } => {
                // One member at a time: more is more than any promise covers. It may be killed again while it
                // is coming back.
                if !self.cluster.all_serve(&[*victim]) || self.is_due(*victim) {
                    return;
                }
                self.history.note_fault(&fault);
                self.cluster.kill(*victim);
                self.pending.push((now + *down_for, Cure::Start(*victim)));
            }
            Fault::Freeze { victim, frozen_for } => {
                if self.is_due(*victim) {
                    return;
                }
                self.history.note_fault(&fault);
                self.cluster.signal(*victim, Signal::STOP);
                self.pending
                    .push((now + *frozen_for, Cure::Resume(*victim)));
            }
            Fault::Wires {
                wires,
                wire,
                bad_for,
            } => {
                self.history.note_fault(&fault);
                self.network.set(wires, *wire);
                self.pending
                    .push((now + *bad_for, Cure::Open(wires.clone())));
            }
        }
    }

    /// Whether a process is dead or stands still.
    fn is_due(&self, process: usize) -> bool {
        let mut cures = self.pending.iter();
        cures.any(|(_, cure)| matches!(cure, Cure::Start(other) | Cure::Resume(other) if *other == process))
    }

    /// Mends what has to be mended until a moment, and waits for it.
    fn mend_until(&mut self, end: Instant) {
        loop {
            let next = self.pending.iter().map(|(at, _)| *at).min();
            let until = next.unwrap_or(end).min(end);
            thread::sleep(until.saturating_duration_since(Instant::now()));
            let Some(next) = next.filter(|next| *next <= end) else {
                return;
            };
            let due = self.pending.iter().position(|(at, _)| *at == next);
            let (_, cure) = self.pending.swap_remove(due.expect("it is the earliest"));
            self.mend(cure);
        }
    }

    fn mend(&mut self, cure: Cure) {
        match cure {
            Cure::Start(member) => {
                self.cluster.start_process(member);
                self.history
                    .note_fault(format_args!("started {}", name(member)));
            }
            Cure::Resume(process) => {
                self.cluster.signal(process, Signal::CONT);
                self.history
                    .note_fault(format_args!("resumed {}", name(process)));
            }
            Cure::Open(wires) => {
                self.network.set(&wires, Wire::Open);
                self.history
                    .note_fault(format_args!("mended {} wires", wires.len()));
            }
        }
    }
}
