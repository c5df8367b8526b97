//! How many clients there are, over all threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::ledger::Ledger;

/// The places for clients. One thread gives them away, and clients on any thread give them back.
#[derive(Debug)]
pub(super) struct ConnectionLimit {
    max: usize,
    taken: AtomicUsize,
    refused: AtomicU64,
    total: AtomicU64,
    ledger: Arc<Ledger>,
}

/// The place of one client, until it is dropped.
#[derive(Debug)]
pub(super) struct Permit {
    connection_limit: Arc<ConnectionLimit>,
    id: u64,
}

impl ConnectionLimit {
    /// For `max` clients that together may hold `max_memory` bytes.
    pub(super) fn new(max: usize, max_memory: usize) -> Self {
        Self {
            max,
            taken: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
            total: AtomicU64::new(0),
            ledger: Arc::new(Ledger::new(max_memory)),
        }
    }

    /// A place for one more client, unless all are taken. For the thread that accepts clients alone.
    pub(super) fn take(self: &Arc<Self>) -> Option<Permit> {
        if self.taken() >= self.max {
            self.refuse();
            return None;
        }
        self.taken.fetch_add(1, Ordering::Relaxed);
        let id = self.total.fetch_add(1, Ordering::Relaxed) + 1;
        let connection_limit = Arc::clone(self);
        Some(Permit {
            connection_limit,
            id,
        })
    }

    /// Counts a client that finds no place, for whatever reason.
    pub(super) fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// How much memory the clients take.
    pub(super) const fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// How many clients there may be.
    pub(super) const fn max(&self) -> usize {
        self.max
    }

    /// How many clients there are.
    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// How many clients found no place.
    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// How many clients there ever were.
    pub(super) fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }
}

impl Permit {
    /// The id of the client: no other has it.
    pub(super) const fn id(&self) -> u64 {
        self.id
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.connection_limit.taken.fetch_sub(1, Ordering::Relaxed);
    }
}
