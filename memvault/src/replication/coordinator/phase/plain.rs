//! The coordinator's part where nodes speak plain Redis: it writes to the replicas itself.
//!
//! A read asks the first replica that can be chosen, and the next one when that is lost or silent. A write
//! goes to all of them at once, and the first one's answer is the answer; the others only count once those
//! before them are lost or silent. A write that depends on what is there (`NX`, `XX`, conditions of
//! `EXPIRE`, `INCR`, `APPEND`) asks the first alone, and is copied to the others once it took effect, so that all of
//! them do what the first one did.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::Transition;
use crate::command::{Condition, ExpireCondition, Expiry, Set, SetReply, Update};
use crate::replication::action::Action;
use crate::replication::context::Context;
use crate::replication::coordinator::join_id;
use crate::replication::coordinator::operation::{Call, Operation};
use crate::replication::coordinator::task::Task;
use crate::replication::entry::Bytes;
use crate::replication::membership::preference::{Preference, ReplicaSet};
use crate::replication::plain::{PlainCommand, PlainQuestion, PlainRefusal};
use crate::replication::request::{Answer, Failure, Lease};
use crate::ring::NodeIndex;
use crate::version::Version;

/// A command under way, as far as it has come.
pub(in crate::replication::coordinator) struct PlainPhase {
    command: PlainCommand,
    fanout: Fanout,
    /// Who was asked, and has neither answered nor been given up.
    pub(super) asked: ReplicaSet,
    /// Who was silent or not ready: asked again only when nobody else is left.
    passed: ReplicaSet,
    /// Whose word counts, best first.
    order: Vec<NodeIndex>,
    answers: Vec<(NodeIndex, Result<Answer, String>)>,
    /// Whether anybody was ever asked.
    pub(in crate::replication::coordinator) is_sent: bool,
}

/// Whom a command goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fanout {
    /// One replica: it is a read.
    One,
    /// One replica; its effect goes to the others.
    OneThenAll,
    /// All replicas.
    All,
}

impl PlainPhase {
    pub(in crate::replication::coordinator) fn new(operation: &mut Operation) -> Self {
        let command = command(&operation.key, &operation.task);
        operation.next_stage();
        Self {
            fanout: fanout(&command),
            command,
            asked: ReplicaSet::EMPTY,
            passed: ReplicaSet::EMPTY,
            order: Vec::new(),
            answers: Vec::new(),
            is_sent: false,
        }
    }

    /// Whether it changes nothing.
    pub(super) const fn is_read(&self) -> bool {
        matches!(self.fanout, Fanout::One)
    }

    /// Asks the node that is next.
    pub(in crate::replication::coordinator) fn ask(
        &mut self,
        operation: &mut Operation,
        call: &mut Call<'_>,
    ) -> Transition {
        if let Some(failure) = operation.unavailable(call.cx) {
            return Transition::fail(failure);
        }
        let replicas = operation.replicas;
        let mut targets = operation.candidates(call.cx, call.now);
        targets.retain(|node| replicas.set_of(*node).and(self.passed).is_empty());
        if self.fanout != Fanout::All {
            targets.truncate(1);
        }
        if targets.is_empty() {
            self.passed = ReplicaSet::EMPTY;
            return operation.pause(call);
        }
        for node in &targets {
            self.asked = self.asked.or(replicas.set_of(*node));
            let id = join_id(call.id, operation.stage);
            call.cx.ask(*node, id, self.command.clone());
        }
        self.order = targets;
        self.is_sent = true;
        operation.wait_for_answers(call, self.is_read())
    }

    pub(in crate::replication::coordinator) fn handle(
        &mut self,
        operation: &mut Operation,
        call: &mut Call<'_>,
        from: NodeIndex,
        result: Result<Answer, PlainRefusal>,
    ) -> Transition {
        let who = operation.replicas.set_of(from);
        self.asked = self.asked.without(who);
        match result {
            Ok(answer) => self.answers.push((from, Ok(answer))),
            Err(PlainRefusal::Error(text)) => self.answers.push((from, Err(text))),
            Err(PlainRefusal::Loading) => self.passed = self.passed.or(who),
        }
        self.evaluate(operation, call)
    }

    /// Those asked are silent: they are no longer chosen, and the next one's word counts.
    pub(in crate::replication::coordinator) fn handle_silence(
        &mut self,
        operation: &mut Operation,
        call: &mut Call<'_>,
    ) -> Transition {
        self.passed = self.passed.or(self.asked);
        self.asked = ReplicaSet::EMPTY;
        call.cx.statistics.failovers += 1;
        self.evaluate(operation, call)
    }

    /// Some of those asked cannot be reached any more: the next one's word counts at once.
    pub(in crate::replication::coordinator) fn handle_lost(
        &mut self,
        operation: &mut Operation,
        call: &mut Call<'_>,
    ) -> Transition {
        let up = operation.replicas.filter(|node| call.cx.peers.is_up(node));
        self.asked = self.asked.and(up);
        call.cx.statistics.failovers += 1;
        self.evaluate(operation, call)
    }

    /// Answers if the first of those whose word counts has answered; asks on if nobody is left.
    fn evaluate(&mut self, operation: &mut Operation, call: &mut Call<'_>) -> Transition {
        let replicas = operation.replicas;
        for node in &self.order {
            if let Some((_, result)) = self.answers.iter().find(|(from, _)| from == node) {
                let result = self.finish(operation, call.cx, *node, result.clone());
                return Transition::Done(result);
            }
            if !replicas.set_of(*node).and(self.asked).is_empty() {
                return Transition::Wait;
            }
        }
        self.ask(operation, call)
    }

    fn finish(
        &self,
        operation: &Operation,
        cx: &mut Context,
        from: NodeIndex,
        result: Result<Answer, String>,
    ) -> Result<Answer, Failure> {
        let answer = result.map_err(|text| Failure::Refused {
            node: cx.peers.id(from),
            text,
        })?;
        match (&operation.task, &answer) {
            (Task::Lease, Answer::Value(None)) => {
                let version = Version::ZERO;
                return Ok(Answer::Leased(Lease { version }));
            }
            (Task::Get, Answer::Value(None)) => cx.statistics.misses += 1,
            (Task::Get, Answer::Value(Some(_))) => cx.statistics.hits += 1,
            _ => {}
        }
        if self.fanout == Fanout::OneThenAll
            && let Some(effect) = effect(&self.command, &answer)
        {
            copy_effect(cx, &operation.replicas, from, &effect);
        }
        Ok(answer)
    }
}

/// Has the other replicas do what `done_by` did. Nobody waits for their answers.
fn copy_effect(cx: &mut Context, replicas: &Preference, done_by: NodeIndex, effect: &PlainCommand) {
    let others = replicas.nodes().iter();
    for node in others.filter(|node| **node != done_by) {
        if cx.peers.is_up(*node) {
            cx.ask(*node, 0, effect.clone());
        }
    }
}

impl Context {
    /// Asks a node that speaks plain Redis.
    pub(in crate::replication::coordinator) fn ask(
        &mut self,
        node: NodeIndex,
        id: u64,
        command: PlainCommand,
    ) {
        let question = PlainQuestion::Command(id, command);
        self.out.push_back(Action::Ask(node, question));
    }
}

/// What one task is in the words of Redis.
fn command(key: &Bytes, task: &Task) -> PlainCommand {
    let key = Bytes::clone(key);
    match task.clone() {
        Task::Get | Task::Lease => PlainCommand::Get(key),
        Task::Exists => PlainCommand::Exists(key),
        Task::Expiry => PlainCommand::Expiry(key),
        Task::Delete => PlainCommand::Delete(key),
        Task::Set { value, expire_at } => {
            let update = Update::Set(Set::expiring(value, expire_at));
            PlainCommand::Update { key, update }
        }
        // The best that can be had without versions: it replaces nothing.
        Task::Fill {
            value, expire_at, ..
        } => {
            let update = Update::Set(Set {
                condition: Condition::IfAbsent,
                ..Set::expiring(value, expire_at)
            });
            PlainCommand::Update { key, update }
        }
        Task::Update(update) => PlainCommand::Update { key, update },
    }
}

fn fanout(command: &PlainCommand) -> Fanout {
    match command {
        PlainCommand::Get(_) | PlainCommand::Exists(_) | PlainCommand::Expiry(_) => Fanout::One,
        PlainCommand::Update { update, .. } if update.depends_on_present() => Fanout::OneThenAll,
        PlainCommand::Update { .. }
        | PlainCommand::Delete(_)
        | PlainCommand::Flush
        | PlainCommand::Count => Fanout::All,
    }
}

/// The command that leaves the other replicas as the first one is now, which gave this answer; `None` if that changed
/// nothing.
fn effect(command: &PlainCommand, answer: &Answer) -> Option<PlainCommand> {
    let PlainCommand::Update { key, update } = command else {
        return None;
    };
    let update = match (update, answer) {
        (Update::Set(set), Answer::Done | Answer::Count(1)) => Update::Set(set.clone()),
        (Update::Set(set), Answer::Value(former)) => {
            let wants_some = set.condition == Condition::IfPresent;
            (wants_some == former.is_some()).then(|| Update::Set(set.clone()))?
        }
        (Update::Edit { edit, .. }, answer) if edit.answers_with_value() => Update::Set(Set {
            expiry: Expiry::Keep,
            ..Set::new(value_of(answer)?)
        }),
        (Update::Edit { .. }, _) => update.clone(),
        (Update::Expire { at, .. }, Answer::Count(1)) => Update::Expire {
            at: *at,
            condition: ExpireCondition::Always,
        },
        _ => return None,
    };
    let update = match update {
        Update::Set(set) => Update::Set(Set {
            condition: Condition::Always,
            reply: SetReply::Done,
            ..set
        }),
        update => update,
    };
    let key = Bytes::clone(key);
    Some(PlainCommand::Update { key, update })
}

/// The value that an answer tells.
fn value_of(answer: &Answer) -> Option<Bytes> {
    match answer {
        Answer::Count(number) => Some(number.to_string().into_bytes().into()),
        Answer::Value(value) => value.clone(),
        _ => None,
    }
}
