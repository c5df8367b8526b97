//! How the thread of a server waits for its sockets.

use std::io;
use std::rc::Rc;

use super::Role;
use super::clients::Clients;
use super::listen::Arrival;
#[cfg(target_os = "linux")]
use crate::edge::Reactor;
use async_executor::LocalExecutor;

/// In smol's reactor, or in one of the thread's own that needs fewer system calls.
#[derive(Clone)]
pub(super) enum Sockets {
    Stock,
    #[cfg(target_os = "linux")]
    Edge(Rc<Reactor>),
}

impl Sockets {
    /// The best way for a server of this role.
    pub(super) fn for_role(role: &Role) -> io::Result<Self> {
        match role {
            #[cfg(target_os = "linux")]
            Role::Single(_) => Ok(Self::Edge(Rc::new(Reactor::new()?))),
            // The links of a node are smol's, and a thread can wait in one place only.
            _ => Ok(Self::Stock),
        }
    }

    /// Begins to serve a client.
    pub(super) fn welcome(&self, clients: &Rc<Clients>, arrival: Arrival) {
        let Arrival {
            seat,
            stream,
            address,
        } = arrival;
        match self {
            Self::Stock => clients.add(seat, stream, &address),
            #[cfg(target_os = "linux")]
            Self::Edge(reactor) => match reactor.adopt(stream) {
                Ok(stream) => clients.add(seat, stream, &address),
                Err(error) => log::debug!("client {address} was gone at once: {error}"),
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
