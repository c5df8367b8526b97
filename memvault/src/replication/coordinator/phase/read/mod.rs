//! The coordinator's part of a read: at ONE the leader's word, at QUORUM and ALL what the replicas know
//! together.
//!
//! At AUTO a read is a read at ONE, unless the view of one of the replicas changed lately: then a new leader
//! may not know yet what the old one knew, so the read asks a quorum, and only falls back to the best it can
//! get where a quorum is not to be had. So it does when the leader does not answer.

mod verdict;

use alloc::vec::Vec;

use super::repair::RepairPhase;
use super::{Next, Transition};
use crate::consistency::Level;
use crate::replication::Now;
use crate::replication::context::Context;
use crate::replication::coordinator::operation::{Call, Operation};
use crate::replication::coordinator::task::AsksFor;
use crate::replication::coordinator::{Levels, join_id};
use crate::replication::entry::{Bytes, Entry};
use crate::replication::membership::preference::{Preference, ReplicaSet};
use crate::replication::rules::Rule;
use crate::replication::wire::message::{Body, NodeState, OfferKind, Prepare, ReadReply};
use crate::ring::NodeIndex;
use crate::version::Version;
use verdict::{Verdict, is_warming};

/// How many replicas a read needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// The leader's word.
    One,
    /// A quorum if it can be had, else the best there is.
    Settle,
    /// A quorum.
    Quorum,
    /// Every replica.
    All,
}

/// A read, as far as it has come.
pub(in crate::replication::coordinator) struct ReadPhase {
    mode: Mode,
    /// What those asked are to promise.
    promise: Option<Prepare>,
    /// Who was asked and has not answered.
    pub(super) asked: ReplicaSet,
    /// Who answered that it is starting up, or did not answer at ONE.
    passed: ReplicaSet,
    /// Whether members that do not serve yet are left in peace, as long as the others suffice: they have enough to do.
    spares: bool,
    answers: Vec<ReplicaReply>,
}

/// One replica's answer.
#[derive(Clone, Debug)]
pub(super) struct ReplicaReply {
    node: NodeIndex,
    entry: Option<Entry>,
    unconfirmed: bool,
    floor: Version,
    /// It may not know what the others know: what it alone holds may be long gone.
    behind: bool,
    /// It has yet to take the key over, and nobody relies on it so far.
    is_pending: bool,
}

impl ReadPhase {
    /// One that has asked nobody yet.
    pub(in crate::replication::coordinator) fn new(
        operation: &mut Operation,
        call: &mut Call<'_>,
    ) -> Self {
        let (cx, now) = (&mut *call.cx, call.now);
        let mode = choose_mode(operation, cx, now);
        operation.next_stage();
        let promise = match operation.asks_for {
            AsksFor::Nothing => None,
            AsksFor::Promises => Some(Prepare::Update(cx.hlc.tick(now.wall))),
            AsksFor::Leases => Some(Prepare::Fill(cx.hlc.tick(now.wall))),
        };
        Self {
            mode,
            promise,
            asked: ReplicaSet::EMPTY,
            passed: ReplicaSet::EMPTY,
            spares: true,
            answers: Vec::new(),
        }
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
        let targets = self.targets(operation, call.cx, call.now);
        if targets.is_empty() {
            if self.asked.is_empty() {
                self.passed = ReplicaSet::EMPTY;
                return operation.pause(call);
            }
            return Transition::Wait;
        }
        self.asked = self.asked.or(targets);
        for node in operation.replicas.members(targets) {
            let question = Body::Read {
                key: Bytes::clone(&operation.key),
                promise: self.promise,
            };
            let id = join_id(call.id, operation.stage);
            call.cx.send(node, id, question);
        }
        operation.wait_for_answers(call, true)
    }

    /// Who should be asked next.
    fn targets(&self, operation: &Operation, cx: &Context, now: Now) -> ReplicaSet {
        let replicas = &operation.replicas;
        let unheard = match self.mode {
            Mode::One => return self.next_candidate(replicas, &operation.candidates(cx, now)),
            Mode::Settle => self.unheard(cx, replicas).and(replicas.current()),
            Mode::Quorum | Mode::All => self.unheard(cx, replicas),
        };
        let unheard = unheard.without(self.asked.or(self.passed));
        self.without_spared(cx, replicas, unheard)
    }

    /// Those of `unheard` who are to be asked as long as nobody is silent and the answers agree.
    fn without_spared(
        &self,
        cx: &Context,
        replicas: &Preference,
        unheard: ReplicaSet,
    ) -> ReplicaSet {
        let serves =
            |node| cx.peers.is_live(node) && cx.peers.state(node) == Some(NodeState::Serving);
        let serving = unheard.and(replicas.filter(serves));
        let under_way = self.asked.or(serving);
        let expected = under_way.or(self.answered(replicas));
        let suffices = match self.mode {
            Mode::Settle => replicas.is_read_quorum_of_present(expected),
            Mode::Quorum => replicas.is_quorum(expected),
            Mode::One | Mode::All => false,
        };
        if self.spares && suffices && !under_way.is_empty() {
            serving
        } else {
            unheard
        }
    }

    pub(in crate::replication::coordinator) fn handle(
        &mut self,
        operation: &mut Operation,
        call: &mut Call<'_>,
        from: NodeIndex,
        reply: ReadReply,
    ) -> Transition {
        let who = operation.replicas.set_of(from);
        self.asked = self.asked.without(who);
        match reply {
            ReadReply::Overtaken { current } => {
                if call.cx.observe(call.now, current) {
                    return Transition::Next(Next::ReadAfterPause);
                }
                // What overtook us is from a wrong clock, or does not exist: it is as good as silent.
                self.passed = self.passed.or(who);
            }
            ReadReply::Loading => {
                self.passed = self.passed.or(who);
                self.doubt_heirs(call.cx);
                call.note_loading(from);
            }
            ReadReply::Holds {
                entry,
                unconfirmed,
                floor,
                behind,
            } => {
                let held = entry.as_ref().map_or(Version::ZERO, |entry| entry.version);
                if call.cx.observe(call.now, held.max(floor)) {
                    self.note(ReplicaReply {
                        node: from,
                        entry,
                        unconfirmed,
                        floor,
                        behind,
                        is_pending: false,
                    });
                    if behind {
                        self.doubt_heirs(call.cx);
                    }
                } else {
                    // It holds or has forgotten something from a wrong clock: it is as good as silent.
                    self.passed = self.passed.or(who);
                }
            }
            ReadReply::Pending => self.note(ReplicaReply {
                node: from,
                entry: None,
                unconfirmed: false,
                floor: Version::ZERO,
                behind: false,
                is_pending: true,
            }),
        }
        self.evaluate(operation, call)
    }

    /// What a replica says now replaces what it said before.
    fn note(&mut self, reply: ReplicaReply) {
        self.answers.retain(|other| other.node != reply.node);
        self.answers.push(reply);
    }

    /// Some of those asked are silent: ask others, and at ONE no longer choose them.
    pub(in crate::replication::coordinator) fn handle_silence(
        &mut self,
        operation: &mut Operation,
        call: &mut Call<'_>,
    ) -> Transition {
        let warming = operation.replicas.filter(|node| is_warming(call.cx, node));
        self.passed = self.passed.or(match self.mode {
            Mode::One => self.asked,
            _ => self.asked.and(warming),
        });
        self.asked = ReplicaSet::EMPTY;
        self.spares = false;
        self.doubt_heirs(call.cx);
        self.evaluate(operation, call)
    }

    /// Some of those asked cannot be reached any more: go on with the others at once.
    pub(in crate::replication::coordinator) fn handle_lost(
        &mut self,
        operation: &mut Operation,
        call: &mut Call<'_>,
    ) -> Transition {
        operation.is_repeated = true;
        let up = operation.replicas.filter(|node| call.cx.peers.is_up(node));
        self.asked = self.asked.and(up);
        self.doubt_heirs(call.cx);
        call.cx.statistics.failovers += 1;
        self.evaluate(operation, call)
    }

    /// Answers if enough is known; otherwise asks on.
    fn evaluate(&mut self, operation: &mut Operation, call: &mut Call<'_>) -> Transition {
        let replicas = &operation.replicas;
        let verdict = match self.mode {
            Mode::One => self.first_answer(),
            Mode::Settle => {
                let leader = leader_of_own_writes(operation, call.cx, call.now);
                self.settling_verdict(call.cx, replicas, leader)
            }
            Mode::Quorum | Mode::All => {
                self.agreed(call.cx, call.now, replicas, operation.levels.read)
            }
        };
        let promises = self.promise.is_some();
        Transition::Next(match verdict {
            Verdict::Unknown => return self.ask(operation, call),
            Verdict::Found(found) => {
                if !promises {
                    self.repair_stale(operation, call.cx);
                }
                Next::Found(found)
            }
            Verdict::WriteBack(best) if promises => Next::Found(self.found(Some(best), false)),
            Verdict::WriteBack(best) => {
                let votes = self.votes_on(replicas, best.version);
                Next::Repair(RepairPhase::new(call.cx, best, votes))
            }
            Verdict::Fail(_) if promises && promise_mode(operation, call.cx) == Mode::Settle => {
                Next::Read
            }
            Verdict::Fail(failure) => return Transition::fail(failure),
        })
    }

    /// Brings replicas that answered with an older version up to date, without waiting for them, as far as the budget
    /// of repeated work goes: most of them are about to hear it from the one that leads the write.
    fn repair_stale(&self, operation: &Operation, cx: &mut Context) {
        let Some(best) = self.best_confirmed() else {
            return;
        };
        let answers = self.answers.iter();
        for reply in answers.filter(|reply| !reply.is_pending && reply.is_older_than(best.version))
        {
            if !operation.can_afford_message(cx) {
                return;
            }
            cx.statistics.read_repairs += 1;
            let offer = Body::Offer {
                key: Bytes::clone(&operation.key),
                entry: best.clone(),
                kind: OfferKind::Repair,
            };
            cx.send(reply.node, 0, offer);
        }
    }
}

/// How many replicas a read of this operation needs now.
fn choose_mode(operation: &Operation, cx: &Context, now: Now) -> Mode {
    let settle = cx.config.settle;
    let mut replicas = operation.replicas.nodes().iter();
    let settling = replicas.any(|node| cx.peers.is_settling(now.instant, *node, settle))
        || cx.changed_at.is_some_and(|at| now.instant - at < settle);
    match operation.levels.read {
        _ if operation.asks_for != AsksFor::Nothing => promise_mode(operation, cx),
        Level::Quorum => Mode::Quorum,
        Level::All => Mode::All,
        Level::One | Level::Auto if settling && cx.rules.keep(Rule::LeadersSettle) => Mode::Settle,
        Level::One | Level::Auto => Mode::One,
    }
}

/// A quorum, unless no level was named and too many replicas are known to be down.
fn promise_mode(operation: &Operation, cx: &Context) -> Mode {
    let within_reach = operation.replicas.filter(|node| !cx.peers.is_down(node));
    if is_strict(operation.levels) || operation.replicas.is_read_quorum(within_reach) {
        Mode::Quorum
    } else {
        Mode::Settle
    }
}

/// Whether a level was named that needs a quorum.
fn is_strict(Levels { write, read }: Levels) -> bool {
    let needs_quorum = |level| matches!(level, Level::Quorum | Level::All);
    needs_quorum(write) || needs_quorum(read)
}

/// Who alone may know what was written at ONE, if this caller writes so: a quorum of the others does not tell.
fn leader_of_own_writes(operation: &Operation, cx: &Context, now: Now) -> Option<NodeIndex> {
    if operation.levels.write != Level::One {
        return None;
    }
    let mut leaders = operation.replicas.leaders().iter().copied();
    leaders.find(|node| cx.peers.may_lead(now.instant, *node))
}
