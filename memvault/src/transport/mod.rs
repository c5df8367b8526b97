//! Links between nodes as something that moves bytes: TCP, memory, or anything else with two ends.
//!
//! Place: below a [`Node`](crate::replication::Node), which knows messages but no bytes. A [`Driver`] stands
//! between the two; [`Loopback`] is the transport for tests and for clusters within one program.
//!
//! ```text
//! Node --actions--> Driver --bytes--> Transport ~~~ Transport --bytes--> Driver --messages--> Node
//! ```
//!
//! The [simulator](crate::simulator) does without: it moves messages as they are and decides on the fate of
//! each in virtual time, a million per second and core. What bytes add is tested here.

mod driver;
mod loopback;

pub use driver::Driver;
pub use loopback::{Loopback, LoopbackNetwork};

use alloc::vec::Vec;

use crate::replication::Link;
use crate::ring::NodeIndex;
use crate::time::Instant;

/// One node's end of all its links. Nothing here blocks.
///
/// Bytes of one link arrive in the order in which they were sent, as on TCP, unless the transport says
/// otherwise; how they are cut into pieces means nothing.
pub trait Transport {
    /// Begins to open a link to a member. [`TransportEvent::Connected`] or [`TransportEvent::Closed`] follows.
    fn connect(&mut self, to: NodeIndex);

    /// Sends bytes. If the link is gone, they are lost, and [`TransportEvent::Closed`] has come or will come.
    fn send(&mut self, link: Link, bytes: &[u8]);

    /// Closes a link. Nothing more comes from it, not even [`TransportEvent::Closed`]; the other end gets that.
    fn close(&mut self, link: Link);

    /// What happened since the last call, one thing at a time; `None` if nothing is left.
    fn poll(&mut self, now: Instant) -> Option<TransportEvent>;
}

/// Something that happened on a link.
///
/// Complete: more does not happen on a stream of bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransportEvent {
    /// The link to this member is open.
    Connected(NodeIndex),
    /// Bytes came in. The first on an [inbound](Link::Inbound) link are the first that is heard of it.
    Received(Link, Vec<u8>),
    /// The link was refused, or is gone.
    Closed(Link),
}

impl TransportEvent {
    /// The link on which it happened.
    #[must_use]
    pub const fn link(&self) -> Link {
        match self {
            Self::Connected(peer) => Link::Peer(*peer),
            Self::Received(link, _) | Self::Closed(link) => *link,
        }
    }
}
