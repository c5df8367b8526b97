//! Replication: every key on R nodes, without Raft, without Paxos and without trust in clocks. Only a
//! change of the members is voted on.
//!
//! [`Node`] is the one state machine of the cluster. It plays three roles with the same code: a *member*
//! holds data and coordinates, a *gateway* coordinates for plain Redis clients, a *client* coordinates for
//! one program. It owns no socket, no clock and no random source: a driver feeds it and does what it asks.
//!
//! ```text
//!                handle_request                          Action::Complete
//! caller ------------------------> +------------------+ ------------------> caller
//!                                  |       Node       |
//! links  ------------------------> |   coordinator    | ------------------> links
//!   handle_connected/disconnected  |   peers (view)   |  Action::{Connect, Disconnect, Send}
//!   handle_heard/message/sent      |   replica*       |
//! clock  ------------------------> +------------------+ ------------------> log
//!   handle_timeout                    * members only        Action::Event
//! ```
//!
//! The life of a write at level QUORUM (R = 3); a read at ONE is one `Read` to the leader:
//!
//! ```text
//! coordinator          leader (first live replica)        followers
//!     |-- Write(version) ------->| offer to itself                 |
//!     |                      |-- Offer(version) ------------------>| offer: the one accept rule
//!     |                      |<------------------- Offered ----|
//!     |<-- Wrote(Done) ------| W counted acks                  |
//!     |
//!     reset or 100 ms silence: the same version to the next replica, so a retry can never run twice
//! ```
//!
//! The members change in two epochs of a [`Membership`] on which a majority of them votes; in between, quorums are
//! those of both lists.
//!
//! The theory: the register of Attiya, Bar-Noy and Dolev (1995) made robust against members that lose their
//! memory when they restart (Michael, Ports, Sharma, Szekeres, DISC 2017), preference lists and hinted
//! language from Dynamo (2007). A replica refuses versions older than what it has or has forgotten, and that
//! turns last-writer-wins into linearizable SET, GET and DEL at level QUORUM.

mod action;
mod budget;
mod config;
mod context;
mod coordinator;
mod entry;
mod event;
mod member;
mod membership;
mod node;
mod peers;
mod plain;
mod request;
mod rules;
mod statistics;
mod timers;
mod wire;

pub use crate::consistency::{Level, Levels};
pub use action::{Action, Link};
pub(crate) use config::read_quorum;
pub use config::{Config, ConfigError, Member, OnAmbiguous, Role, quorum};
pub use entry::{Bytes, Entry};
pub use event::{DownReason, Event, Field, FieldValue};
#[cfg(any(test, fuzzing))]
pub(crate) use member::replica::Replica;
pub use membership::list::{Change, Membership};
pub use node::{Node, PeerStatus};
pub use plain::{PlainCommand, PlainError, PlainLink, PlainQuestion, PlainRefusal, PlainReply};
pub use request::{Answer, ChangeError, Failure, Lease, Outcome, Request};
#[cfg(test)]
pub(crate) use rules::Rule;
pub use statistics::NodeStatistics;
pub use wire::inbox::{Arrived, Inbox};
pub use wire::message::{
    Ballot, Body, Hello, LockReply, Message, NodeState, OfferKind, OfferReply, Prepare, Progress,
    PullReply, PulledEntry, ReadReply, Refusal, Write, WriteReply,
};
pub use wire::outbox::Outbox;
pub use wire::{HELLO, PIECE, WireError};

use crate::time::{Instant, Timestamp};

/// Both kinds of time, as the driver read them for one input.
#[derive(Clone, Copy, Debug, Default)]
pub struct Now {
    /// For deadlines and silence.
    pub instant: Instant,
    /// For versions and expiry.
    pub wall: Timestamp,
}
