//! The coordinator's part where nodes speak plain Redis: it writes to the replicas itself.
//!
//! A read asks the first replica that can be chosen, and the next one when that is lost or silent. A write
//! goes to all of them at once, and the first one's answer is the answer; the others only count once those
//! before them are lost or silent. A write that depends on what is there (`NX`, `XX`, conditions of
//! `EXPIRE`, `INCR`, `APPEND`) asks the first alone, and is copied to the others once it took effect, so that all of them do
//! what the first one did.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::super::Now;
use super::super::context::Context;
use super::super::entry::Bytes;
use super::super::plain::{PlainCommand, PlainQuestion, PlainRefusal};
use super::super::preference::ReplicaSet;
use super::super::request::{Answer, Failure, Lease};
use super::operation::{Operation, Phase, Task};
use super::{Coordinator, Step, join_id};
use crate::command::{Condition, ExpireCondition, Expiry, Set, SetReply, Update};
use crate::ring::NodeIndex;
use crate::version::Version;

/// A command under way, as far as it has come.
pub(super) struct PlainPhase {
    command: PlainCommand,
    reach: Reach,
    /// Who was asked, and has neither answered nor been given up.
    pub(super) asked: ReplicaSet,
    /// Who was silent or not ready: asked again only when nobody else is left.
    passed: ReplicaSet,
    /// Whose word counts, best first.
    order: Vec<NodeIndex>,
    answers: Vec<(NodeIndex, Result<Answer, String>)>,
    /// Whether anybody was ever asked.
    pub(super) is_sent: bool,
}

/// Whom a command goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// One replica: it is a read.
    One,
    /// One replica; its effect goes to the others.
    OneThenAll,
    /// All replicas.
    All,
}

impl PlainPhase {
    /// Whether it changes nothing.
    pub(super) const fn is_read(&self) -> bool {
        matches!(self.reach, Reach::One)
    }
}

impl Operation {
    pub(super) fn begin_plain(
        &mut self,
        cx: &mut Context,
        timers: &mut Coordinator,
        now: Now,
        id: u64,
    ) -> Step {
        let command = command(&self.key, &self.task);
        self.stage = self.stage.wrapping_add(1);
        self.phase = Phase::Plain(PlainPhase {
            reach: reach(&command),
            command,
            asked: ReplicaSet::EMPTY,
            passed: ReplicaSet::EMPTY,
            order: Vec::new(),
            answers: Vec::new(),
            is_sent: false,
        });
        self.ask_plain(cx, timers, now, id)
    }

    /// Asks whoever should be asked next.
    pub(super) fn ask_plain(
        &mut self,
        cx: &mut Context,
        timers: &mut Coordinator,
        now: Now,
        id: u64,
    ) -> Step {
        if self.is_hopeless(cx) {
            return Step::Done(Err(cx.unavailable(&self.replicas)));
        }
        let candidates = self.candidates(cx, now);
        let (replicas, stage) = (self.replicas, self.stage);
        let Phase::Plain(plain) = &mut self.phase else {
            return Step::Wait;
        };
        let mut targets = candidates;
        targets.retain(|node| replicas.set_of(*node).and(plain.passed).is_empty());
        if plain.reach != Reach::All {
            targets.truncate(1);
        }
        if targets.is_empty() {
            plain.passed = ReplicaSet::EMPTY;
            timers.pauses.start(now.instant, self.timer(id));
            return Step::Wait;
        }
        for node in &targets {
            plain.asked = plain.asked.or(replicas.set_of(*node));
            cx.ask(*node, join_id(id, stage), plain.command.clone());
        }
        plain.order = targets;
        plain.is_sent = true;
        let is_read = plain.is_read();
        let timer = self.timer(id);
        timers.wait_on(now, timer, is_read)
    }

    pub(super) fn handle_answered(
        &mut self,
        cx: &mut Context,
        timers: &mut Coordinator,
        now: Now,
        id: u64,
        (from, result): (NodeIndex, Result<Answer, PlainRefusal>),
    ) -> Step {
        let who = self.replicas.set_of(from);
        let Phase::Plain(plain) = &mut self.phase else {
            return Step::Wait;
        };
        plain.asked = plain.asked.without(who);
        match result {
            Ok(answer) => plain.answers.push((from, Ok(answer))),
            Err(PlainRefusal::Error(text)) => plain.answers.push((from, Err(text))),
            Err(PlainRefusal::Loading) => plain.passed = plain.passed.or(who),
        }
        self.evaluate_plain(cx, timers, now, id)
    }

    /// Those asked are silent: they are no longer chosen, and the next one's word counts.
    pub(super) fn handle_plain_silence(
        &mut self,
        cx: &mut Context,
        timers: &mut Coordinator,
        now: Now,
        id: u64,
    ) -> Step {
        let Phase::Plain(plain) = &mut self.phase else {
            return Step::Wait;
        };
        plain.passed = plain.passed.or(plain.asked);
        plain.asked = ReplicaSet::EMPTY;
        cx.statistics.failovers += 1;
        self.evaluate_plain(cx, timers, now, id)
    }

    /// Some of those asked cannot be reached any more: the next one's word counts at once.
    pub(super) fn handle_plain_lost(
        &mut self,
        cx: &mut Context,
        timers: &mut Coordinator,
        now: Now,
        id: u64,
    ) -> Step {
        let up = self.replicas.filter(|node| cx.peers.is_up(node));
        if let Phase::Plain(plain) = &mut self.phase {
            plain.asked = plain.asked.and(up);
            cx.statistics.failovers += 1;
        }
        self.evaluate_plain(cx, timers, now, id)
    }

    /// Answers if the first of those whose word counts has answered; asks on if nobody is left.
    fn evaluate_plain(
        &mut self,
        cx: &mut Context,
        timers: &mut Coordinator,
        now: Now,
        id: u64,
    ) -> Step {
        let replicas = self.replicas;
        let Phase::Plain(plain) = &mut self.phase else {
            return Step::Wait;
        };
        for node in &plain.order {
            if let Some((_, result)) = plain.answers.iter().find(|(from, _)| from == node) {
                let (node, result) = (*node, result.clone());
                return Step::Done(self.finish_plain(cx, node, result));
            }
            if !replicas.set_of(*node).and(plain.asked).is_empty() {
                return Step::Wait;
            }
        }
        self.ask_plain(cx, timers, now, id)
    }

    fn finish_plain(
        &self,
        cx: &mut Context,
        from: NodeIndex,
        result: Result<Answer, String>,
    ) -> Result<Answer, Failure> {
        let answer = result.map_err(|text| Failure::Refused {
            node: cx.peers.id(from),
            text,
        })?;
        match (&self.task, &answer) {
            (Task::Lease, Answer::Value(None)) => {
                let tag = Version::ZERO;
                return Ok(Answer::Leased(Lease { tag }));
            }
            (Task::Get, Answer::Value(None)) => cx.statistics.misses += 1,
            (Task::Get, Answer::Value(Some(_))) => cx.statistics.hits += 1,
            _ => {}
        }
        if let Phase::Plain(plain) = &self.phase
            && plain.reach == Reach::OneThenAll
            && let Some(effect) = effect(&plain.command, &answer)
        {
            self.copy_effect(cx, from, &effect);
        }
        Ok(answer)
    }

    /// Has the other replicas do what `done_by` did. Nobody waits for their answers.
    fn copy_effect(&self, cx: &mut Context, done_by: NodeIndex, effect: &PlainCommand) {
        let others = self.replicas.nodes().iter();
        for node in others.filter(|node| **node != done_by) {
            if cx.peers.is_up(*node) {
                cx.ask(*node, 0, effect.clone());
            }
        }
    }
}

impl Context {
    /// Asks a node that speaks plain Redis.
    pub(super) fn ask(&mut self, node: NodeIndex, id: u64, command: PlainCommand) {
        let question = PlainQuestion::Command(id, command);
        self.out
            .push_back(super::super::action::Action::Ask(node, question));
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

fn reach(command: &PlainCommand) -> Reach {
    match command {
        PlainCommand::Get(_) | PlainCommand::Exists(_) | PlainCommand::Expiry(_) => Reach::One,
        PlainCommand::Update { update, .. } if update.depends_on_present() => Reach::OneThenAll,
        PlainCommand::Update { .. }
        | PlainCommand::Delete(_)
        | PlainCommand::Flush
        | PlainCommand::Count => Reach::All,
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
