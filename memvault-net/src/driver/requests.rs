//! Requests under way, and who waits for their outcomes.

use std::cell::Cell;
use std::collections::HashMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use memvault::cluster;
use memvault::replication::Outcome;
use memvault::time::Timestamp;

/// A client of a server, whose commands the cluster carries out; see
/// [`Driver::with_engine`](super::Driver::with_engine).
pub trait ReplySink {
    /// The reply to the command that was deferred under this id is there: `encode` appends it.
    ///
    /// To be handed to [`Connection::complete`](memvault::connection::Connection::complete). Called while the
    /// driver is at work: note the reply and wake the task that sends it, but do not go on with the next command
    /// from here.
    fn complete(&self, request: u64, encode: &mut dyn FnMut(&mut Vec<u8>));
}

/// Who waits for which request. One counter gives all ids, so that no two requests of a node share one.
pub(super) struct Requests {
    /// Requests that are commands of clients.
    pub(super) clients: cluster::Requests<Rc<dyn ReplySink>>,
    /// Requests of this program.
    own: HashMap<u64, Box<dyn FnOnce(Outcome)>, ahash::RandomState>,
}

/// The task that waits for one outcome.
pub(super) enum Waiting {
    Own(Box<dyn FnOnce(Outcome)>),
    Client(cluster::Waiting<Rc<dyn ReplySink>>),
}

/// Where the outcome of one request is left for the future that waits for it.
#[derive(Default)]
struct Slot {
    outcome: Cell<Option<Outcome>>,
    waker: Cell<Option<Waker>>,
}

impl Requests {
    pub(super) fn new() -> Self {
        let seed = || fastrand::u64(..);
        let hasher = ahash::RandomState::with_seeds(seed(), seed(), seed(), seed());
        Self {
            clients: cluster::Requests::new(hasher.clone()),
            own: HashMap::with_hasher(hasher),
        }
    }

    /// A fresh id, and a future of its outcome.
    pub(super) fn expect(&mut self) -> (u64, impl Future<Output = Outcome> + use<>) {
        let slot = Rc::new(Slot::default());
        let giver = Rc::clone(&slot);
        let id = self.expect_once(move |outcome| {
            giver.outcome.set(Some(outcome));
            if let Some(waker) = giver.waker.take() {
                waker.wake();
            }
        });
        let outcome = poll_fn(move |cx| {
            if let Some(outcome) = slot.outcome.take() {
                return Poll::Ready(outcome);
            }
            slot.waker.set(Some(cx.waker().clone()));
            Poll::Pending
        });
        (id, outcome)
    }

    /// A fresh id whose outcome is given to `then`.
    pub(super) fn expect_once(&mut self, then: impl FnOnce(Outcome) + 'static) -> u64 {
        let id = self.clients.fresh_id();
        self.own.insert(id, Box::new(then));
        id
    }

    /// Who waits for this request.
    pub(super) fn take(&mut self, id: u64) -> Option<Waiting> {
        match self.clients.take(id) {
            Some(waiting) => Some(Waiting::Client(waiting)),
            None => self.own.remove(&id).map(Waiting::Own),
        }
    }
}

impl Waiting {
    /// Hands the outcome over.
    pub(super) fn complete(self, wall: Timestamp, id: u64, outcome: Outcome) {
        match self {
            Self::Own(then) => then(outcome),
            Self::Client(waiting) => {
                let mut encode = |out: &mut Vec<u8>| waiting.encode(wall, &outcome, out);
                waiting.client.complete(id, &mut encode);
            }
        }
    }
}
