//! Nodes that speak plain Redis: redis-server, Valkey, and whatever else answers as they do.
//!
//! Such a node keeps no versions and knows nothing of the others, so the coordinator does all the work: it
//! sends a write to every live replica itself and takes the word of the first of them, the leader; it reads
//! from the leader, and from the next replica when the leader is lost or silent. The last write to arrive
//! at a node wins there. That is a weaker promise than that of our own nodes, and the levels QUORUM and ALL,
//! which rest on versions, are refused.
//!
//! ```text
//! Node --Action::Ask(PlainQuestion)--> PlainLink --commands--> redis-server
//! Node <--handle_reply(PlainReply)---- PlainLink <--replies---
//! ```
//!
//! [`PlainLink`] is one connection's codec, without a socket. What a coordinator does with the replies is in
//! its module `plain`.

mod command;
mod link;

use alloc::string::String;

use super::entry::Bytes;
use super::request::Answer;
use crate::command::Update;
use crate::resp::DecodeError;
pub use link::PlainLink;

/// What a coordinator asks of a node that speaks plain Redis.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum PlainQuestion {
    /// Who are you, and can you be used? Opens a link.
    Greet,
    /// Are you alive?
    Ping,
    /// Carry this out; the reply will name the number.
    Command(u64, PlainCommand),
}

/// A command to a node that speaks plain Redis.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum PlainCommand {
    /// `GET`.
    Get(Bytes),
    /// `EXISTS`.
    Exists(Bytes),
    /// `PTTL`.
    Expiry(Bytes),
    /// A change of one key, in its [words](Update::words).
    Update {
        /// The key.
        key: Bytes,
        /// What becomes of it.
        update: Update<Bytes>,
    },
    /// `DEL`.
    Delete(Bytes),
    /// `FLUSHALL`.
    Flush,
    /// How many keys there are.
    Count,
}

/// What a node that speaks plain Redis replied.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum PlainReply {
    /// To a greeting or a ping: it is there.
    Alive {
        /// Whether it still loads its data, and answers nothing until then.
        is_loading: bool,
    },
    /// To a greeting or a ping: it cannot be used; why.
    Unfit(String),
    /// To the command with this number.
    Answered(u64, Result<Answer, PlainRefusal>),
}

/// Why a node that speaks plain Redis did not carry a command out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlainRefusal {
    /// It still loads its data.
    Loading,
    /// What it said: an error of Redis, its code first.
    Error(String),
}

/// Why bytes are no reply of a node that speaks plain Redis. The node's fault: its link is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlainError {
    /// The bytes are no RESP, or pass a limit.
    Decode(DecodeError),
    /// Nothing was asked that this could be the reply to.
    Unasked,
    /// The reply is of a kind that the command never has.
    WrongKind {
        /// The command.
        command: &'static str,
    },
}

impl core::fmt::Display for PlainError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Decode(error) => write!(f, "it sent no valid reply: {error}"),
            Self::Unasked => write!(f, "it sent a reply although nothing was asked"),
            Self::WrongKind { command } => {
                write!(f, "it answered {command} with a reply of the wrong kind")
            }
        }
    }
}

impl core::error::Error for PlainError {}
