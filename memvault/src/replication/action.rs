//! What a node asks of its driver.

use super::event::Event;
use super::plain::PlainQuestion;
use super::request::Outcome;
use super::wire::message::Message;
use crate::ring::NodeIndex;

/// One end of a connection, as the driver and the node both name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Link {
    /// The connection that this node opened to a member.
    Peer(NodeIndex),
    /// A connection that somebody opened to this node; the driver chooses the number and never reuses it.
    Inbound(u64),
}

/// Something for the driver to do, in the order in which [`Node::poll_action`](super::Node::poll_action)
/// returns it.
///
/// Not `non_exhaustive`: a driver that does not know one of them is to fail when it is built, not when it runs.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Open a connection to a member, then call `handle_connected` or `handle_disconnected`.
    Connect(NodeIndex),
    /// Close the link without another word; no `handle_disconnected` follows.
    Disconnect(Link),
    /// Send a message; if the link is gone, drop it.
    Send(Link, Message),
    /// Ask a member that speaks plain Redis, through a [`PlainLink`](super::PlainLink); if the link is gone,
    /// drop it. Only with [`Config::plain_redis`](super::Config::plain_redis).
    Ask(NodeIndex, PlainQuestion),
    /// Answer the request with this id.
    Complete(u64, Outcome),
    /// Tell those who are interested.
    Event(Event),
}
