//! One load of a key at a time, however many tasks ask for it ("single flight").
//!
//! Whoever finds no flight for its key begins one and loads. The others wait, and take over what came of it if it
//! is as new as if they had begun after they came:
//!
//! - a value from the cache, if they came before it was asked for;
//! - what was loaded, if they came before the load began;
//! - what was loaded and filled in, if they came before the fill was sent: had anything been set or deleted before they
//!   came, the cluster would have refused it.
//!
//! All others have meanwhile boarded the next flight, which one of them flies. So nobody waits for more than two
//! loads. A flight whose task is dropped ends without a result, and those who waited for it board again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use async_channel::{Receiver, Sender};
use memvault::replication::Bytes;

use super::load::{Fetched, Source, Stored};

/// What came of a flight, for all who waited.
pub(super) type Landing = Result<Fetched, SharedError>;

/// The loader's error: all who waited for it get it.
pub(super) type SharedError = Arc<dyn std::error::Error + Send + Sync>;

/// The loads under way in all clones of a client, by key.
#[derive(Default)]
pub(super) struct Flights(Mutex<HashMap<Bytes, Slot>>);

/// The flights of one key; whoever takes part keeps them alive.
struct Slot {
    current: Weak<Flight>,
    /// For those who were too late for the current one.
    next: Weak<Flight>,
}

/// One load.
struct Flight {
    phase: AtomicU8,
    landing: OnceLock<Landing>,
    /// For the one who flies; dropped when the flight is over.
    seat: Mutex<Option<Sender<()>>>,
    over: Receiver<()>,
}

/// How far a flight has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Phase {
    /// Nothing was asked.
    Boarding,
    /// The cache was asked.
    Asking,
    /// The load may have begun.
    Loading,
    /// The fill may have been done.
    Filling,
}

/// What to do about a key.
pub(super) enum Part {
    /// Load it.
    Fly(Pilot),
    /// Wait for another who does.
    Wait(Passenger),
}

/// The one who loads; dropping it ends the flight.
pub(super) struct Pilot {
    flights: Arc<Flights>,
    key: Bytes,
    flight: Arc<Flight>,
    /// Nothing is ever sent. Dropped after all is in order for those whom that wakes.
    _seat: Sender<()>,
}

/// One who waits for a flight.
pub(super) struct Passenger {
    flights: Arc<Flights>,
    key: Bytes,
    flight: Option<Arc<Flight>>,
    boarded: Phase,
    /// The flight to take if this one came too early.
    next: Option<Arc<Flight>>,
}

impl Flights {
    /// Begins a flight, or takes part in the one under way.
    pub(super) fn board(self: &Arc<Self>, key: &Bytes) -> Part {
        let mut slots = self.lock();
        let slot = slots.entry(Bytes::clone(key)).or_insert(Slot {
            current: Weak::new(),
            next: Weak::new(),
        });
        let flight = upgrade(&mut slot.current);
        let boarded = flight.phase();
        let next = (boarded > Phase::Boarding).then(|| upgrade(&mut slot.next));
        drop(slots);
        self.join(key, flight, boarded, next)
    }

    /// The first who comes flies.
    fn join(
        self: &Arc<Self>,
        key: &Bytes,
        flight: Arc<Flight>,
        boarded: Phase,
        next: Option<Arc<Flight>>,
    ) -> Part {
        let (flights, key) = (Arc::clone(self), Bytes::clone(key));
        let seat = lock(&flight.seat).take();
        match seat {
            Some(seat) => Part::Fly(Pilot {
                flights,
                key,
                flight,
                _seat: seat,
            }),
            None => Part::Wait(Passenger {
                flights,
                key,
                flight: Some(flight),
                boarded,
                next,
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Bytes, Slot>> {
        lock(&self.0)
    }

    /// A flight is over: the next one is the current one.
    fn end(&self, key: &Bytes, flight: &Arc<Flight>) {
        let mut slots = self.lock();
        if let Some(slot) = slots.get_mut(key)
            && std::ptr::eq(slot.current.as_ptr(), Arc::as_ptr(flight))
        {
            slot.current = std::mem::take(&mut slot.next);
        }
        sweep(&mut slots, key);
    }
}

/// Forgets a key in which nobody takes part any more.
fn sweep(slots: &mut HashMap<Bytes, Slot>, key: &Bytes) {
    let is_used = |slot: &Slot| slot.current.strong_count() + slot.next.strong_count() > 0;
    if slots.get(key).is_some_and(|slot| !is_used(slot)) {
        slots.remove(key);
    }
}

/// The flight, or a new one in its place.
fn upgrade(flight: &mut Weak<Flight>) -> Arc<Flight> {
    flight.upgrade().unwrap_or_else(|| {
        let new = Arc::new(Flight::new());
        *flight = Arc::downgrade(&new);
        new
    })
}

/// No panic can happen while one of these is locked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Flight {
    fn new() -> Self {
        let (seat, over) = async_channel::bounded(1);
        Self {
            phase: AtomicU8::new(Phase::Boarding as u8),
            landing: OnceLock::new(),
            seat: Mutex::new(Some(seat)),
            over,
        }
    }

    fn phase(&self) -> Phase {
        match self.phase.load(Ordering::SeqCst) {
            0 => Phase::Boarding,
            1 => Phase::Asking,
            2 => Phase::Loading,
            _ => Phase::Filling,
        }
    }
}

impl Pilot {
    /// Goes on to the next phase; called before anything that is part of it.
    pub(super) fn enter(&self, phase: Phase) {
        self.flight.phase.store(phase as u8, Ordering::SeqCst);
    }

    /// Gives all who wait what came of it.
    pub(super) fn land(self, landing: Landing) {
        let _ = self.flight.landing.set(landing);
    }
}

impl Drop for Pilot {
    fn drop(&mut self) {
        self.flights.end(&self.key, &self.flight);
    }
}

impl Passenger {
    /// Waits for the end of the flight.
    ///
    /// # Errors
    /// What to do next, if what came of it is not for this one.
    pub(super) async fn arrive(mut self) -> Result<Landing, Part> {
        if let Some(flight) = &self.flight {
            let _ = flight.over.recv().await;
            if let Some(landing) = flight.landing.get()
                && is_good(landing, self.boarded)
            {
                return Ok(landing.clone());
            }
        }
        let (flights, key) = (Arc::clone(&self.flights), Bytes::clone(&self.key));
        Err(match self.next.take() {
            Some(next) => flights.join(&key, next, Phase::Boarding, None),
            None => flights.board(&key),
        })
    }
}

impl Drop for Passenger {
    fn drop(&mut self) {
        (self.flight, self.next) = (None, None);
        sweep(&mut self.flights.lock(), &self.key);
    }
}

/// Whether what came of a flight is as new as if it had begun after this one had come.
fn is_good(landing: &Landing, boarded: Phase) -> bool {
    let latest = match landing {
        Err(_) => Phase::Filling,
        Ok(Fetched { source, .. }) => match source {
            Source::Cache => Phase::Boarding,
            Source::Loaded(Stored::Yes) => Phase::Loading,
            Source::Loaded(_) => Phase::Asking,
        },
    };
    boarded <= latest
}
