//! [`Reply`]: what a command on one key answers, and its one encoder, for a node alone and for a cluster.

use alloc::vec::Vec;

use super::edit::EditError;
use super::error::CommandError;
use crate::resp::{Protocol, encode};

/// The answer to a command on one key; `B` holds bytes, or says where they are.
///
/// Not `non_exhaustive`: who carries out commands in another way must be able to send every reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply<B> {
    /// It is done: `OK`.
    Done,
    /// The condition did not hold, and nothing was done: null.
    NotDone,
    /// A number.
    Integer(i64),
    /// A value; null if there is none.
    Value(Option<B>),
    /// A word, such as the type of a value.
    Word(&'static str),
    /// The value is not what the command needs, and nothing was done.
    Refused(EditError),
}

/// Of what kind the replies of a command are, unless it is refused.
///
/// Not `non_exhaustive`: who translates replies of another server must know each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyKind {
    /// [`Reply::Done`] or [`Reply::NotDone`].
    Done,
    /// [`Reply::Integer`] 1 or 0: whether it was done.
    Flag,
    /// [`Reply::Integer`].
    Integer,
    /// [`Reply::Value`].
    Value,
}

impl<B> Reply<B> {
    /// The same reply with its bytes in another form.
    pub fn map<C>(self, bytes: impl FnOnce(B) -> C) -> Reply<C> {
        match self {
            Self::Done => Reply::Done,
            Self::NotDone => Reply::NotDone,
            Self::Integer(number) => Reply::Integer(number),
            Self::Value(value) => Reply::Value(value.map(bytes)),
            Self::Word(word) => Reply::Word(word),
            Self::Refused(reason) => Reply::Refused(reason),
        }
    }
}

impl<B: AsRef<[u8]>> Reply<B> {
    /// Appends the reply to `out`.
    #[inline]
    pub fn encode(&self, protocol: Protocol, out: &mut Vec<u8>) {
        match self {
            Self::Done => encode::ok(out),
            Self::NotDone | Self::Value(None) => encode::null(out, protocol),
            Self::Integer(number) => encode::integer(out, *number),
            Self::Value(Some(value)) => encode::bulk(out, value.as_ref()),
            Self::Word(word) => encode::simple(out, word.as_bytes()),
            Self::Refused(reason) => CommandError::Edit(*reason).encode(out),
        }
    }
}
