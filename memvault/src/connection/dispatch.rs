//! One command of a client: carried out, held back until others are done, or refused.

use alloc::boxed::Box;

use super::calls::{ErrorCode, Fault};
use super::engine::{Call, Engine, Execution};
use super::order::Order;
use super::replies::Replies;
use super::session::{Peer, Waiting};
use super::wide::{Slice, Wide};
use crate::command::{Command, CommandError, Context, Name, Spec, lookup};
use crate::resp::Args;

/// What one command did to the connection.
pub(super) enum Step {
    Next,
    Close,
    HoldBack,
    /// The rest of the command is left to further turns.
    Pause(Box<Wide>),
    Peer,
}

/// The parts of a connection that a command changes.
pub(super) struct Dispatch<'a> {
    pub(super) replies: &'a mut Replies,
    pub(super) order: &'a mut Order,
    pub(super) peer: &'a mut Peer,
    /// Bytes that have come and are not executed, those of this command among them.
    pub(super) queued: usize,
}

impl Dispatch<'_> {
    /// Carries out a command, with a reply to it, unless it has to wait for others before it.
    #[inline]
    pub(super) fn execute<E: Engine>(
        &mut self,
        engine: &mut E,
        spec: &'static Spec,
        args: &Args<'_>,
        context: &Context,
    ) -> Step {
        let now = context.now;
        match Command::parse_as(spec, args, context) {
            Ok(Command::Data(command)) => {
                let call = Call {
                    now,
                    protocol: self.peer.protocol,
                    levels: self.peer.levels,
                    args: *args,
                    command,
                };
                self.call(engine, spec.id, &call)
            }
            Ok(Command::Session(command)) => {
                let waiting = Waiting {
                    input: self.queued,
                    output: self.replies.waiting(),
                    held: self.replies.held(),
                };
                let out = self.replies.target();
                let start = out.len();
                let is_last = self
                    .peer
                    .execute(now, engine, &command, (waiting, &mut *out));
                count(engine, spec.id, out, start);
                if is_last { Step::Close } else { Step::Next }
            }
            Err(error) => {
                let out = self.replies.target();
                let start = out.len();
                error.encode(out);
                count(engine, spec.id, out, start);
                Step::Next
            }
        }
    }

    #[inline]
    fn call<E: Engine>(&mut self, engine: &mut E, name: Name, call: &Call<'_>) -> Step {
        // What the engine refuses has no effect that could come too early: a key has a value at most, beside the name.
        let most = engine.max_keys().saturating_mul(2).saturating_add(1);
        let is_ordered = !E::KEEPS_ORDER && call.args.len() <= most;
        if is_ordered && self.order.holds_back(&call.command) {
            return Step::HoldBack;
        }
        if E::CUTS_WIDE
            && let Some(mut wide) = Wide::of(engine, name, call)
        {
            engine.count_call(name);
            return match wide.slice(engine, call, self.replies) {
                Slice::Last => Step::Next,
                Slice::Next | Slice::Waiting => Step::Pause(wide),
            };
        }
        let out = self.replies.target();
        let start = out.len();
        match engine.execute(call, out) {
            Execution::Done => count(engine, name, out, start),
            Execution::Deferred(id) => {
                engine.count_call(name);
                self.replies.defer(id, name);
                if is_ordered {
                    self.order.begin(id, &call.command);
                }
            }
        }
        Step::Next
    }

    /// Answers what is no command, or has too few or too many arguments.
    #[cold]
    pub(super) fn refuse<E: Engine>(
        &mut self,
        engine: &mut E,
        args: &Args<'_>,
        error: &CommandError<'_>,
    ) {
        let out = self.replies.target();
        let start = out.len();
        error.encode(out);
        if let Some(code) = out.get(start..).and_then(ErrorCode::of_reply) {
            let name = args.get(0).and_then(lookup).map(|spec| spec.id);
            engine.count_error(name, Fault::Rejected, code);
        }
    }
}

/// Takes note of a command that is carried out; its reply is what stands in `out` from `start` on.
#[inline]
fn count<E: Engine>(engine: &mut E, name: Name, out: &[u8], start: usize) {
    engine.count_call(name);
    if let Some(code) = out.get(start..).and_then(ErrorCode::of_reply) {
        engine.count_error(Some(name), Fault::Failed, code);
    }
}
