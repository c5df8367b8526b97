//! Links between nodes as something that moves bytes: TCP, memory, or anything else with two ends.
//!
//! Place: below a [`Node`](crate::replication::Node), which knows messages but no bytes. A [`Pump`] stands
//! between the two; [`Loopback`] is the transport for tests and for clusters within one program, and
//! [`FaultInjector`] makes any transport unreliable.
//!
//! ```text
//! Node --actions--> Pump --bytes--> Transport ~~~ Transport --bytes--> Pump --messages--> Node
//! ```
//!
//! The [simulator](crate::simulator) does without: it moves messages as they are and decides on the fate of
//! each in virtual time, a million per second and core. What bytes add is tested here.

mod faults;
mod loopback;
mod pump;

pub use faults::{FaultInjector, FaultRates};
pub use loopback::{Loopback, LoopbackNetwork};
pub use pump::Pump;

use alloc::vec::Vec;

use crate::replication::Link;
use crate::ring::NodeIndex;
use crate::time::Instant;

/// One node's end of all its links. Nothing here blocks.
///
/// Bytes of one link arrive in the order in which they were sent, as on TCP, unless the transport says
/// otherwise; how they are cut into pieces means nothing.
pub trait Transport {
    /// Begins to open a link to a member. [`Incident::Connected`] or [`Incident::Closed`] follows.
    fn connect(&mut self, to: NodeIndex);

    /// Sends bytes. If the link is gone, they are lost, and [`Incident::Closed`] has come or will come.
    fn send(&mut self, link: Link, bytes: &[u8]);

    /// Closes a link. Nothing more comes from it, not even [`Incident::Closed`]; the other end gets that.
    fn close(&mut self, link: Link);

    /// What happened since the last call, one thing at a time; `None` if nothing is left.
    fn poll(&mut self, now: Instant) -> Option<Incident>;
}

/// Something that happened on a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incident {
    /// The link to this member is open.
    Connected(NodeIndex),
    /// Bytes came in. The first on an [inbound](Link::Inbound) link are the first that is heard of it.
    Received(Link, Vec<u8>),
    /// The link was refused, or is gone.
    Closed(Link),
}

impl Incident {
    /// The link on which it happened.
    #[must_use]
    pub const fn link(&self) -> Link {
        match self {
            Self::Connected(peer) => Link::Peer(*peer),
            Self::Received(link, _) | Self::Closed(link) => *link,
        }
    }
}
