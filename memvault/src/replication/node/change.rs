//! Changing the members: commands of the operator, and the one member that drives a change to its end.
//!
//! ```text
//! command -> any member: proposes e + 1 -> the members agree -> all follow, those who gain keys fetch them
//!        first live member: sees that all have theirs -> proposes e + 2 (or gives up) -> the members agree
//! ```
//! Who drives follows from the membership and from who is alive, so a driver that dies is replaced; two that
//! disagree are told apart by the vote.

use alloc::string::String;

use super::Node;
use super::agreement::Proposal;
use crate::replication::Now;
use crate::replication::config::{Member as MemberEntry, quorum};
use crate::replication::membership::list::{Change, Membership};
use crate::replication::request::{Answer, ChangeError, Failure};
use crate::replication::rules::Rule;
use crate::replication::wire::message::{Ballot, Body, NodeState};
use crate::ring::NodeIndex;

impl Node {
    /// Has a node that waits for it become a member.
    pub(super) fn add_member(&mut self, now: Now, request: u64, member: MemberEntry) {
        let membership = &self.cx.membership;
        let wanted = match &membership.change {
            _ if !self.is_voter() => Err(self.not_a_member()),
            Some(Change::Joining { member: other, .. }) if other.id == member.id => Ok(None),
            Some(Change::Leaving(id)) if *id == member.id => Ok(Some(membership.aborted())),
            Some(change) => Err(ChangeError::UnderWay(change.describe())),
            None if membership.has_member(&member.id) => Ok(None),
            None => self.joined(member).map(Some),
        };
        self.attempt(now, request, wanted);
    }

    /// Has the others take over the keys of a member, which is none any more then.
    pub(super) fn remove_member(&mut self, now: Now, request: u64, id: String) {
        let membership = &self.cx.membership;
        let wanted = match &membership.change {
            _ if !self.is_voter() => Err(self.not_a_member()),
            Some(Change::Leaving(other)) if *other == id => Ok(None),
            Some(Change::Joining { member, .. }) if member.id == id => {
                Ok(Some(membership.aborted()))
            }
            Some(change) => Err(ChangeError::UnderWay(change.describe())),
            None if !membership.has_member(&id) => Err(ChangeError::Unknown(id)),
            None if membership.members.len() == 1 => Err(ChangeError::LastMember),
            None => Ok(Some(membership.with(Change::Leaving(id)))),
        };
        self.attempt(now, request, wanted);
    }

    fn joined(&self, member: MemberEntry) -> Result<Membership, ChangeError> {
        let caller = self.inbound.values().find(|caller| caller.id == member.id);
        let Some(incarnation) = caller.map(|caller| caller.incarnation) else {
            return Err(ChangeError::NotWaiting(member.id));
        };
        let membership = self.cx.membership.with(Change::Joining {
            member,
            incarnation,
        });
        match membership.flaw() {
            Some(flaw) => Err(ChangeError::Bad(flaw)),
            None => Ok(membership),
        }
    }

    fn is_voter(&self) -> bool {
        let serves = |state| matches!(state, NodeState::Serving | NodeState::CatchingUp);
        let member = self.member.as_ref();
        member.is_some_and(|member| serves(member.replica.state))
            && self.cx.membership.has_member(&self.name)
    }

    fn not_a_member(&self) -> ChangeError {
        ChangeError::NotAMember(self.name.clone())
    }

    /// Proposes what is wanted; `None` is what is there already.
    fn attempt(&mut self, now: Now, request: u64, wanted: Result<Option<Membership>, ChangeError>) {
        match wanted {
            Err(error) => self.conclude(request, Err(error)),
            Ok(None) => self.conclude(request, Ok(())),
            Ok(Some(_)) if self.proposal.is_some() => {
                let what = String::from("another one is just beginning");
                self.conclude(request, Err(ChangeError::UnderWay(what)));
            }
            Ok(Some(membership)) => self.propose(now, membership, Some(request)),
        }
    }

    fn conclude(&mut self, request: u64, result: Result<(), ChangeError>) {
        let outcome = result.map(|()| Answer::Done).map_err(Failure::Change);
        self.coordinator.complete(&mut self.cx, request, outcome);
    }

    fn propose(&mut self, now: Now, membership: Membership, request: Option<u64>) {
        let give_up_at = now.instant + self.cx.config.op_deadline;
        self.proposal = Some(Proposal::new(membership, request, give_up_at));
        self.drive_proposal(now);
    }

    fn drive_proposal(&mut self, now: Now) {
        let Some(proposal) = &mut self.proposal else {
            return;
        };
        if !proposal.drive(
            &mut self.cx,
            &mut self.acceptor,
            self.incarnation,
            now.instant,
        ) {
            self.end_proposal();
        }
    }

    /// Another member asks for a vote.
    pub(super) fn vote(&mut self, number: u64, membership: Option<Membership>) -> Option<Body> {
        let is_next = |membership: &Membership| {
            membership.epoch == self.cx.membership.epoch + 1 && membership.flaw().is_none()
        };
        if !self.is_voter() || !membership.as_ref().is_none_or(is_next) {
            return None;
        }
        let (is_yes, before) = self.acceptor.vote(number, membership);
        Some(Body::Voted { is_yes, before })
    }

    pub(super) fn handle_vote(
        &mut self,
        now: Now,
        from: NodeIndex,
        question: u64,
        vote: (bool, Option<Ballot>),
    ) {
        let Some(proposal) = &mut self.proposal else {
            return;
        };
        if let Some(agreed) = proposal.handle_vote(&mut self.cx, from, question, vote) {
            self.follow(now, agreed);
        }
    }

    /// Ends the proposal: the next membership is there, or the time is over.
    pub(super) fn end_proposal(&mut self) {
        let Some(proposal) = self.proposal.take() else {
            return;
        };
        let Some(request) = proposal.request else {
            return;
        };
        let membership = &self.cx.membership;
        let result = if *membership == proposal.wanted {
            Ok(())
        } else if membership.epoch >= proposal.wanted.epoch {
            Err(ChangeError::Overtaken)
        } else {
            Err(ChangeError::NoMajority(quorum(membership.members.len())))
        };
        self.conclude(request, result);
    }

    /// Moves a change on, if it is this node that has to.
    pub(super) fn drive_change(&mut self, now: Now) {
        self.drive_proposal(now);
        let Some(change) = &self.cx.membership.change else {
            return;
        };
        if self.proposal.is_some() || !self.is_driver(now) {
            return;
        }
        let membership = &self.cx.membership;
        if self.has_failed(now, change) {
            self.propose(now, membership.aborted(), None);
        } else if self.is_established() && self.all_have_gained() {
            self.propose(now, membership.completed(), None);
        }
    }

    /// The first member that serves, in the order of the membership.
    fn is_driver(&self, now: Now) -> bool {
        let peers = &self.cx.peers;
        let mut serving = self
            .cx
            .voters()
            .into_iter()
            .filter(|node| peers.may_lead(now.instant, *node));
        serving.next() == self.cx.me
    }

    /// Whether a joining node has started again, or is out of reach for too long.
    fn has_failed(&self, now: Now, change: &Change) -> bool {
        let Change::Joining {
            member,
            incarnation,
        } = change
        else {
            return false;
        };
        let peers = &self.cx.peers;
        let Some(node) = peers.index_of(&member.id) else {
            return false;
        };
        let begun = self.cx.changed_at.unwrap_or_default();
        let down_since = peers.down_since(node).map(|at| at.max(begun));
        peers
            .incarnation(node)
            .is_some_and(|present| present != *incarnation)
            || down_since.is_some_and(|at| now.instant - at > self.cx.config.join_patience)
    }

    /// Whether nothing can be done under the former membership any more: a quorum of every preference list
    /// goes by the present one, and so does every member in view.
    fn is_established(&self) -> bool {
        let peers = &self.cx.peers;
        let follows = |node| peers.follows(node);
        let mut lists = self.cx.placement.joint_lists().iter();
        lists.all(|list| list.is_quorum_of_present(list.filter(follows)))
            && self
                .cx
                .voters()
                .into_iter()
                .all(|node| peers.follows(node) || !peers.is_live(node))
    }

    fn all_have_gained(&self) -> bool {
        if !self.cx.rules.keep(Rule::ChangesWaitForGainers) {
            return true;
        }
        let has_gained = |node: &NodeIndex| {
            if self.cx.me == Some(*node) {
                self.has_gained()
            } else {
                self.cx.peers.has_gained(*node)
            }
        };
        let mut gainers = self
            .cx
            .placement
            .joint_lists()
            .iter()
            .flat_map(|list| list.gainers());
        gainers.all(|node| has_gained(&node))
    }
}
