//! One client, as its task and the rest of the server share it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::Waker;
use std::time::Instant;

use memvault::connection::{Completed, Config, Connection, Fault};

use super::calls::ThreadCounters;
use super::ledger::Account;
use crate::driver::ReplySink;

/// One client.
pub(super) struct Client {
    pub(super) connection: RefCell<Connection>,
    /// How much memory it takes.
    pub(super) account: Account,
    /// Where errors are counted that come late.
    counters: Rc<ThreadCounters>,
    /// When it last sent something.
    heard_at: Cell<Instant>,
    /// How often it sent something.
    turns: Cell<u64>,
    /// Whether a reply that was deferred has come since the task looked last.
    has_news: Cell<bool>,
    /// Whether the client is to be closed without another word.
    is_dismissed: Cell<bool>,
    waker: Cell<Option<Waker>>,
}

impl Client {
    pub(super) fn new(
        id: u64,
        address: &str,
        config: Config,
        counters: Rc<ThreadCounters>,
        account: Account,
    ) -> Self {
        Self {
            counters,
            account,
            connection: RefCell::new(Connection::new(id, address, config)),
            heard_at: Cell::new(Instant::now()),
            // So that not all clients are measured at the same time, nor only those that stay.
            turns: Cell::new(id),
            has_news: Cell::new(false),
            is_dismissed: Cell::new(false),
            waker: Cell::new(None),
        }
    }

    /// Notes that the client sent something.
    pub(super) fn hear(&self, now: Instant) {
        self.heard_at.set(now);
        self.turns.set(self.turns.get().wrapping_add(1));
    }

    /// Whether it is to be measured how long the answer to what it just sent takes.
    pub(super) fn is_sample(&self) -> bool {
        self.turns.get().is_multiple_of(SAMPLING)
    }

    pub(super) fn heard_at(&self) -> Instant {
        self.heard_at.get()
    }

    pub(super) fn take_news(&self) -> bool {
        self.has_news.take()
    }

    /// Closes the client without another word.
    pub(super) fn dismiss(&self) {
        self.is_dismissed.set(true);
        self.wake();
    }

    pub(super) fn is_dismissed(&self) -> bool {
        self.is_dismissed.get()
    }

    /// Has the task look at the client again.
    pub(super) fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Has `waker` woken from now on.
    pub(super) fn wait(&self, waker: &Waker) {
        let waker = match self.waker.take() {
            Some(same) if same.will_wake(waker) => same,
            _ => waker.clone(),
        };
        self.waker.set(Some(waker));
    }
}

impl ReplySink for Client {
    fn complete(&self, request: u64, encode: &mut dyn FnMut(&mut Vec<u8>)) {
        let completed = self.connection.borrow_mut().complete(request, encode);
        if let Some(Completed {
            name,
            error: Some(code),
        }) = completed
        {
            self.counters.count_error(Some(name), Fault::Failed, code);
        }
        self.has_news.set(true);
        self.wake();
    }
}

/// One in so many times that something was read from a client, it is measured how long the answer takes.
const SAMPLING: u64 = 16;
