//! Commands on very many keys or bytes, carried out slice by slice.

use alloc::vec::Vec;
use core::mem;

use super::calls::{ErrorCode, Fault};
use super::engine::{Call, Engine, Execution};
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
    /// The same after the slice that is under way.
    end: usize,
    /// The slice that is under way, by the id of its reply.
    waits_for: Option<u64>,
    /// Keys of the next slice whose values have unknown lengths.
    keys: usize,
    /// What the slices so far have counted.
    count: i64,
    /// The reply of a slice that failed.
    error: Option<Vec<u8>>,
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

/// How far a wide command is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slice {
    /// At its end: the reply is written.
    Last,
    /// There are more.
    Next,
    /// The present one has to come to its end first.
    Waiting,
}

impl Wide {
    /// The state of a command before its first slice, if it may need more than one.
    #[inline]
    pub(super) fn of<E: Engine>(name: Name, call: &Call<'_>) -> Option<Self> {
        let is_wide = match call.command {
            // The bytes of its reply are not known yet.
            Data::GetMany(keys) if E::DEFERS => keys.len() > FIRST_KEYS,
            Data::GetMany(keys) => keys.len() > ALWAYS_AT_ONCE,
            Data::Delete(keys) | Data::Exists(keys) => keys.len() > SLICE_KEYS,
            Data::SetMany(pairs) => pairs.len() > 2 * SLICE_KEYS || pairs.bytes() > SLICE_LEN,
            _ => false,
        };
        is_wide.then_some(Self {
            name,
            next: 1,
            end: 1,
            waits_for: None,
            keys: FIRST_KEYS,
            count: 0,
            error: None,
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

    /// The id of the reply that it waits for, if it does.
    pub(super) const fn waits_for(&self) -> Option<u64> {
        self.waits_for
    }

    /// Which command it is.
    pub(super) const fn name(&self) -> Name {
        self.name
    }

    /// Carries out a further slice of a command that is [held](Self::hold).
    pub(super) fn go_on<E: Engine>(
        &mut self,
        engine: &mut E,
        (now, peer): (Timestamp, &Peer),
        input: &[u8],
        replies: &mut Replies,
    ) -> Slice {
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
            command: self.of_keys(args.from(1)),
        };
        let slice = self.slice(engine, &call, replies);
        self.args = held;
        slice
    }

    /// The command with these arguments behind its name.
    fn of_keys<'a>(&self, args: Args<'a>) -> Data<'a> {
        match self.name {
            Name::MGet => Data::GetMany(args),
            Name::MSet => Data::SetMany(args),
            Name::Exists => Data::Exists(args),
            _ => Data::Delete(args),
        }
    }

    /// Carries out the next slice.
    pub(super) fn slice<E: Engine>(
        &mut self,
        engine: &mut E,
        call: &Call<'_>,
        replies: &mut Replies,
    ) -> Slice {
        if self.waits_for.is_some() {
            return Slice::Waiting;
        }
        if self.next == 1 {
            if self.name == Name::MGet {
                encode::array(replies.target(), call.args.len() - 1);
            }
            self.error = engine.refusal(&call.command).map(|refusal| {
                let mut reply = Vec::new();
                refusal.encode(&mut reply);
                reply
            });
        }
        if self.error.is_none() && self.next < call.args.len() {
            let is_done_at_once = if self.name == Name::MGet && !E::DEFERS {
                self.get(engine, call, replies);
                true
            } else {
                self.run(engine, call, replies)
            };
            if !is_done_at_once {
                return Slice::Waiting;
            }
        }
        if self.error.is_none() && self.next < call.args.len() {
            return Slice::Next;
        }
        self.reply(engine, replies.target());
        Slice::Last
    }

    /// Values one by one, so that the slice can end after any.
    fn get<E: Engine>(&mut self, engine: &mut E, call: &Call<'_>, replies: &mut Replies) {
        let (start, last) = (replies.owed(), self.next + SLICE_KEYS);
        while let Some(key) = call.args.get(self.next)
            && self.next < last
            && replies.owed() - start <= SLICE_LEN
        {
            let command = Data::Get(key);
            engine.execute(&Call { command, ..*call }, replies.target());
            self.next += 1;
        }
    }

    /// The next slice as a command of its own. Returns whether it is done at once.
    fn run<E: Engine>(&mut self, engine: &mut E, call: &Call<'_>, replies: &mut Replies) -> bool {
        self.end = self.end_of_slice(&call.args);
        let mut owned = OwnedArgs::default();
        let args = if E::DEFERS {
            owned.push(call.args.get(0).unwrap_or(&[]));
            let slice = call.args.range(self.next, self.end);
            slice.iter().for_each(|argument| owned.push(argument));
            owned.as_args()
        } else {
            call.args.range(self.next - 1, self.end)
        };
        let command = self.of_keys(args.from(1));
        let slice = Call {
            args,
            command,
            ..*call
        };
        let mut reply = Vec::new();
        match engine.execute(&slice, &mut reply) {
            Execution::Done => self.take(&reply, replies),
            Execution::Deferred(id) => self.waits_for = Some(id),
        }
        self.waits_for.is_none()
    }

    fn end_of_slice(&self, args: &Args<'_>) -> usize {
        let most = match self.name {
            Name::MGet => self.keys,
            Name::MSet => return self.end_of_pairs(args),
            _ => SLICE_KEYS,
        };
        args.len().min(self.next + most)
    }

    fn end_of_pairs(&self, args: &Args<'_>) -> usize {
        let (mut end, mut len) = (self.next, 0);
        while end < args.len() && end < self.next + 2 * SLICE_KEYS && len < SLICE_LEN {
            len += args.get(end + 1).map_or(0, <[u8]>::len);
            end += 2;
        }
        end
    }

    /// Takes the reply of the slice that is under way.
    pub(super) fn take(&mut self, reply: &[u8], replies: &mut Replies) {
        self.waits_for = None;
        let is_error = reply.starts_with(b"-");
        match self.name {
            Name::MGet if is_error => {
                // Too late to fail as a whole: each of these keys does.
                let keys = self.next..self.end;
                keys.for_each(|_| replies.target().extend_from_slice(reply));
            }
            Name::MGet => {
                let header = memchr::memchr(b'\n', reply).map_or(0, |end| end + 1);
                replies.target().extend_from_slice(&reply[header..]);
                self.keys = match reply.len() {
                    ..SLICE_LEN => (self.keys * 2).min(SLICE_KEYS),
                    len => (self.keys * SLICE_LEN / len).max(1),
                };
            }
            _ if is_error => self.error = Some(reply.to_vec()),
            Name::MSet => {}
            _ => self.count += number_of_reply(reply).unwrap_or(0),
        }
        self.next = self.end;
    }

    /// Writes what is left of the reply after the last slice.
    fn reply<E: Engine>(&self, engine: &mut E, out: &mut Vec<u8>) {
        match (&self.error, self.name) {
            (Some(error), _) => {
                if let Some(code) = ErrorCode::of_reply(error) {
                    engine.count_error(Some(self.name), Fault::Failed, code);
                }
                out.extend_from_slice(error);
            }
            (None, Name::MGet) => {}
            (None, Name::MSet) => encode::ok(out),
            (None, _) => encode::integer(out, self.count),
        }
    }
}

/// Most keys of an `MGET` that is not cut, however long the values are.
const ALWAYS_AT_ONCE: usize = 4;
/// Keys of the first slice of an `MGET` that others carry out: how long the values are is seen then.
const FIRST_KEYS: usize = 128;
