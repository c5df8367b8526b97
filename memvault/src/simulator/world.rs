//! The event loop: deliver, wake, break, mend, ask, until the time is over.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::hash::Hasher;

use super::history::{self, Act, Record};
use super::network::Network;
use super::process::{Process, levels, member_id};
use super::scenario::Scenario;
use crate::chance::Chance;
use crate::command::{Condition, Expiry};
use crate::replication::{Action, Answer, Bytes, Link, Message, NodeState, Outcome, Request};
use crate::ring::NodeIndex;
use crate::time::{Duration, Instant};

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Broken promises, in words; empty if all is well.
    pub violations: Vec<String>,
    /// Misses of keys that were written before and never deleted.
    pub lost: Vec<String>,
    /// Writes acknowledged.
    pub writes: u64,
    /// Reads that found a value.
    pub hits: u64,
    /// Reads that found none.
    pub misses: u64,
    /// Requests that failed.
    pub failures: u64,
    /// Members that crashed and lost their memory.
    pub crashes: u64,
    /// Partitions.
    pub partitions: u64,
    /// Pauses.
    pub pauses: u64,
    /// Fingerprint of the whole run: equal for equal seeds.
    pub fingerprint: u64,
}

/// Something that will happen.
enum Event {
    Deliver {
        connection: u64,
        to_member: bool,
        message: Message,
    },
    Connected {
        from: usize,
        to: usize,
        boot: u32,
    },
    Refused {
        from: usize,
        to: usize,
        boot: u32,
    },
    Closed {
        process: usize,
        boot: u32,
        link: Link,
    },
    Wake {
        process: usize,
        boot: u32,
    },
    Ask {
        client: usize,
    },
    Crash,
    Restart {
        process: usize,
    },
    Partition,
    Heal,
    Pause,
    SkewJump,
}

/// A request under way.
struct Question {
    key: usize,
    act: Act,
    asked: Instant,
}

struct World<'a> {
    scenario: &'a Scenario,
    chance: Chance,
    now: Instant,
    queue: BTreeMap<(Instant, u64), Event>,
    sequence: u64,
    network: Network,
    processes: Vec<Process>,
    questions: BTreeMap<u64, (usize, Question)>,
    next_value: u64,
    records: Vec<Record>,
    report: Report,
    fingerprint: xxhash_rust::xxh3::Xxh3,
}

/// Runs a scenario to its end and checks its history. Deterministic.
#[must_use]
pub fn run(scenario: &Scenario) -> Report {
    let mut world = World::new(scenario);
    let end = Instant::ZERO + scenario.duration + Duration::from_secs(3);
    while let Some(((at, _), event)) = world.queue.pop_first() {
        if at > end {
            break;
        }
        world.now = at;
        world.handle(event);
    }
    world.finish()
}

impl<'a> World<'a> {
    fn new(scenario: &'a Scenario) -> Self {
        let total = scenario.nodes + scenario.clients;
        let mut world = Self {
            scenario,
            chance: Chance::new(scenario.seed.wrapping_mul(0x2545_f491_4f6c_dd1d)),
            now: Instant::ZERO,
            queue: BTreeMap::new(),
            sequence: 0,
            network: Network::new(total, scenario.faults),
            processes: (0..total).map(|_| Process::new()).collect(),
            questions: BTreeMap::new(),
            next_value: 0,
            records: Vec::new(),
            report: Report::default(),
            fingerprint: xxhash_rust::xxh3::Xxh3::new(),
        };
        for process in 0..total {
            world.draw_skew(process);
            world.start(process);
        }
        for client in scenario.nodes..total {
            // Members serve after their warm-up; asking before that would only fail.
            world.schedule(Duration::from_millis(1200), Event::Ask { client });
        }
        world.schedule_fault(scenario.faults.crash_every, Event::Crash);
        world.schedule_fault(scenario.faults.partition_every, Event::Partition);
        world.schedule_fault(scenario.faults.pause_every, Event::Pause);
        world.schedule(Duration::from_secs(2), Event::SkewJump);
        world
    }

    fn schedule(&mut self, after: Duration, event: Event) {
        self.sequence += 1;
        self.queue.insert((self.now + after, self.sequence), event);
    }

    /// Schedules the next fault, if it comes before the end: the last seconds are calm.
    fn schedule_fault(&mut self, mean: Option<Duration>, event: Event) {
        let Some(mean) = mean else { return };
        let after = mean / 4 + self.chance.duration_below(mean * 3 / 2);
        if self.now + after < Instant::ZERO + self.scenario.duration {
            self.schedule(after, event);
        }
    }

    fn start(&mut self, number: usize) {
        let (boot, seed) = (self.chance.next_u64() as u32, self.chance.next_u64());
        let (scenario, now) = (self.scenario, self.now);
        if let Some(process) = self.processes.get_mut(number) {
            process.start(scenario, number, boot, seed, now);
        }
        self.wake(number);
    }

    fn draw_skew(&mut self, number: usize) {
        let offset = self.chance.duration_below(self.scenario.faults.skew * 2);
        if let Some(process) = self.processes.get_mut(number) {
            process.wall_offset = offset;
        }
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
                self.input(from, boot, |node, now| {
                    node.handle_disconnected(now, index(to))
                });
            }
            Event::Closed {
                process,
                boot,
                link,
            } => self.input(process, boot, |node, now| match link {
                Link::Peer(peer) => node.handle_disconnected(now, peer),
                Link::Inbound(id) => node.handle_inbound_closed(id),
            }),
            Event::Wake { process, boot } => self.wake_up(process, boot),
            Event::Ask { client } => self.ask(client),
            Event::Crash => self.crash(),
            Event::Restart { process } => self.start(process),
            Event::Partition => {
                self.report.partitions += 1;
                self.network
                    .partition(self.scenario.nodes, &mut self.chance);
                let heal = self.chance.duration_below(Duration::from_millis(700));
                self.schedule(heal, Event::Heal);
                self.schedule_fault(self.scenario.faults.partition_every, Event::Partition);
            }
            Event::Heal => self.network.heal(),
            Event::Pause => self.pause(),
            Event::SkewJump => {
                let process = self.chance.below(self.processes.len() as u64) as usize;
                self.draw_skew(process);
                self.schedule(Duration::from_secs(2), Event::SkewJump);
            }
        }
    }

    /// Gives a process an input, if it is still the same one, and does what it asks.
    fn input(
        &mut self,
        number: usize,
        boot: u32,
        input: impl FnOnce(&mut crate::replication::Node, crate::replication::Now),
    ) {
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
        let mut actions = Vec::new();
        while let Some(action) = node.poll_action() {
            actions.push(action);
        }
        for action in actions {
            self.act(number, action);
        }
        self.wake(number);
    }

    fn act(&mut self, number: usize, action: Action) {
        match action {
            Action::Connect(peer) => self.connect(number, peer.as_usize()),
            Action::Disconnect(Link::Peer(peer)) => {
                if let Some(id) = self.network.outbound(number, peer.as_usize()) {
                    self.network.close(id);
                    self.notify_closed(peer.as_usize(), Link::Inbound(id));
                }
            }
            Action::Disconnect(Link::Inbound(id)) => {
                if let Some(connection) = self.network.close(id) {
                    self.notify_closed(connection.from, Link::Peer(index(connection.to)));
                }
            }
            Action::Send(link, message) => self.send(number, link, &message),
            Action::Complete(id, outcome) => self.complete(id, outcome),
            Action::Event(_) => {}
        }
    }

    fn connect(&mut self, from: usize, to: usize) {
        let boot = self.boot_of(from);
        let is_dead = self
            .processes
            .get(to)
            .is_none_or(|process| process.node.is_none());
        if self.network.is_cut(from, to) || self.network.is_cut(to, from) {
            self.schedule(
                Duration::from_millis(500),
                Event::Refused { from, to, boot },
            );
        } else if is_dead {
            self.schedule(
                Duration::from_micros(300),
                Event::Refused { from, to, boot },
            );
        } else {
            self.schedule(
                Duration::from_micros(300),
                Event::Connected { from, to, boot },
            );
        }
    }

    fn establish(&mut self, from: usize, to: usize, boot: u32) {
        let is_alive = self
            .processes
            .get(to)
            .is_some_and(|process| process.node.is_some());
        if !is_alive || self.boot_of(from) != boot {
            return self.schedule(Duration::ZERO, Event::Refused { from, to, boot });
        }
        self.network.connect(from, to);
        self.input(from, boot, |node, now| {
            node.handle_connected(now, index(to))
        });
    }

    fn send(&mut self, from: usize, link: Link, message: &Message) {
        let (id, to) = match link {
            Link::Peer(peer) => (
                self.network.outbound(from, peer.as_usize()),
                peer.as_usize(),
            ),
            Link::Inbound(id) => (
                Some(id),
                self.network.connection(id).map_or(from, |c| c.from),
            ),
        };
        let Some(connection) = id else { return };
        let to_member = matches!(link, Link::Peer(_));
        for after in self.network.deliveries(from, to, &mut self.chance) {
            let message = message.clone();
            self.schedule(
                after,
                Event::Deliver {
                    connection,
                    to_member,
                    message,
                },
            );
        }
    }

    fn deliver(&mut self, id: u64, to_member: bool, message: Message) {
        let Some(connection) = self.network.connection(id) else {
            return;
        };
        let (to, link) = if to_member {
            (connection.to, Link::Inbound(id))
        } else {
            (connection.from, Link::Peer(index(connection.to)))
        };
        let paused_until = self
            .processes
            .get(to)
            .map_or(Instant::ZERO, |process| process.paused_until);
        if paused_until > self.now {
            let after =
                paused_until - self.now + self.chance.duration_below(Duration::from_micros(200));
            return self.schedule(
                after,
                Event::Deliver {
                    connection: id,
                    to_member,
                    message,
                },
            );
        }
        let boot = self.boot_of(to);
        self.input(to, boot, |node, now| {
            node.handle_message(now, link, message)
        });
    }

    fn notify_closed(&mut self, process: usize, link: Link) {
        let boot = self.boot_of(process);
        let after =
            Duration::from_micros(200) + self.chance.duration_below(Duration::from_millis(2));
        self.schedule(
            after,
            Event::Closed {
                process,
                boot,
                link,
            },
        );
    }

    fn boot_of(&self, number: usize) -> u32 {
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

    fn ask(&mut self, client: usize) {
        if self.now > Instant::ZERO + self.scenario.duration {
            return;
        }
        let key = self.chance.below(self.scenario.keys as u64) as usize;
        let bytes: Bytes = format!("key-{key}").into_bytes().into();
        self.next_value += 1;
        let value = self.next_value;
        let (act, request) = if self.chance.one_in_thousand(self.scenario.writes) {
            let deletes = self.chance.one_in_thousand(self.scenario.deletes);
            (
                Act::Write(value),
                if deletes {
                    Request::Delete([bytes].into())
                } else {
                    set(bytes, value)
                },
            )
        } else {
            (Act::Miss, Request::Get(bytes))
        };
        self.questions.insert(
            value,
            (
                client,
                Question {
                    key,
                    act,
                    asked: self.now,
                },
            ),
        );
        let levels = levels(self.scenario);
        let boot = self.boot_of(client);
        self.input(client, boot, |node, now| {
            node.handle_request(now, value, request, levels)
        });
    }

    fn complete(&mut self, id: u64, outcome: Outcome) {
        let Some((client, question)) = self.questions.remove(&id) else {
            return;
        };
        let Question {
            key,
            mut act,
            asked,
        } = question;
        let answered = outcome.is_ok().then_some(self.now);
        match (&outcome, act) {
            (Ok(_), Act::Write(_)) => self.report.writes += 1,
            (Ok(Answer::Value(Some(value))), _) => {
                act = Act::Hit(number_of(value));
                self.report.hits += 1;
            }
            (Ok(_), _) => self.report.misses += 1,
            (Err(_), _) => self.report.failures += 1,
        }
        if answered.is_some() || matches!(act, Act::Write(_)) {
            self.records.push(Record {
                key,
                act,
                asked,
                answered,
            });
        }
        let think = self.chance.duration_below(self.scenario.think * 2);
        self.schedule(think + Duration::from_micros(1), Event::Ask { client });
    }

    fn crash(&mut self) {
        self.schedule_fault(self.scenario.faults.crash_every, Event::Crash);
        let members = self.processes.get(..self.scenario.nodes).unwrap_or(&[]);
        let serves = |process: &Process| {
            process
                .node
                .as_ref()
                .is_some_and(|node| node.state() == NodeState::Serving)
        };
        if !self.scenario.faults.crash_beyond_budget && !members.iter().all(serves) {
            return;
        }
        let victim = self.chance.below(self.scenario.nodes as u64) as usize;
        let Some(process) = self
            .processes
            .get_mut(victim)
            .filter(|process| process.node.is_some())
        else {
            return;
        };
        process.node = None;
        self.report.crashes += 1;
        for (id, connection) in self.network.close_all_of(victim) {
            if connection.to == victim {
                self.notify_closed(connection.from, Link::Peer(index(victim)));
            } else {
                self.notify_closed(connection.to, Link::Inbound(id));
            }
        }
        let quick = self.chance.one_in_thousand(500);
        let longest = Duration::from_millis(if quick { 3 } else { 600 });
        let after = self.chance.duration_below(longest);
        self.schedule(after, Event::Restart { process: victim });
    }

    fn pause(&mut self) {
        self.schedule_fault(self.scenario.faults.pause_every, Event::Pause);
        let victim = self.chance.below(self.scenario.nodes as u64) as usize;
        let until = self.now + self.chance.duration_below(Duration::from_millis(900));
        if let Some(process) = self.processes.get_mut(victim) {
            process.paused_until = until;
            self.report.pauses += 1;
        }
    }

    fn finish(mut self) -> Report {
        for (_, question) in self.questions.into_values() {
            if matches!(question.act, Act::Write(_)) {
                let Question { key, act, asked } = question;
                self.records.push(Record {
                    key,
                    act,
                    asked,
                    answered: None,
                });
            }
        }
        self.report.violations = history::check_hits(&self.records);
        self.report.lost = history::check_durability(&self.records);
        for record in &self.records {
            self.fingerprint.write_u64(record.asked.as_micros());
            self.fingerprint
                .write_u64(record.answered.map_or(0, Instant::as_micros));
        }
        self.report.fingerprint = self.fingerprint.finish();
        self.report
    }
}

/// A member's place on the ring: ids sort like numbers as long as they have one digit.
fn index(number: usize) -> NodeIndex {
    debug_assert!(
        number < 10,
        "{} would sort before node-2",
        member_id(number)
    );
    NodeIndex(number as u16)
}

fn set(key: Bytes, value: u64) -> Request {
    Request::Set {
        key,
        value: Arc::from(value.to_be_bytes()),
        expiry: Expiry::None,
        condition: Condition::Always,
        return_old: false,
    }
}

fn number_of(value: &[u8]) -> u64 {
    value.try_into().map_or(0, u64::from_be_bytes)
}
