//! Messages on their way out of one link: small ones first, large ones in pieces and by turns.
//!
//! ```text
//! push --small--> first lane:  [ping][read][read][wrote]            ----+
//!      --large--> second lane: [piece of A][piece of B][piece of A] ----+--fill--> chunk --> kernel
//! ```
//!
//! Place: between a node and a socket; the other end of the link has an [`Inbox`](crate::replication::Inbox). No byte
//! of a large value is copied before its turn comes.
//!
//! Cost: O(bytes). Limits: what waits is bounded by the caller; [`Outbox::len`] says how much it is.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::mem;

use super::message::Message;
use super::{PIECE, Parts, Piece, Segment, write_batch};
use crate::resp::encode;

/// Large messages up to this length, in bytes, do not wait for longer ones: those have places of their own.
pub(in crate::replication) const MEDIUM: usize = 1 << 20;
/// Large messages of at most [`MEDIUM`] bytes that are on their way at a time. More wait in order.
pub(in crate::replication) const MAX_MEDIUM: usize = 8;
/// Longer ones at a time. What the other end has to keep until they are complete is bounded by this.
pub(in crate::replication) const MAX_HUGE: usize = 2;
/// Bytes of small messages that are kept together, so that large ones get their turn between two such batches.
const BATCH: usize = PIECE;

/// What waits to be sent on one link.
///
/// # Examples
///
/// ```
/// use memvault::replication::{Body, Inbox, Message, Outbox};
/// use memvault::resp::Limits;
///
/// let ping = Message { id: 1, epoch: 1, body: Body::Ping };
/// let (mut outbox, mut chunk) = (Outbox::default(), Vec::new());
/// outbox.push(&ping);
/// outbox.fill(&mut chunk, 1024);
///
/// let arrived = Inbox::new(Limits::default()).next(&chunk)?.expect("it is complete");
/// assert_eq!(arrived.message, Some(ping));
/// assert_eq!(arrived.consumed, chunk.len());
/// # Ok::<(), memvault::replication::WireError>(())
/// ```
#[derive(Debug, Default)]
pub struct Outbox {
    /// Small messages, encoded. Each batch ends where a message does.
    batches: VecDeque<Batch>,
    /// An empty buffer, to be used again.
    spare: Vec<u8>,
    /// Large messages on their way, in the order of their turns.
    open: VecDeque<Stream>,
    medium: Places,
    huge: Places,
    last_stream: u64,
    len: usize,
    sent: VecDeque<u64>,
}

/// Small messages that leave together: as one message, if there are several.
#[derive(Debug, Default)]
struct Batch {
    bytes: Vec<u8>,
    messages: usize,
}

/// The places for large messages of one kind.
#[derive(Debug, Default)]
struct Places {
    taken: usize,
    waiting: VecDeque<Stream>,
}

/// A large message.
#[derive(Debug)]
struct Stream {
    /// The message's own.
    id: u64,
    /// The stream's: unique on the link.
    number: u64,
    total: usize,
    /// Bytes that have not been taken.
    left: usize,
    /// What they are part of.
    segments: VecDeque<Segment>,
    /// How many bytes of the first segment were taken.
    taken: usize,
}

impl Outbox {
    /// Queues a message. O(length); for a [large](Message::is_bulk) one O(length without its value).
    pub fn push(&mut self, message: &Message) {
        let parts = message.parts();
        let total = parts.len();
        if total <= PIECE {
            self.push_bytes(|batch| parts.write(batch));
            if let Some(batch) = self.batches.back_mut() {
                batch.messages += 1;
            }
        } else {
            self.push_large(message.id, total, &parts);
        }
    }

    /// Queues what `encode` appends, among the small messages: for links that do not carry messages of nodes.
    pub fn push_bytes(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        let is_full = |batch: &Batch| batch.bytes.len() >= BATCH;
        if self.batches.back().is_none_or(is_full) {
            let bytes = mem::take(&mut self.spare);
            self.batches.push_back(Batch { bytes, messages: 0 });
        }
        if let Some(batch) = self.batches.back_mut() {
            let before = batch.bytes.len();
            encode(&mut batch.bytes);
            self.len += batch.bytes.len() - before;
        }
    }

    fn push_large(&mut self, id: u64, total: usize, parts: &Parts<'_>) {
        self.last_stream += 1;
        self.len += total;
        let stream = Stream {
            id,
            number: self.last_stream,
            total,
            left: total,
            segments: parts.segments(PIECE).into(),
            taken: 0,
        };
        self.places(total).waiting.push_back(stream);
        self.open_next(total);
    }

    /// Appends to `chunk` what goes next: small messages, then pieces of large ones by turns, until `room` bytes are
    /// there or nothing waits. What is begun is ended, so it may be some more; and while large messages wait, one
    /// piece at least is among it, so that no number of small ones keeps them back.
    ///
    /// O(bytes appended). An empty `chunk` is swapped for a batch rather than filled.
    pub fn fill(&mut self, chunk: &mut Vec<u8>, room: usize) {
        let start = chunk.len();
        let is_full = |chunk: &Vec<u8>| chunk.len() - start >= room;
        while let Some(batch) = self.batches.pop_front() {
            self.len -= batch.bytes.len();
            self.take_batch(batch, chunk);
            if is_full(chunk) {
                break;
            }
        }
        while let Some(stream) = self.open.pop_front() {
            self.take_piece(stream, chunk);
            if is_full(chunk) {
                break;
            }
        }
    }

    fn take_batch(&mut self, batch: Batch, chunk: &mut Vec<u8>) {
        let Batch {
            bytes: mut batch,
            messages,
        } = batch;
        if messages > 1 {
            write_batch(chunk, &batch);
            batch.clear();
        } else if chunk.is_empty() {
            mem::swap(chunk, &mut batch);
        } else {
            chunk.extend_from_slice(&batch);
            batch.clear();
        }
        if batch.capacity() > self.spare.capacity() {
            self.spare = batch;
        }
    }

    fn take_piece(&mut self, mut stream: Stream, chunk: &mut Vec<u8>) {
        self.len -= stream.take_piece(chunk);
        if stream.left > 0 {
            return self.open.push_back(stream);
        }
        self.sent.push_back(stream.id);
        self.places(stream.total).taken -= 1;
        self.open_next(stream.total);
    }

    /// Lets the next message of this kind have its turns, if there is a place.
    fn open_next(&mut self, total: usize) {
        let places = self.places(total);
        if places.taken < most_open(total)
            && let Some(stream) = places.waiting.pop_front()
        {
            places.taken += 1;
            self.open.push_back(stream);
        }
    }

    fn places(&mut self, total: usize) -> &mut Places {
        if total <= MEDIUM {
            &mut self.medium
        } else {
            &mut self.huge
        }
    }

    /// Bytes that wait, of large messages without the frames of their pieces.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing waits.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The id of the next large message whose last byte [`fill`](Self::fill) has taken.
    pub fn pop_sent(&mut self) -> Option<u64> {
        self.sent.pop_front()
    }
}

impl Stream {
    /// Appends the next piece. Returns how many bytes of the message are in it.
    fn take_piece(&mut self, out: &mut Vec<u8>) -> usize {
        let len = self.left.min(PIECE);
        Piece::open(out, self.number, self.total as u64, len);
        let mut missing = len;
        while let Some(segment) = self.segments.front()
            && missing > 0
        {
            let rest = segment.bytes().get(self.taken..).unwrap_or_default();
            let taken = rest.get(..missing).unwrap_or(rest);
            out.extend_from_slice(taken);
            missing -= taken.len();
            self.taken += taken.len();
            if taken.len() == rest.len() {
                self.segments.pop_front();
                self.taken = 0;
            }
        }
        out.extend_from_slice(encode::CRLF);
        self.left -= len;
        len
    }
}

/// How many messages as long as this may be on their way at a time.
pub(in crate::replication) const fn most_open(total: usize) -> usize {
    if total <= MEDIUM {
        MAX_MEDIUM
    } else {
        MAX_HUGE
    }
}
