//! Commands on very many keys or bytes, carried out slice by slice.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;

use ahash::RandomState;

use super::calls::{ErrorCode, Fault};
use super::engine::{Call, Engine, Execution};
use super::pieces::Pieces;
use super::replies::Replies;
use super::session::Peer;
use crate::command::{CommandError, Data, Name, OwnedArgs, number_of_reply};
use crate::resp::{Args, Span, encode};
use crate::store::Store;
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
    /// Keys of the next slice whose values have unknown lengths, and of any slice at most.
    keys: usize,
    most_keys: usize,
    /// Values that wait for the others, as any slice may fail; `None` if they are written as they come.
    values: Option<Pieces>,
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
    Given,
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
    pub(super) fn of<E: Engine>(engine: &E, name: Name, call: &Call<'_>) -> Option<Box<Self>> {
        let most = E::SLICE_KEYS;
        let (is_wide, keys) = match call.command {
            // The bytes of its reply are not known yet.
            Data::GetMany(keys) if E::DEFERS => (keys.len() > FIRST_KEYS, keys.len()),
            Data::GetMany(keys) => (keys.len() > ALWAYS_AT_ONCE, keys.len()),
            Data::Delete(keys) | Data::Exists(keys) => (keys.len() > most, keys.len()),
            Data::SetMany(pairs) => {
                let is_wide = pairs.len() > 2 * most || pairs.bytes() > SLICE_LEN;
                (is_wide, pairs.len() / 2)
            }
            _ => return None,
        };
        (is_wide && keys <= engine.max_keys()).then(|| {
            Box::new(Self {
                name,
                next: 1,
                end: 1,
                waits_for: None,
                keys: FIRST_KEYS,
                most_keys: most,
                values: E::SLICES_FAIL.then(Pieces::default),
                count: 0,
                error: None,
                args: Held::Given,
                consumed: 0,
            })
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
        let held = mem::replace(&mut self.args, Held::Given);
        let args = match &held {
            Held::Given => Args::new(&[], &[]),
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
            if self.name == Name::MGet && self.values.is_none() {
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
        self.reply(engine, call.args.len() - 1, replies);
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
            _ => self.most_keys,
        };
        args.len().min(self.next + most)
    }

    fn end_of_pairs(&self, args: &Args<'_>) -> usize {
        let (mut end, mut len) = (self.next, 0);
        while end < args.len() && end < self.next + 2 * self.most_keys && len < SLICE_LEN {
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
            Name::MGet if is_error && self.values.is_none() => {
                // Too late to fail as a whole: each of these keys does.
                let keys = self.next..self.end;
                keys.for_each(|_| replies.target().extend_from_slice(reply));
            }
            _ if is_error => self.fail(reply.to_vec()),
            Name::MGet => {
                let header = memchr::memchr(b'\n', reply).map_or(0, |end| end + 1);
                self.take_values(&reply[header..], replies);
                self.keys = match reply.len() {
                    ..SLICE_LEN => (self.keys * 2).min(self.most_keys),
                    len => (self.keys * SLICE_LEN / len).max(1),
                };
            }
            Name::MSet => {}
            _ => self.count += number_of_reply(reply).unwrap_or(0),
        }
        self.next = self.end;
    }

    /// Writes values, or keeps them as long as the reply may be an error.
    fn take_values(&mut self, values: &[u8], replies: &mut Replies) {
        let Some(kept) = &mut self.values else {
            return replies.target().extend_from_slice(values);
        };
        kept.target().extend_from_slice(values);
        if kept.len() > MAX_REPLY_LEN {
            let limit = MAX_REPLY_LEN;
            let mut reply = Vec::new();
            CommandError::ReplyTooLong { limit }.encode(&mut reply);
            self.fail(reply);
        }
    }

    /// The reply is this error.
    fn fail(&mut self, error: Vec<u8>) {
        self.error = Some(error);
        self.values = self.values.take().map(|_| Pieces::default());
    }

    /// Bytes of values that wait for others.
    pub(super) fn kept(&self) -> usize {
        self.values.as_ref().map_or(0, Pieces::len)
    }

    /// Writes what is left of the reply, to a command on so many keys, after the last slice.
    fn reply<E: Engine>(&mut self, engine: &mut E, keys: usize, replies: &mut Replies) {
        let out = replies.target();
        match (&self.error, self.name) {
            (Some(error), _) => {
                if let Some(code) = ErrorCode::of_reply(error) {
                    engine.count_error(Some(self.name), Fault::Failed, code);
                }
                out.extend_from_slice(error);
            }
            (None, Name::MGet) => {
                if let Some(values) = self.values.take() {
                    encode::array(out, keys);
                    replies.append(values);
                }
            }
            (None, Name::MSet) => encode::ok(out),
            (None, _) => encode::integer(out, self.count),
        }
    }
}

/// Most keys of an `MGET` that is not cut, however long the values are.
const ALWAYS_AT_ONCE: usize = 4;
/// Keys of the first slice of an `MGET` that others carry out: how long the values are is seen then.
const FIRST_KEYS: usize = 128;
/// Bytes of values above which a reply is an error, as that of a store is.
const MAX_REPLY_LEN: usize = Store::<RandomState>::MAX_REPLY_LEN;
