//! The one timer of a driver.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Poll, Waker};

use async_executor::Task;
use async_io::Timer;
use memvault::time::Instant;

use crate::clock::Clock;

/// Rings at the earliest time that it was set to since it last rang.
///
/// Setting it to a later time does nothing: it rings too early once, and is set anew then. So a busy node,
/// whose next time-out moves with every request, leaves the operating system's timer alone.
pub(super) struct Alarm {
    due: Cell<Instant>,
    /// The task that waits for the alarm with a timer that may have become too late.
    waker: Cell<Option<Waker>>,
    task: RefCell<Option<Task<()>>>,
}

impl Alarm {
    pub(super) const fn new(due: Instant) -> Self {
        Self {
            due: Cell::new(due),
            waker: Cell::new(None),
            task: RefCell::new(None),
        }
    }

    /// Sets the alarm, if `due` is earlier than what it is set to.
    pub(super) fn set(&self, due: Instant) {
        if due < self.due.get() {
            self.due.set(due);
            if let Some(waker) = self.waker.take() {
                waker.wake();
            }
        }
    }

    /// Waits until it rings; afterwards it has to be set again.
    pub(super) async fn rings(&self, clock: Clock) {
        let mut timer = Timer::never();
        let mut armed = None;
        poll_fn(|cx| {
            let due = self.due.get();
            if armed != Some(due) {
                armed = Some(due);
                match clock.to_std(due) {
                    Some(at) => timer.set_at(at),
                    None => timer = Timer::never(),
                }
            }
            self.waker.set(Some(cx.waker().clone()));
            if due <= clock.now().instant {
                return Poll::Ready(());
            }
            match Pin::new(&mut timer).poll(cx) {
                Poll::Ready(_) => Poll::Ready(()),
                Poll::Pending => Poll::Pending,
            }
        })
        .await;
        self.due.set(FAR);
    }

    /// Keeps the task that waits for the alarm: it ends with the driver.
    pub(super) fn keep(&self, task: Task<()>) {
        self.task.replace(Some(task));
    }
}

/// Later than any time-out.
const FAR: Instant = Instant::from_micros(u64::MAX);
