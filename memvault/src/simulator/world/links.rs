//! Connections between the processes, and the messages on them.

use alloc::format;

use super::super::event::Event;
use super::super::invariants::{key_of, version_of};
use super::super::violation::Promise;
use super::World;
use crate::replication::{Body, Link, Message, NodeState, OfferReply, ReadReply, WriteReply};
use crate::ring::NodeIndex;
use crate::time::{Duration, Instant};
use crate::version::Version;

/// How much longer everything takes that a slow member sends.
const SLOWNESS: u32 = 100;
/// Within this a process learns that the other side has closed a connection.
pub(super) const RESET_MAX: Duration = Duration::from_millis(2);
/// How long after the end of the faults messages from before may still arrive.
const LAST_ARRIVALS: Duration = Duration::from_millis(100);

impl World<'_> {
    pub(super) fn connect(&mut self, from: usize, to: usize) {
        let incarnation = self.incarnation_of(from);
        let is_dead = self
            .processes
            .get(to)
            .is_none_or(|process| process.node.is_none());
        if self.network.is_cut(from, to) || self.network.is_cut(to, from) {
            self.schedule(
                Duration::from_millis(500),
                Event::Refused {
                    from,
                    to,
                    incarnation,
                },
            );
        } else if is_dead {
            self.schedule(
                Duration::from_micros(300),
                Event::Refused {
                    from,
                    to,
                    incarnation,
                },
            );
        } else {
            self.schedule(
                Duration::from_micros(300),
                Event::Connected {
                    from,
                    to,
                    incarnation,
                },
            );
        }
    }

    pub(super) fn establish(&mut self, from: usize, to: usize, incarnation: u32) {
        let is_alive = self
            .processes
            .get(to)
            .is_some_and(|process| process.node.is_some());
        if !is_alive || self.incarnation_of(from) != incarnation {
            return self.schedule(
                Duration::ZERO,
                Event::Refused {
                    from,
                    to,
                    incarnation,
                },
            );
        }
        self.network.connect(from, to);
        let peer = self.index(from, to);
        self.input(from, incarnation, |node, now| {
            node.handle_connected(now, peer)
        });
    }

    /// The number that a process gives to a member, for as long as it lives.
    pub(super) fn index(&self, process: usize, member: usize) -> NodeIndex {
        let process = self.processes.get(process);
        process.map_or(NodeIndex(u16::MAX), |process| process.index(member))
    }

    /// The member to which a process gives this number.
    pub(super) fn member(&self, process: usize, index: NodeIndex) -> usize {
        let process = self.processes.get(process);
        let member = process.and_then(|process| process.member(index));
        member.unwrap_or(usize::MAX)
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
        let is_open = |id: &u64| {
            let connection = self.network.connection(*id);
            connection.is_some_and(|connection| connection.is_open_at(from))
        };
        let Some(connection) = id.filter(is_open) else {
            return;
        };
        self.check_warming(from, &message.body);
        let to_member = matches!(link, Link::Peer(_));
        if self.costs().is_some() {
            return self.post(from, connection, to_member, message);
        }
        let is_slow = self
            .processes
            .get(from)
            .is_some_and(|process| process.slow_until > self.now);
        let slowness = if is_slow { SLOWNESS } else { 1 };
        let mut message = Some(message);
        let [first, second] = self.network.deliveries(from, to, slowness, &mut self.rng);
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
                    sent: self.now,
                    message,
                },
            );
        }
    }

    pub(super) fn deliver(&mut self, id: u64, to_member: bool, sent: Instant, message: Message) {
        let Some(connection) = self.network.connection(id) else {
            return;
        };
        let (from, to, link) = if to_member {
            (connection.from, connection.to, Link::Inbound(id))
        } else {
            let link = Link::Peer(self.index(connection.from, connection.to));
            (connection.to, connection.from, link)
        };
        if !connection.is_open_at(to) {
            // Nobody knows this connection there any more: a reset, if somebody is there at all.
            if self.node(to).is_some() {
                self.notify_closed(from, id, RESET_MAX);
            }
            return;
        }
        // What was under way for longer when the faults ended is lost.
        let end = self.end_of_faults();
        if sent < end && self.now > end + LAST_ARRIVALS {
            return;
        }
        let paused_until = self.paused_until(to);
        if paused_until > self.now {
            let after =
                paused_until - self.now + self.rng.duration_below(Duration::from_micros(200));
            return self.schedule(
                after,
                Event::Deliver {
                    connection: id,
                    to_member,
                    sent,
                    message,
                },
            );
        }
        self.hand_over(from, to, link, message);
    }

    /// Gives a process a message.
    pub(super) fn hand_over(&mut self, from: usize, to: usize, link: Link, message: Message) {
        self.trace_message(from, to, &message);
        let key = key_of(&message.body);
        let version = version_of(&message.body);
        let incarnation = self.incarnation_of(to);
        self.input_about(key, to, incarnation, |node, now| {
            node.handle_message(now, link, message);
        });
        let has_refused = |version: &Version| {
            let node = self.node(to);
            node.is_some_and(|node| node.has_refused(*version))
        };
        if let Some(version) = version.filter(has_refused) {
            self.invariants.refuses(to, version);
        }
    }

    /// It does nothing before this.
    pub(super) fn paused_until(&self, number: usize) -> Instant {
        let process = self.processes.get(number);
        process.map_or(Instant::ZERO, |process| process.paused_until)
    }

    /// A member that is warming up answers no reads, and its word does not count.
    fn check_warming(&mut self, from: usize, body: &Body) {
        let is_word = matches!(
            body,
            Body::Held(ReadReply::Holds { .. })
                | Body::Offered(
                    OfferReply::Ack { counted: true } | OfferReply::Nack { counted: true, .. }
                )
                | Body::Wrote(WriteReply::Done { .. })
        );
        let node = self
            .processes
            .get(from)
            .and_then(|process| process.node.as_ref());
        if is_word && node.is_some_and(|node| node.state() == NodeState::Warming) {
            let what = format!("node-{from} answers {body:?}");
            self.violate(Promise::WarmingIsSilent, None, what);
        }
    }

    /// A process closes a connection.
    pub(super) fn close(&mut self, id: u64, by: usize) {
        if let Some(connection) = self.network.close(id, by) {
            self.notify_closed(connection.peer_of(by), id, RESET_MAX);
        }
    }

    pub(super) fn notify_closed(&mut self, process: usize, connection: u64, longest: Duration) {
        let after = Duration::from_micros(200) + self.rng.duration_below(longest);
        self.close_later(process, connection, after);
    }

    fn close_later(&mut self, process: usize, connection: u64, after: Duration) {
        let closed = Event::Closed {
            process,
            connection,
        };
        self.schedule(after, closed);
    }

    /// Nothing that was sent on this connection arrives after this.
    pub(super) fn learn_of_close(&mut self, number: usize, id: u64) {
        let Some(connection) = self.network.connection(id) else {
            return;
        };
        let paused_until = self.paused_until(number);
        if paused_until > self.now {
            let after = paused_until - self.now + self.rng.duration_below(RESET_MAX);
            return self.close_later(number, id, after);
        }
        self.network.forget(id);
        let incarnation = self.incarnation_of(number);
        let peer = self.index(number, connection.to);
        self.input(number, incarnation, |node, now| {
            if connection.from == number {
                node.handle_disconnected(now, peer);
            } else {
                node.handle_inbound_closed(now, id);
            }
        });
    }
}
