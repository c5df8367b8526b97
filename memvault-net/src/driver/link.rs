//! One link: what waits to be sent, and what comes in.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::mem;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use futures_lite::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use memvault::replication::{Message, WireError};
use memvault::resp::{CommandDecoder, DecodeError, Limits};

/// Why a link came to an end, or did not come about.
#[derive(Debug)]
pub(super) enum LinkError {
    /// The other end closed it.
    Closed,
    /// A socket failed.
    Io(io::Error),
    /// The bytes are no RESP, or break a limit.
    Decode(DecodeError),
    /// The other end does not know our messages and says so.
    Refused(String),
    /// The message is none of ours.
    Message(WireError),
    /// More waits to be sent than may.
    Overflow { limit: usize },
    /// Nothing was heard for too long.
    Idle(Duration),
    /// The connection was refused or failed.
    Connect(io::Error),
    /// The connection did not come about in time.
    ConnectTimeout(Duration),
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
            Self::Decode(error) => write!(f, "it sent no valid message: {error}"),
            Self::Refused(text) => write!(
                f,
                "it is not a member of a cluster (is it started with --cluster?); it said: {text}"
            ),
            Self::Message(error) => write!(f, "it sent no valid message: {error}"),
            Self::Overflow { limit } => write!(
                f,
                "it reads too slowly: over {limit} bytes wait to be sent (max_link_buffer)"
            ),
            Self::Idle(timeout) => write!(
                f,
                "it was silent for {} s (idle_timeout)",
                timeout.as_secs()
            ),
            Self::Connect(error) => write!(f, "cannot connect: {error}"),
            Self::ConnectTimeout(timeout) => write!(
                f,
                "no connection within {} ms (connect_timeout)",
                timeout.as_millis()
            ),
            Self::Resolve(error) => write!(f, "cannot resolve the name: {error}"),
            Self::NoAddress => write!(f, "the name has no address"),
        }
    }
}

/// Messages on their way out of one link.
#[derive(Default)]
pub(super) struct Outbox {
    queued: RefCell<Vec<u8>>,
    /// Bytes that the writer took and may not have sent yet.
    writing: Cell<usize>,
    is_closing: Cell<bool>,
    writer: Cell<Option<Waker>>,
}

impl Outbox {
    /// Queues a message. O(length).
    pub(super) fn push(&self, message: &Message) {
        message.encode(&mut self.queued.borrow_mut());
        self.wake();
    }

    /// Bytes that wait to be sent.
    pub(super) fn len(&self) -> usize {
        self.queued.borrow().len() + self.writing.get()
    }

    /// Lets the writer send what is queued, and then close the link.
    pub(super) fn close(&self) {
        self.is_closing.set(true);
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = self.writer.take() {
            waker.wake();
        }
    }

    /// Swaps the empty `chunk` for what is queued, as soon as there is something. Returns whether there is.
    async fn take(&self, chunk: &mut Vec<u8>) -> bool {
        poll_fn(|cx| {
            let mut queued = self.queued.borrow_mut();
            if !queued.is_empty() {
                mem::swap(&mut *queued, chunk);
                self.writing.set(chunk.len());
                return Poll::Ready(true);
            }
            if self.is_closing.get() {
                return Poll::Ready(false);
            }
            self.writer.set(Some(cx.waker().clone()));
            Poll::Pending
        })
        .await
    }
}

/// Sends what is queued until the outbox is closed.
pub(super) async fn write<W: AsyncWrite + Unpin>(
    outbox: Rc<Outbox>,
    mut stream: W,
) -> io::Result<()> {
    let mut chunk = Vec::new();
    while outbox.take(&mut chunk).await {
        stream.write_all(&chunk).await?;
        outbox.writing.set(0);
        if chunk.capacity() > KEPT_BUFFER {
            chunk = Vec::new();
        }
        chunk.clear();
    }
    stream.close().await
}

/// Reads messages from a stream.
pub(super) struct Reader<R> {
    stream: R,
    decoder: CommandDecoder,
    /// Zeroed beyond `filled`, so that it can be read into.
    buffer: Vec<u8>,
    filled: usize,
    messages: Vec<Message>,
    /// Whether bytes came with the stream that have not been looked at.
    is_fresh: bool,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    /// A reader that begins with `buffered`, and goes on with what `stream` gives.
    pub(super) fn new(stream: R, buffered: Vec<u8>, limits: Limits) -> Self {
        Self {
            stream,
            decoder: CommandDecoder::new(limits),
            filled: buffered.len(),
            is_fresh: !buffered.is_empty(),
            buffer: buffered,
            messages: Vec::new(),
        }
    }

    /// Waits for bytes and decodes all messages that are complete; [`messages`](Self::messages) hands them
    /// out, also those before an error.
    pub(super) async fn read(&mut self) -> Result<(), LinkError> {
        if !mem::take(&mut self.is_fresh) {
            if self.buffer.len() - self.filled < READ_SIZE / 2 {
                self.buffer.resize(self.filled + READ_SIZE, 0);
            }
            let space = self.buffer.get_mut(self.filled..).unwrap_or_default();
            let read = self.stream.read(space).await.map_err(LinkError::Io)?;
            if read == 0 {
                return Err(LinkError::Closed);
            }
            self.filled += read;
        }
        let mut start = 0;
        let result = loop {
            let rest = self.buffer.get(start..self.filled).unwrap_or_default();
            match decode(&mut self.decoder, rest) {
                Ok(Some((message, consumed))) => {
                    self.messages.extend(message);
                    start += consumed;
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.discard(start);
        result
    }

    /// The messages that came in.
    pub(super) fn messages(&mut self) -> impl Iterator<Item = Message> + '_ {
        self.messages.drain(..)
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

/// The first message in `bytes`, if it is complete, and its length. An empty command is no message.
fn decode(
    decoder: &mut CommandDecoder,
    bytes: &[u8],
) -> Result<Option<(Option<Message>, usize)>, LinkError> {
    // An error reply would pass for an inline command.
    if bytes.first() == Some(&b'-') {
        let line = bytes.split(|byte| *byte == b'\r').next().unwrap_or(bytes);
        return Err(LinkError::Refused(
            String::from_utf8_lossy(line).into_owned(),
        ));
    }
    let decoded = decoder.decode(bytes).map_err(LinkError::Decode)?;
    let Some(decoded) = decoded else {
        return Ok(None);
    };
    if decoded.args.is_empty() {
        return Ok(Some((None, decoded.consumed)));
    }
    let message = Message::decode(decoded.args).map_err(LinkError::Message)?;
    Ok(Some((Some(message), decoded.consumed)))
}

/// Room for one read, in bytes.
const READ_SIZE: usize = 64 << 10;
/// Buffers above this size, in bytes, are given back when they are empty.
const KEPT_BUFFER: usize = 1 << 20;
