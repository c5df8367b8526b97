//! Where members are reached, when that changes while the member list stays as it is.
//!
//! ```text
//! discovery -> handle_found -> member: calls there -> the list, with this address -> gateways and clients
//! ```

use alloc::vec::Vec;

use super::Node;
use crate::replication::Now;
use crate::replication::action::Link;
use crate::replication::event::Event;
use crate::replication::membership::list::Membership;
use crate::replication::wire::message::Body;
use crate::ring::NodeIndex;

impl Node {
    /// A member was found at `address`, this node itself included: it is called there, at once if there is no
    /// connection to it. An open connection stays, as it is worth more than hearsay.
    ///
    /// Nothing happens for an id without a part in the member list: tell it again after
    /// [`Event::MembersChanged`]. O(members).
    pub fn handle_found(&mut self, now: Now, id: &str, address: &str) {
        let peers = &mut self.cx.peers;
        let node = peers.index_of(id).filter(|node| peers.is_active(*node));
        let Some(node) = node else {
            return;
        };
        peers.keep_address(node);
        if peers.relocate(now.instant, node, address) {
            self.announce_move(node);
            self.spread_addresses();
        }
    }

    fn announce_move(&mut self, node: NodeIndex) {
        let (id, address) = (self.cx.peers.id(node), self.cx.peers.address(node));
        self.cx.event(Event::Moved { node: id, address });
    }

    /// Tells those that hold no data: members hear it by themselves.
    fn spread_addresses(&mut self) {
        let coordinators = self.inbound.iter().filter(|(_, caller)| !caller.is_member);
        let links: Vec<Link> = coordinators.map(|(link, _)| Link::Inbound(*link)).collect();
        for link in links {
            self.send_membership(link, 0);
        }
    }

    /// The membership for the node that is at the other end of a link. Those that hold no data are told where members
    /// are now; for the others, who vote on it, it stays as it is.
    pub(super) fn send_membership(&mut self, to: Link, id: u64) {
        let mut membership = self.cx.membership.clone();
        if self.is_coordinator(to) {
            self.locate(&mut membership);
        }
        self.cx.answer(to, id, Body::Membership(membership));
    }

    /// Whether a greeting has to be answered with the membership, because addresses in it have changed.
    pub(super) fn has_news_for(&self, to: Link) -> bool {
        self.is_coordinator(to) && self.cx.peers.has_moved(&self.cx.membership)
    }

    fn is_coordinator(&self, link: Link) -> bool {
        let Link::Inbound(link) = link else {
            return false;
        };
        let caller = self.inbound.get(&link);
        caller.is_some_and(|caller| !caller.is_member)
    }

    fn locate(&self, membership: &mut Membership) {
        for member in &mut membership.members {
            if let Some(node) = self.cx.peers.index_of(&member.id) {
                member.address = self.cx.peers.address(node);
            }
        }
    }

    /// Takes the addresses of a membership over that is otherwise the present one.
    pub(super) fn learn_addresses(&mut self, now: Now, membership: &Membership) {
        if self.member.is_some() {
            return;
        }
        for member in membership.nodes() {
            let node = self.cx.peers.index_of(&member.id);
            if let Some(node) = node
                && self.cx.peers.relocate(now.instant, node, &member.address)
            {
                self.announce_move(node);
            }
        }
    }
}
