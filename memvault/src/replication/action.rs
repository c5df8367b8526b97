//! What a node asks of its driver.

use alloc::string::String;

use super::message::{Message, NodeState};
use super::plain::PlainQuestion;
use super::request::Outcome;
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
    /// Tell whoever is interested.
    Event(Event),
}

/// Something that an operator would like to know.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A member can be reached.
    Up {
        /// The member's id.
        node: String,
        /// What it can be used for.
        state: NodeState,
    },
    /// A member cannot be reached any more: its replicas take over.
    Down {
        /// The member's id.
        node: String,
        /// How it was noticed.
        reason: DownReason,
    },
    /// A member is silent and no longer chosen.
    Ejected {
        /// The member's id.
        node: String,
    },
    /// A member that was down or ejected is used again.
    Rejoined {
        /// The member's id.
        node: String,
    },
    /// A member changed its state.
    StateChanged {
        /// The member's id; this node's own included.
        node: String,
        /// The new state.
        state: NodeState,
    },
    /// This node started to serve without having heard enough peers: keys may be misses.
    DegradedStart {
        /// Entries that only a read at level ONE or AUTO will return.
        unconfirmed: u64,
    },
    /// Fewer members live than a key has replicas.
    FewNodes {
        /// Members in view.
        live: usize,
        /// Replicas wanted per key.
        replicas: usize,
    },
    /// Writes were acknowledged by fewer replicas than a quorum, for lack of live ones.
    DegradedWrites,
    /// This node goes by another member list from now on.
    MembersChanged {
        /// The list's epoch.
        epoch: u64,
        /// Its members, by id, separated by commas.
        members: String,
        /// The change under way, such as `joining=d`; empty if there is none.
        change: String,
    },
    /// A member is reached elsewhere than before.
    Moved {
        /// The member's id.
        node: String,
        /// Where it is reached now.
        address: String,
    },
    /// A member has another list of the same epoch, or one that cannot be: it is ignored.
    BadMemberList {
        /// The sender's id, if known.
        node: String,
        /// What is wrong.
        reason: String,
    },
    /// A member goes by other rules and is not talked to.
    Rejected {
        /// The member's id.
        node: String,
        /// What differs.
        reason: String,
    },
    /// Two processes have one id.
    SameId {
        /// The id.
        node: String,
        /// Whether it is this node's own, and the other process was there first: this one has to end.
        must_end: bool,
    },
    /// A clock is wrong: a version came from too far in the future.
    ClockSkew {
        /// The member's id, if known.
        node: String,
    },
    /// This process stood still for so long that others may have taken over.
    Paused {
        /// For how long, in milliseconds.
        millis: u64,
    },
}

/// How a node noticed that a member is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DownReason {
    /// The connection was refused, reset or closed.
    Disconnected,
    /// Nothing was heard for `down_after`.
    Silent,
}

impl Event {
    /// The event's name, which its text begins with.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Up { .. } => "up",
            Self::Down { .. } => "down",
            Self::Ejected { .. } => "ejected",
            Self::Rejoined { .. } => "rejoined",
            Self::StateChanged { .. } => "state",
            Self::DegradedStart { .. } => "degraded-start",
            Self::FewNodes { .. } => "few-nodes",
            Self::DegradedWrites => "degraded-writes",
            Self::MembersChanged { .. } => "members",
            Self::Moved { .. } => "moved",
            Self::BadMemberList { .. } => "bad-member-list",
            Self::Rejected { .. } => "rejected",
            Self::SameId { .. } => "same-id",
            Self::ClockSkew { .. } => "clock-skew",
            Self::Paused { .. } => "paused",
        }
    }
}

impl core::fmt::Display for Event {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::Up { node, state } => write!(f, " node={node} state={}", state.name()),
            Self::Down { node, reason } => write!(f, " node={node} reason={}", reason.name()),
            Self::Ejected { node } => write!(f, " node={node}"),
            Self::Rejoined { node } => write!(f, " node={node}"),
            Self::StateChanged { node, state } => {
                write!(f, " node={node} state={}", state.name())
            }
            Self::DegradedStart { unconfirmed } => {
                write!(f, " unconfirmed={unconfirmed}")
            }
            Self::FewNodes { live, replicas } => {
                write!(f, " live={live} replicas={replicas}")
            }
            Self::DegradedWrites => Ok(()),
            Self::MembersChanged {
                epoch,
                members,
                change,
            } => {
                write!(f, " epoch={epoch} members={members}")?;
                if change.is_empty() {
                    Ok(())
                } else {
                    write!(f, " {change}")
                }
            }
            Self::Moved { node, address } => write!(f, " node={node} address={address}"),
            Self::BadMemberList { node, reason } => {
                write!(f, " node={node} reason=\"{reason}\"")
            }
            Self::Rejected { node, reason } => {
                write!(f, " node={node} reason=\"{reason}\"")
            }
            Self::SameId { node, must_end } => write!(
                f,
                " node={node} must-end={must_end} reason=\"two processes have this id: stop one of them, or give it \
                 an id of its own (--node-id)\""
            ),
            Self::ClockSkew { node } => write!(f, " node={node}"),
            Self::Paused { millis } => write!(f, " millis={millis}"),
        }
    }
}

impl DownReason {
    /// The reason in messages to people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Disconnected => "disconnected",
            Self::Silent => "silent",
        }
    }
}
