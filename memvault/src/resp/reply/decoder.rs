//! Replies as trees.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::Reply;
use super::element::{Aggregate, Element, element};
use crate::resp::error::DecodeError;
use crate::resp::limits::Limits;

/// Decodes one reply after the other from the bytes of one connection.
///
/// Memory: what it holds of an incomplete reply is at most some 100 bytes per element that has come, and the
/// bytes of its strings.
///
/// # Examples
///
/// ```
/// use memvault::resp::{DecodeError, Limits, ReplyDecoder};
///
/// let mut decoder = ReplyDecoder::new(Limits::default());
/// assert!(decoder.decode(b"*2\r\n$1\r\na\r\n:")?.is_none());
/// let decoded = decoder.decode(b"*2\r\n$1\r\na\r\n:7\r\n+OK\r\n")?.unwrap();
/// assert_eq!(decoded.reply.to_string(), "1) \"a\"\n2) (integer) 7");
/// assert_eq!(decoded.consumed, 15);
/// # Ok::<(), DecodeError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ReplyDecoder {
    limits: Limits,
    /// Aggregates that are not complete, each an element of the one before it.
    open: Vec<Open>,
    /// Elements that the headers so far have announced.
    elements: usize,
    /// How many bytes of the input are done with.
    position: usize,
    /// How many bytes of the line at [`position`](Self::position) are known to contain no end.
    searched: usize,
}

/// A complete reply.
#[derive(Clone, Debug, PartialEq)]
pub struct DecodedReply {
    /// The reply.
    pub reply: Reply,
    /// How many bytes of the input it took; the next reply begins behind them. Never 0.
    pub consumed: usize,
}

/// An aggregate that is not complete.
#[derive(Clone, Debug)]
struct Open {
    aggregate: Aggregate,
    elements: Vec<Reply>,
    /// Elements that are still to come. Invariant: not 0.
    missing: usize,
}

impl ReplyDecoder {
    /// A decoder at the beginning of a stream.
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        Self {
            limits,
            open: Vec::new(),
            elements: 0,
            position: 0,
            searched: 0,
        }
    }

    /// Decodes the reply at the beginning of `input`.
    ///
    /// `None` means that it is not complete: call again with the same bytes and more behind them, and the
    /// decoder goes on where it stopped. After a reply, call again with the bytes behind it.
    ///
    /// # Errors
    ///
    /// If the bytes are no reply or pass one of the [`Limits`]; see [`DecodeError`].
    pub fn decode(&mut self, input: &[u8]) -> Result<Option<DecodedReply>, DecodeError> {
        let limit = self.limits.command_len();
        let window = input.get(..limit).unwrap_or(input);
        loop {
            let room = limit.saturating_sub(self.position);
            let rest = window.get(self.position..).unwrap_or(&[]);
            let Some((element, rest)) = element(rest, &mut self.searched, room, &self.limits)?
            else {
                return if window.len() < input.len() {
                    Err(too_large("max_command_len", limit))
                } else {
                    Ok(None)
                };
            };
            let complete = match element {
                Element::Aggregate(aggregate, elements) => self.open(aggregate, elements)?,
                single => Some(reply(single)),
            };
            self.position = window.len().saturating_sub(rest.len());
            if let Some(reply) = complete.and_then(|reply| self.add(reply)) {
                self.elements = 0;
                let consumed = core::mem::take(&mut self.position);
                return Ok(Some(DecodedReply { reply, consumed }));
            }
        }
    }

    /// Checks what must always hold between calls.
    ///
    /// # Panics
    ///
    /// Panics if it does not.
    #[cfg(any(test, fuzzing))]
    pub fn check_invariants(&self) {
        let complete: usize = self.open.iter().map(|open| open.elements.len()).sum();
        assert!(self.open.len() <= self.limits.depth());
        assert!(complete <= self.elements && self.elements <= self.limits.max_arguments);
        assert!(self.open.iter().all(|open| open.missing > 0));
        for open in &self.open {
            assert!(open.elements.capacity() <= open.elements.len().saturating_mul(2).max(4));
        }
    }

    /// Begins an aggregate; gives it where nothing is missing.
    fn open(&mut self, aggregate: Aggregate, missing: usize) -> Result<Option<Reply>, DecodeError> {
        let most = self.limits.max_arguments;
        let announced = self.elements.saturating_add(missing);
        if announced > most {
            return Err(too_large("max_arguments", most));
        }
        if self.open.len() >= self.limits.depth() {
            return Err(too_large("max_depth", self.limits.depth()));
        }
        self.elements = announced;
        if missing == 0 {
            return Ok(Some(aggregated(aggregate, Vec::new())));
        }
        self.open.push(Open {
            aggregate,
            elements: Vec::new(),
            missing,
        });
        Ok(None)
    }

    /// Adds an element to the innermost aggregate; gives the outermost once nothing is missing.
    fn add(&mut self, mut reply: Reply) -> Option<Reply> {
        while let Some(mut open) = self.open.pop() {
            open.elements.push(reply);
            open.missing = open.missing.saturating_sub(1);
            if open.missing > 0 {
                self.open.push(open);
                return None;
            }
            reply = aggregated(open.aggregate, open.elements);
        }
        Some(reply)
    }
}

const fn too_large(limit: &'static str, value: usize) -> DecodeError {
    DecodeError::ReplyTooLarge { limit, value }
}

fn reply(element: Element<'_>) -> Reply {
    match element {
        Element::Simple(text) => Reply::Simple(text.to_vec()),
        Element::Error(text) => Reply::Error(text.to_vec()),
        Element::Integer(value) => Reply::Integer(value),
        Element::Bulk(bytes) => Reply::Bulk(bytes.to_vec()),
        Element::Null => Reply::Null,
        Element::Double(value) => Reply::Double(value),
        Element::Boolean(value) => Reply::Boolean(value),
        Element::BigNumber(digits) => Reply::BigNumber(digits.to_vec()),
        Element::Verbatim(format, text) => Reply::Verbatim {
            format,
            text: text.to_vec(),
        },
        Element::Aggregate(aggregate, _) => aggregated(aggregate, Vec::new()),
    }
}

fn aggregated(aggregate: Aggregate, mut elements: Vec<Reply>) -> Reply {
    match aggregate {
        Aggregate::Array => Reply::Array(elements),
        Aggregate::Set => Reply::Set(elements),
        Aggregate::Push => Reply::Push(elements),
        Aggregate::Map => Reply::Map(pairs(elements)),
        Aggregate::Attributes => {
            let reply = Box::new(elements.pop().unwrap_or(Reply::Null));
            Reply::Attributed {
                attributes: pairs(elements),
                reply,
            }
        }
    }
}

fn pairs(elements: Vec<Reply>) -> Vec<(Reply, Reply)> {
    let mut pairs = Vec::new();
    let mut elements = elements.into_iter();
    while let (Some(key), Some(value)) = (elements.next(), elements.next()) {
        pairs.push((key, value));
    }
    pairs
}
