//! Replies of servers, RESP2 and RESP3.
//!
//! Place: used by clients; a server encodes its replies with [`encode`](super::encode) and never builds these.

mod decoder;
mod display;
mod element;
mod scanner;

use alloc::boxed::Box;
use alloc::vec::Vec;

pub use decoder::{DecodedReply, ReplyDecoder};
pub use scanner::{ReplyScanner, Scanned};

/// A reply, with everything in it.
///
/// [`Display`](core::fmt::Display) is what `redis-cli` prints on a terminal. From a [`ReplyDecoder`] it has at
/// most 1024 levels, so that comparing, printing and dropping it, which take one stack frame per level, are
/// safe on any stack.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Reply {
    /// A simple string, such as `OK`.
    Simple(Vec<u8>),
    /// An error, simple or bulk: a code such as `ERR`, a blank, and a text.
    Error(Vec<u8>),
    /// An integer.
    Integer(i64),
    /// A bulk string.
    Bulk(Vec<u8>),
    /// No value: the null of RESP3, and the null bulk string and null array of RESP2.
    Null,
    /// An array.
    Array(Vec<Self>),
    /// A map, in the order of the server (RESP3).
    Map(Vec<(Self, Self)>),
    /// A set, in the order of the server (RESP3).
    Set(Vec<Self>),
    /// Out-of-band data that is no reply to a command (RESP3).
    Push(Vec<Self>),
    /// A double (RESP3).
    Double(f64),
    /// A boolean (RESP3).
    Boolean(bool),
    /// An integer of any size, as its digits (RESP3).
    BigNumber(Vec<u8>),
    /// A text with its format (RESP3).
    Verbatim {
        /// Such as `txt` or `mkd`.
        format: [u8; 3],
        /// The text itself.
        text: Vec<u8>,
    },
    /// A reply with attributes in front of it (RESP3).
    Attributed {
        /// What the server had to say about the reply.
        attributes: Vec<(Self, Self)>,
        /// The reply itself.
        reply: Box<Self>,
    },
}

impl Reply {
    /// The bytes of a bulk string, simple string or verbatim text.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self.without_attributes() {
            Self::Bulk(bytes) | Self::Simple(bytes) | Self::Verbatim { text: bytes, .. } => {
                Some(bytes)
            }
            _ => None,
        }
    }

    /// Like [`as_bytes`](Self::as_bytes), without a copy.
    ///
    /// # Errors
    ///
    /// The reply without its attributes, if it is no string.
    pub fn into_bytes(self) -> Result<Vec<u8>, Self> {
        let mut reply = self;
        while let Self::Attributed { reply: inner, .. } = reply {
            reply = *inner;
        }
        match reply {
            Self::Bulk(bytes) | Self::Simple(bytes) | Self::Verbatim { text: bytes, .. } => {
                Ok(bytes)
            }
            other => Err(other),
        }
    }

    /// The value of an integer.
    #[must_use]
    pub fn as_integer(&self) -> Option<i64> {
        match self.without_attributes() {
            Self::Integer(value) => Some(*value),
            _ => None,
        }
    }

    /// The elements of an array, set or push.
    #[must_use]
    pub fn as_elements(&self) -> Option<&[Self]> {
        match self.without_attributes() {
            Self::Array(elements) | Self::Set(elements) | Self::Push(elements) => Some(elements),
            _ => None,
        }
    }

    /// The text of an error, its code included.
    #[must_use]
    pub fn error_text(&self) -> Option<&[u8]> {
        match self.without_attributes() {
            Self::Error(text) => Some(text),
            _ => None,
        }
    }

    /// Whether there is no value.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self.without_attributes(), Self::Null)
    }

    /// The reply itself, where attributes stand before it.
    fn without_attributes(&self) -> &Self {
        let mut reply = self;
        while let Self::Attributed { reply: inner, .. } = reply {
            reply = inner;
        }
        reply
    }
}
