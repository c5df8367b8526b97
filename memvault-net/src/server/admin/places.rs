//! [`Places`]: how many connections the admin port has at a time, and whose turn it is when there are too many.
//!
//! Who asks whether this server is alive must be answered, or it is killed: a caller that fills all places with silence
//! must not be able to bring that about. So silence makes room: when all places are taken, the oldest connection is
//! closed that has brought no whole request, or has its answer. Where all are being answered, some more places are
//! left, for probes alone.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::Waker;

use futures_lite::future::poll_fn;

use crate::server::admin_limits::FOR_PROBES;

/// All places.
pub(super) struct Places {
    max: usize,
    /// The oldest first.
    taken: RefCell<VecDeque<Rc<Guest>>>,
}

/// The place of one connection, until it is dropped.
pub(super) struct Place {
    places: Rc<Places>,
    guest: Rc<Guest>,
    /// Whether only probes are answered here.
    pub(super) is_for_probes: bool,
}

/// One connection.
#[derive(Default)]
struct Guest {
    is_busy: Cell<bool>,
    is_sent_away: Cell<bool>,
    waker: Cell<Option<Waker>>,
}

impl Places {
    pub(super) fn new(max: usize) -> Rc<Self> {
        Rc::new(Self {
            max,
            taken: RefCell::default(),
        })
    }

    /// A place for one more; `None` if all are taken, those for probes too, and everyone in them is being answered.
    /// O(places).
    pub(super) fn take(self: &Rc<Self>) -> Option<Place> {
        let mut taken = self.taken.borrow_mut();
        let busy = taken.iter().filter(|guest| guest.is_busy.get()).count();
        let is_for_probes = busy >= self.max;
        let most = if is_for_probes {
            self.max + FOR_PROBES
        } else {
            self.max
        };
        while taken.len() >= most {
            let silent = taken.iter().position(|guest| !guest.is_busy.get())?;
            taken.remove(silent)?.send_away();
        }
        let guest = Rc::new(Guest::default());
        taken.push_back(Rc::clone(&guest));
        drop(taken);
        Some(Place {
            places: Rc::clone(self),
            guest,
            is_for_probes,
        })
    }
}

impl Place {
    /// While the connection is being answered, it is not closed for others.
    pub(super) fn set_busy(&self, is_busy: bool) {
        self.guest.is_busy.set(is_busy);
    }

    /// Waits until the place is needed for another.
    pub(super) async fn is_needed(&self) {
        poll_fn(|cx| {
            if self.guest.is_sent_away.get() {
                return std::task::Poll::Ready(());
            }
            self.guest.waker.set(Some(cx.waker().clone()));
            std::task::Poll::Pending
        })
        .await;
    }
}

impl Guest {
    fn send_away(&self) {
        self.is_sent_away.set(true);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.borrow_mut();
        taken.retain(|guest| !Rc::ptr_eq(guest, &self.guest));
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::future::{block_on, poll_once};

    use super::*;

    fn is_needed(place: &Place) -> bool {
        block_on(poll_once(place.is_needed())).is_some()
    }

    #[test]
    fn the_oldest_that_is_silent_makes_room() {
        let places = Places::new(3);
        let held: Vec<_> = (0..3).map(|_| places.take().expect("room")).collect();
        held[0].set_busy(true);
        let new = places.take().expect("the second makes room");
        assert!(!new.is_for_probes);
        let needed: Vec<_> = held.iter().map(is_needed).collect();
        assert_eq!(needed, [false, true, false]);
        // That one is not counted any more, also before it is gone.
        assert_eq!(places.taken.borrow().len(), 3);
        drop(held);
        assert_eq!(places.taken.borrow().len(), 1);
    }

    #[test]
    fn where_all_are_answered_probes_still_find_a_place() {
        let places = Places::new(2);
        let take = || {
            let place = places.take()?;
            place.set_busy(true);
            Some(place)
        };
        let held: Vec<_> = std::iter::from_fn(take).collect();
        let probes: Vec<_> = held.iter().map(|place| place.is_for_probes).collect();
        assert_eq!(probes.len(), 2 + FOR_PROBES);
        assert_eq!(
            probes
                .iter()
                .filter(|is_for_probes| !**is_for_probes)
                .count(),
            2
        );
        drop(held);
        assert!(!places.take().expect("room").is_for_probes);
    }

    #[test]
    fn silent_ones_in_the_places_of_probes_make_room_as_well() {
        let places = Places::new(1);
        let held = places.take().expect("room");
        held.set_busy(true);
        let silent: Vec<_> = (0..100).map(|_| places.take().expect("room")).collect();
        assert!(silent.iter().all(|place| place.is_for_probes));
        assert_eq!(
            silent.iter().filter(|place| is_needed(place)).count(),
            100 - FOR_PROBES
        );
    }
}
