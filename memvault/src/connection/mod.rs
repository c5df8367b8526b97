//! [`Connection`]: one client's whole state, from the bytes it sends to the bytes it gets.
//!
//! ```text
//!        input_space, commit            process(now, engine)              output, consume_output
//! socket -------------------> input --> decode --> parse --> execute --> output ----------------> socket
//!                                       resp/      command/  Engine         ^
//!                                                               |  deferred |
//!                                                               +-----------+ complete(id, reply)
//! ```
//!
//! Place: called by the owner of the socket; everything between the two arrows happens in
//! [`Connection::process`].
//! Cost: no allocation per command once the buffers have grown; see [`Buffers`] for what an idle connection
//! holds.
//! Limits: those of [`Limits`] for what comes in, and of [`Config`] for what goes out.

mod calls;
mod describe;
mod dispatch;
mod engine;
mod host;
mod info;
mod input;
mod order;
mod pieces;
mod replies;
mod session;
mod settings;
mod store_info;
mod wide;

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

pub use calls::{CallCount, CallStatistics, Completed, ErrorCode, Fault};
pub use engine::{Call, Engine, Execution};
pub use host::{Host, Hosted};
pub use info::{Fields, Section};
pub use store_info::StoreInfo;
pub use wide::{SLICE_KEYS, SLICE_LEN};

use crate::command::{Command, CommandError, Context};
use crate::resp::{Args, CommandDecoder, Limits, Protocol, encode};
use crate::time::Timestamp;
use dispatch::{Dispatch, Step};
use input::Input;
use order::Order;
use replies::Replies;
use session::Peer;
use wide::{Slice, Wide};

/// How much a client may make a connection hold.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// What a client may send.
    pub limits: Limits,
    /// Bytes of output above which no further command is executed until some are written; default 256 MiB. The same for
    /// output that waits for a deferred reply. The reply of one command may be longer.
    pub max_output_len: usize,
    /// Commands under way above which no further one is executed; default 1024.
    pub max_deferred: usize,
    /// Chooses the hash of the keys of commands under way; default 0. A number that clients cannot know keeps them
    /// from choosing keys whose hashes are alike.
    pub hash_seed: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::DEFAULT,
            max_output_len: 256 << 20,
            max_deferred: 1024,
            hash_seed: 0,
        }
    }
}

/// Why [`Connection::process`] came back.
///
/// Not `non_exhaustive`: the owner of the socket must act on each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the owner of the socket has to act on it"]
pub enum Progress {
    /// All that came is executed: write the output, and read more.
    NeedInput,
    /// Enough for one turn: write what can be written, let others have theirs, then process again. Read nothing until
    /// then.
    NeedTurn,
    /// There is too much output: write some, then process again. Read nothing until then.
    NeedOutput,
    /// A deferred reply has to come first: write the output, and process again after
    /// [`complete`](Connection::complete). Read nothing until then.
    NeedReply,
    /// The client is done, or sent what is no command, or is a web page: write the output, then close.
    Close,
    /// A node is calling: hand socket and [`input`](Connection::input) over. Only ever the first command.
    Peer,
}

/// The state of one client.
///
/// # Examples
/// ```
/// use memvault::connection::{Config, Connection, Progress};
/// use memvault::store::{self, Store};
/// use memvault::time::Timestamp;
///
/// let hasher = ahash::RandomState::with_seeds(1, 2, 3, 4);
/// let mut store = Store::new(store::Config::default(), hasher);
/// let mut client = Connection::new(1, "127.0.0.1:50000", Config::default());
///
/// let bytes = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nvalue\r\nGET k\r\n"; // as read from a socket
/// client.input_space()[..bytes.len()].copy_from_slice(bytes);
/// client.commit(bytes.len());
/// let progress = client.process(Timestamp::from_millis(0), &mut store);
/// assert_eq!(progress, Progress::NeedInput);
/// assert_eq!(client.output(), b"+OK\r\n$5\r\nvalue\r\n");
/// client.consume_output(client.output().len()); // after the socket took them
/// ```
#[derive(Debug)]
pub struct Connection {
    decoder: CommandDecoder,
    input: Input,
    replies: Replies,
    order: Order,
    peer: Peer,
    config: Config,
    /// The command that is being carried out slice by slice. Invariant: its bytes stand first in the input, unless it
    /// has copies.
    wide: Option<Box<Wide>>,
    /// Whether no command has come yet.
    is_fresh: bool,
    /// Whether the last reply is in the output or under way.
    is_closing: bool,
}

/// A pair of large buffers that many connections of one thread use by turns.
///
/// A connection that has neither an incomplete command nor unwritten output needs no buffer of its own.
/// [`Connection::borrow_buffers`] before reading and [`Connection::return_buffers`] after writing keep an
/// idle connection at a few hundred bytes, and the buffer that is used next warm in the processor's cache.
#[derive(Debug)]
pub struct Buffers {
    input: Vec<u8>,
    output: Vec<u8>,
}

impl Buffers {
    /// Bytes of input that fit at first. A buffer that grows beyond [`LARGEST`](Self::LARGEST) is not kept.
    pub const LEN: usize = 64 << 10;
    /// Most bytes that a buffer may have to be kept for the next connection.
    pub const LARGEST: usize = 1 << 20;
}

impl Default for Buffers {
    fn default() -> Self {
        Self {
            input: vec![0; Self::LEN],
            output: Vec::new(),
        }
    }
}

impl Connection {
    /// Least length of [`input_space`](Self::input_space), in bytes.
    pub const MIN_INPUT_SPACE: usize = 16 << 10;
    /// Bytes of replies after which [`process`](Self::process) ends a turn. The reply of one command may be longer.
    pub const TURN_LEN: usize = 64 << 10;

    /// The state of a client that has just connected, under an id that no other has, from `address`.
    #[must_use]
    pub fn new(id: u64, address: &str, config: Config) -> Self {
        Self {
            decoder: CommandDecoder::new(config.limits),
            input: Input::default(),
            replies: Replies::default(),
            order: Order::new(config.hash_seed),
            peer: Peer::new(id, address),
            config,
            wide: None,
            is_fresh: true,
            is_closing: false,
        }
    }

    /// Where to read bytes of the client to: at least [`MIN_INPUT_SPACE`](Self::MIN_INPUT_SPACE) bytes,
    /// whose present content means nothing.
    pub fn input_space(&mut self) -> &mut [u8] {
        self.input.space(Self::MIN_INPUT_SPACE)
    }

    /// Takes over the first `n` bytes of [`input_space`](Self::input_space).
    pub fn commit(&mut self, n: usize) {
        self.input.commit(n);
    }

    /// Executes what has come, as far as that goes, and appends the replies to the output.
    ///
    /// Call it after [`commit`](Self::commit), and again after what it asked for has happened. A call takes a few
    /// milliseconds at most, unless a single value takes longer.
    pub fn process<E: Engine>(&mut self, now: Timestamp, engine: &mut E) -> Progress {
        let mut commands = 0;
        self.peer.since.get_or_insert(now);
        let progress = self.take_turn(now, engine, &mut commands);
        if commands > 0 {
            engine.count_commands(commands);
        }
        progress
    }

    #[inline]
    fn take_turn<E: Engine>(
        &mut self,
        now: Timestamp,
        engine: &mut E,
        commands: &mut u64,
    ) -> Progress {
        let enough = self.replies.owed().saturating_add(Self::TURN_LEN);
        loop {
            if self.is_closing {
                return match self.replies.deferred() {
                    0 => Progress::Close,
                    _ => Progress::NeedReply,
                };
            }
            if self.replies.waiting() >= self.config.max_output_len {
                return Progress::NeedOutput;
            }
            if self.replies.deferred() > 0 && (self.owes_enough() || !engine.has_room()) {
                return Progress::NeedReply;
            }
            if self.replies.owed() >= enough {
                return Progress::NeedTurn;
            }
            if self.wide.is_some() {
                match self.go_on(now, engine, commands) {
                    Slice::Last => continue,
                    Slice::Next => return Progress::NeedTurn,
                    Slice::Waiting => return Progress::NeedReply,
                }
            }
            match self.step(now, engine, commands) {
                Some(Step::Next) => {}
                Some(Step::Close) => self.is_closing = true,
                Some(Step::HoldBack) => return Progress::NeedReply,
                Some(Step::Pause(wide)) => {
                    let waits = wide.waits_for().is_some();
                    self.wide = Some(wide);
                    return match waits {
                        true => Progress::NeedReply,
                        false => Progress::NeedTurn,
                    };
                }
                Some(Step::Peer) => return Progress::Peer,
                None if self.input.prepare(Self::MIN_INPUT_SPACE) => return Progress::NeedInput,
                None => return Progress::NeedTurn,
            }
        }
    }

    /// Carries out a further slice of the wide command.
    fn go_on<E: Engine>(&mut self, now: Timestamp, engine: &mut E, commands: &mut u64) -> Slice {
        let Some(wide) = &mut self.wide else {
            return Slice::Last;
        };
        let input = self.input.bytes();
        let slice = wide.go_on(engine, (now, &self.peer), input, &mut self.replies);
        if slice == Slice::Last {
            self.input.consume(wide.consumed());
            self.wide = None;
            *commands += 1;
        }
        slice
    }

    /// Whether so much is under way, or waits for what is, that nothing more is begun.
    fn owes_enough(&self) -> bool {
        self.replies.deferred() >= self.config.max_deferred
            || self.replies.held() >= self.config.max_output_len
    }

    /// Decodes and executes one command; `None` if none is complete.
    #[inline]
    fn step<E: Engine>(
        &mut self,
        now: Timestamp,
        engine: &mut E,
        commands: &mut u64,
    ) -> Option<Step> {
        let (args, consumed) = match self.decoder.decode(self.input.bytes()) {
            Ok(Some(decoded)) => (decoded.args, decoded.consumed),
            Ok(None) if self.is_fresh && is_overlong_greeting(self.input.bytes()) => {
                return Some(self.break_off(engine, &OVERLONG_GREETING));
            }
            Ok(None) => return None,
            Err(error) => return Some(self.break_off(engine, &error)),
        };
        let mut step = Step::Next;
        if !args.is_empty() {
            let context = Context {
                now,
                max_key_len: self.config.limits.max_key_len,
                max_value_len: self.config.limits.max_bulk_len,
            };
            let mut turn = Dispatch {
                replies: &mut self.replies,
                order: &mut self.order,
                peer: &mut self.peer,
                queued: self.input.bytes().len(),
            };
            step = match Command::spec(&args) {
                Ok(spec) => turn.execute(engine, spec, &args, &context),
                Err(CommandError::Unknown(args)) if self.is_fresh && is_node_hello(&args) => {
                    return Some(Step::Peer);
                }
                Err(CommandError::Unknown(args)) if is_of_a_web_page(&args) => {
                    engine.notice_web_page(turn.peer.address());
                    Step::Close
                }
                Err(error) => {
                    turn.refuse(engine, &args, &error);
                    Step::Next
                }
            };
            match &mut step {
                Step::HoldBack => return Some(step),
                Step::Pause(wide) => {
                    self.is_fresh = false;
                    let spared = wide.hold(&args, self.input.bytes(), consumed);
                    self.input.consume(spared);
                    return Some(step);
                }
                _ => {}
            }
            *commands += 1;
            self.is_fresh = false;
        }
        self.input.consume(consumed);
        Some(step)
    }

    /// Says why what comes is not read any more.
    #[cold]
    fn break_off<E: Engine>(&mut self, engine: &mut E, reason: &dyn core::fmt::Display) -> Step {
        let out = self.replies.target();
        let start = out.len();
        encode::error_fmt(out, format_args!("ERR {reason}"));
        if let Some(code) = out.get(start..).and_then(ErrorCode::of_reply) {
            engine.count_error(None, Fault::Rejected, code);
        }
        Step::Close
    }

    /// Supplies the reply that an [`Engine`] deferred under this id: `write` appends it. Returns what it answers,
    /// or `None` if the connection was not waiting for it.
    ///
    /// Afterwards there may be output, and after [`Progress::NeedReply`] more to
    /// [`process`](Self::process).
    pub fn complete(&mut self, id: u64, write: impl FnOnce(&mut Vec<u8>)) -> Option<Completed> {
        if let Some(wide) = &mut self.wide
            && wide.waits_for() == Some(id)
        {
            let mut reply = Vec::new();
            write(&mut reply);
            wide.take(&reply, &mut self.replies);
            // Its error counts when it is done.
            let (name, error) = (wide.name(), None);
            return Some(Completed { name, error });
        }
        self.order.complete(id);
        self.replies.complete(id, write)
    }

    /// The first of the replies that can be written now, empty only if there are none. More may follow once these are
    /// [consumed](Self::consume_output).
    #[must_use]
    pub fn output(&self) -> &[u8] {
        self.replies.ready()
    }

    /// Bytes of replies that can be written now.
    #[must_use]
    pub fn output_len(&self) -> usize {
        self.replies.waiting()
    }

    /// Bytes of memory that hold what the client sent and what it has not taken: of its commands, and of its replies.
    #[must_use]
    pub fn memory(&self) -> (usize, usize) {
        let kept = self.wide.as_deref().map_or(0, Wide::kept);
        (self.input.memory(), self.replies.owed() + kept)
    }

    /// The first `n` bytes of [`output`](Self::output) are written.
    pub fn consume_output(&mut self, n: usize) {
        self.replies.consume(n);
    }

    /// Bytes that have come and are not executed yet.
    #[must_use]
    pub fn input(&self) -> &[u8] {
        self.input.bytes()
    }

    /// Commands under way: replies that [`complete`](Self::complete) has to supply.
    #[must_use]
    pub fn deferred(&self) -> usize {
        let waits = |wide: &Wide| wide.waits_for().is_some();
        self.replies.deferred() + usize::from(self.wide.as_deref().is_some_and(waits))
    }

    /// The id that the connection was made with.
    #[must_use]
    pub const fn id(&self) -> u64 {
        self.peer.id()
    }

    /// The name that the client gave itself; empty if none.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        self.peer.name()
    }

    /// The version of the protocol that the client speaks.
    #[must_use]
    pub const fn protocol(&self) -> Protocol {
        self.peer.protocol
    }

    /// Goes on in the shared buffers, before something is read or executed.
    pub fn borrow_buffers(&mut self, buffers: &mut Buffers) {
        self.input.borrow(&mut buffers.input);
        self.replies.borrow(&mut buffers.output);
    }

    /// Gives the shared buffers back, after output was written. What is neither executed nor written stays
    /// in buffers of the connection's own.
    pub fn return_buffers(&mut self, buffers: &mut Buffers) {
        self.input.give_back(&mut buffers.input);
        self.replies.give_back(&mut buffers.output);
    }
}

/// Whether this is the beginning of a node's greeting, and longer than one is. A caller that greets has not shown yet
/// that it is a node.
fn is_overlong_greeting(input: &[u8]) -> bool {
    /// The name stands within so many bytes.
    const HEAD: usize = 32;
    if input.len() <= MAX_GREETING_LEN {
        return false;
    }
    let mut lines = input
        .get(..HEAD)
        .unwrap_or(input)
        .split(|byte| *byte == b'\n');
    let name = lines.nth(2).unwrap_or(&[]);
    name.trim_ascii_end().eq_ignore_ascii_case(NODE_HELLO)
}

/// Longest greeting of a node, in bytes: ids and some numbers.
const MAX_GREETING_LEN: usize = 64 << 10;
const OVERLONG_GREETING: &str = "Protocol error: a node's greeting is at most 65536 bytes long";
const NODE_HELLO: &[u8] = b"NODE.HELLO";

fn is_node_hello(args: &Args<'_>) -> bool {
    args.get(0)
        .is_some_and(|name| name.eq_ignore_ascii_case(NODE_HELLO))
}

/// Whether this is how a request of a browser begins. A web page can send such to every port that its reader's machine
/// reaches, and choose what follows: commands, if the lines before were only answered with errors.
fn is_of_a_web_page(args: &Args<'_>) -> bool {
    let name = args.get(0).unwrap_or(&[]);
    name.eq_ignore_ascii_case(b"POST") || name.eq_ignore_ascii_case(b"Host:")
}
