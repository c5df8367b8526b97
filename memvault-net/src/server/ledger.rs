//! How much memory clients take, over all threads, and who has to go if it is too much.
//!
//! What counts is what a client has sent that is not executed yet, and what it was answered and has not taken. Each
//! thread enters what its clients hold after each of their turns; one that passes the limit of all has the largest
//! closed, on whichever thread they are.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// The accounts of all clients.
#[derive(Debug)]
pub(super) struct Ledger {
    max: usize,
    used: AtomicUsize,
    /// Of `used`, the part of those who are told to go.
    leaving: AtomicUsize,
    /// Those who hold more than a little, by how much it is, then by their id.
    large: Mutex<BTreeMap<(usize, u64), Arc<Notice>>>,
    evicted: AtomicU64,
    over_input: AtomicU64,
    over_output: AtomicU64,
}

/// Where a client learns that it has to go.
#[derive(Debug, Default)]
struct Notice {
    /// What it held when it was told; 0 if it may stay.
    leaving: AtomicUsize,
    waker: Mutex<Option<Waker>>,
}

/// What one client holds, until it is dropped. Stays on the client's thread.
#[derive(Debug)]
pub(super) struct Account {
    ledger: Arc<Ledger>,
    id: u64,
    held: Cell<usize>,
    notice: Arc<Notice>,
}

impl Ledger {
    /// For clients that together may hold `max` bytes.
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            used: AtomicUsize::new(0),
            leaving: AtomicUsize::new(0),
            large: Mutex::default(),
            evicted: AtomicU64::new(0),
            over_input: AtomicU64::new(0),
            over_output: AtomicU64::new(0),
        }
    }

    /// The account of a client with an id of its own.
    pub(super) fn open(self: &Arc<Self>, id: u64) -> Account {
        Account {
            ledger: Arc::clone(self),
            id,
            held: Cell::new(0),
            notice: Arc::default(),
        }
    }

    /// Bytes that clients may hold together.
    pub(super) const fn max(&self) -> usize {
        self.max
    }

    /// Bytes that clients hold together.
    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Clients that were closed because all together held too much.
    pub(super) fn evicted(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }

    /// Clients that were closed because of what they had sent, and because of what they had not taken.
    pub(super) fn closed(&self) -> (u64, u64) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (read(&self.over_input), read(&self.over_output))
    }

    /// Counts a client that is closed because of these bytes of input and of output.
    pub(super) fn count(&self, (input, output): (usize, usize)) {
        let count = if input > output {
            &self.over_input
        } else {
            &self.over_output
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        let leaving = self.leaving.load(Ordering::Relaxed);
        self.used().saturating_sub(leaving) > self.max
    }

    /// Has the largest go until the rest is within the limit. O(log clients) for each.
    fn relieve(&self) {
        let mut large = lock(&self.large);
        while self.is_over()
            && let Some(((held, _), notice)) = large.pop_last()
        {
            notice.leaving.store(held, Ordering::Relaxed);
            self.leaving.fetch_add(held, Ordering::Relaxed);
            self.evicted.fetch_add(1, Ordering::Relaxed);
            let waker = lock(&notice.waker).take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

impl Account {
    /// Enters what the client holds now. If it has to go then, `waker` is woken.
    #[inline]
    pub(super) fn enter(&self, held: usize, waker: &Waker) {
        let before = self.held.replace(held);
        if before != held {
            self.change(before, held, waker);
        }
    }

    fn change(&self, before: usize, held: usize, waker: &Waker) {
        let ledger = &self.ledger;
        // Wraps round where it is less.
        let more = held.wrapping_sub(before);
        ledger.used.fetch_add(more, Ordering::Relaxed);
        if before.max(held) >= NOTED {
            let mut large = lock(&ledger.large);
            large.remove(&(before, self.id));
            if held >= NOTED && !self.has_to_go() {
                *lock(&self.notice.waker) = Some(waker.clone());
                large.insert((held, self.id), Arc::clone(&self.notice));
            }
        }
        if held > before && ledger.is_over() {
            ledger.relieve();
        }
    }

    /// Whether the client has to go, as all together hold too much.
    #[inline]
    pub(super) fn has_to_go(&self) -> bool {
        self.notice.leaving.load(Ordering::Relaxed) > 0
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let held = self.held.get();
        let mut large = lock(&self.ledger.large);
        large.remove(&(held, self.id));
        let leaving = self.notice.leaving.load(Ordering::Relaxed);
        self.ledger.leaving.fetch_sub(leaving, Ordering::Relaxed);
        self.ledger.used.fetch_sub(held, Ordering::Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each change is a single call: nothing is left half done by a panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bytes below which a client is not worth closing.
const NOTED: usize = 4 << 10;

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::task::Wake;

    use super::*;

    const KIB: usize = 1 << 10;

    #[derive(Default)]
    struct Flag(AtomicBool);

    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    #[test]
    fn the_largest_go_first_and_no_more_than_have_to() {
        let ledger = Arc::new(Ledger::new(100 * KIB));
        let flags: Vec<Arc<Flag>> = (0..4).map(|_| Arc::default()).collect();
        let accounts: Vec<Account> = (0..4).map(|id| ledger.open(id)).collect();
        for ((account, flag), held) in accounts.iter().zip(&flags).zip([10, 50, 30, 20]) {
            account.enter(held * KIB, &Waker::from(Arc::clone(flag)));
        }
        let told = |accounts: &[Account]| -> Vec<bool> {
            accounts.iter().map(Account::has_to_go).collect()
        };
        assert_eq!(told(&accounts), [false, true, false, false]);
        assert!(flags[1].0.load(Ordering::Relaxed), "it is woken");
        assert_eq!((ledger.used(), ledger.evicted()), (110 * KIB, 1));

        let waker = Waker::from(Arc::clone(&flags[3]));
        accounts[3].enter(60 * KIB, &waker);
        assert_eq!(told(&accounts), [false, true, false, false], "just enough");
        accounts[3].enter(61 * KIB, &waker);
        assert_eq!(told(&accounts), [false, true, false, true]);
        drop(accounts);
        assert_eq!(ledger.used(), 0);
        assert_eq!(ledger.leaving.load(Ordering::Relaxed), 0);
        assert!(lock(&ledger.large).is_empty());
    }

    #[test]
    fn who_takes_its_replies_is_not_large_any_more() {
        let ledger = Arc::new(Ledger::new(100 * KIB));
        let (one, two) = (ledger.open(1), ledger.open(2));
        one.enter(90 * KIB, Waker::noop());
        one.enter(0, Waker::noop());
        two.enter(99 * KIB, Waker::noop());
        assert!(!one.has_to_go() && !two.has_to_go());
        one.enter(2 * KIB, Waker::noop());
        assert!(!one.has_to_go() && two.has_to_go());
    }
}
