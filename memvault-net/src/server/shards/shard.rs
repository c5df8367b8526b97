//! [`Shard`]: all that one thread has of the key space.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::mem;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};

use ahash::RandomState;
use futures_lite::future::poll_fn;
use memvault::command::Gather;
use memvault::connection::StoreInfo;
use memvault::resp;
use memvault::store::{self, Store};

use super::Shards;
use super::limits::Limits;
use super::mailbox::lock;
use super::message::{Batch, Message};
use crate::driver::ReplySink;
use crate::hasher::seeded;

/// The keys of one thread, and its part in the exchange with the others.
pub(in crate::server) struct Shard {
    pub(super) number: usize,
    pub(super) shards: Arc<Shards>,
    pub(super) store: RefCell<Store<RandomState>>,
    /// What clients may send.
    pub(super) limits: resp::Limits,
    /// By thread: what it is sent next.
    outgoing: RefCell<Vec<Batch>>,
    /// By thread: who waits for its answers, in the order in which these will come.
    waiting: RefCell<Vec<VecDeque<Waiting>>>,
    last_request: Cell<u64>,
    /// The task that sends what is outgoing, unless it is at work.
    pub(super) dispatcher: Cell<Option<Waker>>,
    pub(super) end: End,
}

/// What a thread has heard of the end of the server.
#[derive(Default)]
pub(super) struct End {
    pub(super) is_asked_for: Cell<bool>,
    pub(super) is_aborted: Cell<bool>,
    /// Other threads whose clients are gone.
    pub(super) gone: Cell<usize>,
    waker: Cell<Option<Waker>>,
}

/// Somebody who waits for an answer.
pub(super) struct Waiting {
    pub(super) caller: Rc<dyn ReplySink>,
    pub(super) request: u64,
    /// Which part of the reply it is, if others have the rest.
    pub(super) part: Option<(Rc<RefCell<Gather>>, usize)>,
}

impl Shard {
    pub(super) fn new(number: usize, shards: &Arc<Shards>, limits: resp::Limits) -> Self {
        let threads = shards.len();
        let share = shards.limits().share(number, threads);
        let config = store::Config {
            max_bytes: share.max_bytes,
            max_entries: share.max_entries,
            size_class: shards.size_class,
        };
        Self {
            number,
            shards: Arc::clone(shards),
            store: RefCell::new(Store::new(config, seeded())),
            limits,
            outgoing: RefCell::new((0..threads).map(|_| Batch::default()).collect()),
            waiting: RefCell::new((0..threads).map(|_| VecDeque::new()).collect()),
            last_request: Cell::new(0),
            dispatcher: Cell::new(None),
            end: End::default(),
        }
    }

    /// Has `change` do something to the store that no client asked for.
    pub(in crate::server) fn with_store<R>(
        &self,
        change: impl FnOnce(&mut Store<RandomState>) -> R,
    ) -> R {
        let mut store = self.store.borrow_mut();
        let result = change(&mut store);
        self.publish(&store);
        result
    }

    /// Lets the other threads know the state of the store. Before anybody can see a reply of this turn.
    pub(super) fn publish(&self, store: &Store<RandomState>) {
        *lock(&self.shards.desks[self.number].store_info) = StoreInfo::of_store(store);
    }

    /// The state of the stores of all threads.
    pub(in crate::server) fn store_info(&self) -> StoreInfo {
        self.publish(&self.store.borrow());
        self.shards.store_info()
    }

    /// A name for a command under way that no other has.
    pub(super) fn next_request(&self) -> u64 {
        let request = self.last_request.get() + 1;
        self.last_request.set(request);
        request
    }

    /// Adds to what a thread is sent next.
    pub(super) fn pack(&self, thread: usize, add: impl FnOnce(&mut Batch)) {
        add(&mut self.outgoing.borrow_mut()[thread]);
        if let Some(dispatcher) = self.dispatcher.take() {
            dispatcher.wake();
        }
    }

    /// Sends a message, with the next batch.
    pub(super) fn post(&self, thread: usize, message: Message) {
        self.pack(thread, |batch| batch.messages.push(message));
    }

    /// Sends the same to all other threads.
    pub(super) fn post_to_others(&self, message: impl Fn() -> Message) {
        let others = (0..self.shards.len()).filter(|thread| *thread != self.number);
        others.for_each(|thread| self.post(thread, message()));
    }

    /// Sends a command, whose answer goes to `waiting`.
    pub(super) fn send(
        &self,
        thread: usize,
        command: super::message::RemoteCommand,
        waiting: Waiting,
    ) {
        self.waiting.borrow_mut()[thread].push_back(waiting);
        self.post(thread, Message::RemoteCommand(command));
    }

    /// Passes an answer on to the task that has waited for it longest.
    pub(super) fn answer(&self, thread: usize, reply: &[u8]) {
        let waiting = self.waiting.borrow_mut()[thread].pop_front();
        if let Some(waiting) = waiting {
            waiting.take(reply);
        }
    }

    /// Hands over everything that is outgoing.
    pub(super) fn flush(&self) {
        let mut outgoing = self.outgoing.borrow_mut();
        for (thread, batch) in outgoing.iter_mut().enumerate() {
            if !batch.is_empty() {
                let from = self.number;
                let batch = Batch {
                    from,
                    ..mem::take(batch)
                };
                self.shards.desks[thread].mailbox.send(batch);
            }
        }
    }

    /// Takes over this thread's share of the limits.
    pub(super) fn apply_limits(&self, store: &mut Store<RandomState>) {
        let limits = self.shards.limits();
        let Limits {
            max_bytes,
            max_entries,
        } = limits.share(self.number, self.shards.len());
        store.set_limits(max_bytes, max_entries);
    }
}

impl End {
    /// Waits until `is_so`. For one task alone.
    pub(super) async fn until(&self, is_so: impl Fn(&Self) -> bool) {
        poll_fn(|cx| {
            if is_so(self) {
                return Poll::Ready(());
            }
            self.waker.set(Some(cx.waker().clone()));
            Poll::Pending
        })
        .await;
    }

    /// Has those that wait look again.
    pub(super) fn changed(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl Waiting {
    /// Takes the answer. A client that is gone takes no notice.
    pub(super) fn take(self, reply: &[u8]) {
        let (caller, request) = (self.caller, self.request);
        let Some((gather, position)) = self.part else {
            return caller.complete(request, &mut |out| out.extend_from_slice(reply));
        };
        let mut gather = gather.borrow_mut();
        gather.add(position, reply);
        if gather.is_complete() {
            caller.complete(request, &mut |out| gather.encode(out));
        }
    }
}
