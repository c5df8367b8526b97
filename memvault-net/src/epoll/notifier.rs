//! How other threads interrupt the wait of one.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;

use rustix::event::{EventfdFlags, Timespec, eventfd};
use rustix::fd::OwnedFd;

/// The waker of a thread that waits in epoll.
///
/// The waker first says that there is work, then looks whether the thread waits; the thread first says that
/// it waits, then looks whether there is work. So one of the two always sees the other. The event is written
/// only if the thread waits: a busy thread is woken for the price of two loads and a store.
pub(super) struct Notifier {
    pub(super) event: OwnedFd,
    has_work: AtomicBool,
    is_parked: AtomicBool,
}

impl Notifier {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            event: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            has_work: AtomicBool::new(false),
            is_parked: AtomicBool::new(false),
        })
    }

    /// The thread begins to do what there is to do: whatever comes from now on is new.
    pub(super) fn begin_turn(&self) {
        self.has_work.store(false, Ordering::SeqCst);
    }

    /// The thread is about to wait. Returns how long it may: no time at all if there is work already.
    pub(super) fn park(&self) -> Option<Timespec> {
        self.is_parked.store(true, Ordering::SeqCst);
        if !self.has_work.load(Ordering::SeqCst) {
            return None;
        }
        self.is_parked.store(false, Ordering::SeqCst);
        Some(Timespec::default())
    }

    /// The thread waits no more.
    pub(super) fn unpark(&self) {
        self.is_parked.store(false, Ordering::SeqCst);
    }
}

impl Wake for Notifier {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.has_work.store(true, Ordering::SeqCst);
        if self.is_parked.load(Ordering::SeqCst) && self.is_parked.swap(false, Ordering::SeqCst) {
            // It fails only if the count is full: then an event is on its way in any case.
            let _full = rustix::io::write(&self.event, &1_u64.to_ne_bytes());
        }
    }
}
