//! Commands of clients: RESP arrays of bulk strings, and inline commands.
//!
//! Place: fed by [`connection`](crate::connection); what it gives is parsed by [`command`](crate::command).
//! Cost: one pass over the bytes, however they are split; no allocation for a command that has no more
//! arguments than an earlier one.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use alloc::vec::Vec;

use super::args::{Args, Span};
use super::error::DecodeError;
use super::inline::Words;
use super::limits::Limits;
use super::number::number;

/// Decodes one command after the other from the bytes of one connection.
///
/// # Examples
///
/// ```
/// use memvault::resp::{CommandDecoder, DecodeError, Limits};
///
/// let mut decoder = CommandDecoder::new(Limits::default());
/// let mut input: &[u8] = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\nSET k 'x y'\r\nPI";
/// let mut commands = Vec::new();
/// while let Some(decoded) = decoder.decode(input)? {
///     if !decoded.args.is_empty() {
///         commands.push(decoded.args.iter().map(<[u8]>::to_vec).collect::<Vec<_>>());
///     }
///     input = &input[decoded.consumed..];
/// }
/// assert_eq!(commands, [vec![b"GET".to_vec(), b"k".to_vec()], vec![b"SET".to_vec(), b"k".to_vec(), b"x y".to_vec()]]);
/// assert_eq!(input, b"PI"); // comes again, with more behind it
/// # Ok::<(), DecodeError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct CommandDecoder {
    limits: Limits,
    /// Arguments of the present command that are complete. Invariant: they lie within the first
    /// [`position`](Self::position) bytes of the input.
    spans: Vec<Span>,
    /// Arguments that are still to come.
    missing: usize,
    /// How many bytes of the input are done with; 0 until the header of an array is complete.
    position: usize,
    words: Words,
}

/// A complete command.
#[derive(Clone, Copy, Debug)]
pub struct Decoded<'a> {
    /// Its arguments. None at all for an empty command (an empty line, `*0`, `*-1`), to be passed over in
    /// silence.
    pub args: Args<'a>,
    /// How many bytes of the input it took; the next command begins behind them. Never 0.
    pub consumed: usize,
}

impl CommandDecoder {
    /// A decoder at the beginning of a stream.
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        Self {
            limits,
            spans: Vec::new(),
            missing: 0,
            position: 0,
            words: Words::new(),
        }
    }

    /// What a peer may send.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Changes what a peer may send, from the next header on.
    pub const fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Decodes the command at the beginning of `input`.
    ///
    /// `None` means that it is not complete: call again with the same bytes and more behind them, and the
    /// decoder goes on where it stopped. After a command, call again with the bytes behind it.
    ///
    /// # Errors
    ///
    /// If the bytes are no command or pass one of the [`Limits`]; see [`DecodeError`].
    #[inline]
    pub fn decode<'a>(&'a mut self, input: &'a [u8]) -> Result<Option<Decoded<'a>>, DecodeError> {
        match input.first() {
            Some(b'*') => self.decode_array(input),
            Some(_) => self.decode_inline(input),
            None => Ok(None),
        }
    }

    fn decode_array<'a>(&'a mut self, input: &'a [u8]) -> Result<Option<Decoded<'a>>, DecodeError> {
        let limit = self.limits.command_len();
        // Nothing beyond the limit is looked at, so that every offset fits a span.
        let window = input.get(..limit).unwrap_or(input);
        match self.array(window)? {
            Some(rest) => Ok(Some(Decoded {
                args: Args::new(input, &self.spans),
                consumed: window.len().wrapping_sub(rest.len()),
            })),
            None if window.len() < input.len() => Err(DecodeError::CommandTooLong { limit }),
            None => Ok(None),
        }
    }

    /// Goes on with the array at the beginning of `input`; gives what follows it once it is complete.
    fn array<'a>(&mut self, input: &'a [u8]) -> Result<Option<&'a [u8]>, DecodeError> {
        let mut rest = input.get(self.position..).unwrap_or(&[]);
        if self.position == 0 {
            let Some((count, tail)) = array_header(rest, &self.limits)? else {
                return Ok(None);
            };
            self.forget_large();
            self.spans.clear();
            self.missing = count;
            rest = tail;
        }
        while self.missing > 0 {
            let Some((bulk, tail)) = bulk(rest, &self.limits)? else {
                self.position = input.len().wrapping_sub(rest.len());
                return Ok(None);
            };
            let end = input.len().wrapping_sub(tail.len());
            self.spans.push(Span {
                start: end.wrapping_sub(bulk).wrapping_sub(2) as u32,
                len: bulk as u32,
            });
            self.missing = self.missing.wrapping_sub(1);
            rest = tail;
        }
        self.position = 0;
        Ok(Some(rest))
    }

    fn decode_inline<'a>(
        &'a mut self,
        input: &'a [u8],
    ) -> Result<Option<Decoded<'a>>, DecodeError> {
        let limit = self.limits.max_inline_len;
        let window = input.get(..limit).unwrap_or(input);
        let unseen = window.get(self.position..).unwrap_or(&[]);
        let Some(found) = memchr::memchr(b'\n', unseen) else {
            self.position = window.len();
            return if window.len() < input.len() {
                Err(DecodeError::InlineTooLong { limit })
            } else {
                Ok(None)
            };
        };
        let end = self.position.wrapping_add(found);
        let line = window.get(..end).unwrap_or(window);
        self.forget_large();
        self.spans.clear();
        self.words.split(line, &mut self.spans)?;
        self.position = 0;
        Ok(Some(Decoded {
            args: Args::new(&self.words.bytes, &self.spans),
            consumed: end.wrapping_add(1),
        }))
    }

    /// Gives back memory that only an uncommonly large command needed.
    fn forget_large(&mut self) {
        if self.spans.capacity() > KEPT_SPANS {
            self.spans = Vec::new();
        }
        self.words.forget_large();
    }
}

/// Spans that a connection keeps from one command to the next: 8 KiB.
const KEPT_SPANS: usize = 1024;

/// Reads the header of an array; gives how many arguments follow.
fn array_header<'a>(
    bytes: &'a [u8],
    limits: &Limits,
) -> Result<Option<(usize, &'a [u8])>, DecodeError> {
    let after_kind = bytes.get(1..).unwrap_or(&[]);
    let Some((count, rest)) =
        number(after_kind).map_err(|_| DecodeError::InvalidMultibulkLength)?
    else {
        return Ok(None);
    };
    // Redis passes over an array of a negative length as over an empty one.
    let count = u64::try_from(count).unwrap_or(0);
    match usize::try_from(count) {
        Ok(arguments) if arguments <= limits.max_arguments => Ok(Some((arguments, rest))),
        _ => Err(DecodeError::TooManyArguments {
            count,
            limit: limits.max_arguments,
        }),
    }
}

/// Reads a bulk string whole; gives its length and what follows its CR and LF.
fn bulk<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Option<(usize, &'a [u8])>, DecodeError> {
    let after_kind = match bytes {
        [] => return Ok(None),
        [b'$', rest @ ..] => rest,
        [got, ..] => return Err(DecodeError::ExpectedBulk { got: *got }),
    };
    let Some((len, rest)) = number(after_kind).map_err(|_| DecodeError::InvalidBulkLength)? else {
        return Ok(None);
    };
    let claimed = u64::try_from(len).map_err(|_| DecodeError::InvalidBulkLength)?;
    let len = match usize::try_from(claimed) {
        Ok(len) if len <= limits.max_bulk_len => len,
        _ => {
            return Err(DecodeError::BulkTooLong {
                len: claimed,
                limit: limits.max_bulk_len,
            });
        }
    };
    match rest.get(len..).unwrap_or(&[]) {
        [b'\r', b'\n', rest @ ..] => Ok(Some((len, rest))),
        [] | [b'\r'] => Ok(None),
        _ => Err(DecodeError::ExpectedCrlf),
    }
}
