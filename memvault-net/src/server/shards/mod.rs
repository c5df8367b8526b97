//! The key space of a node alone, split over several threads.
//!
//! ```text
//! thread 0: accepts, and gives clients to the threads by turns
//!
//! client --> Connection::process --> Shard::execute --own key--> Store
//!    ^                                  | another's key                 (thread of the client)
//!    |                                  v
//!    | Connection::complete          batch --flush--> mailbox
//!    |                                                    |            (thread of the key)
//!    +---- answers <--flush-- batch <-- Store <-- sweep -+
//! ```
//!
//! Place: an [`Engine`](memvault::connection::Engine) beside the plain store and the cluster. A
//! [`Shard`] is all that one thread has of it; [`Shards`] is what they share, the mailboxes above all.
//!
//! Order: what one thread sends to another arrives in that order, and is executed and answered in it. So
//! commands of one client on one key keep their order, and answers need no name.
//!
//! Cost: messages are collected while a thread goes through the clients that are ready, then handed over
//! together, so that a pipeline costs one hand-over per thread and not one per command.
//!
//! Limits: a mailbox holds what clients may have under way, `max_deferred` commands of each, and the
//! answers to them, however long. A command on keys of several threads takes effect thread by thread.

mod dispatcher;
mod engine;
mod limits;
mod mailbox;
mod message;
mod shard;
mod store_info;
mod threads;

pub(super) use shard::Shard;
pub(super) use threads::run;

use std::sync::Mutex;

use memvault::connection::StoreInfo;
use memvault::store;

use crate::hasher::seeded;
use limits::Limits;
use mailbox::Mailbox;

/// What all threads share.
struct Shards {
    /// Places keys. Not the hasher of the stores: all keys of one would share a part of its hashes.
    hasher: ahash::RandomState,
    desks: Vec<Desk>,
    /// The limits of all stores together.
    limits: Mutex<Limits>,
    /// As in the settings of the store.
    size_class: fn(usize) -> usize,
}

/// Where the others find one thread. Desks share no cache line, nor a pair of them.
#[derive(Default)]
#[repr(align(128))]
struct Desk {
    mailbox: Mailbox,
    /// The state of its store after its last turn.
    store_info: Mutex<StoreInfo>,
}

impl Shards {
    fn new(threads: usize, config: &store::Config) -> Self {
        Self {
            hasher: seeded(),
            desks: (0..threads).map(|_| Desk::default()).collect(),
            limits: Mutex::new(Limits {
                max_bytes: config.max_bytes,
                max_entries: config.max_entries,
            }),
            size_class: config.size_class,
        }
    }

    fn len(&self) -> usize {
        self.desks.len()
    }

    /// The thread that keeps a key.
    fn place(&self, key: &[u8]) -> usize {
        let hash = self.hasher.hash_one(key);
        // Scales the hash to the number of threads: the same share for each, and no division.
        ((u128::from(hash) * self.len() as u128) >> 64) as usize
    }
}
