//! One link: what comes in, and why it ends. What goes out: [`outlet`](super::outlet).

use std::cell::RefCell;
use std::io;
use std::mem;
use std::rc::Rc;
use std::time::Duration;

use futures_lite::{AsyncRead, AsyncReadExt};
use memvault::replication::{Inbox, Message, PlainError, PlainLink, PlainReply, WireError};
use memvault::resp::Limits;
use memvault::time::Timestamp;

use crate::clock::wall;

/// Why a link came to an end, or did not come about.
#[derive(Debug)]
pub(crate) enum LinkError {
    /// The other end closed it.
    Closed,
    /// A socket failed.
    Io(io::Error),
    /// The other end is in protected mode, and this node is not on its machine.
    Denied,
    /// The other end does not know our messages and says so.
    Refused(String),
    /// The message is none of ours.
    Message(WireError),
    /// The reply is none that a node which speaks plain Redis could have sent.
    Reply(PlainError),
    /// The other end answered something that was not asked, or that it has answered before.
    Unasked { answer: &'static str },
    /// The answer is of another kind than the question.
    WrongKind {
        question: &'static str,
        answer: &'static str,
    },
    /// The other end closed it before a message was complete.
    Torn,
    /// More waits to be sent than may.
    Overflow { limit: usize },
    /// Bytes wait to be sent, and none was taken for too long.
    Stalled(Duration),
    /// All connections of others together have this node hold too much, and this one the most.
    Heaviest { held: usize, limit: usize },
    /// Nothing was heard for too long.
    Idle(Duration),
    /// Others want its place.
    Crowded { limit: usize },
    /// The connection was refused or failed.
    Connect(io::Error),
    /// The connection did not come about in time.
    ConnectTimeout(Duration),
    /// The name was not resolved in time.
    ResolveTimeout(Duration),
    /// The name could not be resolved.
    Resolve(io::Error),
    /// The name has no address.
    NoAddress,
}

impl std::fmt::Display for LinkError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Closed => write!(f, "it closed the connection"),
            Self::Io(error) => write!(f, "connection lost: {error}"),
            Self::Denied => write!(
                f,
                "it is in protected mode: start it with --protected-mode no if only those who may use it can reach it"
            ),
            Self::Refused(text) => write!(f, "{}; it said: {text}", stranger(text)),
            Self::Reply(error) => write!(f, "{error}"),
            Self::Unasked { answer } => write!(
                f,
                "it sent an answer that nobody waits for, or a second time ({answer})"
            ),
            Self::WrongKind { question, answer } => {
                write!(f, "it answered {question} with {answer}")
            }
            Self::Torn => write!(f, "it closed the connection in the middle of a message"),
            Self::Message(error) => write!(f, "it sent no valid message: {error}"),
            Self::Overflow { limit } => write!(
                f,
                "it reads too slowly: over {limit} bytes wait to be sent (--max-link-buffer)"
            ),
            Self::Stalled(timeout) => write!(
                f,
                "it reads nothing: no byte of what waits to be sent was taken for {} s (--link-stall-timeout)",
                timeout.as_secs()
            ),
            Self::Heaviest { held, limit } => write!(
                f,
                "its messages, incomplete or not taken, have {held} bytes, the most of all connections that others opened, \
                 which together passed {limit} (--max-links-memory)"
            ),
            Self::Idle(timeout) => write!(
                f,
                "it was silent for {} s (idle_timeout)",
                timeout.as_secs()
            ),
            Self::Crowded { limit } => write!(
                f,
                "it was silent, and there are {limit} connections of others already (--max-links)"
            ),
            Self::Connect(error) => write!(f, "cannot connect: {error}"),
            Self::ConnectTimeout(timeout) => write!(
                f,
                "no connection within {} ms (connect_timeout)",
                timeout.as_millis()
            ),
            Self::ResolveTimeout(timeout) => write!(
                f,
                "the name was not resolved within {} s",
                timeout.as_secs()
            ),
            Self::Resolve(error) => write!(f, "cannot resolve the name: {error}"),
            Self::NoAddress => write!(f, "the name has no address"),
        }
    }
}

/// What answers a greeting with this error is not.
fn stranger(text: &str) -> &'static str {
    // So says redis-server, and everything that speaks like it.
    if text.contains("unknown command") {
        "it is no MemVault node; if it is a Redis server, and all nodes are, use --plain-redis (Builder::plain_redis)"
    } else {
        "it is not a member of a cluster (is it started with --cluster?)"
    }
}

impl LinkError {
    /// Whether it is the other end that did what no node does, rather than a connection that broke.
    pub(super) const fn is_misbehaviour(&self) -> bool {
        matches!(
            self,
            Self::Denied
                | Self::Refused(_)
                | Self::Message(_)
                | Self::Reply(_)
                | Self::Unasked { .. }
                | Self::WrongKind { .. }
                | Self::Torn
        )
    }
}

/// What comes in on a link.
pub(super) enum Incoming {
    Message(Message),
    Reply(PlainReply),
}

/// How the other end of a link speaks.
pub(super) enum Codec {
    /// As our own nodes do.
    Messages(Box<Inbox>),
    /// Plain Redis. Shared with those who ask.
    Plain(Rc<RefCell<PlainLink>>),
}

/// Reads messages from a stream.
pub(super) struct Reader<R> {
    stream: R,
    codec: Codec,
    /// Zeroed beyond `filled`, so that it can be read into.
    buffer: Vec<u8>,
    filled: usize,
    incoming: Vec<Incoming>,
    /// Whether bytes came with the stream that have not been looked at.
    is_fresh: bool,
    /// Bytes read since others last had their turn.
    turn: usize,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    /// A reader that begins with `buffered`, and goes on with what `stream` gives.
    pub(super) fn new(stream: R, buffered: Vec<u8>, codec: Codec) -> Self {
        Self {
            stream,
            codec,
            filled: buffered.len(),
            is_fresh: !buffered.is_empty(),
            buffer: buffered,
            incoming: Vec::new(),
            turn: 0,
        }
    }

    /// Waits for bytes, at most [`READ_SIZE`] of them, and decodes all messages that are complete;
    /// [`incoming`](Self::incoming) hands them out, also those before an error.
    pub(super) async fn read(&mut self) -> Result<(), LinkError> {
        if !mem::take(&mut self.is_fresh) {
            if self.buffer.len() - self.filled < READ_SIZE / 2 {
                self.buffer.resize(self.filled + READ_SIZE, 0);
            }
            let end = self.filled + READ_SIZE.min(self.buffer.len() - self.filled);
            let space = self.buffer.get_mut(self.filled..end).unwrap_or_default();
            let read = self.stream.read(space).await.map_err(LinkError::Io)?;
            if read == 0 {
                let is_torn = self.filled > 0;
                return Err(if is_torn {
                    LinkError::Torn
                } else {
                    LinkError::Closed
                });
            }
            self.filled += read;
            self.turn += read;
        }
        let mut start = 0;
        let result = loop {
            let rest = self.buffer.get(start..self.filled).unwrap_or_default();
            match self.codec.decode(rest) {
                Ok(Some((incoming, consumed))) => {
                    self.incoming.extend(incoming);
                    start += consumed;
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.discard(start);
        result
    }

    /// Whether of a large message only a part has come.
    pub(super) fn is_partial(&self) -> bool {
        self.kept() > 0
    }

    /// Bytes that have come of messages that are incomplete.
    pub(super) fn unfinished(&self) -> usize {
        self.filled + self.kept()
    }

    fn kept(&self) -> usize {
        match &self.codec {
            Codec::Messages(inbox) => inbox.kept(),
            Codec::Plain(_) => 0,
        }
    }

    /// Whether so much was read that it is the others' turn.
    pub(super) fn ends_turn(&mut self) -> bool {
        let ends = self.turn >= TURN;
        if ends {
            self.turn = 0;
        }
        ends
    }

    /// The codec, if the other end speaks plain Redis.
    pub(super) fn plain(&self) -> Option<Rc<RefCell<PlainLink>>> {
        match &self.codec {
            Codec::Messages(_) => None,
            Codec::Plain(link) => Some(Rc::clone(link)),
        }
    }

    /// What came in.
    pub(super) fn incoming(&mut self) -> impl Iterator<Item = Incoming> + '_ {
        self.incoming.drain(..)
    }

    /// Drops the first `len` bytes, and memory that only a large message needed.
    fn discard(&mut self, len: usize) {
        if len > 0 {
            self.buffer.copy_within(len..self.filled, 0);
            self.filled -= len;
        }
        if self.buffer.len() > KEPT_BUFFER && self.filled < READ_SIZE {
            self.buffer.truncate(READ_SIZE);
            self.buffer.shrink_to_fit();
        }
    }
}

impl Codec {
    pub(super) fn messages(limits: Limits) -> Self {
        Self::Messages(Box::new(Inbox::new(limits)))
    }

    /// What stands first in `bytes`, if it is complete, and its length.
    fn decode(&mut self, bytes: &[u8]) -> Result<Option<(Option<Incoming>, usize)>, LinkError> {
        match self {
            Self::Messages(inbox) => decode(inbox, bytes),
            Self::Plain(link) => {
                let wall: Timestamp = wall();
                let next = link.borrow_mut().next(wall, bytes);
                let reply = next.map_err(LinkError::Reply)?;
                Ok(reply.map(|(reply, consumed)| (Some(Incoming::Reply(reply)), consumed)))
            }
        }
    }
}

/// The first message in `bytes`, or piece of one, if it is complete, and its length.
fn decode(inbox: &mut Inbox, bytes: &[u8]) -> Result<Option<(Option<Incoming>, usize)>, LinkError> {
    // An error reply would pass for an inline command.
    if bytes.first() == Some(&b'-') {
        if bytes.starts_with(b"-DENIED ") {
            return Err(LinkError::Denied);
        }
        let line = bytes.split(|byte| *byte == b'\r').next().unwrap_or(bytes);
        return Err(LinkError::Refused(
            String::from_utf8_lossy(line).into_owned(),
        ));
    }
    let arrived = inbox.next(bytes).map_err(LinkError::Message)?;
    Ok(arrived.map(|arrived| (arrived.message.map(Incoming::Message), arrived.consumed)))
}

/// Room for one read, in bytes.
const READ_SIZE: usize = 64 << 10;
/// Bytes that are read from one link before other tasks of the thread have their turn: some 400 of the smallest
/// messages, a millisecond.
const TURN: usize = 32 << 10;
/// Buffers above this size, in bytes, are given back when they are empty.
pub(super) const KEPT_BUFFER: usize = 1 << 20;
