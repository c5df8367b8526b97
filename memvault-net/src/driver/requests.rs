//! Requests under way, and who waits for their outcomes.

use std::cell::Cell;
use std::collections::HashMap;
use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::task::{Poll, Waker};

use memvault::replication::Outcome;

/// Whoever wants to be told what became of requests.
pub trait Completions {
    /// The request with this id, as the driver gave it, has this outcome.
    ///
    /// Called while the driver is at work: keep the outcome and wake whoever uses it. A request that is
    /// begun from here is carried out, but not before this returns.
    fn complete(&self, request: u64, outcome: Outcome);
}

/// The source of request ids: no two requests of a driver share one.
pub struct RequestIds<'a> {
    requests: &'a mut Requests,
    to: &'a Rc<dyn Completions>,
}

impl<'a> RequestIds<'a> {
    pub(super) const fn new(requests: &'a mut Requests, to: &'a Rc<dyn Completions>) -> Self {
        Self { requests, to }
    }

    /// An id for a request that is about to begin.
    pub fn fresh(&mut self) -> u64 {
        self.requests.expect_for(Rc::downgrade(self.to))
    }
}

/// Who waits for which request.
pub(super) struct Requests {
    last: u64,
    waiting: HashMap<u64, Waiting, ahash::RandomState>,
}

/// Whoever waits for one outcome.
pub(super) enum Waiting {
    Once(Box<dyn FnOnce(Outcome)>),
    Sink(Weak<dyn Completions>),
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
            last: 0,
            waiting: HashMap::with_hasher(hasher),
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
        self.insert(Waiting::Once(Box::new(then)))
    }

    /// A fresh id whose outcome `sink` is told.
    pub(super) fn expect_for(&mut self, sink: Weak<dyn Completions>) -> u64 {
        self.insert(Waiting::Sink(sink))
    }

    fn insert(&mut self, waiting: Waiting) -> u64 {
        self.last += 1;
        self.waiting.insert(self.last, waiting);
        self.last
    }

    pub(super) fn take(&mut self, id: u64) -> Option<Waiting> {
        self.waiting.remove(&id)
    }
}

impl Waiting {
    /// Hands the outcome over, if anyone still wants it.
    pub(super) fn complete(self, id: u64, outcome: Outcome) {
        match self {
            Self::Once(then) => then(outcome),
            Self::Sink(sink) => {
                if let Some(sink) = sink.upgrade() {
                    sink.complete(id, outcome);
                }
            }
        }
    }
}
