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
use super::short::{self, Short};

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
#[derive(Clone, Debug)]
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
    short: Short,
    /// Whether the limits allow every short command.
    tries_short: bool,
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
            short: Short::new(),
            tries_short: allow_short(&limits),
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
        self.tries_short = allow_short(&limits);
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
        if self.position == 0
            && self.tries_short
            && let Some(progress) = self.short.decode(input)
        {
            if progress.missing == 0 {
                return Ok(Some(Decoded {
                    args: Args::new(input, self.short.spans(progress.count)),
                    consumed: input.len().wrapping_sub(progress.rest.len()),
                }));
            }
            self.resume(progress, input.len());
        }
        self.decode_any(input)
    }

    /// The general way. Kept out of [`decode`](Self::decode), which is small enough to be inlined.
    #[inline(never)]
    fn decode_any<'a>(&'a mut self, input: &'a [u8]) -> Result<Option<Decoded<'a>>, DecodeError> {
        if self.position == 0 {
            self.forget_large();
        }
        match input.first() {
            Some(b'*') => self.decode_array(input),
            Some(_) => self.decode_inline(input),
            None => Ok(None),
        }
    }

    /// Goes on after what was short.
    #[cold]
    fn resume(&mut self, progress: short::Progress<'_>, len: usize) {
        let complete = progress.count.wrapping_sub(progress.missing);
        self.forget_large();
        self.spans.clear();
        self.spans.extend_from_slice(self.short.spans(complete));
        self.missing = progress.missing;
        self.position = len.wrapping_sub(progress.rest.len());
    }

    /// Checks what must always hold after a call with `len` bytes.
    ///
    /// # Panics
    ///
    /// Panics if it does not.
    #[cfg(any(test, fuzzing))]
    pub fn check_invariants(&self, len: usize) {
        let arguments = self.spans.len();
        assert!(self.position <= len.min(self.limits.command_len()));
        assert!(self.spans.capacity() <= KEPT_SPANS.max(arguments.saturating_mul(2)));
        assert!(
            self.position == 0 || self.missing == 0 || arguments.saturating_mul(6) <= self.position
        );
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
            self.spans.clear();
            self.missing = count;
            rest = tail;
        }
        while self.missing > 0 {
            let done = input.len().wrapping_sub(rest.len());
            let room = self.limits.command_len().saturating_sub(done);
            let (bulk, tail) = match bulk(rest, room, &self.limits) {
                Ok(Some(found)) => found,
                incomplete => {
                    self.position = done;
                    return incomplete.map(|_| None);
                }
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
        let limit = self.limits.max_inline_len.min(self.limits.command_len());
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
        self.spans.clear();
        self.words.split(line, &mut self.spans)?;
        if self.spans.len() > self.limits.max_arguments {
            return Err(DecodeError::TooManyArguments {
                count: self.spans.len() as u64,
                limit: self.limits.max_arguments,
            });
        }
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

impl Default for CommandDecoder {
    fn default() -> Self {
        Self::new(Limits::DEFAULT)
    }
}

const fn allow_short(limits: &Limits) -> bool {
    limits.max_arguments >= short::MOST_ARGUMENTS
        && limits.max_bulk_len >= short::MOST_BYTES
        && limits.max_command_len >= short::MOST_COMMAND
}

/// Spans that a connection keeps from one command to the next: 2 KiB.
const KEPT_SPANS: usize = 256;

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

/// Reads a bulk string whole; gives its length and what follows its CR and LF. `room` is how many bytes the
/// command may still take.
fn bulk<'a>(
    bytes: &'a [u8],
    room: usize,
    limits: &Limits,
) -> Result<Option<(usize, &'a [u8])>, DecodeError> {
    let after_kind = match bytes {
        [] => return Ok(None),
        [b'$', rest @ ..] => rest,
        [got, ..] => return Err(DecodeError::ExpectedBulk { got: *got }),
    };
    let Some((len, rest)) = number(after_kind).map_err(|_| DecodeError::InvalidBulkLength)? else {
        return Ok(None);
    };
    let header = bytes.len().wrapping_sub(rest.len());
    let len = allowed_len(len, room.saturating_sub(header), limits)?;
    match rest.get(len..).unwrap_or(&[]) {
        [b'\r', b'\n', rest @ ..] => Ok(Some((len, rest))),
        [] | [b'\r'] => Ok(None),
        _ => Err(DecodeError::ExpectedCrlf),
    }
}

/// The length that a header claims, if that is allowed.
fn allowed_len(claimed: i64, room: usize, limits: &Limits) -> Result<usize, DecodeError> {
    let claimed = u64::try_from(claimed).map_err(|_| DecodeError::InvalidBulkLength)?;
    match usize::try_from(claimed) {
        Ok(len) if len > limits.max_bulk_len => {}
        Ok(len) if len.saturating_add(2) > room => {
            return Err(DecodeError::CommandTooLong {
                limit: limits.command_len(),
            });
        }
        Ok(len) => return Ok(len),
        Err(_) => {}
    }
    Err(DecodeError::BulkTooLong {
        len: claimed,
        limit: limits.max_bulk_len,
    })
}
