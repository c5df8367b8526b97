//! What the answers to a read amount to, judged by its mode.

use super::super::found::{Found, Votes};
use super::{Mode, ReadPhase, ReplicaReply};
use crate::consistency::Level;
use crate::replication::Now;
use crate::replication::config::quorum;
use crate::replication::context::Context;
use crate::replication::coordinator::resolve::{Resolution, Vote, resolve};
use crate::replication::entry::Entry;
use crate::replication::membership::preference::{Preference, ReplicaSet};
use crate::replication::request::Failure;
use crate::replication::rules::Rule;
use crate::replication::wire::message::{NodeState, Prepare};
use crate::ring::NodeIndex;
use crate::version::Version;

/// What the answers so far amount to.
pub(super) enum Verdict {
    Unknown,
    Found(Found),
    /// This is the newest, but too few replicas hold it.
    WriteBack(Entry),
    Fail(Failure),
}

impl ReadPhase {
    /// The one that was asked at ONE does not answer: the node that takes its place may lack what it acknowledged
    /// last, so one of them alone is not believed.
    pub(super) fn doubt_heirs(&mut self, cx: &Context) {
        if self.mode == Mode::One && self.asked.is_empty() && cx.rules.keep(Rule::LeadersSettle) {
            self.mode = Mode::Settle;
        }
    }

    /// The next replica to try at ONE.
    pub(super) fn next_candidate(
        &self,
        replicas: &Preference,
        candidates: &[NodeIndex],
    ) -> ReplicaSet {
        let tried = self.passed.or(self.asked);
        let next = candidates
            .iter()
            .map(|node| replicas.set_of(*node))
            .find(|set| set.and(tried).is_empty());
        next.unwrap_or(ReplicaSet::EMPTY)
    }

    /// Everyone within reach who has not answered.
    pub(super) fn unheard(&self, cx: &Context, replicas: &Preference) -> ReplicaSet {
        let up = replicas.filter(|node| cx.peers.is_up(node));
        up.without(self.answered(replicas))
    }

    pub(super) fn answered(&self, replicas: &Preference) -> ReplicaSet {
        replicas.filter(|node| self.answers.iter().any(|reply| reply.node == node))
    }

    pub(super) fn first_answer(&self) -> Verdict {
        self.answers.first().map_or(Verdict::Unknown, |reply| {
            Verdict::Found(self.found(reply.entry.clone(), true))
        })
    }

    /// What was found out, and what else is known by then.
    pub(super) fn found(&self, entry: Option<Entry>, is_on_quorum: bool) -> Found {
        let known = |reply: &ReplicaReply| {
            let held = reply.entry.as_ref().map(|entry| entry.version);
            held.unwrap_or(Version::ZERO).max(reply.floor)
        };
        let newest = self.answers.iter().map(known).max();
        Found {
            entry,
            is_on_quorum,
            promised: self.promise.map(Prepare::version),
            newest: newest.unwrap_or(Version::ZERO),
        }
    }

    /// As good as a quorum can tell, and `awaited`, if that is within reach; where that is not certain, the newest
    /// that anyone holds.
    pub(super) fn settling_verdict(
        &self,
        cx: &Context,
        replicas: &Preference,
        awaited: Option<NodeIndex>,
    ) -> Verdict {
        // What the next replicas know does not matter before they have taken over.
        let present = Preference::collect(replicas.leaders().iter().copied());
        let live = present.filter(|node| cx.peers.counts(node));
        let answered = self.answered(&present);
        let passed = present.translate(replicas, self.passed);
        let unheard = live.without(answered.or(passed));
        let all_heard = unheard.is_empty();
        let awaits = awaited.is_some_and(|node| !present.set_of(node).and(unheard).is_empty());
        let enough = present.is_read_quorum(answered) && !awaits;
        if self.answers.is_empty() || !enough && !all_heard {
            return Verdict::Unknown;
        }
        match resolve(&present, self.votes(&present)) {
            Resolution::Best { best, .. } => Verdict::Found(self.found(self.holding(best), true)),
            _ if !all_heard => Verdict::Unknown,
            _ => {
                // One that is behind is believed where nobody else is left: the others know what was flushed meanwhile.
                let all_behind = self.answers.iter().all(|reply| reply.behind);
                let believed = self
                    .answers
                    .iter()
                    .filter(|reply| all_behind || !reply.behind);
                let newest = believed.filter_map(|reply| reply.entry.as_ref());
                let newest = newest.max_by_key(|entry| entry.version).cloned();
                Verdict::Found(self.found(newest, true))
            }
        }
    }

    /// What a quorum (or, at ALL, everyone) agrees on.
    pub(super) fn agreed(
        &self,
        cx: &Context,
        now: Now,
        replicas: &Preference,
        level: Level,
    ) -> Verdict {
        let mode = self.mode;
        let need = move |total: usize| match mode {
            Mode::All => total,
            _ => quorum(total),
        };
        // One that is not known to be down, although no link is up yet, may hold what the others lack. So may one that
        // is known to warm up, until it says so itself: it may be done since.
        let warming = replicas.filter(|node| is_warming(cx, node));
        let waiting = replicas
            .filter(|node| !cx.peers.is_down(node))
            .without(self.answered(replicas))
            .without(self.passed.and(warming));
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
        self.answers.iter().map(|reply| reply.vote(list))
    }

    fn holding(&self, version: Version) -> Option<Entry> {
        let entries = self.answers.iter().filter_map(|reply| reply.entry.as_ref());
        entries
            .clone()
            .find(|entry| entry.version == version)
            .cloned()
    }

    pub(super) fn best_confirmed(&self) -> Option<&Entry> {
        let confirmed = self.answers.iter().filter(|reply| !reply.unconfirmed);
        confirmed
            .filter_map(|reply| reply.entry.as_ref())
            .max_by_key(|entry| entry.version)
    }

    /// Who holds `version`, who may be offered it, and who would refuse it.
    pub(super) fn votes_on(&self, replicas: &Preference, version: Version) -> Votes {
        let mut votes = Votes::default();
        for reply in &self.answers {
            let vote = reply.vote(replicas);
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
    pub(in super::super::super) fn failure_at_deadline(
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

/// Whether a member warms up, as far as is known here.
pub(super) fn is_warming(cx: &Context, node: NodeIndex) -> bool {
    cx.peers.is_up(node) && cx.peers.state(node) == Some(NodeState::Warming)
}

impl ReplicaReply {
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

    pub(super) fn is_older_than(&self, version: Version) -> bool {
        match &self.entry {
            Some(entry) => entry.version < version,
            None => self.floor < version,
        }
    }
}
