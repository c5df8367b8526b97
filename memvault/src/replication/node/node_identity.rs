//! Whether members are who they say they are: one process for each id, one start for each connection.
//!
//! Two processes with one id would each be taken for the same replica, and a write that one of them
//! acknowledged could be read from the other. So the one that was there first is kept, as long as it gives
//! signs of life; the other is turned away and told so, and ends when it has been told for long enough that
//! the first cannot be the memory of its own former life.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;

use super::Node;
use crate::replication::Now;
use crate::replication::action::{Action, Link};
use crate::replication::event::Event;
use crate::replication::wire::message::{Body, Hello, NodeState};
use crate::ring::NodeIndex;
use crate::time::Instant;

/// A member that opened a connection to this node.
struct Life {
    node: NodeIndex,
    incarnation: u32,
    heard_at: Instant,
}

/// What is known of who is who.
#[derive(Default)]
pub(super) struct NodeIdentity {
    /// Connections that members opened, by their number.
    lives: BTreeMap<u64, Life>,
    /// Since when this node is told, and only told, that its id is in use.
    told_since: Option<Instant>,
}

/// Another process with the id of a member that greets.
enum Other {
    /// This node itself.
    Me,
    /// The one that this node has called.
    Called,
    /// One that has called before.
    Caller(u64),
}

impl NodeIdentity {
    pub(super) fn heard(&mut self, now: Now, link: Link) {
        if let Link::Inbound(link) = link
            && let Some(life) = self.lives.get_mut(&link)
        {
            life.heard_at = now.instant;
        }
    }

    pub(super) fn greeted(&mut self, now: Now, link: u64, node: NodeIndex, incarnation: u32) {
        let heard_at = now.instant;
        let life = Life {
            node,
            incarnation,
            heard_at,
        };
        self.lives.insert(link, life);
    }

    pub(super) fn closed(&mut self, link: u64) {
        self.lives.remove(&link);
    }

    /// A member took this node for what it is.
    pub(super) const fn accepted(&mut self) {
        self.told_since = None;
    }
}

impl Node {
    /// What speaks against a member that greets, if a process with its id is alive already.
    pub(super) fn refuse_second(
        &mut self,
        now: Now,
        from: u64,
        node: NodeIndex,
        hello: &Hello,
    ) -> bool {
        let Some(other) = self.find_other(now, from, node, hello.incarnation) else {
            return false;
        };
        let newcomer = Body::SameId { came_later: true };
        self.cx.answer(Link::Inbound(from), 0, newcomer);
        self.cx
            .out
            .push_back(Action::Disconnect(Link::Inbound(from)));
        let incumbent = Body::SameId { came_later: false };
        match other {
            Other::Me | Other::Called => {}
            Other::Caller(link) => self.cx.answer(Link::Inbound(link), 0, incumbent),
        }
        self.report_same_id(hello.node_id.clone(), false);
        true
    }

    fn find_other(&self, now: Now, from: u64, node: NodeIndex, incarnation: u32) -> Option<Other> {
        if self.cx.me == Some(node) {
            return (incarnation != self.incarnation).then_some(Other::Me);
        }
        let fresh = |at: Instant| now.instant - at < self.cx.peers.suspect_after();
        let of_node = self.node_identity.lives.iter();
        let mut others = of_node.filter(|(link, life)| {
            **link != from
                && life.node == node
                && life.incarnation != incarnation
                && fresh(life.heard_at)
        });
        if let Some((link, _)) = others.next() {
            return Some(Other::Caller(*link));
        }
        let called = self.cx.peers.peer(node)?;
        let is_alive = self.cx.peers.is_up(node) && fresh(called.heard_at);
        (is_alive && called.incarnation != incarnation).then_some(Other::Called)
    }

    /// A member answers a call: a caller with the same id that is another process is turned away, as
    /// the one at the address of the member list is the one that is meant.
    pub(super) fn turn_away_impostors(&mut self, now: Now, node: NodeIndex, incarnation: u32) {
        let lives = self.node_identity.lives.iter();
        let impostors =
            lives.filter(|(_, life)| life.node == node && life.incarnation != incarnation);
        let impostors: alloc::vec::Vec<u64> = impostors.map(|(link, _)| *link).collect();
        for link in impostors {
            let newcomer = Body::SameId { came_later: true };
            self.cx.answer(Link::Inbound(link), 0, newcomer);
            self.cx
                .out
                .push_back(Action::Disconnect(Link::Inbound(link)));
            self.handle_inbound_closed(now, link);
        }
    }

    /// Another process has this node's id; a member says so.
    pub(super) fn take_same_id(&mut self, now: Now, from: NodeIndex, came_later: bool) {
        if self.member.is_none() {
            return;
        }
        if !came_later {
            return self.report_same_id(self.name.clone(), false);
        }
        let since = *self.node_identity.told_since.get_or_insert(now.instant);
        let node = self.cx.peers.id(from);
        let reason = format!(
            "a process with the id {} is alive already: stop one of the two, or give this one an id of its own \
             (node-id)",
            self.name
        );
        self.cx.event(Event::Rejected { node, reason });
        // A former life of this very node would have fallen silent by now.
        if now.instant - since >= self.cx.peers.down_after() {
            self.change_state(now, NodeState::Leaving);
            self.report_same_id(self.name.clone(), true);
        }
    }

    fn report_same_id(&mut self, node: String, must_end: bool) {
        self.cx.event(Event::SameId { node, must_end });
    }

    /// What is wrong with a member that says on one connection that it was started anew, or that has been
    /// another process in between.
    pub(super) fn wrong_incarnation(&self, from: NodeIndex, incarnation: u32) -> Option<String> {
        let peer = self.cx.peers.peer(from)?;
        if self.cx.peers.is_up(from) && peer.incarnation != incarnation {
            return Some(format!(
                "it was start {:08x} and says on the same connection that it is {incarnation:08x}: one process has one",
                peer.incarnation
            ));
        }
        peer.former_incarnations.contains(&Some(incarnation)).then(|| {
            format!(
                "start {incarnation:08x} is back after {:08x}: two processes take turns at this address with one id; stop one \
                 of them",
                peer.incarnation
            )
        })
    }

    /// Closes the connection to a member that does what no member does.
    pub(super) fn eject(&mut self, now: Now, peer: NodeIndex, reason: String) {
        self.note_rejection(peer, reason);
        self.cx.out.push_back(Action::Disconnect(Link::Peer(peer)));
        self.handle_disconnected(now, peer);
    }

    /// A member and this node cannot work together: told once, and not with every attempt.
    pub(super) fn note_rejection(&mut self, peer: NodeIndex, reason: String) {
        if self.cx.peers.note_rejection(peer, &reason) {
            let node = self.cx.peers.id(peer);
            self.cx.event(Event::Rejected { node, reason });
        }
    }

    /// The connection to a member was closed because of what it sent, or how it ended: `reason` is for
    /// people. To be called in place of [`handle_disconnected`](Self::handle_disconnected).
    pub fn handle_misbehaviour(&mut self, now: Now, peer: NodeIndex, reason: String) {
        self.note_rejection(peer, reason);
        self.handle_disconnected(now, peer);
    }
}
