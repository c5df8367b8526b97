//! What a node stores and how it answers the commands on it.
//!
//! Place: [`Entries`] (packed entries, exact LRU, a budget of bytes) lies under a replica and under
//! [`Store`], which carries out the commands of a node without a cluster.

mod budget;
mod entries;
mod execute;
mod expiry;
mod leaving;
mod packed;
mod reclaim;
mod room;
#[cfg(test)]
mod short_ways;
mod statistics;
mod values;

pub use crate::command::TooLarge;
pub use budget::{Config, round_up_to_16};
pub use entries::{Entries, Evicted};
pub use execute::Store;
pub use packed::{EntryRef, MAX_KEY_LEN, Meta};
pub use statistics::Statistics;
