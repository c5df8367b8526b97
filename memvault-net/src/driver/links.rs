//! The table of links.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::rc::Rc;
use std::time::Duration;

use async_executor::Task;
use memvault::replication::{Link, Message, PlainLink, PlainQuestion};
use memvault::ring::NodeIndex;
use memvault::time::Instant;

use super::link::LinkError;
use super::outlet::Outlet;

/// All links of a driver.
pub(super) struct Links {
    /// By [`NodeIndex`].
    peers: Vec<PeerLink>,
    inbound: BTreeMap<u64, OpenLink>,
    last_inbound: u64,
    max_buffer: usize,
    stall_timeout: Duration,
    /// Links with more to send than they may have, or that hold too much of the memory for all; to be closed.
    overflown: VecDeque<(Link, LinkError)>,
    /// Bytes that inbound links hold, as they were last weighed.
    held: usize,
    max_held: usize,
    /// Inbound links that were closed as all together held too much.
    relieved: u64,
    /// When to look for idle links again.
    next_look: Instant,
}

/// The link to a member.
enum PeerLink {
    None,
    /// Held so that the attempt ends with its place here.
    Connecting {
        _attempt: Task<()>,
    },
    Open(OpenLink),
}

/// A link that messages can be sent on.
pub(super) struct OpenLink {
    outlet: Rc<Outlet>,
    /// Held so that the task ends with the link.
    _reader: Task<()>,
    writer: Task<()>,
    /// The codec, if the other end speaks plain Redis.
    plain: Option<Rc<RefCell<PlainLink>>>,
    heard_at: Instant,
    /// Bytes of incomplete messages that have come.
    unfinished: usize,
    /// What it counts for in [`Links::held`].
    weighed: usize,
}

impl OpenLink {
    pub(super) const fn new(
        outlet: Rc<Outlet>,
        reader: Task<()>,
        writer: Task<()>,
        now: Instant,
    ) -> Self {
        Self {
            outlet,
            _reader: reader,
            writer,
            plain: None,
            heard_at: now,
            unfinished: 0,
            weighed: 0,
        }
    }
}

impl OpenLink {
    /// The same link, to a member that speaks plain Redis.
    pub(super) fn plain(self, codec: Rc<RefCell<PlainLink>>) -> Self {
        Self {
            plain: Some(codec),
            ..self
        }
    }

    /// Bytes that it has this node hold now.
    fn weight(&self) -> usize {
        self.unfinished + self.outlet.len()
    }
}

impl Links {
    /// `max_held`: bytes that inbound links may have this node hold together.
    pub(super) const fn new(max_buffer: usize, max_held: usize, stall_timeout: Duration) -> Self {
        Self {
            peers: Vec::new(),
            inbound: BTreeMap::new(),
            last_inbound: 0,
            max_buffer,
            stall_timeout,
            overflown: VecDeque::new(),
            held: 0,
            max_held,
            relieved: 0,
            next_look: Instant::ZERO,
        }
    }

    /// A link for a connection that somebody opened to this node; its number was never used before.
    pub(super) const fn fresh_inbound(&mut self) -> Link {
        self.last_inbound += 1;
        Link::Inbound(self.last_inbound)
    }

    /// How many connections others have opened to this node.
    pub(super) fn inbound(&self) -> usize {
        self.inbound.len()
    }

    /// Of the inbound links on which nothing was heard for `silence`, the one of the longest. O(inbound links).
    pub(super) fn most_silent(&self, now: Instant, silence: Duration) -> Option<Link> {
        let most = self.inbound.iter().min_by_key(|(_, open)| open.heard_at);
        let (number, _) = most.filter(|(_, open)| now - open.heard_at > silence)?;
        Some(Link::Inbound(*number))
    }

    pub(super) fn connecting(&mut self, node: NodeIndex, attempt: Task<()>) {
        self.set(node, PeerLink::Connecting { _attempt: attempt });
    }

    pub(super) fn open(&mut self, link: Link, open: OpenLink) {
        match link {
            Link::Peer(node) => self.set(node, PeerLink::Open(open)),
            Link::Inbound(number) => {
                self.inbound.insert(number, open);
            }
        }
    }

    pub(super) fn is_open(&self, link: Link) -> bool {
        self.get(link).is_some()
    }

    /// Queues a message; if the link is gone, drops it; if too much waits there already, gives the link up.
    pub(super) fn send(&mut self, now: Instant, link: Link, message: &Message) {
        if let Some(open) = self.with_room(link) {
            open.outlet.push(now, message);
        }
        self.enter(link);
    }

    /// So many bytes of incomplete messages have come on a link. Returns whether links are to be closed.
    pub(super) fn weigh(&mut self, link: Link, unfinished: usize) -> bool {
        if let Link::Inbound(number) = link
            && let Some(open) = self.inbound.get_mut(&number)
        {
            open.unfinished = unfinished;
        }
        self.enter(link);
        !self.overflown.is_empty()
    }

    /// Bytes that inbound links hold, and how many were closed as it was too much. O(inbound links).
    pub(super) fn held(&mut self) -> (usize, u64) {
        self.weigh_all();
        (self.held, self.relieved)
    }

    /// Counts what an inbound link holds now; has the heaviest closed if that is too much for all.
    fn enter(&mut self, link: Link) {
        let Link::Inbound(number) = link else { return };
        if let Some(open) = self.inbound.get_mut(&number) {
            let weight = open.weight();
            self.held = self.held + weight - mem::replace(&mut open.weighed, weight);
        }
        if self.held > self.max_held {
            // What was sent since is still counted for the others.
            self.weigh_all();
            self.relieve();
        }
    }

    fn weigh_all(&mut self) {
        for open in self.inbound.values_mut() {
            open.weighed = open.weight();
        }
        self.held = self.inbound.values().map(|open| open.weighed).sum();
    }

    /// Has the heaviest inbound links closed until the rest is within the limit.
    fn relieve(&mut self) {
        while self.held > self.max_held {
            let heaviest = self.inbound.iter_mut().max_by_key(|(_, open)| open.weighed);
            let Some((number, open)) = heaviest else {
                return;
            };
            // Not counted any more: it is to be closed at once.
            let held = mem::take(&mut open.weighed);
            self.held -= held;
            self.relieved += 1;
            let limit = self.max_held;
            let error = LinkError::Heaviest { held, limit };
            self.overflown.push_back((Link::Inbound(*number), error));
        }
    }

    /// The same for a question to a member that speaks plain Redis.
    pub(super) fn ask(&mut self, now: Instant, node: NodeIndex, question: &PlainQuestion) {
        if let Some(open) = self.with_room(Link::Peer(node))
            && let Some(plain) = &open.plain
        {
            open.outlet
                .push_bytes(now, |out| plain.borrow_mut().ask(question, out));
        }
    }

    /// The link, if it is open and not too much waits there already.
    fn with_room(&mut self, link: Link) -> Option<&OpenLink> {
        let max_buffer = self.max_buffer;
        let is_full = |open: &OpenLink| open.outlet.len() > max_buffer;
        if self.get(link).is_some_and(is_full) {
            if !self.overflown.iter().any(|(known, _)| *known == link) {
                let limit = max_buffer;
                self.overflown
                    .push_back((link, LinkError::Overflow { limit }));
            }
            return None;
        }
        self.get(link)
    }

    /// A link that has to be closed because what it has this node hold is too much.
    pub(super) fn pop_overflown(&mut self) -> Option<(Link, LinkError)> {
        self.overflown.pop_front()
    }

    /// Forgets a link, and what is queued on it.
    pub(super) fn close(&mut self, link: Link) {
        match link {
            Link::Peer(node) => self.set(node, PeerLink::None),
            Link::Inbound(number) => {
                self.remove(number);
            }
        }
    }

    fn remove(&mut self, number: u64) -> Option<OpenLink> {
        let open = self.inbound.remove(&number)?;
        self.held -= open.weighed;
        Some(open)
    }

    /// Forgets a link. If something is queued on an inbound one, returns the task that sends it, and then
    /// closes the connection.
    pub(super) fn part(&mut self, link: Link) -> Option<Task<()>> {
        let Link::Inbound(number) = link else {
            self.close(link);
            return None;
        };
        let open = self.remove(number)?;
        let has_last_words = open.outlet.len() > 0;
        open.outlet.close();
        has_last_words.then_some(open.writer)
    }

    /// Something came in.
    pub(super) fn heard(&mut self, now: Instant, link: Link) {
        if let Link::Inbound(number) = link
            && let Some(open) = self.inbound.get_mut(&number)
        {
            open.heard_at = now;
        }
    }

    /// Links that have to be closed: inbound ones on which nothing was heard for `timeout`, and those on which nothing
    /// is taken. Looks at them now and then only; O(links) then.
    pub(super) fn pop_dead(&mut self, now: Instant, timeout: Duration) -> Vec<(Link, LinkError)> {
        if now < self.next_look {
            return Vec::new();
        }
        self.next_look = now + timeout.min(self.stall_timeout) / 4;
        let idle = self.inbound.iter();
        let idle = idle.filter(|(_, open)| now - open.heard_at > timeout);
        let idle = idle.map(|(number, _)| (Link::Inbound(*number), LinkError::Idle(timeout)));
        let mut dead: Vec<_> = idle.collect();
        dead.extend(self.stalled(now));
        dead
    }

    /// Links on which something waits to be sent, and the system has taken nothing for too long. O(links).
    fn stalled(&self, now: Instant) -> Vec<(Link, LinkError)> {
        let inbound = self.inbound.iter();
        let inbound = inbound.map(|(number, open)| (Link::Inbound(*number), open));
        let peers = (0..=u16::MAX).map(NodeIndex).zip(&self.peers);
        let peers = peers.filter_map(|(node, link)| match link {
            PeerLink::Open(open) => Some((Link::Peer(node), open)),
            _ => None,
        });
        let is_stalled = |open: &OpenLink| {
            let since = open.outlet.stuck_since();
            since.is_some_and(|since| now - since > self.stall_timeout)
        };
        let stalled = inbound.chain(peers).filter(|(_, open)| is_stalled(open));
        let error = || LinkError::Stalled(self.stall_timeout);
        stalled.map(|(link, _)| (link, error())).collect()
    }

    fn get(&self, link: Link) -> Option<&OpenLink> {
        match link {
            Link::Peer(node) => match self.peers.get(node.as_usize()) {
                Some(PeerLink::Open(open)) => Some(open),
                _ => None,
            },
            Link::Inbound(number) => self.inbound.get(&number),
        }
    }

    fn set(&mut self, node: NodeIndex, link: PeerLink) {
        if self.peers.len() <= node.as_usize() {
            self.peers
                .resize_with(node.as_usize() + 1, || PeerLink::None);
        }
        if let Some(place) = self.peers.get_mut(node.as_usize()) {
            *place = link;
        }
    }
}
