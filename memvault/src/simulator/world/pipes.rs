//! What a scenario with a load has instead of messages that take no time: processes with a queue, links with a width.

use alloc::vec::Vec;

use super::super::event::Event;
use super::super::load::Costs;
use super::super::pipe::{Chunk, Pipe};
use super::super::server::Next;
use super::World;
use crate::replication::{Body, Link, Message, PullReply};
use crate::time::{Duration, Instant};

/// How long a chunk waits before it is tried again to send it through a link that is cut.
const AGAIN: Duration = Duration::from_millis(10);

impl World<'_> {
    pub(super) fn costs(&self) -> Option<Costs> {
        self.scenario.load.map(|load| load.costs)
    }

    /// A process is to take an input: at once, or when it has come to it.
    pub(in super::super) fn queue(&mut self, process: usize, input: Event) {
        if self.costs().is_none() {
            return self.take(input);
        }
        let Some(server) = self.server(process) else {
            return;
        };
        server.push(input);
        if !server.is_busy {
            self.serve(process);
        }
    }

    /// A timer of a process goes off. Returns whether it has its turn at once.
    pub(super) fn is_timers_turn(&mut self, process: usize) -> bool {
        let Some(server) = self.server(process).filter(|server| server.is_busy) else {
            return true;
        };
        server.is_timer_due = true;
        false
    }

    /// A process has done what it was busy with.
    pub(super) fn free(&mut self, process: usize, incarnation: u32) {
        if self.incarnation_of(process) == incarnation && self.node(process).is_some() {
            if let Some(server) = self.server(process) {
                server.is_busy = false;
            }
            self.serve(process);
        }
    }

    /// Lets a process that is not busy do what comes next.
    fn serve(&mut self, number: usize) {
        let paused_until = self.paused_until(number);
        if paused_until > self.now {
            return self.busy_until(number, paused_until);
        }
        let Some(next) = self.server(number).map(|server| server.next()) else {
            return;
        };
        let incarnation = self.incarnation_of(number);
        match next {
            Next::Input(input) => self.take(input),
            Next::Timers => self.input(number, incarnation, |node, now| node.handle_timeout(now)),
            Next::Nothing => return,
        }
        self.work_off(number);
    }

    /// The process is busy for as long as what it has just done takes.
    pub(super) fn work_off(&mut self, number: usize) {
        let (now, slowness) = (self.now, self.slowness_of(number));
        if let Some(server) = self.server(number) {
            let until = server.done(now, slowness);
            self.busy_until(number, until);
        }
    }

    fn busy_until(&mut self, number: usize, until: Instant) {
        let incarnation = self.incarnation_of(number);
        if let Some(server) = self.server(number) {
            server.is_busy = true;
        }
        let process = number;
        self.schedule(
            until - self.now,
            Event::Free {
                process,
                incarnation,
            },
        );
    }

    fn slowness_of(&self, number: usize) -> u32 {
        let Some(load) = self.scenario.load else {
            return 1;
        };
        let is_slow = self.scenario.seed % self.scenario.nodes as u64 == number as u64;
        if is_slow { load.slowness } else { 1 }
    }

    /// Processor time that the present input takes.
    pub(in super::super) fn spend(&mut self, process: usize, keys: usize, bytes: usize) {
        let Some(costs) = self.costs() else { return };
        if let Some(server) = self.server(process) {
            server.spent += costs.work(keys, bytes);
        }
    }

    /// How long the present input has taken so far: what comes of it is there that much later.
    pub(in super::super) fn spent(&self, number: usize) -> Duration {
        let process = self.processes.get(number);
        process.map_or(Duration::ZERO, |process| {
            process.server.spent * self.slowness_of(number)
        })
    }

    /// A process writes a message to one of its links.
    pub(super) fn post(&mut self, from: usize, connection: u64, to_member: bool, message: Message) {
        let (keys, bytes) = size_of(&message.body);
        self.spend(from, keys, bytes);
        let after = self.spent(from);
        self.schedule(
            after,
            Event::Post {
                connection,
                to_member,
                message,
            },
        );
    }

    /// The message is written: it leaves as soon as what was there before it has.
    pub(super) fn put(&mut self, connection: u64, to_member: bool, message: Message) {
        if let Some(pipe) = self.pipe(connection, to_member) {
            pipe.push(message);
        }
        self.leave(connection, to_member);
    }

    fn leave(&mut self, connection: u64, to_member: bool) {
        let Some(costs) = self.costs() else { return };
        let Some(chunk) = self.pipe(connection, to_member).and_then(Pipe::leave) else {
            return;
        };
        if let Some((from, ..)) = self.ends(connection, to_member)
            && let Some(server) = self.server(from)
        {
            server.spent += costs.per_chunk;
        }
        self.schedule(
            costs.passage(chunk.bytes.len()),
            Event::Left {
                connection,
                to_member,
                chunk,
            },
        );
    }

    /// A chunk has left: the next one begins to, and the sender learns of the large messages that are gone.
    pub(super) fn left(&mut self, id: u64, to_member: bool, chunk: Chunk) {
        let Some((from, to, link)) = self.ends(id, to_member) else {
            return;
        };
        if self.network.is_cut(from, to) {
            let (connection, to_member) = (id, to_member);
            return self.schedule(
                AGAIN,
                Event::Left {
                    connection,
                    to_member,
                    chunk,
                },
            );
        }
        if let Some(pipe) = self.pipe(id, to_member) {
            pipe.left();
        }
        let Chunk { bytes, sent } = chunk;
        let after = self.network.latency();
        self.schedule(
            after,
            Event::Arrive {
                connection: id,
                to_member,
                bytes,
            },
        );
        let incarnation = self.incarnation_of(from);
        for id in sent {
            let sent = Event::Sent {
                process: from,
                incarnation,
                link,
                id,
            };
            self.queue(from, sent);
        }
        self.leave(id, to_member);
    }

    /// A chunk arrives and waits until its process reads it.
    pub(super) fn arrive(&mut self, connection: u64, to_member: bool, bytes: Vec<u8>) {
        let Some((_, to, _)) = self.ends(connection, to_member) else {
            return;
        };
        let read = Event::Read {
            connection,
            to_member,
            bytes,
        };
        self.queue(to, read);
    }

    /// A process reads a chunk: a sign of life, whatever is complete with it.
    pub(super) fn read(&mut self, id: u64, to_member: bool, bytes: &[u8]) {
        let Some((from, to, _)) = self.ends(id, to_member) else {
            return;
        };
        let Some(link) = self.link_at(to, id) else {
            return;
        };
        let Some(pipe) = self.pipe(id, to_member) else {
            return;
        };
        let messages = pipe.read(bytes);
        let is_in_pieces = pipe.keeps_pieces();
        self.leave(id, to_member);
        let is_open = |world: &Self| {
            let connection = world.network.connection(id);
            connection.is_some_and(|connection| connection.is_open_at(to))
        };
        if !is_open(self) {
            return;
        }
        let incarnation = self.incarnation_of(to);
        self.input(to, incarnation, |node, now| {
            node.handle_heard(now, link);
            if is_in_pieces {
                node.handle_piece(now, link);
            }
        });
        if let (Some(costs), Some(server)) = (self.costs(), self.server(to)) {
            server.spent += costs.per_chunk;
        }
        for message in messages {
            if is_open(self) {
                let (keys, bytes) = size_of(&message.body);
                self.spend(to, keys, bytes);
                self.hand_over(from, to, link, message);
            }
        }
    }

    /// Who sends and who receives in this direction of a connection, and what the sender calls it.
    fn ends(&self, id: u64, to_member: bool) -> Option<(usize, usize, Link)> {
        let connection = self.network.connection(id)?;
        let (from, to) = if to_member {
            (connection.from, connection.to)
        } else {
            (connection.to, connection.from)
        };
        Some((from, to, self.link_at(from, id)?))
    }

    /// What a process calls a connection.
    fn link_at(&self, process: usize, id: u64) -> Option<Link> {
        let connection = self.network.connection(id)?;
        Some(if connection.from == process {
            Link::Peer(self.index(process, connection.to))
        } else {
            Link::Inbound(id)
        })
    }

    fn pipe(&mut self, connection: u64, to_member: bool) -> Option<&mut Pipe> {
        self.network.pipe(connection, to_member)
    }

    fn server(&mut self, number: usize) -> Option<&mut super::super::server::Server> {
        self.processes
            .get_mut(number)
            .map(|process| &mut process.server)
    }
}

/// Keys and bytes of a message.
pub(super) fn size_of(body: &Body) -> (usize, usize) {
    use crate::replication::ReadReply;
    let len =
        |value: &Option<crate::replication::Bytes>| value.as_ref().map_or(0, |value| value.len());
    match body {
        Body::Write(write) => (1, len(&write.entry.value)),
        Body::Offer { entry, .. } => (1, len(&entry.value)),
        Body::Held(ReadReply::Holds { entry, .. }) => {
            (1, entry.as_ref().map_or(0, |entry| len(&entry.value)))
        }
        Body::Read { .. } | Body::Wrote(_) | Body::Offered(_) | Body::Held(_) => (1, 0),
        Body::Pulled(PullReply::Chunk { entries, .. }) => {
            let bytes = entries.iter().map(|pulled| len(&pulled.entry.value)).sum();
            (entries.len(), bytes)
        }
        Body::Touch { keys } => (keys.len(), 0),
        _ => (0, 0),
    }
}
