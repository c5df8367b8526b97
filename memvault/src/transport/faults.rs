//! A transport that loses, repeats, delays and reorders what is sent over another, by chance from a seed.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::{Incident, Transport};
use crate::chance::Chance;
use crate::replication::Link;
use crate::ring::NodeIndex;
use crate::time::{Duration, Instant};

/// How often what goes wrong. The default is: nothing ever.
#[derive(Clone, Copy, Debug, Default)]
pub struct FaultRates {
    /// Pieces lost, per thousand.
    pub loss: u64,
    /// Pieces sent twice, per thousand.
    pub duplicate: u64,
    /// Longest delay of a piece; each draws its own, so they overtake each other.
    pub delay: Duration,
}

/// Wraps one end of a network and spoils what this end sends.
///
/// The piece that is lost, repeated or delayed is what one call of [`Transport::send`] was given: a sender
/// that gives whole messages (as [`Pump`](super::Pump) does) loses whole messages, and the stream stays
/// readable. Time is that of the last [`Transport::poll`].
#[derive(Debug)]
pub struct FaultInjector<T> {
    inner: T,
    rates: FaultRates,
    chance: Chance,
    now: Instant,
    /// Pieces under way, by time of arrival.
    delayed: BTreeMap<(Instant, u64), (Link, Vec<u8>)>,
    sent: u64,
    cut: BTreeSet<NodeIndex>,
    is_isolated: bool,
}

impl<T: Transport> FaultInjector<T> {
    /// Wraps `inner`; equal seeds give equal faults.
    pub const fn new(inner: T, rates: FaultRates, seed: u64) -> Self {
        Self {
            inner,
            rates,
            chance: Chance::new(seed),
            now: Instant::ZERO,
            delayed: BTreeMap::new(),
            sent: 0,
            cut: BTreeSet::new(),
            is_isolated: false,
        }
    }

    /// Changes how often what goes wrong from now on.
    pub const fn set_rates(&mut self, rates: FaultRates) {
        self.rates = rates;
    }

    /// Cuts the link that this end opened to `node`, or opens to it later, in both directions, without
    /// closing it: as a network does that drops packets.
    pub fn cut(&mut self, node: NodeIndex) {
        self.cut.insert(node);
    }

    /// Cuts all links, those opened by others included.
    pub const fn isolate(&mut self) {
        self.is_isolated = true;
    }

    /// Undoes every cut. What was sent meanwhile stays lost.
    pub fn heal(&mut self) {
        self.cut.clear();
        self.is_isolated = false;
    }

    fn is_cut(&self, link: Link) -> bool {
        self.is_isolated || matches!(link, Link::Peer(node) if self.cut.contains(&node))
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
        let copies = 1 + u64::from(self.chance.one_in_thousand(self.rates.duplicate));
        for _ in 0..copies {
            if self.is_cut(link) || self.chance.one_in_thousand(self.rates.loss) {
                continue;
            }
            self.sent += 1;
            let at = self.now + self.chance.duration_below(self.rates.delay);
            self.delayed.insert((at, self.sent), (link, bytes.to_vec()));
        }
        self.deliver_due();
    }

    fn close(&mut self, link: Link) {
        self.forget(link);
        self.inner.close(link);
    }

    fn poll(&mut self, now: Instant) -> Option<Incident> {
        self.now = now;
        self.deliver_due();
        loop {
            let incident = self.inner.poll(now)?;
            match &incident {
                Incident::Connected(node) if self.is_cut(Link::Peer(*node)) => {
                    self.inner.close(Link::Peer(*node));
                    return Some(Incident::Closed(Link::Peer(*node)));
                }
                Incident::Received(link, _) if self.is_cut(*link) => continue,
                Incident::Received(..) => {}
                Incident::Connected(_) | Incident::Closed(_) => self.forget(incident.link()),
            }
            return Some(incident);
        }
    }
}
