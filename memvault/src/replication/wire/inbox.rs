//! Messages on their way into one link: the counterpart of an [`Outbox`](crate::replication::Outbox).
//!
//! Nothing in the bytes is trusted. Memory is taken for bytes that have come, never for bytes that were announced.
//!
//! Limits, per link: a message that is not in pieces has at most [`PIECE`] bytes; one in pieces has at most
//! [`Inbox::longest`] bytes; eight of up to 1 MiB and two longer ones can be incomplete at a time. So what one link
//! can make this end keep is at most [`Inbox::most_kept`].

use alloc::vec::Vec;

use super::message::Message;
use super::outbox::{MAX_HUGE, MAX_MEDIUM, MEDIUM, most_open};
use super::{Batch, PIECE, Piece, WireError};
use crate::resp::{CommandDecoder, DecodeError, Limits};

/// What comes on top of the longest value in the longest message: its key, fixed fields, and the other entries of a
/// chunk, in bytes.
const BESIDE_VALUE: usize = 8 << 20;
/// Room for what frames a piece, in bytes.
const FRAME: usize = 128;
/// Fewest bytes of an argument, header included: so many arguments fit into a message in one piece.
const SHORTEST_ARGUMENT: usize = 6;

/// Puts the messages of one link together.
#[derive(Debug)]
pub struct Inbox {
    decoder: CommandDecoder,
    /// Of messages in pieces.
    limits: Limits,
    streams: Streams,
    batch: Batch,
}

/// What stood first in the bytes of a link.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrived {
    /// The message that is complete with it, if any.
    pub message: Option<Message>,
    /// How many bytes it took; what is next begins behind them. Never 0.
    pub consumed: usize,
}

/// The messages that are incomplete.
#[derive(Debug)]
struct Streams(Vec<Stream>);

/// A message of which not all pieces have come.
#[derive(Debug)]
struct Stream {
    number: u64,
    total: usize,
    bytes: Vec<u8>,
}

impl Inbox {
    /// An inbox at the beginning of a link. `limits` are those of whole messages: a value may have
    /// [`max_bulk_len`](Limits::max_bulk_len) bytes.
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        let limits_of_piece = Limits {
            max_bulk_len: PIECE,
            max_arguments: PIECE / SHORTEST_ARGUMENT,
            max_command_len: PIECE + FRAME,
            ..limits
        };
        Self {
            decoder: CommandDecoder::new(limits_of_piece),
            limits,
            streams: Streams(Vec::new()),
            batch: Batch::NONE,
        }
    }

    /// The longest message that is taken, in bytes.
    #[must_use]
    pub const fn longest(&self) -> usize {
        self.limits.max_bulk_len.saturating_add(BESIDE_VALUE)
    }

    /// The most bytes that incomplete messages can take.
    #[must_use]
    pub const fn most_kept(&self) -> usize {
        let huge = self.longest().saturating_mul(MAX_HUGE);
        huge.saturating_add(MAX_MEDIUM * MEDIUM)
    }

    /// Bytes of incomplete messages that have come. O(1).
    #[must_use]
    pub fn kept(&self) -> usize {
        self.streams.0.iter().map(|stream| stream.bytes.len()).sum()
    }

    /// Takes what stands first in `bytes`: a message, a piece of one, or what frames several.
    ///
    /// `None` means that it is not complete: call again with the same bytes and more behind them. Otherwise call
    /// again with the bytes behind it.
    ///
    /// # Errors
    /// If it is not what an [`Outbox`](crate::replication::Outbox) sends, or passes a limit. The link is of no use from then on.
    pub fn next(&mut self, bytes: &[u8]) -> Result<Option<Arrived>, WireError> {
        match self.batch.take_frame(bytes)? {
            None => return Ok(None),
            Some(0) => {}
            Some(consumed) => {
                let message = None;
                return Ok(Some(Arrived { message, consumed }));
            }
        }
        let longest = self.longest();
        let decoded = self.decoder.decode(bytes).map_err(of_frame)?;
        let Some(decoded) = decoded else {
            // A message does not reach beyond its batch.
            let is_cut = self.batch.left().is_some_and(|left| bytes.len() >= left);
            return if is_cut {
                Err(WireError::Malformed)
            } else {
                Ok(None)
            };
        };
        let (args, consumed) = (decoded.args, decoded.consumed);
        self.batch.take_message(consumed)?;
        let message = if let Some(piece) = Piece::decode(args) {
            match self.streams.take(&piece?, longest)? {
                Some(bytes) => Some(decode(self.limits, &bytes)?),
                None => None,
            }
        } else {
            Some(Message::decode(args)?)
        };
        Ok(Some(Arrived { message, consumed }))
    }
}

impl Streams {
    /// Adds a piece to its message. Returns the message if it is complete.
    fn take(&mut self, piece: &Piece<'_>, longest: usize) -> Result<Option<Vec<u8>>, WireError> {
        let mut known = self.0.iter();
        let known = known.position(|stream| stream.number == piece.stream);
        let at = match known {
            Some(at) => at,
            None => self.open(piece, longest)?,
        };
        let Some(stream) = self.0.get_mut(at) else {
            return Err(WireError::Malformed);
        };
        let left = stream.total - stream.bytes.len();
        if piece.total != stream.total as u64 || piece.bytes.len() > left {
            return Err(WireError::BadValue);
        }
        stream.add(piece.bytes);
        let is_complete = stream.bytes.len() == stream.total;
        Ok(is_complete.then(|| self.0.swap_remove(at).bytes))
    }

    /// Makes room for a message of which nothing has come. Returns where.
    fn open(&mut self, piece: &Piece<'_>, longest: usize) -> Result<usize, WireError> {
        let total = usize::try_from(piece.total).unwrap_or(usize::MAX);
        if total <= PIECE {
            return Err(WireError::BadValue);
        }
        if total > longest {
            let (len, limit) = (piece.total, longest);
            return Err(WireError::TooLong { len, limit });
        }
        let alike = |stream: &&Stream| (stream.total <= MEDIUM) == (total <= MEDIUM);
        if self.0.iter().filter(alike).count() >= most_open(total) {
            return Err(WireError::TooManyStreams);
        }
        self.0.push(Stream {
            number: piece.stream,
            total,
            bytes: Vec::new(),
        });
        Ok(self.0.len() - 1)
    }
}

impl Stream {
    /// Takes twice the memory when it runs out, but never more than the message needs.
    fn add(&mut self, piece: &[u8]) {
        let (len, room) = (self.bytes.len(), self.bytes.capacity());
        if room - len < piece.len() {
            let wanted = len.max(piece.len()).min(self.total - len);
            self.bytes.reserve_exact(wanted);
        }
        self.bytes.extend_from_slice(piece);
    }
}

/// Why bytes are neither a message nor a piece of one.
const fn of_frame(error: DecodeError) -> WireError {
    match error {
        DecodeError::BulkTooLong { len, .. } => WireError::Whole { len },
        error => WireError::Resp(error),
    }
}

/// A message whose pieces have all come.
fn decode(limits: Limits, bytes: &[u8]) -> Result<Message, WireError> {
    let mut decoder = CommandDecoder::new(limits);
    let decoded = decoder.decode(bytes).map_err(WireError::Resp)?;
    let whole = decoded.filter(|decoded| decoded.consumed == bytes.len());
    Message::decode(whole.ok_or(WireError::Malformed)?.args)
}
