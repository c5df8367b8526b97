//! The task of a thread that sends and takes its messages.

use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use ahash::RandomState;
use futures_lite::future::poll_fn;
use memvault::command::{Command, Context, lookup};
use memvault::store::Store;

use super::message::{Batch, Message, RemoteCommand};
use super::shard::Shard;
use crate::server::clients::Clients;
use crate::server::sockets::Sockets;

/// The dispatcher of one thread.
///
/// It is woken by what others send and by the first message to them. It takes its turn behind the clients
/// that were ready by then, so that the messages of all of them go together.
pub(super) struct Dispatcher {
    pub(super) shard: Rc<Shard>,
    pub(super) clients: Rc<Clients>,
    pub(super) sockets: Sockets,
}

impl Dispatcher {
    /// Works for ever.
    pub(super) async fn run(self) {
        let (mut batches, mut messages) = (Vec::new(), VecDeque::new());
        poll_fn(|cx| {
            self.sweep(&mut batches, &mut messages, cx.waker());
            Poll::<()>::Pending
        })
        .await;
    }

    /// Handles what has come, then sends all that is to go. `messages` are those that have come and are not handled
    /// yet: clients of this thread get their turn between many of them.
    fn sweep(
        &self,
        batches: &mut Vec<Batch>,
        messages: &mut VecDeque<(usize, Message)>,
        waker: &Waker,
    ) {
        let shard = &self.shard;
        let dispatcher = match shard.dispatcher.take() {
            Some(same) if same.will_wake(waker) => same,
            _ => waker.clone(),
        };
        let mailbox = &shard.shards.desks[shard.number].mailbox;
        *batches = mailbox.collect(std::mem::take(batches), waker);
        for batch in batches.drain(..) {
            for reply in batch.answers.iter() {
                shard.answer(batch.from, reply);
            }
            let from = batch.from;
            messages.extend(batch.messages.into_iter().map(|message| (from, message)));
        }
        let begun = (!messages.is_empty()).then(Instant::now);
        for opened in 1.. {
            let Some((from, message)) = messages.pop_front() else {
                break;
            };
            self.open(from, message);
            let is_look = opened % MESSAGES_PER_LOOK == 0;
            if is_look && begun.is_some_and(|begun| begun.elapsed() >= TURN) {
                break;
            }
        }
        if let Some(begun) = begun {
            self.clients.counters.end_turn(begun);
        }
        if messages.is_empty() {
            messages.shrink_to(KEPT_MESSAGES);
        } else {
            self.sockets.yield_turn(waker);
        }
        shard.publish(&shard.store.borrow());
        shard.flush();
        shard.dispatcher.set(Some(dispatcher));
    }

    fn open(&self, from: usize, message: Message) {
        let shard = &self.shard;
        match message {
            Message::RemoteCommand(command) => {
                if let Some(spec) = command.args.as_args().get(0).and_then(lookup) {
                    self.clients.counters.time(spec.id);
                }
                let store = &mut shard.store.borrow_mut();
                shard.pack(from, |batch| {
                    batch.answers.add(|out| shard.run(store, &command, out));
                });
            }
            Message::Arrival(arrival) => self.sockets.welcome(&self.clients, arrival),
            Message::NewLimits => shard.apply_limits(&mut shard.store.borrow_mut()),
            Message::ResetStatistics => shard.store.borrow_mut().reset_statistics(),
            Message::Finish => shard.end.is_asked_for.set(true),
            Message::Gone => shard.end.gone.set(shard.end.gone.get() + 1),
            Message::Abort => shard.end.is_aborted.set(true),
        }
        shard.end.changed();
    }
}

/// Time of handling messages after which the thread's clients get their turn.
const TURN: Duration = Duration::from_millis(1);
/// Messages between two looks at the time.
const MESSAGES_PER_LOOK: usize = 16;
/// Room for messages that is kept.
const KEPT_MESSAGES: usize = 4096;

impl Shard {
    /// Carries out a command on own keys, and appends its reply.
    pub(super) fn run(
        &self,
        store: &mut Store<RandomState>,
        remote: &RemoteCommand,
        out: &mut Vec<u8>,
    ) {
        let args = remote.args.as_args();
        let context = Context {
            now: remote.now,
            max_key_len: self.limits.max_key_len,
            max_value_len: self.limits.max_bulk_len,
        };
        match Command::parse(&args, &context) {
            Ok(Command::Data(command)) => {
                store.execute(remote.now, remote.protocol, &command, out);
            }
            // Its sender parsed it already.
            Ok(Command::Session(_)) => debug_assert!(false, "no command on keys"),
            Err(error) => error.encode(out),
        }
    }
}
