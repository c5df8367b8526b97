//! A transport that loses, repeats, delays and reorders what is sent over another, by chance from a seed.

use std::collections::{BTreeMap, BTreeSet};
use std::vec::Vec;

use memvault::replication::Link;
use memvault::ring::NodeIndex;
use memvault::rng::Rng;
use memvault::time::{Duration, Instant};
use memvault::transport::{Transport, TransportEvent};

/// How often what goes wrong. The default is: nothing ever.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FaultRates {
    /// Pieces lost, per thousand.
    pub(crate) loss: u64,
    /// Pieces sent twice, per thousand.
    pub(crate) duplicate: u64,
    /// Longest delay of a piece; each draws its own, so they overtake each other.
    pub(crate) delay: Duration,
}

/// Wraps one end of a network and spoils what this end sends.
///
/// The piece that is lost, repeated or delayed is what one call of [`Transport::send`] was given: a sender
/// that gives whole messages (as [`Driver`](memvault::transport::Driver) does) loses whole messages, and the stream
/// stays readable. Time is that of the last [`Transport::poll`].
pub(crate) struct FaultInjector<T> {
    inner: T,
    rates: FaultRates,
    rng: Rng,
    now: Instant,
    /// Pieces under way, by time of arrival.
    delayed: BTreeMap<(Instant, u64), (Link, Vec<u8>)>,
    sent: u64,
    cut: BTreeSet<NodeIndex>,
}

impl<T: Transport> FaultInjector<T> {
    /// Wraps `inner`; equal seeds give equal faults.
    pub(crate) const fn new(inner: T, rates: FaultRates, seed: u64) -> Self {
        Self {
            inner,
            rates,
            rng: Rng::new(seed),
            now: Instant::ZERO,
            delayed: BTreeMap::new(),
            sent: 0,
            cut: BTreeSet::new(),
        }
    }

    /// Cuts the link that this end opened to `node`, or opens to it later, in both directions, without
    /// closing it: as a network does that drops packets.
    pub(crate) fn cut(&mut self, node: NodeIndex) {
        self.cut.insert(node);
    }

    /// Undoes every cut. What was sent meanwhile stays lost.
    pub(crate) fn heal(&mut self) {
        self.cut.clear();
    }

    fn is_cut(&self, link: Link) -> bool {
        matches!(link, Link::Peer(node) if self.cut.contains(&node))
    }

    /// What is under way on a link that is gone must not turn up on the next to the same member.
    fn forget(&mut self, link: Link) {
        self.delayed.retain(|_, (to, _)| *to != link);
    }

    fn deliver_due(&mut self) {
        while let Some(entry) = self.delayed.first_entry() {
            if entry.key().0 > self.now {
                break;
            }
            let (link, bytes) = entry.remove();
            self.inner.send(link, &bytes);
        }
    }
}

impl<T: Transport> Transport for FaultInjector<T> {
    fn connect(&mut self, to: NodeIndex) {
        self.inner.connect(to);
    }

    fn send(&mut self, link: Link, bytes: &[u8]) {
        let copies = 1 + u64::from(self.rng.one_in_thousand(self.rates.duplicate));
        for _ in 0..copies {
            if self.is_cut(link) || self.rng.one_in_thousand(self.rates.loss) {
                continue;
            }
            self.sent += 1;
            let at = self.now + self.rng.duration_below(self.rates.delay);
            self.delayed.insert((at, self.sent), (link, bytes.to_vec()));
        }
        self.deliver_due();
    }

    fn close(&mut self, link: Link) {
        self.forget(link);
        self.inner.close(link);
    }

    fn poll(&mut self, now: Instant) -> Option<TransportEvent> {
        self.now = now;
        self.deliver_due();
        loop {
            let event = self.inner.poll(now)?;
            match &event {
                TransportEvent::Connected(node) if self.is_cut(Link::Peer(*node)) => {
                    self.inner.close(Link::Peer(*node));
                    return Some(TransportEvent::Closed(Link::Peer(*node)));
                }
                TransportEvent::Received(link, _) if self.is_cut(*link) => continue,
                TransportEvent::Received(..) => {}
                TransportEvent::Connected(_) | TransportEvent::Closed(_) => {
                    self.forget(event.link())
                }
            }
            return Some(event);
        }
    }
}
