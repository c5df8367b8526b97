//! What waits to be sent on one link, and the task that sends it.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::task::{Poll, Waker};

use futures_lite::future::yield_now;
use futures_lite::{AsyncWrite, AsyncWriteExt};
use memvault::replication::{Message, Outbox};
use memvault::time::Instant;

use super::link::KEPT_BUFFER;
use crate::clock::Clock;

/// Bytes that are handed to the system in one go: a small message waits for no more of large ones. Larger chunks cost
/// fewer system calls, and lose that.
pub(super) const CHUNK: usize = 64 << 10;

/// The way out of one link.
pub(super) struct Outlet {
    outbox: RefCell<Outbox>,
    /// Bytes that the writer took and the system has not.
    writing: Cell<usize>,
    /// Since when the system has taken nothing, if something waits.
    stuck_since: Cell<Instant>,
    is_closing: Cell<bool>,
    writer: Cell<Option<Waker>>,
    /// The task that waits until less waits here.
    drained: Cell<Option<Waker>>,
}

impl Outlet {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            outbox: RefCell::default(),
            writing: Cell::new(0),
            stuck_since: Cell::new(now),
            is_closing: Cell::new(false),
            writer: Cell::new(None),
            drained: Cell::new(None),
        }
    }

    /// Queues a message.
    pub(super) fn push(&self, now: Instant, message: &Message) {
        self.queue(now, |outbox| outbox.push(message));
    }

    /// Queues what `encode` appends.
    pub(super) fn push_bytes(&self, now: Instant, encode: impl FnOnce(&mut Vec<u8>)) {
        self.queue(now, |outbox| outbox.push_bytes(encode));
    }

    fn queue(&self, now: Instant, push: impl FnOnce(&mut Outbox)) {
        if self.len() == 0 {
            self.stuck_since.set(now);
        }
        push(&mut self.outbox.borrow_mut());
        wake(&self.writer);
    }

    /// Bytes that wait to be sent.
    pub(super) fn len(&self) -> usize {
        self.outbox.borrow().len() + self.writing.get()
    }

    /// Since when nothing was taken of what waits; `None` if nothing waits.
    pub(super) fn stuck_since(&self) -> Option<Instant> {
        (self.len() > 0).then(|| self.stuck_since.get())
    }

    /// Lets the writer send what is queued, and then close the link.
    pub(super) fn close(&self) {
        self.is_closing.set(true);
        wake(&self.writer);
    }

    /// Waits until at most `limit` bytes wait to be sent.
    pub(super) async fn drained(&self, limit: usize) {
        poll_fn(|cx| {
            if self.len() <= limit {
                return Poll::Ready(());
            }
            self.drained.set(Some(cx.waker().clone()));
            Poll::Pending
        })
        .await;
    }

    /// Fills the empty `chunk` with what goes next, as soon as there is something. Returns whether there is.
    async fn take(&self, chunk: &mut Vec<u8>) -> bool {
        poll_fn(|cx| {
            let mut outbox = self.outbox.borrow_mut();
            if !outbox.is_empty() {
                outbox.fill(chunk, CHUNK);
                self.writing.set(chunk.len());
                return Poll::Ready(true);
            }
            if self.is_closing.get() {
                return Poll::Ready(false);
            }
            self.writer.set(Some(cx.waker().clone()));
            Poll::Pending
        })
        .await
    }

    /// The system took some bytes.
    fn wrote(&self, now: Instant, bytes: usize) {
        self.writing.set(self.writing.get() - bytes);
        self.stuck_since.set(now);
        wake(&self.drained);
    }

    fn pop_sent(&self) -> Option<u64> {
        self.outbox.borrow_mut().pop_sent()
    }
}

/// Sends what is queued until the outlet is closed. Tells `sent` of each large message whose last byte the system has
/// taken, by its id.
pub(super) async fn write<W: AsyncWrite + Unpin>(
    outlet: &Outlet,
    mut stream: W,
    clock: Clock,
    mut sent: impl FnMut(u64),
) -> io::Result<()> {
    let mut chunk = Vec::new();
    while outlet.take(&mut chunk).await {
        let mut at = 0;
        while let Some(rest) = chunk.get(at..).filter(|rest| !rest.is_empty()) {
            let written = stream.write(rest).await?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            at += written;
            outlet.wrote(clock.now().instant, written);
        }
        while let Some(id) = outlet.pop_sent() {
            sent(id);
        }
        let is_full = chunk.len() >= CHUNK;
        if chunk.capacity() > KEPT_BUFFER {
            chunk = Vec::new();
        }
        chunk.clear();
        if is_full {
            // More may wait, and others have something to do as well.
            yield_now().await;
        }
    }
    stream.close().await
}

fn wake(place: &Cell<Option<Waker>>) {
    if let Some(waker) = place.take() {
        waker.wake();
    }
}
