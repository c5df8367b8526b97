//! The table of links.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use async_executor::Task;
use memvault::replication::{Link, Message};
use memvault::ring::NodeIndex;

use super::link::{LinkError, Outbox};

/// All links of a driver.
pub(super) struct Links {
    /// By [`NodeIndex`].
    peers: Vec<PeerLink>,
    inbound: BTreeMap<u64, OpenLink>,
    last_inbound: u64,
    max_buffer: usize,
    /// Links with more to send than they may have; to be closed.
    overflown: VecDeque<Link>,
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
struct OpenLink {
    outbox: Rc<Outbox>,
    /// Held so that the task ends with the link.
    _reader: Task<()>,
    writer: Task<()>,
}

impl Links {
    pub(super) fn new(peers: usize, max_buffer: usize) -> Self {
        Self {
            peers: (0..peers).map(|_| PeerLink::None).collect(),
            inbound: BTreeMap::new(),
            last_inbound: 0,
            max_buffer,
            overflown: VecDeque::new(),
        }
    }

    /// A link for a connection that somebody opened to this node; its number was never used before.
    pub(super) const fn fresh_inbound(&mut self) -> Link {
        self.last_inbound += 1;
        Link::Inbound(self.last_inbound)
    }

    pub(super) fn connecting(&mut self, node: NodeIndex, attempt: Task<()>) {
        self.set(node, PeerLink::Connecting { _attempt: attempt });
    }

    pub(super) fn open(
        &mut self,
        link: Link,
        outbox: Rc<Outbox>,
        (reader, writer): (Task<()>, Task<()>),
    ) {
        let open = OpenLink {
            outbox,
            _reader: reader,
            writer,
        };
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
    pub(super) fn send(&mut self, link: Link, message: &Message) {
        let Some(open) = self.get(link) else { return };
        if open.outbox.len() > self.max_buffer {
            if !self.overflown.contains(&link) {
                self.overflown.push_back(link);
            }
            return;
        }
        open.outbox.push(message);
    }

    /// A link that has to be closed because the other end does not read.
    pub(super) fn pop_overflown(&mut self) -> Option<(Link, LinkError)> {
        let limit = self.max_buffer;
        let link = self.overflown.pop_front()?;
        Some((link, LinkError::Overflow { limit }))
    }

    /// Forgets a link. What is queued on an inbound one is still sent, as it may say why.
    pub(super) fn close(&mut self, link: Link) {
        match link {
            Link::Peer(node) => self.set(node, PeerLink::None),
            Link::Inbound(number) => {
                if let Some(open) = self.inbound.remove(&number) {
                    open.outbox.close();
                    open.writer.detach();
                }
            }
        }
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
        if let Some(place) = self.peers.get_mut(node.as_usize()) {
            *place = link;
        }
    }
}
