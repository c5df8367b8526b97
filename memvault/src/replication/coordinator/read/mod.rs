//! The coordinator's part of a read: at ONE the leader's word, at QUORUM and ALL what the replicas know
//! together.
//!
//! At AUTO a read is a read at ONE, unless the view of one of the replicas changed lately: then a new leader
//! may not know yet what the old one knew, so the read asks a quorum, and only falls back to the best it can
//! get where a quorum is not to be had. So it does when the leader does not answer.

mod verdict;

use alloc::vec::Vec;

use super::super::Now;
use super::super::context::Context;
use super::super::entry::{Bytes, Entry};
use super::super::message::{Body, NodeState, OfferKind, Prepare, ReadReply};
use super::super::preference::ReplicaSet;
use super::super::rules::Rule;
use super::operation::{AsksFor, Operation, Phase};
use super::{Coordinator, Levels, Step, join_id};
use crate::consistency::Level;
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
pub(super) struct ReadPhase {
    mode: Mode,
    /// What those asked are to promise.
    promise: Option<Prepare>,
    /// Who was asked and has not answered.
    pub(super) asked: ReplicaSet,
    /// Who answered that it is starting up, or did not answer at ONE.
    passed: ReplicaSet,
    answers: Vec<Vouch>,
}

/// One replica's answer.
#[derive(Clone, Debug)]
pub(super) struct Vouch {
    node: NodeIndex,
    entry: Option<Entry>,
    unconfirmed: bool,
    floor: Version,
    /// It may not know what the others know: what it alone holds may be long gone.
    behind: bool,
    /// It has yet to take the key over, and nobody relies on it so far.
    gains: bool,
}

/// What those who answered have to do with one version.
#[derive(Debug, Default)]
pub(super) struct Votes {
    pub(super) holders: ReplicaSet,
    pub(super) willing: ReplicaSet,
    pub(super) unwilling: ReplicaSet,
}

/// What a read found out.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The entry; may be a tombstone or past its time, which is a miss.
    pub(super) entry: Option<Entry>,
    /// Whether a quorum holds it.
    pub(super) settled: bool,
    /// The tag that was promised, if promises were asked for.
    pub(super) promised: Option<Version>,
    /// The newest version that any of those who answered holds or may have forgotten.
    pub(super) newest: Version,
}

impl Operation {
    pub(super) fn begin_read(
        &mut self,
        cx: &mut Context,
        timers: &mut Coordinator,
        now: Now,
        id: u64,
    ) -> Step {
        self.prepare_read(cx, now);
        self.ask(cx, timers, now, id)
    }

    /// Starts the read over a little later.
    pub(super) fn begin_read_after_pause(
        &mut self,
        cx: &mut Context,
        timers: &mut Coordinator,
        now: Now,
        id: u64,
    ) -> Step {
        self.prepare_read(cx, now);
        timers.pauses.start(now.instant, self.timer(id));
        Step::Wait
    }

    fn prepare_read(&mut self, cx: &mut Context, now: Now) {
        let settle = cx.config.settle;
        let settling = self
            .replicas
            .nodes()
            .iter()
            .any(|node| cx.peers.is_settling(now.instant, *node, settle))
            || cx.changed_at.is_some_and(|at| now.instant - at < settle);
        let mode = match self.levels.read {
            _ if self.asks_for != AsksFor::Nothing => self.promise_mode(cx),
            Level::Quorum => Mode::Quorum,
            Level::All => Mode::All,
            Level::One | Level::Auto if settling && cx.rules.keep(Rule::LeadersSettle) => {
                Mode::Settle
            }
            Level::One | Level::Auto => Mode::One,
        };
        self.stage = self.stage.wrapping_add(1);
        let promise = match self.asks_for {
            AsksFor::Nothing => None,
            AsksFor::Promises => Some(Prepare::Update(cx.hlc.tick(now.wall))),
            AsksFor::Leases => Some(Prepare::Fill(cx.hlc.tick(now.wall))),
        };
        self.phase = Phase::Read(ReadPhase {
            mode,
            promise,
            asked: ReplicaSet::EMPTY,
            passed: ReplicaSet::EMPTY,
            answers: Vec::new(),
        });
    }

    /// A quorum, unless no level was named and too many replicas are known to be down.
    fn promise_mode(&self, cx: &Context) -> Mode {
        let within_reach = self.replicas.filter(|node| !cx.peers.is_down(node));
        if self.is_strict() || self.replicas.is_read_quorum(within_reach) {
            Mode::Quorum
        } else {
            Mode::Settle
        }
    }

    /// Whether a level was named that needs a quorum.
    fn is_strict(&self) -> bool {
        let Levels { write, read } = self.levels;
        [write, read]
            .iter()
            .any(|level| matches!(level, Level::Quorum | Level::All))
    }

    /// Asks whoever should be asked next.
    pub(super) fn ask(
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
        let Phase::Read(read) = &mut self.phase else {
            return Step::Wait;
        };
        let targets = match read.mode {
            Mode::One => read.next_candidate(&replicas, &candidates),
            Mode::Settle => read
                .unheard(cx, &replicas)
                .and(replicas.current())
                .without(read.asked.or(read.passed)),
            Mode::Quorum | Mode::All => read
                .unheard(cx, &replicas)
                .without(read.asked.or(read.passed)),
        };
        if targets.is_empty() {
            if read.asked.is_empty() {
                read.passed = ReplicaSet::EMPTY;
                timers.pauses.start(now.instant, self.timer(id));
            }
            return Step::Wait;
        }
        read.asked = read.asked.or(targets);
        let promise = read.promise;
        for node in replicas.members(targets) {
            let key = Bytes::clone(&self.key);
            let question = Body::Read { key, promise };
            cx.send(node, join_id(id, stage), question);
        }
        timers.read_attempts.start(now.instant, self.timer(id));
        Step::Wait
    }

    pub(super) fn handle_held(
        &mut self,
        cx: &mut Context,
        timers: &mut Coordinator,
        now: Now,
        id: u64,
        from: NodeIndex,
        reply: ReadReply,
    ) -> Step {
        let who = self.replicas.set_of(from);
        let Phase::Read(read) = &mut self.phase else {
            return Step::Wait;
        };
        read.asked = read.asked.without(who);
        match reply {
            ReadReply::Overtaken { current } => {
                if cx.observe(now, current) {
                    return self.begin_read_after_pause(cx, timers, now, id);
                }
                // What overtook us is from a wrong clock, or does not exist: it is as good as silent.
                read.passed = read.passed.or(who);
            }
            ReadReply::Loading => {
                read.passed = read.passed.or(who);
                read.doubt_heirs(cx);
                if cx.peers.state(from) == Some(NodeState::Serving) {
                    cx.set_state(now, from, NodeState::Warming);
                }
            }
            ReadReply::Holds {
                entry,
                unconfirmed,
                floor,
                behind,
            } => {
                let held = entry.as_ref().map_or(Version::ZERO, |entry| entry.version);
                if !cx.observe(now, held.max(floor)) {
                    // It holds or has forgotten something from a wrong clock: it is as good as silent.
                    read.passed = read.passed.or(who);
                    return self.evaluate(cx, timers, now, id);
                }
                read.answers.retain(|vouch| vouch.node != from);
                read.answers.push(Vouch {
                    node: from,
                    entry,
                    unconfirmed,
                    floor,
                    behind,
                    gains: false,
                });
                if behind {
                    read.doubt_heirs(cx);
                }
            }
            ReadReply::Gaining => {
                read.answers.retain(|vouch| vouch.node != from);
                read.answers.push(Vouch {
                    node: from,
                    entry: None,
                    unconfirmed: false,
                    floor: Version::ZERO,
                    behind: false,
                    gains: true,
                });
            }
        }
        self.evaluate(cx, timers, now, id)
    }

    /// Some of those asked are silent: ask others, and at ONE no longer choose them.
    pub(super) fn handle_read_silence(
        &mut self,
        cx: &mut Context,
        timers: &mut Coordinator,
        now: Now,
        id: u64,
    ) -> Step {
        let Phase::Read(read) = &mut self.phase else {
            return Step::Wait;
        };
        let warming = self.replicas.filter(|node| is_warming(cx, node));
        read.passed = read.passed.or(match read.mode {
            Mode::One => read.asked,
            _ => read.asked.and(warming),
        });
        read.asked = ReplicaSet::EMPTY;
        read.doubt_heirs(cx);
        self.evaluate(cx, timers, now, id)
    }

    /// Some of those asked cannot be reached any more: go on with the others at once.
    pub(super) fn handle_read_lost(
        &mut self,
        cx: &mut Context,
        timers: &mut Coordinator,
        now: Now,
        id: u64,
    ) -> Step {
        self.is_repeated = true;
        let up = self.replicas.filter(|node| cx.peers.is_up(node));
        if let Phase::Read(read) = &mut self.phase {
            read.asked = read.asked.and(up);
            read.doubt_heirs(cx);
            cx.statistics.failovers += 1;
        }
        self.evaluate(cx, timers, now, id)
    }

    /// Who alone may know what was written at ONE, if this caller writes so: a quorum of the others does not tell.
    fn leader_of_own_writes(&self, cx: &Context, now: Now) -> Option<NodeIndex> {
        if self.levels.write != Level::One {
            return None;
        }
        let mut leaders = self.replicas.leaders().iter().copied();
        leaders.find(|node| cx.peers.may_lead(now.instant, *node))
    }

    /// Answers if enough is known; otherwise asks on.
    pub(super) fn evaluate(
        &mut self,
        cx: &mut Context,
        timers: &mut Coordinator,
        now: Now,
        id: u64,
    ) -> Step {
        let (replicas, level) = (self.replicas, self.levels.read);
        let leader = self.leader_of_own_writes(cx, now);
        let Phase::Read(read) = &mut self.phase else {
            return Step::Wait;
        };
        let promise = read.promise;
        let verdict = match read.mode {
            Mode::One => read.first_answer(),
            Mode::Settle => read.settled(cx, &replicas, leader),
            Mode::Quorum | Mode::All => read.agreed(cx, now, &replicas, level),
        };
        match verdict {
            Verdict::Found(found) => {
                if promise.is_none() {
                    self.repair_stale(cx);
                }
                self.finish_read(cx, timers, now, id, found)
            }
            Verdict::WriteBack(best) if promise.is_some() => {
                let found = read.found(Some(best), false);
                self.finish_read(cx, timers, now, id, found)
            }
            Verdict::Fail(_) if promise.is_some() && self.promise_mode(cx) == Mode::Settle => {
                self.begin_read(cx, timers, now, id)
            }
            Verdict::WriteBack(best) => self.begin_repair(cx, timers, now, id, best),
            Verdict::Fail(failure) => Step::Done(Err(failure)),
            Verdict::Unknown => self.ask(cx, timers, now, id),
        }
    }

    /// Brings replicas that answered with an older version up to date, without waiting for them.
    fn repair_stale(&self, cx: &mut Context) {
        let Phase::Read(read) = &self.phase else {
            return;
        };
        let Some(best) = read.best_confirmed().cloned() else {
            return;
        };
        for vouch in read
            .answers
            .iter()
            .filter(|vouch| !vouch.gains && vouch.is_older_than(best.version))
        {
            cx.statistics.read_repairs += 1;
            let (key, entry) = (Bytes::clone(&self.key), best.clone());
            cx.send(
                vouch.node,
                0,
                Body::Offer {
                    key,
                    entry,
                    kind: OfferKind::Repair,
                },
            );
        }
    }
}
