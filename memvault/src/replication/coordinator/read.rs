//! The coordinator's part of a read: at ONE the leader's word, at QUORUM and ALL what the replicas know
//! together.
//!
//! At AUTO a read is a read at ONE, unless the view of one of the replicas changed lately: then a new leader
//! may not know yet what the old one knew, so the read asks a quorum, and only falls back to the best it can
//! get where a quorum is not to be had. So it does when the leader does not answer.

use alloc::vec::Vec;

use super::super::Now;
use super::super::config::{Level, quorum};
use super::super::context::Context;
use super::super::entry::{Bytes, Entry};
use super::super::message::{Body, NodeState, OfferKind, Prepare, ReadReply};
use super::super::preference::{Preference, ReplicaSet};
use super::super::request::Failure;
use super::super::resolve::{Resolution, Vote, resolve};
use super::super::rules::Rule;
use super::operation::{AsksFor, Operation, Phase};
use super::{Coordinator, Levels, Step, join_id};
use crate::ring::NodeIndex;
use crate::version::Version;

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
                    gains: false,
                });
            }
            ReadReply::Gaining => {
                read.answers.retain(|vouch| vouch.node != from);
                read.answers.push(Vouch {
                    node: from,
                    entry: None,
                    unconfirmed: false,
                    floor: Version::ZERO,
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
        let replicas = self.replicas;
        let Phase::Read(read) = &mut self.phase else {
            return Step::Wait;
        };
        for node in replicas.members(read.asked) {
            cx.suspect(now, node);
        }
        if read.mode == Mode::One {
            read.passed = read.passed.or(read.asked);
        }
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
        let up = self.replicas.filter(|node| cx.peers.is_up(node));
        if let Phase::Read(read) = &mut self.phase {
            read.asked = read.asked.and(up);
            read.doubt_heirs(cx);
            cx.statistics.failovers += 1;
        }
        self.evaluate(cx, timers, now, id)
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
        let Phase::Read(read) = &mut self.phase else {
            return Step::Wait;
        };
        let promise = read.promise;
        let verdict = match read.mode {
            Mode::One => read.first_answer(),
            Mode::Settle => read.settled(cx, &replicas),
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

/// What the answers so far amount to.
enum Verdict {
    Unknown,
    Found(Found),
    /// This is the newest, but too few replicas hold it.
    WriteBack(Entry),
    Fail(Failure),
}

impl ReadPhase {
    /// The one that was asked at ONE does not answer: whoever takes its place may lack what it acknowledged
    /// last, so one of them alone is not believed.
    fn doubt_heirs(&mut self, cx: &Context) {
        if self.mode == Mode::One && self.asked.is_empty() && cx.rules.keep(Rule::LeadersSettle) {
            self.mode = Mode::Settle;
        }
    }

    /// The next replica to try at ONE.
    fn next_candidate(&self, replicas: &Preference, candidates: &[NodeIndex]) -> ReplicaSet {
        let tried = self.passed.or(self.asked);
        let next = candidates
            .iter()
            .map(|node| replicas.set_of(*node))
            .find(|set| set.and(tried).is_empty());
        next.unwrap_or(ReplicaSet::EMPTY)
    }

    /// Everyone within reach who has not answered.
    fn unheard(&self, cx: &Context, replicas: &Preference) -> ReplicaSet {
        let up = replicas.filter(|node| cx.peers.is_up(node));
        up.without(self.answered(replicas))
    }

    fn answered(&self, replicas: &Preference) -> ReplicaSet {
        replicas.filter(|node| self.answers.iter().any(|vouch| vouch.node == node))
    }

    fn first_answer(&self) -> Verdict {
        self.answers.first().map_or(Verdict::Unknown, |vouch| {
            Verdict::Found(self.found(vouch.entry.clone(), true))
        })
    }

    /// What was found out, and what else is known by then.
    fn found(&self, entry: Option<Entry>, settled: bool) -> Found {
        let known = |vouch: &Vouch| {
            let held = vouch.entry.as_ref().map(|entry| entry.version);
            held.unwrap_or(Version::ZERO).max(vouch.floor)
        };
        let newest = self.answers.iter().map(known).max();
        Found {
            entry,
            settled,
            promised: self.promise.map(Prepare::tag),
            newest: newest.unwrap_or(Version::ZERO),
        }
    }

    /// As good as a quorum can tell; where that is not certain, the newest that anyone holds.
    fn settled(&self, cx: &Context, replicas: &Preference) -> Verdict {
        // What the next replicas know does not matter before they have taken over.
        let present = Preference::collect(replicas.leaders().iter().copied());
        let live = present.filter(|node| cx.peers.counts(node));
        let answered = self.answered(&present);
        let passed = present.translate(replicas, self.passed);
        let all_heard = live.without(answered.or(passed)).is_empty();
        let enough = present.is_read_quorum(answered);
        if self.answers.is_empty() || !enough && !all_heard {
            return Verdict::Unknown;
        }
        match resolve(&present, self.votes(&present)) {
            Resolution::Best { best, .. } => Verdict::Found(self.found(self.holding(best), true)),
            _ if !all_heard => Verdict::Unknown,
            _ => {
                let newest = self.answers.iter().filter_map(|vouch| vouch.entry.as_ref());
                let newest = newest.max_by_key(|entry| entry.version).cloned();
                Verdict::Found(self.found(newest, true))
            }
        }
    }

    /// What a quorum (or, at ALL, everyone) agrees on.
    fn agreed(&self, cx: &Context, now: Now, replicas: &Preference, level: Level) -> Verdict {
        let mode = self.mode;
        let need = move |total: usize| match mode {
            Mode::All => total,
            _ => quorum(total),
        };
        // One that is not known to be down, although no link is up yet, may hold what the others lack.
        let waiting = replicas
            .filter(|node| {
                let is_up = cx.peers.is_up(node);
                let is_warming = is_up && cx.peers.state(node) == Some(NodeState::Warming);
                !is_warming && !cx.peers.is_down(node)
            })
            .without(self.answered(replicas));
        if replicas.lacks(self.answered(replicas), need).is_some() {
            let possible = replicas.filter(|node| !cx.peers.is_down(node));
            return match replicas.lacks(possible, need) {
                Some((live, need)) => Verdict::Fail(Failure::NoQuorum { level, live, need }),
                None => Verdict::Unknown,
            };
        }
        match resolve(replicas, self.votes(replicas)) {
            Resolution::Absent => Verdict::Found(self.found(None, true)),
            Resolution::Uncertain if !waiting.is_empty() => Verdict::Unknown,
            Resolution::Uncertain => Verdict::Found(self.found(None, true)),
            Resolution::Best { best, holders } => {
                let entry = self.holding(best);
                let enough = replicas.is_quorum(holders) || !cx.rules.keep(Rule::ReadsWriteBack);
                match entry {
                    Some(entry) if entry.is_live(now.wall) && !enough => Verdict::WriteBack(entry),
                    entry => Verdict::Found(self.found(entry, enough)),
                }
            }
        }
    }

    fn votes<'a>(&'a self, list: &'a Preference) -> impl Iterator<Item = Vote> + Clone + 'a {
        self.answers.iter().map(|vouch| vouch.vote(list))
    }

    fn holding(&self, version: Version) -> Option<Entry> {
        let entries = self.answers.iter().filter_map(|vouch| vouch.entry.as_ref());
        entries
            .clone()
            .find(|entry| entry.version == version)
            .cloned()
    }

    fn best_confirmed(&self) -> Option<&Entry> {
        let confirmed = self.answers.iter().filter(|vouch| !vouch.unconfirmed);
        confirmed
            .filter_map(|vouch| vouch.entry.as_ref())
            .max_by_key(|entry| entry.version)
    }

    /// Who holds `version`, who may be offered it, and who would refuse it.
    pub(super) fn votes_on(&self, replicas: &Preference, version: Version) -> Votes {
        let mut votes = Votes::default();
        for vouch in &self.answers {
            let vote = vouch.vote(replicas);
            let set = if vote.held == Some(version) {
                &mut votes.holders
            } else if vote.is_certain_of(version) {
                &mut votes.willing
            } else {
                &mut votes.unwilling
            };
            *set = set.or(vote.voter);
        }
        votes
    }

    /// Why nothing was found out in time.
    pub(super) fn failure_at_deadline(
        &self,
        cx: &Context,
        replicas: &Preference,
        level: Level,
    ) -> Failure {
        let need = match self.mode {
            Mode::One | Mode::Settle => 1,
            Mode::Quorum => quorum(replicas.leaders().len()),
            Mode::All => replicas.leaders().len(),
        };
        let warming = replicas
            .filter(|node| cx.peers.state(node) == Some(NodeState::Warming))
            .len();
        let live = replicas.filter(|node| cx.peers.is_live(node)).len();
        if live.saturating_sub(warming) >= need {
            return Failure::Timeout;
        }
        if live >= need {
            Failure::Loading
        } else {
            Failure::NoQuorum { level, live, need }
        }
    }
}

impl Vouch {
    fn vote(&self, list: &Preference) -> Vote {
        let held = self
            .entry
            .as_ref()
            .filter(|_| !self.unconfirmed)
            .map(|entry| entry.version);
        Vote {
            voter: list.set_of(self.node),
            held,
            floor: self.floor,
        }
    }

    fn is_older_than(&self, version: Version) -> bool {
        match &self.entry {
            Some(entry) => entry.version < version,
            None => self.floor < version,
        }
    }
}
