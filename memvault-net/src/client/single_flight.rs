//! One load of a key at a time, however many tasks ask for it ("single flight").
//!
//! A task that finds no call for its key begins one and loads. The others wait, and take over what came of it if it
//! is as new as if they had begun after they came:
//!
//! - a value from the cache, if they came before it was asked for;
//! - what was loaded, if they came before the load began;
//! - what was loaded and filled in, if they came before the fill was sent: had anything been set or deleted before they
//!   came, the cluster would have refused it.
//!
//! All others have meanwhile joined the next call, which one of them leads. So nobody waits for more than two
//! loads. A call whose task is dropped ends without a result, and those who waited for it join again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use async_channel::{Receiver, Sender};
use memvault::replication::Bytes;

use super::fetched::{Fetched, Source, Stored};

/// What came of a call, for all who waited.
pub(super) type Outcome = Result<Fetched, SharedError>;

/// The loader's error: all who waited for it get it.
pub(super) type SharedError = Arc<dyn std::error::Error + Send + Sync>;

/// The loads under way in all clones of a client, by key.
#[derive(Default)]
pub(super) struct SingleFlight(Mutex<HashMap<Bytes, Slot>>);

/// The calls of one key; those who take part keep them alive.
struct Slot {
    current: Weak<Call>,
    /// For those who were too late for the current one.
    next: Weak<Call>,
}

/// One load.
struct Call {
    phase: AtomicU8,
    outcome: OnceLock<Outcome>,
    /// For the one who leads; dropped when the call is over.
    done: Mutex<Option<Sender<()>>>,
    over: Receiver<()>,
}

/// How far a call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Phase {
    /// Nothing was asked.
    Joining,
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
    Lead(Leader),
    /// Wait for another who does.
    Wait(Waiter),
}

/// The one who loads; dropping it ends the call.
pub(super) struct Leader {
    single_flight: Arc<SingleFlight>,
    key: Bytes,
    call: Arc<Call>,
    /// Nothing is ever sent. Dropped after all is in order for those whom that wakes.
    _done: Sender<()>,
}

/// One who waits for a call.
pub(super) struct Waiter {
    single_flight: Arc<SingleFlight>,
    key: Bytes,
    call: Option<Arc<Call>>,
    joined_in: Phase,
    /// The call to take if this one came too early.
    next: Option<Arc<Call>>,
}

impl SingleFlight {
    /// Begins a call, or takes part in the one under way.
    pub(super) fn join(self: &Arc<Self>, key: &Bytes) -> Part {
        let mut slots = self.lock();
        let slot = slots.entry(Bytes::clone(key)).or_insert(Slot {
            current: Weak::new(),
            next: Weak::new(),
        });
        let call = upgrade(&mut slot.current);
        let joined_in = call.phase();
        let next = (joined_in > Phase::Joining).then(|| upgrade(&mut slot.next));
        drop(slots);
        self.take_part(key, call, joined_in, next)
    }

    /// The first who comes leads.
    fn take_part(
        self: &Arc<Self>,
        key: &Bytes,
        call: Arc<Call>,
        joined_in: Phase,
        next: Option<Arc<Call>>,
    ) -> Part {
        let (single_flight, key) = (Arc::clone(self), Bytes::clone(key));
        let done = lock(&call.done).take();
        match done {
            Some(done) => Part::Lead(Leader {
                single_flight,
                key,
                call,
                _done: done,
            }),
            None => Part::Wait(Waiter {
                single_flight,
                key,
                call: Some(call),
                joined_in,
                next,
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Bytes, Slot>> {
        lock(&self.0)
    }

    /// A call is over: the next one is the current one.
    fn end(&self, key: &Bytes, call: &Arc<Call>) {
        let mut slots = self.lock();
        if let Some(slot) = slots.get_mut(key)
            && std::ptr::eq(slot.current.as_ptr(), Arc::as_ptr(call))
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

/// The call, or a new one in its place.
fn upgrade(call: &mut Weak<Call>) -> Arc<Call> {
    call.upgrade().unwrap_or_else(|| {
        let new = Arc::new(Call::new());
        *call = Arc::downgrade(&new);
        new
    })
}

/// No panic can happen while one of these is locked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Call {
    fn new() -> Self {
        let (done, over) = async_channel::bounded(1);
        Self {
            phase: AtomicU8::new(Phase::Joining as u8),
            outcome: OnceLock::new(),
            done: Mutex::new(Some(done)),
            over,
        }
    }

    fn phase(&self) -> Phase {
        match self.phase.load(Ordering::SeqCst) {
            0 => Phase::Joining,
            1 => Phase::Asking,
            2 => Phase::Loading,
            _ => Phase::Filling,
        }
    }
}

impl Leader {
    /// Goes on to the next phase; called before anything that is part of it.
    pub(super) fn enter(&self, phase: Phase) {
        self.call.phase.store(phase as u8, Ordering::SeqCst);
    }

    /// Gives all who wait what came of it.
    pub(super) fn finish(self, outcome: Outcome) {
        let _ = self.call.outcome.set(outcome);
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        self.single_flight.end(&self.key, &self.call);
    }
}

impl Waiter {
    /// Waits for the end of the call.
    ///
    /// # Errors
    /// What to do next, if what came of it is not for this one.
    pub(super) async fn wait(mut self) -> Result<Outcome, Part> {
        if let Some(call) = &self.call {
            let _ = call.over.recv().await;
            if let Some(outcome) = call.outcome.get()
                && is_good(outcome, self.joined_in)
            {
                return Ok(outcome.clone());
            }
        }
        let (single_flight, key) = (Arc::clone(&self.single_flight), Bytes::clone(&self.key));
        Err(match self.next.take() {
            Some(next) => single_flight.take_part(&key, next, Phase::Joining, None),
            None => single_flight.join(&key),
        })
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        (self.call, self.next) = (None, None);
        sweep(&mut self.single_flight.lock(), &self.key);
    }
}

/// Whether what came of a call is as new as if it had begun after this one had come.
fn is_good(outcome: &Outcome, joined_in: Phase) -> bool {
    let latest = match outcome {
        Err(_) => Phase::Filling,
        Ok(Fetched { source, .. }) => match source {
            Source::Cache => Phase::Joining,
            Source::Loaded(Stored::Yes) => Phase::Loading,
            Source::Loaded(_) => Phase::Asking,
        },
    };
    joined_in <= latest
}
