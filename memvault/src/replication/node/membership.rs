//! The member list in a node: learnt from others, followed, passed on.

use alloc::string::String;
use alloc::vec::Vec;

use super::Node;
use crate::replication::Now;
use crate::replication::action::{Action, Link};
use crate::replication::event::Event;
use crate::replication::member::warm_up::WarmUp;
use crate::replication::membership::list::{Change, Membership};
use crate::replication::membership::placement::Placement;
use crate::replication::rules::Rule;
use crate::replication::wire::message::{NodeState, Progress};

/// Slots of the store that are looked at per tick for keys that this node no longer holds.
const SWEEP_SLOTS: usize = 2048;

impl Node {
    /// Takes note of somebody else's membership.
    pub(super) fn learn(&mut self, now: Now, from: Link, membership: Membership) {
        let mine = &self.cx.membership;
        if membership.epoch < mine.epoch || membership == *mine {
            return;
        }
        if membership.epoch == mine.epoch {
            if membership.digest() == mine.digest() {
                self.learn_addresses(now, &membership);
            } else {
                self.report_bad_list(from, "it is another one of the same epoch");
            }
            return;
        }
        match membership.flaw() {
            Some(flaw) => self.report_bad_list(from, flaw),
            None => self.follow(now, membership),
        }
    }

    fn report_bad_list(&mut self, from: Link, reason: &str) {
        let node = match from {
            Link::Peer(node) => self.cx.peers.id(node),
            Link::Inbound(link) => self
                .inbound
                .get(&link)
                .map_or_else(String::new, |caller| caller.id.clone()),
        };
        let reason = String::from(reason);
        self.cx.event(Event::BadMemberList { node, reason });
    }

    /// Goes by `membership` from now on, and tells everyone.
    pub(super) fn follow(&mut self, now: Now, membership: Membership) {
        let before = self.cx.membership.clone();
        self.cx.peers.follow(&self.cx.config, &membership);
        let placement = Placement::new(
            &membership,
            &self.cx.peers.numbers(),
            Some(&self.cx.placement),
        );
        let Ok(placement) = placement else {
            // It was looked at before; only a process that has seen 65 535 nodes comes here.
            self.cx.peers.follow(&self.cx.config, &before);
            return;
        };
        for caller in self.inbound.values_mut() {
            caller.node = self.cx.peers.index_of(&caller.id);
        }
        // Whatever changes this node did not see: none ended before those who gained by it had said that they
        // have it, so it has not gained by any of them.
        let had_gained = self.has_gained() && self.cx.rules.keep(Rule::PendingKeysAreKept);
        let is_empty =
            (self.cx.me).is_some_and(|me| placement.is_new_to(&self.cx.placement, me, had_gained));
        self.cx.follow(now, membership, placement);
        self.acceptor = Default::default();
        self.announce_list();
        self.spread();
        self.follow_as_member(now, is_empty);
        self.coordinator.handle_change(&mut self.cx, now);
        if let Some(member) = &mut self.member {
            member.leader.handle_change(&mut self.cx);
        }
        self.end_proposal();
    }

    fn announce_list(&mut self) {
        let membership = &self.cx.membership;
        let ids: Vec<&str> = membership.members.iter().map(|m| m.id.as_str()).collect();
        let event = Event::MembersChanged {
            epoch: membership.epoch,
            members: ids.join(","),
            change: membership
                .change
                .as_ref()
                .map_or_else(String::new, Change::describe),
        };
        self.cx.event(event);
    }

    /// Sends the membership to everyone on a link: what follows on it is of the new epoch.
    fn spread(&mut self) {
        let peers = self.cx.peers.reachable().into_iter().map(Link::Peer);
        let callers = self.inbound.keys().copied().map(Link::Inbound);
        let links: Vec<Link> = peers.chain(callers).collect();
        for link in links {
            self.send_membership(link, 0);
        }
    }

    /// Whether this node has all that it should hold, now and after the change under way.
    pub(super) fn has_gained(&self) -> bool {
        self.pending().is_none()
    }

    /// How far this node has come with taking over what it should hold; `None` if it has everything.
    pub(super) fn pending(&self) -> Option<Progress> {
        let member = self.member.as_ref()?;
        if member.pending_floors.is_none() && member.replica.state != NodeState::Warming {
            return None;
        }
        let report = member.warm_up.as_ref().map(WarmUp::report);
        Some(report.unwrap_or_default())
    }

    /// What the membership means for this node as a holder of data. `is_empty` says that it holds keys now
    /// that it has not fetched.
    fn follow_as_member(&mut self, now: Now, is_empty: bool) {
        let Some(member) = &mut self.member else {
            return;
        };
        let membership = &self.cx.membership;
        let is_member = membership.has_member(&self.name);
        let joins = matches!(&membership.change, Some(Change::Joining { member, incarnation })
            if member.id == self.name && *incarnation == self.incarnation);
        let gains = joins
            || self
                .cx
                .placement
                .joint_lists()
                .iter()
                .any(|list| list.is_pending(member.me));
        member.pending_floors = None;
        let was_swept = member.sweep.is_none();
        member.sweep = Some(0);
        member.sweep_from = now.instant + self.cx.config.op_deadline;
        if !is_member {
            member.warm_up = None;
            member.missed_since = None;
            if joins {
                self.begin_gain(now, was_swept);
            }
            return self.change_state(now, NodeState::Warming);
        }
        if member.replica.state == NodeState::Warming || is_empty {
            member.warm_up = Some(WarmUp::after_start(&self.cx, now));
            member.missed_since = None;
            return self.change_state(now, NodeState::Warming);
        }
        if member.warm_up.as_ref().is_some_and(WarmUp::takes_over) {
            member.warm_up = None;
        }
        if gains {
            self.begin_gain(now, was_swept);
        }
    }

    fn begin_gain(&mut self, now: Now, was_swept: bool) {
        let (cx, Some(member)) = (&self.cx, &mut self.member) else {
            return;
        };
        if !was_swept {
            // What is left from another time, when this node held these keys, is not to be mixed in.
            let gains = |key: &[u8]| cx.is_pending(key);
            member.replica.drop_foreign(0, usize::MAX, gains);
        }
        let floors = member.replica.floors.clone();
        member.pending_floors = Some(floors);
        self.resume_gain(now);
    }

    /// Goes on taking keys over when nothing else has to be fetched.
    pub(super) fn resume_gain(&mut self, now: Now) {
        let Some(member) = &mut self.member else {
            return;
        };
        if member.warm_up.is_none()
            && let Some(floors) = &member.pending_floors
        {
            member.warm_up = Some(WarmUp::of_pending(&self.cx, now, floors.clone()));
        }
    }

    /// Drops some of the entries that this node no longer holds, once nobody can ask for them.
    pub(super) fn sweep(&mut self, now: Now) {
        let (cx, Some(member)) = (&self.cx, &mut self.member) else {
            return;
        };
        let me = member.me;
        let Some(cursor) = member.sweep.filter(|_| member.sweep_from <= now.instant) else {
            return;
        };
        let is_foreign = |key: &[u8]| !cx.preference(key).contains(me);
        member.sweep = member.replica.drop_foreign(cursor, SWEEP_SLOTS, is_foreign);
    }

    /// Ends links to nodes that have no part in the member list any more.
    pub(super) fn part(&mut self, now: Now) {
        for node in self.cx.peers.retire(now.instant) {
            self.cx.out.push_back(Action::Disconnect(Link::Peer(node)));
            self.lose(now, node);
        }
    }
}
