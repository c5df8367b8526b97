//! How the members agree on the next membership: one decision per epoch, by a majority of the members.
//!
//! Single-decree Paxos (Lamport 2001), once for each epoch. The members of the present membership vote on the
//! next one; two drivers can therefore never both have their way. A member that has just restarted has
//! forgotten its votes and does not vote before it serves again, which takes longer than a vote is open.

use alloc::collections::BTreeSet;

use crate::replication::config::quorum;
use crate::replication::context::Context;
use crate::replication::membership::list::Membership;
use crate::replication::rules::Rule;
use crate::replication::wire::message::{Ballot, Body};
use crate::ring::NodeIndex;
use crate::time::{Duration, Instant};

/// What a member has promised and voted for, concerning the membership after the present one.
#[derive(Debug, Default)]
pub(super) struct Acceptor {
    promised: u64,
    accepted: Option<Ballot>,
    /// The last round that this member itself began: no two of its proposals share a number.
    last_round: u32,
}

/// The bits of a number below its round: the incarnation of the proposer, so that no two of them share a number.
const INCARNATION_BITS: u32 = 32;

impl Acceptor {
    /// A number for a round of this member: higher than any that it has used or promised.
    fn next_number(&mut self, incarnation: u32) -> u64 {
        let promised = u32::try_from(self.promised >> INCARNATION_BITS).unwrap_or(u32::MAX);
        self.last_round = self.last_round.max(promised).saturating_add(1);
        u64::from(self.last_round) << INCARNATION_BITS | u64::from(incarnation)
    }

    /// Votes. Returns whether it is a yes, and with it what was voted for before.
    ///
    /// A number belongs to one membership: were it given to another as well, both could find a majority.
    pub(super) fn vote(
        &mut self,
        number: u64,
        membership: Option<Membership>,
    ) -> (bool, Option<Ballot>) {
        let is_given_to_another = self.accepted.as_ref().is_some_and(|ballot| {
            ballot.number == number
                && membership
                    .as_ref()
                    .is_some_and(|it| *it != ballot.membership)
        });
        if number < self.promised || is_given_to_another {
            return (false, None);
        }
        self.promised = number;
        let before = self.accepted.clone();
        if let Some(membership) = membership {
            self.accepted = Some(Ballot { number, membership });
        }
        debug_assert!(
            self.accepted
                .as_ref()
                .is_none_or(|ballot| ballot.number <= self.promised),
            "what was voted for had a number that was promised"
        );
        (true, before)
    }
}

/// An attempt to have a membership agreed on.
pub(super) struct Proposal {
    /// What this node would like.
    pub(super) wanted: Membership,
    /// Who asked for it.
    pub(super) request: Option<u64>,
    give_up_at: Instant,
    round_ends: Instant,
    number: u64,
    /// What is put to the vote; may be what somebody else began.
    value: Option<Membership>,
    highest: Option<Ballot>,
    votes: BTreeSet<NodeIndex>,
    /// Of the question that is open.
    question: u64,
}

/// A round without a decision is followed by another after this, and up to as much again by chance.
const ROUND: Duration = Duration::from_millis(150);

impl Proposal {
    pub(super) fn new(wanted: Membership, request: Option<u64>, give_up_at: Instant) -> Self {
        Self {
            wanted,
            request,
            give_up_at,
            round_ends: Instant::ZERO,
            number: 0,
            value: None,
            highest: None,
            votes: BTreeSet::new(),
            question: 0,
        }
    }

    /// Begins another round when one has failed. Returns whether there is time for more.
    pub(super) fn drive(
        &mut self,
        cx: &mut Context,
        acceptor: &mut Acceptor,
        incarnation: u32,
        now: Instant,
    ) -> bool {
        if now >= self.give_up_at {
            return false;
        }
        if now >= self.round_ends {
            self.round_ends = now + ROUND + cx.peers.rng.duration_below(ROUND);
            self.number = acceptor.next_number(incarnation);
            self.value = None;
            self.highest = None;
            self.ask(cx);
        }
        true
    }

    fn ask(&mut self, cx: &mut Context) {
        self.votes.clear();
        self.question = cx.fresh_id();
        for node in cx.voters() {
            let body = Body::Propose {
                number: self.number,
                membership: self.value.clone(),
            };
            cx.send(node, self.question, body);
        }
    }

    /// Counts a vote. Returns the membership that a majority has agreed on.
    pub(super) fn handle_vote(
        &mut self,
        cx: &mut Context,
        from: NodeIndex,
        question: u64,
        (is_yes, before): (bool, Option<Ballot>),
    ) -> Option<Membership> {
        if question != self.question || !is_yes {
            return None;
        }
        self.votes.insert(from);
        if self.value.is_none()
            && let Some(before) = before
            && self
                .highest
                .as_ref()
                .is_none_or(|highest| highest.number < before.number)
        {
            self.highest = Some(before);
        }
        let majority = if cx.rules.keep(Rule::MajoritiesAgree) {
            quorum(cx.membership.members.len())
        } else {
            1
        };
        if self.votes.len() < majority {
            return None;
        }
        if let Some(value) = &self.value {
            debug_assert_eq!(
                value.epoch,
                cx.membership.epoch + 1,
                "the vote is on the next one"
            );
            return Some(value.clone());
        }
        // What may have been agreed on already must not be replaced.
        let value = match self.highest.take() {
            Some(ballot) => ballot.membership,
            None => self.wanted.clone(),
        };
        self.value = Some(value);
        self.ask(cx);
        None
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::super::build::build_context;
    use super::*;
    use crate::replication::config::{Config, Member, Role};
    use crate::replication::membership::list::Change;
    use crate::rng::Rng;

    fn leaving(id: &str) -> Membership {
        let members = ["a", "b"].map(Member::new).into();
        let config = Config::new(members, Role::Coordinator("test".into()));
        Membership::of_config(&config).with(Change::Leaving(id.into()))
    }

    #[test]
    fn a_promise_keeps_lower_numbers_out() {
        let mut acceptor = Acceptor::default();
        assert_eq!(acceptor.vote(5, None), (true, None));
        assert_eq!(acceptor.vote(4, Some(leaving("a"))), (false, None));
        assert_eq!(acceptor.vote(5, Some(leaving("a"))), (true, None));
    }

    #[test]
    fn one_number_is_never_given_to_two_memberships() {
        let mut acceptor = Acceptor::default();
        assert!(acceptor.vote(5, Some(leaving("a"))).0);
        assert!(acceptor.vote(5, Some(leaving("a"))).0, "asked again");
        assert!(!acceptor.vote(5, Some(leaving("b"))).0);
    }

    #[test]
    fn a_second_proposal_of_one_node_has_higher_numbers_than_the_first() {
        let members = ["a", "b"].map(Member::new).into();
        let config = Config::new(members, Role::Member("a".into()));
        let mut cx = build_context(config, 7, Rng::new(1), None).expect("it is sound");
        let mut acceptor = Acceptor::default();
        let mut highest = 0;
        for id in ["a", "b", "a"] {
            let mut proposal = Proposal::new(leaving(id), None, Instant::from_millis(1000));
            for millis in [0, 400, 800] {
                proposal.drive(&mut cx, &mut acceptor, 7, Instant::from_millis(millis));
                let own = cx.local.pop_back().expect("it asks itself as well");
                let Body::Propose { number, .. } = own.body else {
                    panic!("{own:?}");
                };
                assert!(number > highest, "{number} after {highest}");
                highest = number;
            }
        }
    }

    #[test]
    fn a_later_proposer_learns_what_was_voted_for() {
        let mut acceptor = Acceptor::default();
        acceptor.vote(5, Some(leaving("a")));
        let (is_yes, before) = acceptor.vote(6, None);
        let known: Vec<_> = before.into_iter().map(|ballot| ballot.membership).collect();
        assert_eq!((is_yes, known), (true, [leaving("a")].into()));
    }
}
