//! Messages as bytes: each is a RESP array of bulk strings, so that any Redis tool can show it.
//!
//! ```text
//! *3 | name, such as NODE.OFFER | header: id, epoch and fixed fields, big-endian | key | value ...
//! ```
//!
//! One that is longer than [`PIECE`] travels in pieces, between which others pass it; see
//! [`Outbox`](super::Outbox).
//!
//! ```text
//! *3 | NODE.PIECE | header: number of the stream, length of the whole message | up to PIECE bytes of it
//! ```

mod batch;
mod flaw;
pub(super) mod inbox;
pub(super) mod message;
pub(super) mod outbox;
mod reader;
mod writer;

use alloc::vec::Vec;
use core::fmt;

use self::message::{Body, Message, NodeState, OfferKind};
use crate::resp::{Args, DecodeError, encode};
pub(super) use batch::{Batch, write_batch};
use reader::{Header, Rest, read_body};
pub(super) use writer::{Parts, Segment};

/// The name of the message that opens a link. A connection whose first command has this name belongs to a
/// peer: peers and Redis clients share one port, and no command of Redis begins with `NODE.`.
pub const HELLO: &[u8] = b"NODE.HELLO";

/// Bytes of a message that leave in one go: a longer one leaves in pieces of this size, in bytes.
pub const PIECE: usize = 16 << 10;
/// The name of a piece of a message.
pub(super) const PIECE_NAME: &[u8] = b"NODE.PIECE";

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
    /// It can be read, but nobody who keeps to the protocol sends it; the text says why.
    Flaw(&'static str),
    /// The bytes are no RESP, or pass a limit of it.
    Resp(DecodeError),
    /// A message claims to be longer than any that this end takes.
    TooLong {
        /// What was claimed, in bytes.
        len: u64,
        /// What is allowed, in bytes.
        limit: usize,
    },
    /// A part of a message is longer than [`PIECE`] bytes, and the message does not come in pieces.
    Whole {
        /// What was claimed, in bytes.
        len: u64,
    },
    /// More messages come in pieces at a time than may.
    TooManyStreams,
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownMessage => f.write_str("unknown message"),
            Self::Malformed => f.write_str("malformed message"),
            Self::BadValue => f.write_str("meaningless value in a message"),
            Self::Flaw(flaw) => f.write_str(flaw),
            Self::Resp(error) => error.fmt(f),
            Self::TooLong { len, limit } => write!(
                f,
                "a message of {len} bytes, where {limit} are allowed (max-value must be the same everywhere)"
            ),
            Self::Whole { len } => write!(
                f,
                "{len} bytes in one go, where a message above {PIECE} bytes has to come in pieces"
            ),
            Self::TooManyStreams => f.write_str("too many messages in pieces at a time"),
        }
    }
}

impl core::error::Error for WireError {}

impl Message {
    /// Appends the message to `out`, in one go. O(length).
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.parts().write(out);
    }

    /// Whether it travels in pieces, between which others pass it: it is longer than [`PIECE`] bytes. O(1) but for
    /// messages with many parts.
    #[must_use]
    pub fn is_bulk(&self) -> bool {
        self.parts().len() > PIECE
    }

    pub(super) fn parts(&self) -> Parts<'_> {
        parts(self.id, self.epoch, &self.body)
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
        if !header.is_empty() || !rest.is_empty() {
            return Err(WireError::Malformed);
        }
        match body.flaw() {
            None => Ok(Self { id, epoch, body }),
            Some(flaw) => Err(WireError::Flaw(flaw)),
        }
    }
}

/// Whether a message with this body [travels in pieces](Message::is_bulk).
pub(super) fn is_bulk(epoch: u64, body: &Body) -> bool {
    parts(0, epoch, body).len() > PIECE
}

fn parts(id: u64, epoch: u64, body: &Body) -> Parts<'_> {
    let mut parts = Parts::new(name(body), id, epoch);
    parts.add_body(body);
    parts
}

/// A piece of a message, as it is on the wire.
#[derive(Debug)]
pub(super) struct Piece<'a> {
    /// Which of the messages that come in pieces: never used before on this link.
    pub(super) stream: u64,
    /// Bytes of the whole message.
    pub(super) total: u64,
    /// What follows what has come of it. Never empty.
    pub(super) bytes: &'a [u8],
}

impl<'a> Piece<'a> {
    /// Appends what stands before `len` bytes of a piece; [`encode::CRLF`] stands behind them.
    pub(super) fn open(out: &mut Vec<u8>, stream: u64, total: u64, len: usize) {
        encode::array(out, 3);
        encode::bulk(out, PIECE_NAME);
        encode::bulk_header(out, 16);
        out.extend_from_slice(&stream.to_be_bytes());
        out.extend_from_slice(&total.to_be_bytes());
        out.extend_from_slice(encode::CRLF);
        encode::bulk_header(out, len);
    }

    /// Reads a piece, if the parts of a RESP array are one.
    pub(super) fn decode(args: Args<'a>) -> Option<Result<Self, WireError>> {
        (args.get(0) == Some(PIECE_NAME)).then(|| Self::read(args))
    }

    fn read(args: Args<'a>) -> Result<Self, WireError> {
        let (Some(header), Some(bytes), 3) = (args.get(1), args.get(2), args.len()) else {
            return Err(WireError::Malformed);
        };
        let mut header = Header::new(header);
        let (stream, total) = (header.u64()?, header.u64()?);
        if !header.is_empty() || bytes.is_empty() || bytes.len() > PIECE {
            return Err(WireError::Malformed);
        }
        Ok(Self {
            stream,
            total,
            bytes,
        })
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
        Body::Lock { .. } => b"NODE.LOCK",
        Body::Locked(_) => b"NODE.LOCKED",
        Body::Unlock { .. } => b"NODE.UNLOCK",
        Body::Pull { .. } => b"NODE.PULL",
        Body::Pulled(_) => b"NODE.PULLED",
        Body::Missed { .. } => b"NODE.MISSED",
        Body::Touch { .. } => b"NODE.TOUCH",
        Body::Flush { .. } => b"NODE.FLUSH",
        Body::Flushed => b"NODE.FLUSHED",
        Body::Count => b"NODE.COUNT",
        Body::Counted { .. } => b"NODE.COUNTED",
        Body::Membership(_) => b"NODE.MEMBERSHIP",
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
        OfferKind::Fill => 3,
    }
}

const fn kind(code: u8) -> Result<OfferKind, WireError> {
    Ok(match code {
        0 => OfferKind::Write,
        1 => OfferKind::Fence,
        2 => OfferKind::Repair,
        3 => OfferKind::Fill,
        _ => return Err(WireError::BadValue),
    })
}
