//! All clients of one thread of a server.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use async_executor::{LocalExecutor, Task};
use async_io::Timer;
use futures_lite::future::poll_fn;
use memvault::connection::Buffers;
use memvault::replication::Event;

use super::Config;
use super::backend::Backend;
use super::calls::ThreadCounters;
use super::client::Client;
use super::connection_limit::ConnectionLimit;
use super::meter::{Meter, measure_rate};

/// What the tasks of a server share.
pub(super) struct Clients {
    executor: Weak<LocalExecutor<'static>>,
    pub(super) config: Config,
    pub(super) backend: Backend,
    pub(super) buffers: RefCell<Buffers>,
    pub(super) started_at: Instant,
    /// Where clients connect to.
    pub(super) address: Option<SocketAddr>,
    clients: RefCell<BTreeMap<u64, Rc<Client>>>,
    /// How many clients there are on all threads.
    pub(super) connection_limit: Arc<ConnectionLimit>,
    /// How long requests take, on all threads.
    pub(super) meter: Arc<Meter>,
    /// What this thread counts.
    pub(super) counters: Rc<ThreadCounters>,
    is_stopping: Cell<bool>,
    /// The task that waits for the last client to go.
    waker: Cell<Option<Waker>>,
}

impl Clients {
    pub(super) fn new(
        executor: &Rc<LocalExecutor<'static>>,
        config: Config,
        backend: Backend,
        address: Option<SocketAddr>,
        (connection_limit, meter): (Arc<ConnectionLimit>, Arc<Meter>),
        counters: ThreadCounters,
    ) -> Self {
        Self {
            executor: Rc::downgrade(executor),
            config,
            backend,
            buffers: RefCell::default(),
            started_at: Instant::now(),
            address,
            clients: RefCell::default(),
            connection_limit,
            meter,
            counters: Rc::new(counters),
            is_stopping: Cell::new(false),
            waker: Cell::new(None),
        }
    }

    /// Starts a task; `None` if the executor is gone.
    pub(super) fn spawn(&self, future: impl Future<Output = ()> + 'static) -> Option<Task<()>> {
        Some(self.executor.upgrade()?.spawn(future))
    }

    /// Keeps the number of commands per second true, for ever.
    pub(super) fn measure_rate(self: &Rc<Self>) -> impl Future<Output = ()> + 'static {
        let (clients, meter) = (Rc::clone(self), Arc::clone(&self.meter));
        measure_rate(meter, move || {
            clients.backend.store_info().statistics.commands
        })
    }

    /// One more client.
    pub(super) fn add(&self, client: &Rc<Client>, id: u64) {
        let former = self.clients.borrow_mut().insert(id, Rc::clone(client));
        debug_assert!(former.is_none(), "each client has a number of its own");
    }

    /// A client is gone.
    pub(super) fn remove(&self, id: u64) {
        self.clients.borrow_mut().remove(&id);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// From now on, closes all clients when the process has stood still: nobody may be waiting any more for
    /// what they sent meanwhile, so it is not read.
    pub(super) fn dismiss_after_pauses(self: &Rc<Self>) {
        let Some(driver) = self.backend.driver() else {
            return;
        };
        let weak = Rc::downgrade(self);
        driver.on_event(move |event| {
            if matches!(event, Event::Paused { .. })
                && let Some(clients) = weak.upgrade()
            {
                for client in clients.clients.borrow().values() {
                    client.dismiss();
                }
            }
        });
    }

    /// Closes clients that have been silent for longer than `timeout`.
    pub(super) fn dismiss_idle(&self, now: Instant, timeout: Duration) {
        for client in self.clients.borrow().values() {
            let is_busy = client.connection.borrow().deferred() > 0;
            if !is_busy && now.duration_since(client.heard_at()) > timeout {
                client.dismiss();
            }
        }
    }

    /// Whether clients are to be closed as soon as what they sent is answered.
    pub(super) fn is_stopping(&self) -> bool {
        self.is_stopping.get()
    }

    /// Answers what has been received, closes all clients, and waits until they are gone.
    pub(super) async fn finish(&self) {
        if let Some(driver) = self.backend.driver() {
            driver.leave();
        }
        // A client is closed as soon as nothing is known to have come from it: let the sockets tell first.
        Timer::after(LAST_LOOK).await;
        self.is_stopping.set(true);
        for client in self.clients.borrow().values() {
            client.wake();
        }
        poll_fn(|cx| {
            if self.clients.borrow().is_empty() {
                return std::task::Poll::Ready(());
            }
            self.waker.set(Some(cx.waker().clone()));
            std::task::Poll::Pending
        })
        .await;
    }

    /// Waits for as long as the end of the server may take.
    pub(super) async fn lose_patience(&self) {
        Timer::after(self.config.shutdown_timeout).await;
        let left = self.clients.borrow().len();
        log::warn!(left; "clients-cut-off");
    }
}

/// How long clients go on after the end of the server was asked for.
const LAST_LOOK: Duration = Duration::from_millis(10);
