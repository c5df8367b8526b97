//! How the thread of a server waits for its sockets.

use std::io;
use std::rc::Rc;
use std::task::Waker;

use super::clients::Clients;
use super::listen::Arrival;
use super::task::serve;
use super::{Error, Role};
#[cfg(target_os = "linux")]
use crate::epoll::Reactor;
use async_executor::LocalExecutor;

/// How a server waits for its clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Io {
    /// By epoll where that is possible, else by smol.
    #[default]
    Auto,
    /// In an epoll of each thread's own, with edges: two system calls per request. Only on Linux, and only for a
    /// node alone: the links of a node in a cluster are smol's, and a thread can wait in one place only.
    Epoll,
    /// In smol's reactor, on every system and for every role; some four system calls per request.
    Smol,
}

impl Io {
    /// The name, as users write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Epoll => "epoll",
            Self::Smol => "smol",
        }
    }

    /// What it comes to for a server of this role here; never [`Auto`](Self::Auto).
    pub(super) fn resolve(self, role: &Role) -> Result<Self, Error> {
        let is_alone = matches!(role, Role::Single(_));
        match self {
            Self::Smol => Ok(Self::Smol),
            Self::Auto if is_alone && ON_LINUX => Ok(Self::Epoll),
            Self::Auto => Ok(Self::Smol),
            Self::Epoll if !ON_LINUX => Err(Error::Epoll("exists on Linux only")),
            Self::Epoll if !is_alone => Err(Error::Epoll(
                "is for a node alone, not for a member of a cluster or a gateway",
            )),
            Self::Epoll => Ok(Self::Epoll),
        }
    }
}

const ON_LINUX: bool = cfg!(target_os = "linux");

/// In smol's reactor, or in one of the thread's own that needs fewer system calls.
#[derive(Clone)]
pub(super) enum Sockets {
    Stock,
    #[cfg(target_os = "linux")]
    Edge(Rc<Reactor>),
}

impl Sockets {
    /// What was [resolved](Io::resolve).
    pub(super) fn new(io: Io) -> io::Result<Self> {
        match io {
            #[cfg(target_os = "linux")]
            Io::Epoll => Ok(Self::Edge(Rc::new(Reactor::new()?))),
            _ => Ok(Self::Stock),
        }
    }

    /// Has `waker` woken after all sockets were looked at once more.
    pub(super) fn yield_turn(&self, waker: &Waker) {
        match self {
            Self::Stock => waker.wake_by_ref(),
            #[cfg(target_os = "linux")]
            Self::Edge(reactor) => reactor.wake_later(waker),
        }
    }

    /// Begins to serve a client.
    pub(super) fn welcome(&self, clients: &Rc<Clients>, arrival: Arrival) {
        let Arrival {
            permit,
            stream,
            address,
        } = arrival;
        match self {
            Self::Stock => serve(clients, permit, stream, &address),
            #[cfg(target_os = "linux")]
            Self::Edge(reactor) => match reactor.adopt(stream) {
                Ok(stream) => serve(clients, permit, stream, &address),
                Err(error) => log::debug!(address:%, error:%; "client-gone"),
            },
        }
    }

    /// Runs `executor` until `future` is done.
    pub(super) fn block_on<T>(
        &self,
        executor: &LocalExecutor<'static>,
        future: impl Future<Output = T>,
    ) -> io::Result<T> {
        match self {
            Self::Stock => Ok(async_io::block_on(executor.run(future))),
            #[cfg(target_os = "linux")]
            Self::Edge(reactor) => reactor.block_on(executor, future),
        }
    }
}
