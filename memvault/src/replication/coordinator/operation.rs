//! One request on one key, from its beginning to its result.

use alloc::vec::Vec;

use super::super::Now;
use super::super::context::Context;
use super::super::entry::Bytes;
use super::super::preference::{Preference, ReplicaSet};
use super::super::request::{Answer, Failure, Lease};
use super::super::rules::Rule;
use super::admission::{Leave, Pending};
use super::plain::PlainPhase;
use super::read::{Found, ReadPhase};
use super::repair::RepairPhase;
use super::turn::{Ticket, TurnPhase};
use super::update::Attempts;
use super::write::{Change, WritePhase};
use super::{Coordinator, Levels, Step, Timer};
use crate::command::Update;
use crate::ring::NodeIndex;
use crate::time::{Instant, Timestamp};

/// What to do with one key.
#[derive(Clone, Debug)]
pub(super) enum Task {
    Get,
    Exists,
    Expiry,
    Set {
        value: Bytes,
        expire_at: Option<Timestamp>,
    },
    Delete,
    Update(Update<Bytes>),
    /// The value, or leave to fill it in.
    Lease,
    Fill {
        value: Bytes,
        expire_at: Option<Timestamp>,
        lease: Lease,
    },
}

impl Task {
    /// Bytes that it brings along beside the key.
    pub(super) fn value_len(&self) -> usize {
        match self {
            Self::Set { value, .. } | Self::Fill { value, .. } => value.len(),
            Self::Update(update) => update.brought().map_or(0, |bytes| bytes.len()),
            Self::Get | Self::Exists | Self::Expiry | Self::Delete | Self::Lease => 0,
        }
    }

    /// Whether its answer has the value.
    pub(super) const fn is_read(&self) -> bool {
        matches!(self, Self::Get | Self::Exists | Self::Expiry | Self::Lease)
    }
}

/// Where an operation is.
pub(super) enum Phase {
    /// Not begun, or looking for a replica again after a pause.
    Idle,
    /// Waiting for the turn to change the key.
    Turn(TurnPhase),
    Write(WritePhase),
    Read(ReadPhase),
    /// A quorum read that brings replicas up to date before it answers.
    Repair(RepairPhase),
    /// A command to nodes that speak plain Redis.
    Plain(PlainPhase),
}

/// What replicas are asked for beside what they hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AsksFor {
    Nothing,
    /// [`Prepare::Update`](super::super::message::Prepare::Update)
    Promises,
    /// [`Prepare::Fill`](super::super::message::Prepare::Fill)
    Leases,
}

/// One request on one key.
pub(super) struct Operation {
    pub(super) request: u64,
    pub(super) slot: u32,
    /// Leave to be under way.
    pub(super) leave: Leave,
    /// Bytes of its key and of the value that it brings along.
    pub(super) len: usize,
    /// To whom the kernel has yet to take the whole of what is asked now: their time has not begun.
    pub(super) unsent: ReplicaSet,
    /// Whether the present attempt was given its time twice.
    pub(super) has_waited: bool,
    /// Whether it had to be repeated, or to go on with another replica.
    pub(super) is_repeated: bool,
    pub(super) key: Bytes,
    pub(super) replicas: Preference,
    pub(super) task: Task,
    pub(super) levels: Levels,
    /// Nobody waits for the answer any more after this.
    pub(super) ends_at: Instant,
    /// Distinguishes answers to what is asked now from answers to what was asked before.
    pub(super) stage: u16,
    /// Distinguishes the timer that counts from earlier ones.
    pub(super) round: u32,
    pub(super) phase: Phase,
    /// The turn it has or has asked for.
    pub(super) ticket: Option<Ticket>,
    /// What it asks for when it reads.
    pub(super) asks_for: AsksFor,
    pub(super) attempts: Attempts,
}

impl Operation {
    pub(super) fn new(
        pending: Pending,
        leave: Leave,
        replicas: Preference,
        ends_at: Instant,
    ) -> Self {
        let len = pending.bytes();
        let Pending {
            request,
            slot,
            key,
            task,
            levels,
            ..
        } = pending;
        let asks_for = match task {
            Task::Update(_) => AsksFor::Promises,
            Task::Lease => AsksFor::Leases,
            _ => AsksFor::Nothing,
        };
        Self {
            request,
            slot,
            leave,
            len,
            unsent: ReplicaSet::EMPTY,
            has_waited: false,
            is_repeated: false,
            key,
            replicas,
            task,
            levels,
            ends_at,
            stage: 0,
            round: 0,
            phase: Phase::Idle,
            ticket: None,
            asks_for,
            attempts: Attempts::default(),
        }
    }

    /// Takes the first step.
    pub(super) fn begin(
        &mut self,
        cx: &mut Context,
        timers: &mut Coordinator,
        now: Now,
        id: u64,
    ) -> Step {
        if cx.config.plain_redis {
            return self.begin_plain(cx, timers, now, id);
        }
        match &self.task {
            Task::Update(_) => self.ask_for_turn(cx, timers, now, id),
            Task::Get | Task::Exists | Task::Expiry | Task::Lease => {
                self.begin_read(cx, timers, now, id)
            }
            Task::Fill {
                value,
                expire_at,
                lease,
            } => {
                let keeps = cx.rules.keep(Rule::FillsKeepTheirTag);
                let change = Change {
                    value: Some(value.clone()),
                    expire_at: *expire_at,
                    tag: keeps.then_some(lease.tag),
                    is_effect: true,
                    answer: Answer::Done,
                };
                self.begin_write(cx, timers, now, id, change)
            }
            Task::Set { value, expire_at } => {
                let (value, expire_at) = (Some(value.clone()), *expire_at);
                let change = Change {
                    value,
                    expire_at,
                    tag: None,
                    is_effect: true,
                    answer: Answer::Done,
                };
                self.begin_write(cx, timers, now, id, change)
            }
            Task::Delete => {
                let change = Change {
                    value: None,
                    expire_at: None,
                    tag: None,
                    is_effect: true,
                    answer: Answer::Count(1),
                };
                self.begin_write(cx, timers, now, id, change)
            }
        }
    }

    /// A timer for this operation; it replaces the one that was running.
    pub(super) const fn timer(&mut self, id: u64) -> Timer {
        self.round = self.round.wrapping_add(1);
        Timer {
            operation: id,
            round: self.round,
        }
    }

    /// Nobody answered in time.
    pub(super) fn handle_silence(
        &mut self,
        cx: &mut Context,
        timers: &mut Coordinator,
        now: Now,
        id: u64,
    ) -> Step {
        if !self.may_repeat(cx, now) {
            let timer = self.timer(id);
            return timers.wait_on(now, timer, self.asked_to_read());
        }
        self.is_repeated = true;
        match self.phase {
            Phase::Idle => Step::Wait,
            Phase::Turn(_) => self.handle_turn_silence(cx, timers, now, id),
            Phase::Write(_) => self.handle_write_silence(cx, timers, now, id),
            Phase::Read(_) => self.handle_read_silence(cx, timers, now, id),
            Phase::Repair(_) => self.repeat_repair(cx, timers, now, id),
            Phase::Plain(_) => self.handle_plain_silence(cx, timers, now, id),
        }
    }

    /// Goes on after a pause.
    pub(super) fn resume(
        &mut self,
        cx: &mut Context,
        timers: &mut Coordinator,
        now: Now,
        id: u64,
    ) -> Step {
        match self.phase {
            Phase::Turn(_) => self.ask_for_turn(cx, timers, now, id),
            Phase::Write(_) => self.send_write(cx, timers, now, id),
            Phase::Read(_) => self.ask(cx, timers, now, id),
            Phase::Plain(_) => self.ask_plain(cx, timers, now, id),
            Phase::Idle | Phase::Repair(_) => Step::Wait,
        }
    }

    /// The members have changed: goes on with whoever holds the key now. A write keeps its tag, unless that was
    /// promised by those who hold the key no longer.
    pub(super) fn handle_change(
        &mut self,
        cx: &mut Context,
        timers: &mut Coordinator,
        now: Now,
        id: u64,
    ) -> Step {
        self.replicas = cx.preference(&self.key);
        let is_fill = self.is_fill();
        match &mut self.phase {
            // A cluster of plain Redis nodes has no epochs.
            Phase::Idle | Phase::Plain(_) => Step::Wait,
            Phase::Turn(_) => self.ask_for_turn(cx, timers, now, id),
            Phase::Write(write) if write.is_promised && !is_fill => {
                self.look_again(cx, timers, now, id)
            }
            Phase::Write(write) => {
                write.forget_attempts();
                self.send_write(cx, timers, now, id)
            }
            Phase::Read(_) | Phase::Repair(_) => self.begin_read(cx, timers, now, id),
        }
    }

    /// Of whom this operation expects something.
    pub(super) const fn asked(&self) -> ReplicaSet {
        match &self.phase {
            Phase::Idle => ReplicaSet::EMPTY,
            Phase::Turn(turn) => turn.asked,
            Phase::Write(write) => write.asked,
            Phase::Read(read) => read.asked,
            Phase::Repair(repair) => repair.asked,
            Phase::Plain(plain) => plain.asked,
        }
    }

    /// Whether this operation expects something of `node`.
    pub(super) fn waits_for(&self, node: NodeIndex) -> bool {
        let who = self.replicas.set_of(node);
        !self.asked().and(who).is_empty()
    }

    /// A node that was asked cannot be reached any more.
    pub(super) fn handle_lost(
        &mut self,
        cx: &mut Context,
        timers: &mut Coordinator,
        now: Now,
        id: u64,
    ) -> Step {
        match self.phase {
            Phase::Idle => Step::Wait,
            Phase::Turn(_) => self.ask_for_turn(cx, timers, now, id),
            Phase::Write(_) => self.handle_write_lost(cx, timers, now, id),
            Phase::Read(_) => self.handle_read_lost(cx, timers, now, id),
            Phase::Repair(_) => self.evaluate_repair(cx, timers, now, id),
            Phase::Plain(_) => self.handle_plain_lost(cx, timers, now, id),
        }
    }

    /// Time is up.
    pub(super) fn handle_deadline(&self, cx: &Context) -> Step {
        Step::Done(Err(match &self.phase {
            Phase::Read(read) => read.failure_at_deadline(cx, &self.replicas, self.levels.read),
            Phase::Write(write) if write.attempts == 0 => Failure::Loading,
            Phase::Plain(plain) if !plain.is_sent => Failure::Loading,
            _ => Failure::Timeout,
        }))
    }

    /// The read has found out what there is: answer, or decide what to write.
    pub(super) fn finish_read(
        &mut self,
        cx: &mut Context,
        timers: &mut Coordinator,
        now: Now,
        id: u64,
        found: Found,
    ) -> Step {
        let live = found.entry.as_ref().filter(|entry| entry.is_live(now.wall));
        let answer = match &self.task {
            Task::Get => Answer::Value(live.and_then(|entry| entry.value.clone())),
            Task::Exists => Answer::Count(i64::from(live.is_some())),
            Task::Expiry => Answer::Expiry(live.map(|entry| entry.expire_at)),
            Task::Update(update) => {
                let update = update.clone();
                return self.decide(cx, timers, now, id, &update, found);
            }
            Task::Lease => return self.finish_lease(cx, timers, now, id, found),
            Task::Set { .. } | Task::Delete | Task::Fill { .. } => Answer::Done,
        };
        match answer {
            Answer::Value(None) => cx.statistics.misses += 1,
            Answer::Value(Some(_)) => cx.statistics.hits += 1,
            _ => {}
        }
        self.confirm(cx, timers, now, id, found, answer)
    }

    /// The replicas that can be chosen as leader, best first: those that may lead, then those that are
    /// merely silent or damped.
    pub(super) fn candidates(&self, cx: &Context, now: Now) -> Vec<NodeIndex> {
        let peers = &cx.peers;
        let serving = |node: &NodeIndex| {
            peers.is_up(*node)
                && !peers.clock_differs(*node)
                && peers.state(*node) == Some(super::super::NodeState::Serving)
        };
        let (mut best, mut rest) = (Vec::new(), Vec::new());
        for node in self.replicas.leaders().iter().filter(|node| serving(node)) {
            let list = if peers.may_lead(now.instant, *node) {
                &mut best
            } else {
                &mut rest
            };
            list.push(*node);
        }
        rest.sort_by_key(|node| peers.is_suspect(*node));
        best.append(&mut rest);
        best
    }

    /// Whether every replica is known to be out of reach.
    pub(super) fn is_hopeless(&self, cx: &Context) -> bool {
        self.replicas
            .leaders()
            .iter()
            .all(|node| cx.peers.is_down(*node))
    }
}
