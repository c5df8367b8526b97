//! Sockets that cost two system calls per request: one to receive, one to send (Linux only).
//!
//! The reactor of smol arms a socket anew for every wait. Here each socket is registered once, for edges, with
//! an epoll of the thread's own, and the thread that runs the executor waits in it. Everything else (timers,
//! the listener, links to other nodes) stays with smol's reactor, whose thread wakes this one.
//!
//! ```text
//! loop: run the executor until no task is ready -> wait in epoll -> note what is ready, wake its tasks
//!                                                       ^
//!                          eventfd <-- wakers on other threads, only while this one waits
//! ```
//!
//! A task that always has something to do, such as that of a client with a long pipeline, does not wake itself: it asks
//! to be woken [after the next look](EpollStream::wake_later) at the sockets, so that no client waits for all turns of
//! another.

mod notifier;
mod stream;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::net::TcpStream;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use async_executor::LocalExecutor;
use async_io::Async;
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::io::Errno;

use crate::hasher::seeded;
use notifier::Notifier;
use stream::Readiness;

pub(crate) use stream::EpollStream;

/// The sockets of one thread, and where it waits for them.
pub(crate) struct Reactor {
    epoll: OwnedFd,
    notifier: Arc<Notifier>,
    sockets: RefCell<HashMap<u64, Rc<Readiness>, ahash::RandomState>>,
    /// Tasks that have had their turn, and go on once the sockets of others were looked at.
    later: RefCell<Vec<Waker>>,
    /// Keys are never used again, so that an event that was fetched before its socket was closed cannot be
    /// taken for another's.
    last_key: Cell<u64>,
}

impl Reactor {
    /// # Errors
    /// If the system gives no epoll or no eventfd.
    pub(crate) fn new() -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let notifier = Arc::new(Notifier::new()?);
        // Each write is an edge, so nobody has to read the count back.
        let data = EventData::new_u64(NOTIFIER);
        epoll::add(
            &epoll,
            &notifier.event,
            data,
            EventFlags::IN | EventFlags::ET,
        )?;
        Ok(Self {
            epoll,
            notifier,
            sockets: RefCell::new(HashMap::with_hasher(seeded())),
            later: RefCell::default(),
            last_key: Cell::new(NOTIFIER),
        })
    }

    /// Takes a socket over from smol's reactor.
    ///
    /// # Errors
    /// If the system refuses; the socket is closed then.
    pub(crate) fn adopt(self: &Rc<Self>, stream: async_net::TcpStream) -> io::Result<EpollStream> {
        let shared: Arc<Async<TcpStream>> = stream.into();
        let stream = Arc::try_unwrap(shared).map_err(|_| io::Error::other("socket in use"))?;
        let socket = stream.into_inner()?;
        let key = self.last_key.get() + 1;
        self.last_key.set(key);
        let edges = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        epoll::add(&self.epoll, &socket, EventData::new_u64(key), edges)?;
        let readiness = Rc::new(Readiness::default());
        let mut sockets = self.sockets.borrow_mut();
        sockets.insert(key, Rc::clone(&readiness));
        Ok(EpollStream::new(socket, readiness, Rc::clone(self), key))
    }

    /// Has `waker` woken after the next look at the sockets.
    pub(crate) fn wake_later(&self, waker: &Waker) {
        self.later.borrow_mut().push(waker.clone());
    }

    fn forget(&self, key: u64) {
        self.sockets.borrow_mut().remove(&key);
    }

    /// Runs `executor` until `future` is done.
    ///
    /// `future` is polled at every turn: let it wait for a task, and do the work in tasks.
    ///
    /// # Errors
    /// If the system refuses to wait.
    pub(crate) fn block_on<T>(
        &self,
        executor: &LocalExecutor<'static>,
        future: impl Future<Output = T>,
    ) -> io::Result<T> {
        let waker = Waker::from(Arc::clone(&self.notifier));
        let cx = &mut Context::from_waker(&waker);
        let mut running = pin!(executor.run(future));
        let mut events = Vec::with_capacity(EVENTS);
        loop {
            self.notifier.begin_turn();
            if let Poll::Ready(value) = running.as_mut().poll(cx) {
                return Ok(value);
            }
            let timeout = match self.later.borrow().is_empty() {
                true => self.notifier.park(),
                false => Some(Timespec::default()),
            };
            let result = epoll::wait(&self.epoll, spare_capacity(&mut events), timeout.as_ref());
            // Before any task is woken: their wakers need not interrupt a wait that is over.
            self.notifier.unpark();
            match result {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            self.dispatch(events.drain(..));
            // Behind those whom the events have woken.
            let later = self.later.take();
            later.into_iter().for_each(Waker::wake);
        }
    }

    fn dispatch(&self, events: impl Iterator<Item = Event>) {
        let sockets = self.sockets.borrow();
        for event in events {
            if let Some(readiness) = sockets.get(&event.data.u64()) {
                readiness.note(event.flags);
            }
        }
    }
}

/// The key of the notifier; sockets have higher ones.
const NOTIFIER: u64 = 0;
/// Events fetched by one wait.
const EVENTS: usize = 256;

#[cfg(test)]
mod tests;
