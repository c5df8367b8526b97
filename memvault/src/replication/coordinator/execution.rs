//! An operation under way: hands each input to its phase, and goes where that says.

use super::operation::{Call, Operation};
use super::phase::lock::LockPhase;
use super::phase::plain::PlainPhase;
use super::phase::read::ReadPhase;
use super::phase::write::WritePhase;
use super::phase::{Next, Phase, Transition};
use super::task::Task;
use super::timers::Wake;
use crate::replication::context::Context;
use crate::replication::plain::PlainRefusal;
use crate::replication::request::{Answer, Failure};
use crate::replication::wire::message::{LockReply, OfferReply, ReadReply, WriteReply};
use crate::ring::NodeIndex;

/// An operation, and where it is.
pub(super) struct Execution {
    pub(super) operation: Operation,
    pub(super) phase: Phase,
}

/// What a replica answered.
#[derive(Debug)]
pub(in crate::replication) enum Reply {
    Wrote(WriteReply),
    Locked(LockReply),
    Held(ReadReply),
    Offered(OfferReply),
    /// One that speaks plain Redis.
    Plain(Result<Answer, PlainRefusal>),
}

/// The result, once there is one.
pub(super) type Ended = Option<Result<Answer, Failure>>;

impl Execution {
    /// Takes the first step.
    pub(super) fn begin(operation: Operation, call: &mut Call<'_>) -> (Self, Ended) {
        let mut execution = Self {
            operation,
            phase: Phase::Idle,
        };
        let transition = execution.first(call);
        let ended = execution.follow(call, transition);
        (execution, ended)
    }

    fn first(&mut self, call: &mut Call<'_>) -> Transition {
        debug_assert!(matches!(self.phase, Phase::Idle), "it has begun already");
        if call.cx.config.plain_redis {
            let plain = PlainPhase::new(&mut self.operation);
            return self.ask_as(call, Phase::Plain(plain));
        }
        if let Some(change) = self.operation.plain_write(call.cx) {
            return Transition::Next(Next::Write(change));
        }
        match self.operation.task {
            Task::Update(_) => self.ask_as(call, Phase::Lock(LockPhase::default())),
            _ => Transition::Next(Next::Read),
        }
    }

    /// Enters a phase, and has it ask for the first time.
    fn ask_as(&mut self, call: &mut Call<'_>, phase: Phase) -> Transition {
        self.phase = phase;
        self.ask(call)
    }

    /// Has the phase ask whom it should ask now.
    fn ask(&mut self, call: &mut Call<'_>) -> Transition {
        let operation = &mut self.operation;
        match &mut self.phase {
            Phase::Lock(lock) => lock.ask(operation, call),
            Phase::Write(write) => write.ask(operation, call),
            Phase::Read(read) => read.ask(operation, call),
            Phase::Repair(repair) => repair.ask(operation, call),
            Phase::Plain(plain) => plain.ask(operation, call),
            Phase::Idle => Transition::Wait,
        }
    }

    /// Goes where a transition says, until something has to be waited for, or the operation is done.
    fn follow(&mut self, call: &mut Call<'_>, mut transition: Transition) -> Ended {
        loop {
            let next = match transition {
                Transition::Wait => return None,
                Transition::Done(result) => return Some(result),
                Transition::Next(next) => next,
            };
            let operation = &mut self.operation;
            transition = match next {
                Next::Found(found) => operation.conclude(call, found),
                Next::Read => {
                    let read = ReadPhase::new(operation, call);
                    self.ask_as(call, Phase::Read(read))
                }
                Next::ReadAfterPause => {
                    self.phase = Phase::Read(ReadPhase::new(operation, call));
                    operation.pause(call)
                }
                Next::Write(change) => {
                    let write = WritePhase::new(operation, call, change);
                    self.ask_as(call, Phase::Write(write))
                }
                Next::Repair(repair) => {
                    operation.next_stage();
                    self.ask_as(call, Phase::Repair(repair))
                }
            };
        }
    }

    /// A replica answered what was asked at a stage.
    pub(super) fn handle(
        &mut self,
        call: &mut Call<'_>,
        (from, stage): (NodeIndex, u16),
        reply: Reply,
    ) -> Ended {
        let operation = &mut self.operation;
        let is_late = stage != operation.stage;
        let transition = match (&mut self.phase, reply) {
            // That a write is done counts however late it comes.
            (Phase::Write(write), Reply::Wrote(reply)) => {
                write.handle(operation, call, (from, stage), reply)
            }
            _ if is_late => Transition::Wait,
            (Phase::Lock(lock), Reply::Locked(reply)) => lock.handle(operation, call, from, reply),
            (Phase::Read(read), Reply::Held(reply)) => read.handle(operation, call, from, reply),
            (Phase::Repair(repair), Reply::Offered(reply)) => {
                repair.handle(operation, call, from, reply)
            }
            (Phase::Plain(plain), Reply::Plain(reply)) => {
                plain.handle(operation, call, from, reply)
            }
            // Nobody was asked for this: the node that sends it does not keep to the protocol.
            _ => Transition::Wait,
        };
        self.follow(call, transition)
    }

    /// A timer went off.
    pub(super) fn wake(&mut self, call: &mut Call<'_>, wake: Wake) -> Ended {
        let transition = match wake {
            Wake::Silence => self.handle_silence(call),
            Wake::Resume => self.ask(call),
        };
        self.follow(call, transition)
    }

    /// Nobody answered in time.
    fn handle_silence(&mut self, call: &mut Call<'_>) -> Transition {
        let operation = &mut self.operation;
        if !operation.may_repeat(call, &self.phase) {
            return operation.wait_for_answers(call, self.phase.is_read());
        }
        operation.is_repeated = true;
        match &mut self.phase {
            Phase::Idle => Transition::Wait,
            Phase::Lock(lock) => lock.handle_silence(operation, call),
            Phase::Write(write) => write.handle_silence(operation, call),
            Phase::Read(read) => read.handle_silence(operation, call),
            Phase::Repair(repair) => repair.ask(operation, call),
            Phase::Plain(plain) => plain.handle_silence(operation, call),
        }
    }

    /// A node that was asked cannot be reached any more.
    pub(super) fn handle_lost(&mut self, call: &mut Call<'_>) -> Ended {
        let operation = &mut self.operation;
        let transition = match &mut self.phase {
            Phase::Idle => Transition::Wait,
            Phase::Lock(lock) => lock.ask(operation, call),
            Phase::Write(write) => write.handle_lost(operation, call),
            Phase::Read(read) => read.handle_lost(operation, call),
            Phase::Repair(repair) => repair.evaluate(operation, call),
            Phase::Plain(plain) => plain.handle_lost(operation, call),
        };
        self.follow(call, transition)
    }

    /// The members have changed: goes on with the members that hold the key now. A write keeps its version, unless that
    /// was promised by those who hold the key no longer.
    pub(super) fn handle_change(&mut self, call: &mut Call<'_>) -> Ended {
        let operation = &mut self.operation;
        operation.replicas = call.cx.preference(&operation.key);
        let transition = match &mut self.phase {
            // A cluster of plain Redis nodes has no epochs.
            Phase::Idle | Phase::Plain(_) => Transition::Wait,
            Phase::Lock(lock) => lock.ask(operation, call),
            Phase::Write(write) => write.handle_change(operation, call),
            Phase::Read(_) | Phase::Repair(_) => Transition::Next(Next::Read),
        };
        self.follow(call, transition)
    }

    /// The kernel has the last byte of what `node` is asked: its time begins.
    pub(super) fn handle_sent(&mut self, call: &mut Call<'_>, (node, stage): (NodeIndex, u16)) {
        let operation = &mut self.operation;
        if stage == operation.stage {
            let who = operation.replicas.set_of(node);
            operation.unsent = operation.unsent.without(who);
            operation.wait_for_answers(call, self.phase.is_read());
        }
    }

    /// Time is up.
    pub(super) fn handle_deadline(&self, cx: &Context) -> Result<Answer, Failure> {
        let operation = &self.operation;
        Err(match &self.phase {
            Phase::Read(read) => {
                read.failure_at_deadline(cx, &operation.replicas, operation.levels.read)
            }
            Phase::Write(write) if write.attempts == 0 => Failure::Loading,
            Phase::Plain(plain) if !plain.is_sent => Failure::Loading,
            _ => Failure::Timeout,
        })
    }

    /// Whether this operation expects something of `node`.
    pub(super) fn waits_for(&self, node: NodeIndex) -> bool {
        let who = self.operation.replicas.set_of(node);
        !self.phase.asked().and(who).is_empty()
    }

    /// The failure to answer with: one that may have been done is in doubt, whatever it failed of.
    pub(super) fn failure(&self, failure: Failure) -> Failure {
        let sent = match &self.phase {
            Phase::Write(write) if write.is_effect => write.attempts,
            _ => 0,
        };
        let harmless = matches!(failure, Failure::ClockSkew | Failure::TooLarge);
        let operation = &self.operation;
        let in_doubt = sent > 1 || sent == 1 && !harmless || !operation.attempts.is_empty();
        if (operation.is_update() || operation.is_fill()) && in_doubt {
            Failure::Indeterminate
        } else {
            failure
        }
    }
}
