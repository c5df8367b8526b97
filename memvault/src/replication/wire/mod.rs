//! Messages as bytes: each is a RESP array of bulk strings, so that any Redis tool can show it.
//!
//! ```text
//! *3 | name, such as NODE.OFFER | header: id, epoch and fixed fields, big-endian | key | value ...
//! ```

mod reader;
mod writer;

use alloc::vec::Vec;

use super::message::{Body, Message, NodeState, OfferKind};
use crate::resp::Args;
use reader::{Header, Rest, read_body};
use writer::Parts;

/// The name of the message that opens a link. A connection whose first command has this name belongs to a
/// peer: peers and Redis clients share one port, and no command of Redis begins with `NODE.`.
pub const HELLO: &[u8] = b"NODE.HELLO";

/// Why bytes are not a message. The peer's fault: its link is closed, nothing else changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WireError {
    /// The name of the message is not one of ours.
    UnknownMessage,
    /// A part is missing, too short or too long.
    Malformed,
    /// A field has a value that means nothing.
    BadValue,
}

impl core::fmt::Display for WireError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::UnknownMessage => "unknown message",
            Self::Malformed => "malformed message",
            Self::BadValue => "meaningless value in a message",
        })
    }
}

impl core::error::Error for WireError {}

impl Message {
    /// Appends the message to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut parts = Parts::new(name(&self.body), self.id, self.epoch);
        parts.add_body(&self.body);
        parts.write(out);
    }

    /// Reads a message from the parts of a RESP array.
    ///
    /// # Errors
    /// If they are not a message; see [`WireError`].
    pub fn decode(args: Args<'_>) -> Result<Self, WireError> {
        let name = args.get(0).ok_or(WireError::Malformed)?;
        let mut header = Header::new(args.get(1).ok_or(WireError::Malformed)?);
        let mut rest = Rest::new(args.from(2));
        let (id, epoch) = (header.u64()?, header.u64()?);
        let body = read_body(name, &mut header, &mut rest)?;
        if header.is_empty() && rest.is_empty() {
            Ok(Self { id, epoch, body })
        } else {
            Err(WireError::Malformed)
        }
    }
}

const fn name(body: &Body) -> &'static [u8] {
    match body {
        Body::Hello(_) => HELLO,
        Body::Rejected(_) => b"NODE.REJECTED",
        Body::SameId { .. } => b"NODE.SAMEID",
        Body::Ping => b"NODE.PING",
        Body::Pong { .. } => b"NODE.PONG",
        Body::Write(_) => b"NODE.WRITE",
        Body::Wrote(_) => b"NODE.WROTE",
        Body::Offer { .. } => b"NODE.OFFER",
        Body::Offered(_) => b"NODE.OFFERED",
        Body::Read { .. } => b"NODE.READ",
        Body::Held(_) => b"NODE.HELD",
        Body::Turn { .. } => b"NODE.TURN",
        Body::Turned(_) => b"NODE.TURNED",
        Body::Yield { .. } => b"NODE.YIELD",
        Body::Pull { .. } => b"NODE.PULL",
        Body::Pulled(_) => b"NODE.PULLED",
        Body::Missed { .. } => b"NODE.MISSED",
        Body::Touch { .. } => b"NODE.TOUCH",
        Body::Flush { .. } => b"NODE.FLUSH",
        Body::Flushed => b"NODE.FLUSHED",
        Body::Document(_) => b"NODE.DOCUMENT",
        Body::WrongEpoch => b"NODE.WRONGEPOCH",
        Body::Propose { .. } => b"NODE.PROPOSE",
        Body::Voted { .. } => b"NODE.VOTED",
    }
}

const fn state_code(state: NodeState) -> u8 {
    match state {
        NodeState::Warming => 0,
        NodeState::CatchingUp => 1,
        NodeState::Serving => 2,
        NodeState::Leaving => 3,
    }
}

const fn state(code: u8) -> Result<NodeState, WireError> {
    Ok(match code {
        0 => NodeState::Warming,
        1 => NodeState::CatchingUp,
        2 => NodeState::Serving,
        3 => NodeState::Leaving,
        _ => return Err(WireError::BadValue),
    })
}

const fn kind_code(kind: OfferKind) -> u8 {
    match kind {
        OfferKind::Write => 0,
        OfferKind::Fence => 1,
        OfferKind::Repair => 2,
        OfferKind::Hint => 3,
        OfferKind::Fill => 4,
    }
}

const fn kind(code: u8) -> Result<OfferKind, WireError> {
    Ok(match code {
        0 => OfferKind::Write,
        1 => OfferKind::Fence,
        2 => OfferKind::Repair,
        3 => OfferKind::Hint,
        4 => OfferKind::Fill,
        _ => return Err(WireError::BadValue),
    })
}
