//! Commands on very many keys or bytes, carried out slice by slice.

use alloc::vec::Vec;
use core::mem;

use super::calls::{ErrorCode, Fault};
use super::engine::{Call, Engine};
use super::replies::Replies;
use super::session::Peer;
use crate::command::{Data, Name, OwnedArgs, number_of_reply};
use crate::resp::{Args, Span, encode};
use crate::time::Timestamp;

/// Keys of a slice: a command on so many, and on at most [`SLICE_LEN`] bytes, takes effect at once.
pub const SLICE_KEYS: usize = 1024;
/// Bytes of values after which a slice ends: 4 MiB.
pub const SLICE_LEN: usize = 4 << 20;

/// A command that takes effect slice by slice, and how far it is.
#[derive(Debug)]
pub(super) struct Wide {
    name: Name,
    /// Arguments that are done with, the name included.
    next: usize,
    /// What the slices so far have counted.
    count: i64,
    args: Held,
    /// Bytes of the input that the command takes.
    consumed: usize,
}

/// Where the arguments are between two slices.
#[derive(Debug)]
enum Held {
    /// Nowhere yet.
    Caller,
    /// In the input, still.
    InPlace(Vec<Span>),
    /// Those of an inline command, without quotes and escapes.
    Copied(OwnedArgs),
}

impl Wide {
    /// The state of a command before its first slice, if it may need more than one.
    #[inline]
    pub(super) fn of(name: Name, call: &Call<'_>) -> Option<Self> {
        let keys = match call.command {
            // The bytes of its reply are not known yet.
            Data::GetMany(keys) if keys.len() > ALWAYS_AT_ONCE => usize::MAX,
            Data::Delete(keys) | Data::Exists(keys) => keys.len(),
            Data::SetMany(pairs) if pairs.bytes() > SLICE_LEN => usize::MAX,
            Data::SetMany(pairs) => pairs.len() / 2,
            _ => return None,
        };
        (keys > SLICE_KEYS).then_some(Self {
            name,
            next: 1,
            count: 0,
            args: Held::Caller,
            consumed: 0,
        })
    }

    /// Keeps what further slices need of a command that takes `consumed` bytes of the input. Returns how many of these
    /// are not needed any more.
    pub(super) fn hold(&mut self, args: &Args<'_>, input: &[u8], consumed: usize) -> usize {
        if args.lie_in(input) {
            self.args = Held::InPlace(args.spans().to_vec());
            self.consumed = consumed;
            0
        } else {
            self.args = Held::Copied(OwnedArgs::from(args));
            consumed
        }
    }

    /// Bytes of the input that are done with after the last slice.
    pub(super) const fn consumed(&self) -> usize {
        self.consumed
    }

    /// Carries out a further slice of a command that is [held](Self::hold). Returns whether that was the last.
    pub(super) fn go_on<E: Engine>(
        &mut self,
        engine: &mut E,
        (now, peer): (Timestamp, &Peer),
        input: &[u8],
        replies: &mut Replies,
    ) -> bool {
        let held = mem::replace(&mut self.args, Held::Caller);
        let args = match &held {
            Held::Caller => Args::new(&[], &[]),
            Held::InPlace(spans) => Args::new(input, spans),
            Held::Copied(args) => args.as_args(),
        };
        let call = Call {
            now,
            protocol: peer.protocol,
            levels: peer.levels,
            args,
            command: match self.name {
                Name::MGet => Data::GetMany(args.from(1)),
                Name::MSet => Data::SetMany(args.from(1)),
                Name::Exists => Data::Exists(args.from(1)),
                _ => Data::Delete(args.from(1)),
            },
        };
        let is_done = self.slice(engine, &call, replies);
        self.args = held;
        is_done
    }

    /// Carries out the next slice. Returns whether that was the last.
    pub(super) fn slice<E: Engine>(
        &mut self,
        engine: &mut E,
        call: &Call<'_>,
        replies: &mut Replies,
    ) -> bool {
        match call.command {
            Data::GetMany(_) => self.get(engine, call, replies),
            Data::SetMany(_) => self.set(engine, call, replies.target()),
            _ => self.count(engine, call, replies.target()),
        }
    }

    fn get<E: Engine>(&mut self, engine: &mut E, call: &Call<'_>, replies: &mut Replies) -> bool {
        if self.next == 1 {
            encode::array(replies.target(), call.args.len() - 1);
        }
        let (start, last) = (replies.owed(), self.next + SLICE_KEYS);
        while let Some(key) = call.args.get(self.next) {
            if self.next == last || replies.owed() - start > SLICE_LEN {
                return false;
            }
            let command = Data::Get(key);
            engine.execute(&Call { command, ..*call }, replies.target());
            self.next += 1;
        }
        true
    }

    fn set<E: Engine>(&mut self, engine: &mut E, call: &Call<'_>, out: &mut Vec<u8>) -> bool {
        if self.next == 1
            && let Some(refusal) = engine.refusal(&call.command)
        {
            let start = out.len();
            refusal.encode(out);
            self.count_error(engine, &out[start..]);
            return true;
        }
        let mut len = 0;
        let mut end = self.next;
        while end < call.args.len() && end < self.next + 2 * SLICE_KEYS && len < SLICE_LEN {
            len += call.args.get(end + 1).map_or(0, <[u8]>::len);
            end += 2;
        }
        let mut reply = Vec::new();
        let command = Data::SetMany(call.args.range(self.next, end));
        engine.execute(&Call { command, ..*call }, &mut reply);
        self.next = end;
        let is_done = end >= call.args.len() || reply.starts_with(b"-");
        if is_done {
            self.count_error(engine, &reply);
            out.extend_from_slice(&reply);
        }
        is_done
    }

    fn count<E: Engine>(&mut self, engine: &mut E, call: &Call<'_>, out: &mut Vec<u8>) -> bool {
        let end = call.args.len().min(self.next + SLICE_KEYS);
        let keys = call.args.range(self.next, end);
        let command = match call.command {
            Data::Exists(_) => Data::Exists(keys),
            _ => Data::Delete(keys),
        };
        let mut reply = Vec::new();
        engine.execute(&Call { command, ..*call }, &mut reply);
        self.count += number_of_reply(&reply).unwrap_or(0);
        self.next = end;
        let is_done = end == call.args.len();
        if is_done {
            encode::integer(out, self.count);
        }
        is_done
    }

    fn count_error<E: Engine>(&self, engine: &mut E, reply: &[u8]) {
        if let Some(code) = ErrorCode::of_reply(reply) {
            engine.count_error(Some(self.name), Fault::Failed, code);
        }
    }
}

/// Most keys of an `MGET` that is not cut, however long the values are.
const ALWAYS_AT_ONCE: usize = 4;
