//! How often clients called each command, and how much time the server spent on that.
//!
//! Every thread counts for itself, in memory that it alone writes; anyone who wants to know adds all threads up. So a
//! command costs an addition and a note, and no thread waits for another.
//!
//! Time: a turn is what a client has sent by the time it is read, one command or a whole pipeline. The clock is read
//! when the bytes have come, which happens anyway, and once more when all of them are executed; each command gets an
//! even part. What is measured is the work of the thread, not the wait for other nodes; work for commands that came to
//! another thread is timed where it is done.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use memvault::command::{Name, all};
use memvault::connection::{CallCount, CallStatistics, ErrorCode, Fault};

/// The counters of all threads of a server.
#[derive(Debug)]
pub(super) struct Calls {
    threads: Vec<Arc<Counters>>,
    /// What was counted when the counters were set to zero: they themselves only ever grow.
    before: Mutex<CallStatistics>,
    /// What there was of errors, on all threads: they are rare.
    errors: Mutex<CallStatistics>,
    run_id: String,
}

/// What one thread counts. Threads share no cache line, nor a pair of them.
#[derive(Debug)]
#[repr(align(128))]
struct Counters {
    commands: [Counter; all().len()],
    received: AtomicU64,
    sent: AtomicU64,
}

#[derive(Debug, Default)]
struct Counter {
    calls: AtomicU64,
    nanos: AtomicU64,
}

impl Calls {
    /// For so many threads.
    pub(super) fn new(threads: usize) -> Self {
        Self {
            threads: (0..threads).map(|_| Arc::default()).collect(),
            before: Mutex::default(),
            errors: Mutex::default(),
            run_id: (0..40)
                .map(|_| char::from(fastrand::choice(*b"0123456789abcdef").unwrap_or(b'0')))
                .collect(),
        }
    }

    /// A name that only this start of the server has: 40 hexadecimal digits.
    pub(super) fn run_id(&self) -> &str {
        &self.run_id
    }

    /// What was counted since the start or the last [`reset`](Self::reset).
    pub(super) fn statistics(&self) -> CallStatistics {
        self.total().since(&lock(&self.before))
    }

    /// Sets the counters to zero.
    pub(super) fn reset(&self) {
        *lock(&self.before) = self.total();
    }

    /// Bytes that came from clients, and bytes that they were sent, since the start.
    pub(super) fn traffic(&self) -> (u64, u64) {
        let sum = |read: fn(&Counters) -> &AtomicU64| {
            let threads = self.threads.iter();
            threads
                .map(|thread| read(thread).load(Ordering::Relaxed))
                .sum()
        };
        (sum(|thread| &thread.received), sum(|thread| &thread.sent))
    }

    fn total(&self) -> CallStatistics {
        let mut total = lock(&self.errors).clone();
        for thread in &self.threads {
            for (spec, counter) in all().iter().zip(&thread.commands) {
                let count = total.of_mut(spec.id);
                count.calls += counter.calls.load(Ordering::Relaxed);
                count.nanos += counter.nanos.load(Ordering::Relaxed);
            }
        }
        total
    }
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            commands: std::array::from_fn(|_| Counter::default()),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
        }
    }
}

/// The pen of one thread.
#[derive(Debug)]
pub(super) struct ThreadCounters {
    all: Arc<Calls>,
    own: Arc<Counters>,
    /// The commands of this turn, whose time is not known yet.
    turn: RefCell<Vec<Name>>,
}

impl ThreadCounters {
    /// Of the thread with this number.
    pub(super) fn new(all: &Arc<Calls>, thread: usize) -> Self {
        Self {
            own: Arc::clone(&all.threads[thread]),
            all: Arc::clone(all),
            turn: RefCell::default(),
        }
    }

    /// The counters of all threads.
    pub(super) fn all(&self) -> &Calls {
        &self.all
    }

    /// Counts a command that is carried out in this turn.
    #[inline]
    pub(super) fn count(&self, name: Name) {
        add(&self.own.commands[name as usize].calls, 1);
        self.time(name);
    }

    /// The same for one that another thread has counted.
    #[inline]
    pub(super) fn time(&self, name: Name) {
        self.turn.borrow_mut().push(name);
    }

    /// Shares the time since `begun` among the commands of the turn that ends. Returns how long that was.
    pub(super) fn end_turn(&self, begun: Instant) -> Duration {
        let spent = begun.elapsed();
        let mut turn = self.turn.borrow_mut();
        if turn.is_empty() {
            return spent;
        }
        let nanos = u64::try_from(spent.as_nanos()).unwrap_or(u64::MAX);
        let share = nanos / turn.len() as u64;
        for name in turn.drain(..) {
            add(&self.own.commands[name as usize].nanos, share);
        }
        if turn.capacity() > LONGEST_TURN {
            *turn = Vec::new();
        }
        spent
    }

    /// Counts an error reply.
    pub(super) fn count_error(&self, name: Option<Name>, fault: Fault, code: ErrorCode) {
        let mut errors = lock(&self.all.errors);
        errors.add_errors(code, 1);
        let Some(name) = name else { return };
        let CallCount {
            rejected, failed, ..
        } = errors.of_mut(name);
        match fault {
            Fault::Rejected => *rejected += 1,
            Fault::Failed => *failed += 1,
        }
    }

    /// Counts bytes from a client.
    #[inline]
    pub(super) fn received(&self, bytes: usize) {
        add(&self.own.received, bytes as u64);
    }

    /// Counts bytes to a client.
    #[inline]
    pub(super) fn sent(&self, bytes: usize) {
        add(&self.own.sent, bytes as u64);
    }
}

/// Adds to a counter that no other thread writes.
#[inline]
fn add(counter: &AtomicU64, amount: u64) {
    let sum = counter.load(Ordering::Relaxed).wrapping_add(amount);
    counter.store(sum, Ordering::Relaxed);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Numbers are as good after a panic as before.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes of a turn above which their memory is given back.
const LONGEST_TURN: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_add_up_and_a_reset_counts_for_all() {
        let calls = Arc::new(Calls::new(2));
        let tallies = [0, 1].map(|thread| ThreadCounters::new(&calls, thread));
        let begun = Instant::now();
        for counters in &tallies {
            counters.count(Name::Get);
            counters.end_turn(begun);
            counters.received(10);
        }
        tallies[1].time(Name::Set);
        tallies[1].end_turn(begun);
        let code = ErrorCode::of_reply(b"-ERR x").expect("an error");
        tallies[0].count_error(Some(Name::Get), Fault::Failed, code);
        let counted = calls.statistics();
        let get = counted.of(Name::Get);
        assert_eq!((get.calls, get.failed, get.rejected), (2, 1, 0));
        assert!(get.nanos > 0);
        let set = counted.of(Name::Set);
        assert_eq!(set.calls, 0);
        assert!(set.nanos > 0);
        assert_eq!(calls.traffic(), (20, 0));

        calls.reset();
        assert_eq!(calls.statistics(), CallStatistics::default());
        tallies[1].count(Name::Get);
        assert_eq!(calls.statistics().of(Name::Get).calls, 1);
    }
}
