//! Links within one program: queues of bytes in memory.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;

use super::{Transport, TransportEvent};
use crate::replication::Link;
use crate::ring::NodeIndex;
use crate::time::Instant;

/// A network in memory. Members attach at their [`NodeIndex`], others at any higher number.
///
/// # Examples
///
/// ```
/// use memvault::replication::Link;
/// use memvault::ring::NodeIndex;
/// use memvault::time::Instant;
/// use memvault::transport::{TransportEvent, LoopbackNetwork, Transport};
///
/// let network = LoopbackNetwork::new();
/// let (mut a, mut b) = (network.attach(0), network.attach(1));
/// a.connect(NodeIndex(1));
/// assert_eq!(a.poll(Instant::ZERO), Some(TransportEvent::Connected(NodeIndex(1))));
/// a.send(Link::Peer(NodeIndex(1)), b"hello");
/// let Some(TransportEvent::Received(link, bytes)) = b.poll(Instant::ZERO) else { panic!() };
/// assert_eq!(bytes, b"hello");
/// drop(b); // the end of a process closes its links
/// assert_eq!(a.poll(Instant::ZERO), Some(TransportEvent::Closed(Link::Peer(NodeIndex(1)))));
/// # assert!(matches!(link, Link::Inbound(_)));
/// ```
#[derive(Clone, Debug, Default)]
pub struct LoopbackNetwork(Rc<RefCell<Hub>>);

/// One end of a [`LoopbackNetwork`]; dropping it closes all its links.
#[derive(Debug)]
pub struct Loopback {
    hub: LoopbackNetwork,
    address: u16,
    /// Distinguishes this end from those that were or will be attached at the same address.
    life: u64,
}

#[derive(Debug, Default)]
struct Hub {
    /// What each attached end has not taken yet.
    queues: BTreeMap<u16, Queue>,
    /// Open links by number: who opened it, to whom.
    links: BTreeMap<u64, (u16, u16)>,
    /// The number of the link that the first opened to the second.
    numbers: BTreeMap<(u16, u16), u64>,
    last_number: u64,
    last_life: u64,
}

#[derive(Debug)]
struct Queue {
    life: u64,
    incidents: VecDeque<TransportEvent>,
}

impl LoopbackNetwork {
    /// A network without ends.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A new end at this address. One that was there before is cut off, as if its process had ended.
    #[must_use]
    pub fn attach(&self, address: u16) -> Loopback {
        let mut hub = self.0.borrow_mut();
        hub.detach(address);
        hub.last_life += 1;
        let (life, incidents) = (hub.last_life, VecDeque::new());
        hub.queues.insert(address, Queue { life, incidents });
        Loopback {
            hub: self.clone(),
            address,
            life,
        }
    }
}

impl Hub {
    fn tell(&mut self, address: u16, event: TransportEvent) {
        if let Some(queue) = self.queues.get_mut(&address) {
            queue.incidents.push_back(event);
        }
    }

    fn connect(&mut self, from: u16, to: u16) {
        let peer = NodeIndex(to);
        if !self.queues.contains_key(&to) {
            return self.tell(from, TransportEvent::Closed(Link::Peer(peer)));
        }
        self.last_number += 1;
        self.links.insert(self.last_number, (from, to));
        self.numbers.insert((from, to), self.last_number);
        self.tell(from, TransportEvent::Connected(peer));
    }

    /// The open link that the end at `address` means: its number, the other end, and what that calls it.
    fn find(&self, address: u16, link: Link) -> Option<(u64, u16, Link)> {
        match link {
            Link::Peer(peer) => {
                let number = *self.numbers.get(&(address, peer.0))?;
                Some((number, peer.0, Link::Inbound(number)))
            }
            Link::Inbound(number) => {
                let (from, to) = *self.links.get(&number)?;
                (to == address).then_some((number, from, Link::Peer(NodeIndex(to))))
            }
        }
    }

    fn send(&mut self, address: u16, link: Link, bytes: &[u8]) {
        let Some((_, other, theirs)) = self.find(address, link) else {
            return;
        };
        let Some(queue) = self.queues.get_mut(&other) else {
            return;
        };
        match queue.incidents.back_mut() {
            Some(TransportEvent::Received(last, waiting)) if *last == theirs => {
                waiting.extend_from_slice(bytes);
            }
            _ => queue
                .incidents
                .push_back(TransportEvent::Received(theirs, Vec::from(bytes))),
        }
    }

    fn close(&mut self, address: u16, link: Link) {
        let Some((number, other, theirs)) = self.find(address, link) else {
            return;
        };
        if let Some(ends) = self.links.remove(&number) {
            self.numbers.remove(&ends);
        }
        if let Some(queue) = self.queues.get_mut(&address) {
            queue.incidents.retain(|event| event.link() != link);
        }
        self.tell(other, TransportEvent::Closed(theirs));
    }

    fn detach(&mut self, address: u16) {
        self.queues.remove(&address);
        let touches = |(_, ends): &(&u64, &(u16, u16))| ends.0 == address || ends.1 == address;
        let links: Vec<_> = self
            .links
            .iter()
            .filter(touches)
            .map(|(n, e)| (*n, *e))
            .collect();
        for (number, (from, to)) in links {
            let link = if from == address {
                Link::Peer(NodeIndex(to))
            } else {
                Link::Inbound(number)
            };
            self.close(address, link);
        }
    }
}

impl Transport for Loopback {
    fn connect(&mut self, to: NodeIndex) {
        self.hub.0.borrow_mut().connect(self.address, to.0);
    }

    fn send(&mut self, link: Link, bytes: &[u8]) {
        self.hub.0.borrow_mut().send(self.address, link, bytes);
    }

    fn close(&mut self, link: Link) {
        self.hub.0.borrow_mut().close(self.address, link);
    }

    fn poll(&mut self, _: Instant) -> Option<TransportEvent> {
        let mut hub = self.hub.0.borrow_mut();
        let queue = hub.queues.get_mut(&self.address)?;
        if queue.life == self.life {
            queue.incidents.pop_front()
        } else {
            None
        }
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        let mut hub = self.hub.0.borrow_mut();
        let is_attached = hub
            .queues
            .get(&self.address)
            .is_some_and(|queue| queue.life == self.life);
        if is_attached {
            hub.detach(self.address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_that_was_replaced_touches_nothing_any_more() {
        let network = LoopbackNetwork::new();
        let (mut a, old) = (network.attach(0), network.attach(1));
        let mut new = network.attach(1);
        drop(old);
        a.connect(NodeIndex(1));
        a.send(Link::Peer(NodeIndex(1)), b"x");
        assert!(
            matches!(new.poll(Instant::ZERO), Some(TransportEvent::Received(_, bytes)) if bytes == b"x")
        );
    }

    #[test]
    fn nothing_comes_from_a_link_after_it_was_closed() {
        let network = LoopbackNetwork::new();
        let (mut a, mut b) = (network.attach(0), network.attach(1));
        a.connect(NodeIndex(1));
        a.send(Link::Peer(NodeIndex(1)), b"x");
        let Some(TransportEvent::Received(link, _)) = b.poll(Instant::ZERO) else {
            panic!("nothing came in");
        };
        a.send(Link::Peer(NodeIndex(1)), b"y");
        b.send(link, b"z");
        b.close(link);
        assert_eq!(b.poll(Instant::ZERO), None);
        let of_a: Vec<_> = core::iter::from_fn(|| a.poll(Instant::ZERO)).collect();
        assert_eq!(
            of_a.last(),
            Some(&TransportEvent::Closed(Link::Peer(NodeIndex(1))))
        );
    }
}
