//! [`Places`]: how many connections there are at a time, and who makes room for whom.
//!
//! A client that has sent half a request, or none, makes room for those who come later: a thousand of them must not
//! keep an honest client waiting for as long as they are given time. A client that is being answered keeps its place.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_channel::{Receiver, Sender};

/// All places.
pub(crate) struct Places {
    max: usize,
    /// The oldest first.
    taken: Mutex<VecDeque<Guest>>,
    /// Holds something once a place may have become free.
    changed: (Sender<()>, Receiver<()>),
}

/// The place of one connection, until it is dropped.
pub(crate) struct Place {
    places: Arc<Places>,
    pub(crate) guest: Guest,
}

/// One connection. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Guest(Arc<State>);

struct State {
    /// Whether a whole request of it is being answered.
    is_busy: AtomicBool,
    /// Closed when its place is needed.
    leave: (Sender<()>, Receiver<()>),
    changed: Sender<()>,
}

impl Places {
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            taken: Mutex::default(),
            changed: async_channel::bounded(1),
        })
    }

    /// A place for one more, as soon as there is one: at once, unless all who have one are being answered. For one
    /// caller at a time.
    pub(crate) async fn take(self: &Arc<Self>) -> Place {
        loop {
            if let Some(place) = self.try_take() {
                return place;
            }
            // This has a sender itself.
            let _ = self.changed.1.recv().await;
        }
    }

    fn try_take(self: &Arc<Self>) -> Option<Place> {
        let mut taken = self.lock();
        if taken.len() >= self.max {
            let waiting = taken.iter().position(|guest| !guest.is_busy())?;
            if let Some(oldest) = taken.remove(waiting) {
                oldest.0.leave.0.close();
            }
        }
        let guest = Guest(Arc::new(State {
            is_busy: AtomicBool::new(false),
            leave: async_channel::bounded(1),
            changed: self.changed.0.clone(),
        }));
        taken.push_back(guest.clone());
        Some(Place {
            places: Arc::clone(self),
            guest,
        })
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Guest>> {
        // A panic leaves the list whole.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guest {
    /// While it is being answered, it keeps its place.
    pub(crate) fn set_busy(&self, is_busy: bool) {
        self.0.is_busy.store(is_busy, Ordering::SeqCst);
        if !is_busy {
            self.0.tell();
        }
    }

    fn is_busy(&self) -> bool {
        self.0.is_busy.load(Ordering::SeqCst)
    }

    /// Waits until its place is needed for another.
    pub(crate) async fn is_to_leave(&self) {
        // Nothing is ever sent.
        let _ = self.0.leave.1.recv().await;
    }
}

impl State {
    fn tell(&self) {
        // If it holds something already, that says the same.
        let _ = self.changed.try_send(());
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let is_other = |guest: &Guest| !Arc::ptr_eq(&guest.0, &self.guest.0);
        self.places.lock().retain(is_other);
        self.guest.0.tell();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::{block_on, poll_once};

    fn is_to_leave(place: &Place) -> bool {
        block_on(poll_once(place.guest.is_to_leave())).is_some()
    }

    #[test]
    fn the_oldest_who_is_not_being_answered_makes_room() {
        let places = Places::new(3);
        let held: Vec<_> = (0..3).map(|_| block_on(places.take())).collect();
        held[0].guest.set_busy(true);
        let new = block_on(places.take());
        let leaving: Vec<_> = held.iter().chain([&new]).map(is_to_leave).collect();
        assert_eq!(leaving, [false, true, false, false]);
        drop(held);
        assert_eq!(places.lock().len(), 1);
    }

    #[test]
    fn who_finds_all_being_answered_waits_for_the_first_that_is_done() {
        let places = Places::new(1);
        let held = block_on(places.take());
        held.guest.set_busy(true);
        let mut next = Box::pin(places.take());
        assert!(block_on(poll_once(&mut next)).is_none());
        held.guest.set_busy(false);
        block_on(next);
        assert!(is_to_leave(&held));
    }
}
