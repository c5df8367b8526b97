//! The event loop: deliver, wake, break, mend, ask, until the time is over.

mod faults;
mod links;

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;
use core::hash::Hasher;

use super::agenda::Agenda;
use super::audit::Audit;
use super::event::Event;
use super::history::{self, Act, Record};
use super::network::Network;
use super::process::Process;
use super::promises::Promises;
use super::report::Report;
use super::scenario::Scenario;
use super::updates::Updates;
use super::violation::{Promise, Violation};
use super::workload::Question;
use crate::chance::Chance;
use crate::replication::{Action, Link, Node, Now};
use crate::time::{Duration, Instant};

pub(super) struct World<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) promises: Promises,
    pub(super) chance: Chance,
    pub(super) now: Instant,
    agenda: Agenda<Event>,
    network: Network,
    pub(super) processes: Vec<Process>,
    pub(super) questions: BTreeMap<u64, Question>,
    pub(super) next_value: u64,
    pub(super) records: Vec<Record>,
    pub(super) updates: Updates,
    pub(super) report: Report,
    pub(super) audit: Audit,
    fingerprint: xxhash_rust::xxh3::Xxh3,
}

/// Events per simulated second and process above which something asks without end. Busy runs stay below a
/// hundredth of it.
const STORM: u64 = 20_000;

/// Runs a scenario to its end and checks its history. Deterministic.
#[must_use]
pub fn run(scenario: &Scenario) -> Report {
    run_checking(scenario, scenario.promises())
}

/// As [`run`], but checks for these promises, whether the scenario makes them or not.
#[must_use]
pub fn run_checking(scenario: &Scenario, promises: Promises) -> Report {
    let mut world = World::new(scenario, promises);
    let end = Instant::ZERO + scenario.duration + Duration::from_secs(3);
    let processes = (scenario.nodes + scenario.clients) as u64;
    let most = STORM * processes * (scenario.duration.as_secs() + 3);
    while let Some((at, event)) = world.agenda.pop() {
        if at > end {
            break;
        }
        world.now = at;
        world.report.events += 1;
        if world.report.events > most {
            let millis = at.as_micros() / 1000;
            world.audit.violations.push(Violation {
                promise: Promise::NoStorm,
                key: None,
                at,
                values: Vec::new(),
                what: format!("{most} events in {millis} ms"),
            });
            break;
        }
        world.handle(event);
    }
    world.finish()
}

impl<'a> World<'a> {
    fn new(scenario: &'a Scenario, promises: Promises) -> Self {
        let total = scenario.nodes + scenario.clients;
        let mut world = Self {
            scenario,
            promises,
            chance: Chance::new(scenario.seed.wrapping_mul(0x2545_f491_4f6c_dd1d)),
            now: Instant::ZERO,
            agenda: Agenda::default(),
            network: Network::new(total, scenario.faults),
            processes: (0..total).map(|_| Process::new()).collect(),
            questions: BTreeMap::new(),
            next_value: 0,
            records: Vec::new(),
            updates: Updates::default(),
            report: Report::default(),
            audit: Audit::new(scenario.nodes, scenario.keys),
            fingerprint: xxhash_rust::xxh3::Xxh3::new(),
        };
        for process in 0..total {
            world.draw_skew(process);
            world.start(process);
        }
        for client in scenario.nodes..total {
            world.schedule(scenario.first_request, Event::Ask { client });
        }
        world.schedule_fault(scenario.faults.crash_every, Event::Crash);
        world.schedule_fault(scenario.faults.partition_every, Event::Partition);
        world.schedule_fault(scenario.faults.pause_every, Event::Pause);
        world.schedule_fault(scenario.faults.change_every, Event::ChangeMembers);
        world.schedule(Duration::from_secs(2), Event::SkewJump);
        world
    }

    pub(super) fn schedule(&mut self, after: Duration, event: Event) {
        self.agenda.add(self.now + after, event);
    }

    fn start(&mut self, number: usize) {
        let (boot, seed) = (self.chance.next_u64() as u32, self.chance.next_u64());
        let (scenario, now) = (self.scenario, self.now);
        if let Some(process) = self.processes.get_mut(number) {
            process.start(scenario, number, boot, seed, now);
        }
        self.audit.restarted(number);
        self.wake(number);
    }

    fn handle(&mut self, event: Event) {
        self.fingerprint.write_u64(self.now.as_micros());
        match event {
            Event::Deliver {
                connection,
                to_member,
                message,
            } => self.deliver(connection, to_member, message),
            Event::Connected { from, to, boot } => self.establish(from, to, boot),
            Event::Refused { from, to, boot } => {
                let peer = self.index(from, to);
                self.input(from, boot, |node, now| node.handle_disconnected(now, peer));
            }
            Event::Closed {
                process,
                boot,
                link,
            } => self.input(process, boot, |node, now| match link {
                Link::Peer(peer) => node.handle_disconnected(now, peer),
                Link::Inbound(id) => node.handle_inbound_closed(now, id),
            }),
            Event::Wake { process, boot } => self.wake_up(process, boot),
            Event::Ask { client } => self.ask(client),
            Event::Crash => self.crash(),
            Event::Restart { process } => self.start(process),
            Event::Partition => self.partition(),
            Event::Heal => self.network.heal(),
            Event::Pause => self.pause(),
            Event::ChangeMembers => self.change_members(),
            Event::SkewJump => self.skew_jump(),
        }
    }

    /// Gives a process an input, if it is still the same one, and does what it asks.
    pub(super) fn input(&mut self, number: usize, boot: u32, input: impl FnOnce(&mut Node, Now)) {
        let instant = self.now;
        let Some(process) = self
            .processes
            .get_mut(number)
            .filter(|process| process.boot == boot)
        else {
            return;
        };
        let now = process.now(instant);
        let Some(node) = &mut process.node else {
            return;
        };
        input(node, now);
        self.audit.check(instant, number, node);
        while let Some(action) = self.poll_action(number) {
            self.act(number, action);
        }
        self.wake(number);
    }

    fn poll_action(&mut self, number: usize) -> Option<Action> {
        self.processes.get_mut(number)?.node.as_mut()?.poll_action()
    }

    fn act(&mut self, number: usize, action: Action) {
        match action {
            Action::Connect(peer) => self.connect(number, self.member(number, peer)),
            Action::Disconnect(Link::Peer(peer)) => {
                let member = self.member(number, peer);
                if let Some(id) = self.network.outbound(number, member) {
                    self.network.close(id);
                    self.notify_closed(member, Link::Inbound(id));
                }
            }
            Action::Disconnect(Link::Inbound(id)) => {
                if let Some(connection) = self.network.close(id) {
                    let link = Link::Peer(self.index(connection.from, connection.to));
                    self.notify_closed(connection.from, link);
                }
            }
            Action::Send(link, message) => self.send(number, link, message),
            Action::Complete(id, outcome) => self.complete(id, outcome),
            // Simulated members are nodes of our own.
            Action::Ask(..) | Action::Event(_) => {}
        }
    }

    pub(super) fn boot_of(&self, number: usize) -> u32 {
        self.processes.get(number).map_or(0, |process| process.boot)
    }

    /// Makes sure that a process is woken when its node wants it.
    fn wake(&mut self, number: usize) {
        let now = self.now;
        let Some(process) = self.processes.get_mut(number) else {
            return;
        };
        let Some(node) = &process.node else { return };
        let at = node.poll_timeout().max(now);
        if process.wake_at.is_none_or(|wake_at| at < wake_at) {
            process.wake_at = Some(at);
            let boot = process.boot;
            self.schedule(
                at - now,
                Event::Wake {
                    process: number,
                    boot,
                },
            );
        }
    }

    fn wake_up(&mut self, number: usize, boot: u32) {
        let now = self.now;
        let Some(process) = self
            .processes
            .get_mut(number)
            .filter(|process| process.boot == boot)
        else {
            return;
        };
        if process.wake_at.is_some_and(|at| at > now) {
            return;
        }
        process.wake_at = None;
        if process.paused_until > now {
            let after = process.paused_until - now;
            process.wake_at = Some(process.paused_until);
            return self.schedule(
                after,
                Event::Wake {
                    process: number,
                    boot,
                },
            );
        }
        self.input(number, boot, |node, now| node.handle_timeout(now));
    }

    fn finish(mut self) -> Report {
        for question in self.questions.into_values() {
            if matches!(question.act, Act::Write(_)) {
                let Question {
                    key, act, asked, ..
                } = question;
                self.records.push(Record {
                    key,
                    act,
                    asked,
                    answered: None,
                });
            }
        }
        let promises = self.promises;
        let violations = &mut self.report.violations;
        violations.append(&mut self.audit.violations);
        if promises.linearizable {
            violations.append(&mut history::check_hits(&self.records));
        }
        if promises.durable {
            violations.append(&mut history::check_durability(&self.records));
        }
        let nodes = self
            .processes
            .iter()
            .filter_map(|process| process.node.as_ref());
        let epochs = nodes.map(|node| node.document().epoch);
        self.report.changes = epochs.max().unwrap_or(1).saturating_sub(1) / 2;
        self.report.updates = self.updates.done();
        self.report.unknown_updates = self.updates.unknown();
        if promises.atomic {
            violations.append(&mut self.updates.check());
        }
        self.report.stale = history::count_stale(&self.records);
        self.report.simulated_ms = self.now.as_micros() / 1000;
        for record in &self.records {
            self.fingerprint.write_u64(record.asked.as_micros());
            self.fingerprint
                .write_u64(record.answered.map_or(0, Instant::as_micros));
        }
        self.report.fingerprint = self.fingerprint.finish();
        self.report
    }
}
