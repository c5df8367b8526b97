//! A socket that knows whether the system has something for it.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use futures_lite::{AsyncRead, AsyncWrite};
use rustix::event::epoll::EventFlags;

use super::Reactor;

/// What the reactor knows of a socket.
///
/// At first it counts as ready for everything: the system tells at the first try whether that is so.
pub(super) struct Readiness {
    is_readable: Cell<bool>,
    is_writable: Cell<bool>,
    /// Whether the other end has closed: then no edge will tell of what is left to read.
    is_ending: Cell<bool>,
    reader: Cell<Option<Waker>>,
    writer: Cell<Option<Waker>>,
}

impl Default for Readiness {
    fn default() -> Self {
        Self {
            is_readable: Cell::new(true),
            is_writable: Cell::new(true),
            is_ending: Cell::new(false),
            reader: Cell::new(None),
            writer: Cell::new(None),
        }
    }
}

impl Readiness {
    /// Takes note of an event and wakes the task that waited for it.
    pub(super) fn note(&self, flags: EventFlags) {
        let ending = EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR;
        let is_ending = flags.intersects(ending);
        if is_ending {
            self.is_ending.set(true);
        }
        if is_ending || flags.contains(EventFlags::IN) {
            self.is_readable.set(true);
            wake(&self.reader);
        }
        if flags.intersects(EventFlags::OUT | EventFlags::HUP | EventFlags::ERR) {
            self.is_writable.set(true);
            wake(&self.writer);
        }
    }
}

fn wake(waker: &Cell<Option<Waker>>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

/// Has `waker` woken when there is an event.
fn wait(place: &Cell<Option<Waker>>, waker: &Waker) {
    let waker = match place.take() {
        Some(same) if same.will_wake(waker) => same,
        _ => waker.clone(),
    };
    place.set(Some(waker));
}

/// A TCP connection that a [`Reactor`] looks after. Reader and writer may be different tasks.
pub(crate) struct EpollStream {
    socket: TcpStream,
    readiness: Rc<Readiness>,
    reactor: Rc<Reactor>,
    key: u64,
}

impl EpollStream {
    pub(super) const fn new(
        socket: TcpStream,
        readiness: Rc<Readiness>,
        reactor: Rc<Reactor>,
        key: u64,
    ) -> Self {
        Self {
            socket,
            readiness,
            reactor,
            key,
        }
    }
}

impl EpollStream {
    /// Has `waker` woken after the next look at the sockets.
    pub(crate) fn wake_later(&self, waker: &Waker) {
        self.reactor.wake_later(waker);
    }
}

impl Drop for EpollStream {
    /// Closing the socket, which comes next, takes it out of the epoll.
    fn drop(&mut self) {
        self.reactor.forget(self.key);
    }
}

impl AsyncRead for EpollStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let readiness = &self.readiness;
        while readiness.is_readable.get() {
            match (&self.socket).read(buffer) {
                Ok(read) => {
                    // A short read has taken everything, and whatever comes later is an edge; but where data
                    // and the end came together there is no second edge to tell of the end.
                    if read < buffer.len() && !readiness.is_ending.get() {
                        readiness.is_readable.set(false);
                    }
                    return Poll::Ready(Ok(read));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    readiness.is_readable.set(false);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        wait(&readiness.reader, cx.waker());
        Poll::Pending
    }
}

impl AsyncWrite for EpollStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let readiness = &self.readiness;
        while readiness.is_writable.get() {
            match (&self.socket).write(bytes) {
                Ok(written) => return Poll::Ready(Ok(written)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    readiness.is_writable.set(false);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        wait(&readiness.writer, cx.waker());
        Poll::Pending
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.socket.shutdown(Shutdown::Write))
    }
}
