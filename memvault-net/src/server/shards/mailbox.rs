//! Where a thread gets what others send it.

use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use super::message::Batch;

/// Parcels for one thread, in the order in which they came.
#[derive(Default)]
pub(super) struct Mailbox(Mutex<Content>);

#[derive(Default)]
struct Content {
    batches: Vec<Batch>,
    /// The task that waits for the next one.
    waker: Option<Waker>,
}

impl Mailbox {
    pub(super) fn send(&self, batch: Batch) {
        let mut content = lock(&self.0);
        content.batches.push(batch);
        let waker = content.waker.take();
        // The waker need not meet the lock.
        drop(content);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Takes everything, in exchange for an empty list, and has `waker` woken when there is more.
    pub(super) fn collect(&self, empty: Vec<Batch>, waker: &Waker) -> Vec<Batch> {
        let mut content = lock(&self.0);
        if !content
            .waker
            .as_ref()
            .is_some_and(|same| same.will_wake(waker))
        {
            content.waker = Some(waker.clone());
        }
        mem::replace(&mut content.batches, empty)
    }
}

/// Takes a lock. A thread that panicked while it held one has left nothing half done: what is locked here
/// is replaced or added to as a whole.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
