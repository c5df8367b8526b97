//! What a node stores and how it answers the commands on it.
//!
//! Place: [`Entries`] (packed entries, exact LRU, a budget of bytes) lies under a replica and under
//! `Store`.

mod budget;
mod entries;
mod packed;

pub use budget::{Config, TooLarge, round_up_to_16};
pub use entries::{Entries, Evicted};
pub use packed::{EntryRef, MAX_KEY_LEN, Meta};
