//! Connections between the processes, and the messages on them.

use super::super::event::Event;
use super::super::process::{member_id, member_number};
use super::World;
use crate::replication::{Link, Message};
use crate::ring::NodeIndex;
use crate::time::{Duration, Instant};

impl World<'_> {
    pub(super) fn connect(&mut self, from: usize, to: usize) {
        let boot = self.boot_of(from);
        let is_dead = self
            .processes
            .get(to)
            .is_none_or(|process| process.node.is_none());
        if self.network.is_cut(from, to) || self.network.is_cut(to, from) {
            self.schedule(
                Duration::from_millis(500),
                Event::Refused { from, to, boot },
            );
        } else if is_dead {
            self.schedule(
                Duration::from_micros(300),
                Event::Refused { from, to, boot },
            );
        } else {
            self.schedule(
                Duration::from_micros(300),
                Event::Connected { from, to, boot },
            );
        }
    }

    pub(super) fn establish(&mut self, from: usize, to: usize, boot: u32) {
        let is_alive = self
            .processes
            .get(to)
            .is_some_and(|process| process.node.is_some());
        if !is_alive || self.boot_of(from) != boot {
            return self.schedule(Duration::ZERO, Event::Refused { from, to, boot });
        }
        self.network.connect(from, to);
        let peer = self.index(from, to);
        self.input(from, boot, |node, now| node.handle_connected(now, peer));
    }

    /// The number that a process gives to a member, for as long as it lives.
    pub(super) fn index(&self, process: usize, member: usize) -> NodeIndex {
        let node = self
            .processes
            .get(process)
            .and_then(|process| process.node.as_ref());
        node.and_then(|node| node.index_of(&member_id(member)))
            .unwrap_or(NodeIndex(u16::MAX))
    }

    /// The member to which a process gives this number.
    pub(super) fn member(&self, process: usize, index: NodeIndex) -> usize {
        let node = self
            .processes
            .get(process)
            .and_then(|process| process.node.as_ref());
        node.and_then(|node| member_number(&node.address(index)))
            .unwrap_or(usize::MAX)
    }

    pub(super) fn send(&mut self, from: usize, link: Link, message: Message) {
        let (id, to) = match link {
            Link::Peer(peer) => {
                let to = self.member(from, peer);
                (self.network.outbound(from, to), to)
            }
            Link::Inbound(id) => (
                Some(id),
                self.network.connection(id).map_or(from, |c| c.from),
            ),
        };
        let Some(connection) = id else { return };
        let to_member = matches!(link, Link::Peer(_));
        let mut message = Some(message);
        let [first, second] = self.network.deliveries(from, to, &mut self.chance);
        for (after, is_last) in [(first, second.is_none()), (second, true)] {
            let Some(after) = after else { continue };
            let copy = if is_last {
                message.take()
            } else {
                message.clone()
            };
            let Some(message) = copy else { return };
            self.schedule(
                after,
                Event::Deliver {
                    connection,
                    to_member,
                    message,
                },
            );
        }
    }

    pub(super) fn deliver(&mut self, id: u64, to_member: bool, message: Message) {
        let Some(connection) = self.network.connection(id) else {
            return;
        };
        let (to, link) = if to_member {
            (connection.to, Link::Inbound(id))
        } else {
            (
                connection.from,
                Link::Peer(self.index(connection.from, connection.to)),
            )
        };
        let paused_until = self
            .processes
            .get(to)
            .map_or(Instant::ZERO, |process| process.paused_until);
        if paused_until > self.now {
            let after =
                paused_until - self.now + self.chance.duration_below(Duration::from_micros(200));
            return self.schedule(
                after,
                Event::Deliver {
                    connection: id,
                    to_member,
                    message,
                },
            );
        }
        let boot = self.boot_of(to);
        self.input(to, boot, |node, now| {
            node.handle_message(now, link, message)
        });
    }

    pub(super) fn notify_closed(&mut self, process: usize, link: Link) {
        let boot = self.boot_of(process);
        let after =
            Duration::from_micros(200) + self.chance.duration_below(Duration::from_millis(2));
        self.schedule(
            after,
            Event::Closed {
                process,
                boot,
                link,
            },
        );
    }
}
