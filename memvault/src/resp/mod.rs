//! RESP, the protocol of Redis: incremental, bounded decoders and an encoder into a caller's buffer.
//!
//! ```text
//! bytes of a client --CommandDecoder--> Args         inline commands too
//! bytes of a server --ReplyDecoder----> Reply        RESP2 and RESP3
//!          Vec<u8>  <--encode----------- commands and replies
//! ```
//!
//! Place: below [`connection`](crate::connection) and below the messages of [`replication`](crate::replication).
//! Cost: one pass over the bytes, however they are split. Nothing here calls itself on what a peer sent.
//! Limits: those of [`Limits`]; a command or reply lies in one piece in the caller's buffer until it is complete.

pub mod encode;

mod args;
mod command;
mod double;
mod error;
mod inline;
mod limits;
mod number;
mod protocol;
mod reply;
mod short;

pub use args::{Args, Span};
pub use command::{CommandDecoder, Decoded};
pub use error::DecodeError;
pub use limits::Limits;
pub use protocol::Protocol;
pub use reply::{DecodedReply, Reply, ReplyDecoder, ReplyScanner, Scanned};
