//! Why bytes are not RESP, in the words that the peer gets to read.

use core::ascii;
use core::fmt;

/// Why bytes could not be decoded. The peer's fault in every case.
///
/// The stream is out of step from there on and cannot be used further: the connection is closed once the
/// peer has been told. A decoder that is asked again with the same bytes gives the same error.
/// [`Display`](fmt::Display) is what follows `-ERR ` in the reply: the words of Redis and, where a limit
/// was passed, what the limit is and which setting it is. It never contains a line break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// The number of arguments or elements is not a number.
    InvalidMultibulkLength,
    /// A command claims more arguments than [`max_arguments`](super::Limits::max_arguments).
    TooManyArguments {
        /// What was claimed.
        count: u64,
        /// What is allowed.
        limit: usize,
    },
    /// The length of a bulk string is not a number, or negative where that means nothing.
    InvalidBulkLength,
    /// An argument claims to be longer than [`max_bulk_len`](super::Limits::max_bulk_len).
    BulkTooLong {
        /// What was claimed, in bytes.
        len: u64,
        /// What is allowed, in bytes.
        limit: usize,
    },
    /// An argument does not begin as a bulk string does.
    ExpectedBulk {
        /// The byte where `$` should be.
        got: u8,
    },
    /// No CR and LF where a bulk string or a line should end.
    ExpectedCrlf,
    /// A quote or bracket of an inline command is not closed, or closed in the middle of a word.
    UnbalancedQuotes,
    /// An inline command is longer than [`max_inline_len`](super::Limits::max_inline_len).
    InlineTooLong {
        /// What is allowed, in bytes.
        limit: usize,
    },
    /// A command is longer than [`max_command_len`](super::Limits::max_command_len) as a whole.
    CommandTooLong {
        /// What is allowed, in bytes.
        limit: usize,
    },
    /// A reply begins with a byte that stands for no type.
    UnknownReply {
        /// The byte.
        got: u8,
    },
    /// A number, a double, a big number, a boolean or a null of a reply is none.
    InvalidReply {
        /// The byte that stands for its type.
        kind: u8,
    },
    /// A reply passes one of the [`Limits`](super::Limits) of the decoder.
    ReplyTooLarge {
        /// Name of the field of [`Limits`](super::Limits).
        limit: &'static str,
        /// Its value.
        value: usize,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Protocol error: ")?;
        match *self {
            Self::InvalidMultibulkLength => f.write_str("invalid multibulk length"),
            Self::TooManyArguments { count, limit } => write!(
                f,
                "invalid multibulk length {count}: the limit is {limit} arguments (max-arguments)"
            ),
            Self::InvalidBulkLength => f.write_str("invalid bulk length"),
            Self::BulkTooLong { len, limit } => write!(
                f,
                "invalid bulk length {len}: the limit is {limit} bytes (max-value)"
            ),
            Self::ExpectedBulk { got } => {
                write!(f, "expected '$', got '{}'", ascii::escape_default(got))
            }
            Self::ExpectedCrlf => f.write_str("expected CRLF"),
            Self::UnbalancedQuotes => f.write_str("unbalanced quotes in request"),
            Self::InlineTooLong { limit } => write!(
                f,
                "too big inline request: the limit is {limit} bytes (max-inline)"
            ),
            Self::CommandTooLong { limit } => write!(
                f,
                "too big request: the limit is {limit} bytes (max-command)"
            ),
            Self::UnknownReply { got } => {
                write!(f, "unknown type of reply '{}'", ascii::escape_default(got))
            }
            Self::InvalidReply { kind } => {
                write!(
                    f,
                    "invalid value after '{}' in a reply",
                    ascii::escape_default(kind)
                )
            }
            Self::ReplyTooLarge { limit, value } => {
                write!(f, "too big reply: the limit {limit} is {value}")
            }
        }
    }
}

impl core::error::Error for DecodeError {}
