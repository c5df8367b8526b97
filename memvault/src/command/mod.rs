//! Commands of clients.

mod expiry;

pub use expiry::{Condition, ExpireCondition, Expiry};
