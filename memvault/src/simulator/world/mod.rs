//! The event loop: deliver, wake, break, mend, ask, until the time is over.

mod faults;
mod links;
mod load;
mod pipes;
mod tracing;
mod verdict;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::hash::Hasher;

pub(super) use load::is_explained;

use super::event::Event;
use super::event_queue::EventQueue;
use super::invariants::Invariants;
use super::loads::Loads;
use super::network::Network;
use super::process::{Process, config, sibling};
use super::promises::Promises;
use super::report::Report;
use super::scenario::Scenario;
use super::trace::Trace;
use super::traffic::Traffic;
use super::updates::Updates;
use super::violation::Promise;
use super::workload::Workload;
use super::{CALM, TRACE_LINES};
use crate::replication::{Action, Event as NodeEvent, Link, Node, Now};
use crate::rng::Rng;
use crate::time::{Duration, Instant};

pub(super) struct World<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) promises: Promises,
    pub(super) rng: Rng,
    pub(super) now: Instant,
    event_queue: EventQueue<Event>,
    network: Network,
    pub(super) processes: Vec<Process>,
    pub(super) workload: Workload,
    pub(super) updates: Updates,
    pub(super) loads: Loads,
    pub(super) traffic: Traffic,
    pub(super) report: Report,
    pub(super) invariants: Invariants,
    trace: Option<Trace>,
    fingerprint: xxhash_rust::xxh3::Xxh3,
    /// Takes no part; those who start share its ring.
    sibling: Option<Node>,
}

/// Events per simulated second and process above which something asks without end. Busy runs stay below a
/// hundredth of it.
const STORM: u64 = 20_000;

/// Runs a scenario to its end and checks it. Deterministic.
///
/// If a promise about a key is broken, the run is repeated to write down what led to it.
#[must_use]
pub fn run(scenario: &Scenario) -> Report {
    run_checking(scenario, scenario.promises())
}

/// As [`run`], but checks for these promises, whether the scenario makes them or not.
#[must_use]
pub fn run_checking(scenario: &Scenario, promises: Promises) -> Report {
    let (mut report, _) = World::new(scenario, promises, None).run();
    let trace = report.violations.first();
    let trace = trace.and_then(|violation| Trace::of(scenario, violation));
    if trace.is_some() {
        (_, report.trace) = World::new(scenario, promises, trace).run();
    }
    debug_assert!(report.trace.len() <= TRACE_LINES);
    report
}

impl<'a> World<'a> {
    fn new(scenario: &'a Scenario, promises: Promises, trace: Option<Trace>) -> Self {
        let sources = scenario.load.map_or(0, |load| load.sources);
        let askers = scenario.nodes..scenario.nodes + scenario.clients;
        let total = askers.end + sources;
        let mut world = Self {
            scenario,
            promises,
            rng: Rng::new(scenario.seed.wrapping_mul(0x2545_f491_4f6c_dd1d)),
            now: Instant::ZERO,
            event_queue: EventQueue::default(),
            network: Network::new(total, scenario),
            processes: (0..total).map(|_| Process::new()).collect(),
            workload: Workload::default(),
            updates: Updates::default(),
            loads: Loads::default(),
            traffic: Traffic::new(scenario.seed, scenario.load.as_ref()),
            report: Report::default(),
            invariants: Invariants::new(scenario, &config(scenario, 0)),
            trace,
            fingerprint: xxhash_rust::xxh3::Xxh3::new(),
            sibling: sibling(scenario),
        };
        for process in 0..total {
            world.draw_skew(process);
            world.start_first(process);
        }
        for client in askers {
            world.schedule(scenario.first_request, Event::Ask { client });
        }
        world.schedule_faults();
        world.schedule_load();
        world
    }

    fn run(mut self) -> (Report, Vec<String>) {
        let end = self.end_of_faults() + CALM + config(self.scenario, 0).op_deadline;
        let simulated = (end - Instant::ZERO).as_secs();
        let most = STORM * self.processes.len() as u64 * (simulated + 1);
        while let Some((at, event)) = self.event_queue.pop() {
            if at > end {
                break;
            }
            self.now = at;
            self.report.events += 1;
            if self.report.events > most {
                self.violate(Promise::NoStorm, None, format!("{most} events"));
                break;
            }
            self.handle(event);
        }
        self.finish()
    }

    pub(super) fn schedule(&mut self, after: Duration, event: Event) {
        self.event_queue.add(self.now + after, event);
    }

    /// Starts a process for the first time: at once, or within the time that the members take.
    fn start_first(&mut self, process: usize) {
        let within = self.scenario.starts_within;
        if within.is_zero() || process >= self.scenario.nodes {
            return self.start(process);
        }
        let after = self.rng.duration_below(within);
        self.schedule(after, Event::Restart { process });
    }

    fn start(&mut self, number: usize) {
        let (incarnation, seed) = (self.rng.next_u64() as u32, self.rng.next_u64());
        let (scenario, now) = (self.scenario, self.now);
        if let Some(process) = self.processes.get_mut(number) {
            process.start(
                scenario,
                number,
                incarnation,
                seed,
                now,
                self.sibling.as_ref(),
            );
        }
        self.invariants.restarted(number);
        self.wake(number);
    }

    fn handle(&mut self, event: Event) {
        self.fingerprint.write_u64(self.now.as_micros());
        match event {
            Event::Deliver {
                connection,
                to_member,
                sent,
                message,
            } => self.deliver(connection, to_member, sent, message),
            Event::Connected { .. } | Event::Refused { .. } | Event::Closed { .. } => {
                self.handle_link(event);
            }
            Event::Wake {
                process,
                incarnation,
            } => self.wake_up(process, incarnation),
            Event::Ask { client } => self.ask(client),
            Event::Request { question, .. } => {
                let process = self.coordinator_of(question);
                self.queue(process, event);
            }
            Event::Post {
                connection,
                to_member,
                message,
            } => self.put(connection, to_member, message),
            Event::Left {
                connection,
                to_member,
                chunk,
            } => self.left(connection, to_member, chunk),
            Event::Arrive {
                connection,
                to_member,
                bytes,
            } => self.arrive(connection, to_member, bytes),
            Event::Free {
                process,
                incarnation,
            } => self.free(process, incarnation),
            Event::Phase { number } => self.begin_phase(number),
            Event::Arrival { phase } => self.arrival(phase),
            Event::Database { visit } => self.database(visit),
            Event::Restart { process } => self.restart(process),
            Event::Heal => self.heal(),
            Event::Cut { from, to, is_cut } => self.network.set_cut(from, to, is_cut),
            Event::JumpBack { process } => self.jump_back(process),
            fault => self.break_something(&fault),
        }
    }

    /// A connection comes about, does not, or ends.
    fn handle_link(&mut self, event: Event) {
        match event {
            Event::Connected {
                from,
                to,
                incarnation,
            } => self.establish(from, to, incarnation),
            Event::Refused {
                from,
                to,
                incarnation,
            } => {
                let peer = self.index(from, to);
                self.input(from, incarnation, |node, now| {
                    node.handle_disconnected(now, peer)
                });
            }
            Event::Closed {
                process,
                connection,
            } => self.learn_of_close(process, connection),
            _ => {}
        }
    }

    /// A process takes an input for which it may have had to wait.
    fn take(&mut self, input: Event) {
        match input {
            Event::Request {
                question,
                incarnation,
            } => self.request(question, incarnation),
            Event::Read {
                connection,
                to_member,
                bytes,
            } => self.read(connection, to_member, &bytes),
            Event::Sent {
                process,
                incarnation,
                link,
                id,
            } => self.input(process, incarnation, |node, now| {
                node.handle_sent(now, link, id)
            }),
            _ => {}
        }
    }

    fn break_something(&mut self, fault: &Event) {
        match fault {
            Event::Calm => self.calm(),
            Event::Crash => self.crash(),
            Event::Partition => self.partition(),
            Event::Swizzle => self.swizzle(),
            Event::Pause => self.pause(),
            Event::Slow => self.slow(),
            Event::Suspect => self.suspect(),
            Event::ChangeMembers => self.change_members(),
            Event::Drift => self.drift(),
            Event::Jump => self.jump(),
            _ => {}
        }
    }

    /// Starts a process that is dead.
    fn restart(&mut self, number: usize) {
        if self.node(number).is_none() {
            self.start(number);
            if let Some(process) = self.processes.get_mut(number) {
                process.excused_until = self.now + load::AFTERMATH;
            }
            self.note_about(number, "starts anew");
        }
    }

    /// Gives a process an input, if it is still the same one, and does what it asks.
    pub(super) fn input(
        &mut self,
        number: usize,
        incarnation: u32,
        input: impl FnOnce(&mut Node, Now),
    ) {
        self.input_about(None, number, incarnation, input);
    }

    /// As [`input`](Self::input), where the input is about one key alone.
    pub(super) fn input_about(
        &mut self,
        key: Option<usize>,
        number: usize,
        incarnation: u32,
        input: impl FnOnce(&mut Node, Now),
    ) {
        let instant = self.now;
        let Some(process) = self
            .processes
            .get_mut(number)
            .filter(|process| process.incarnation == incarnation)
        else {
            return;
        };
        let now = process.now(instant);
        let Some(node) = &mut process.node else {
            return;
        };
        input(node, now);
        self.invariants.check(instant, number, node, key);
        process.follow();
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
                    self.close(id, number);
                }
            }
            Action::Disconnect(Link::Inbound(id)) => self.close(id, number),
            Action::Send(link, message) => self.send(number, link, message),
            Action::Complete(id, outcome) => self.complete(id, outcome),
            // Simulated members are nodes of our own.
            Action::Ask(..) => {}
            Action::Event(event) => {
                self.trace_event(number, &event);
                self.judge_event(number, &event);
                if matches!(event, NodeEvent::Paused { .. }) {
                    self.fail_unread_questions_to(number);
                }
            }
        }
    }

    pub(super) fn incarnation_of(&self, number: usize) -> u32 {
        self.processes
            .get(number)
            .map_or(0, |process| process.incarnation)
    }

    /// Makes sure that a process is woken when its node wants it.
    fn wake(&mut self, number: usize) {
        let now = self.now;
        let Some(process) = self.processes.get_mut(number) else {
            return;
        };
        let Some(node) = &process.node else { return };
        if process.server.is_timer_due {
            return;
        }
        let at = node.poll_timeout().max(now);
        if process.wake_at.is_none_or(|wake_at| at < wake_at) {
            process.wake_at = Some(at);
            let incarnation = process.incarnation;
            self.schedule(
                at - now,
                Event::Wake {
                    process: number,
                    incarnation,
                },
            );
        }
    }

    /// Wakes a process that does not stand still any more.
    fn wake_early(&mut self, number: usize) {
        if let Some(process) = self.processes.get_mut(number) {
            process.wake_at = None;
        }
        self.wake(number);
    }

    fn wake_up(&mut self, number: usize, incarnation: u32) {
        let now = self.now;
        let Some(process) = self
            .processes
            .get_mut(number)
            .filter(|process| process.incarnation == incarnation)
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
                    incarnation,
                },
            );
        }
        if !self.is_timers_turn(number) {
            return;
        }
        self.input(number, incarnation, |node, now| node.handle_timeout(now));
        if self.costs().is_some() {
            self.work_off(number);
        }
    }
}
