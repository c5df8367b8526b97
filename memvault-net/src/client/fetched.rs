//! A value, and how it was come by.

use std::sync::Arc;

use memvault::replication::Bytes;

use super::Error;

/// A value, and where it comes from.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The value; `None` if the loader found none.
    pub value: Option<Bytes>,
    /// Where it comes from.
    pub source: Source,
}

/// Where a value comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// The cluster had it.
    Cache,
    /// It was loaded, by this task or by another that was at it already.
    Loaded(Stored),
}

/// What became of a loaded value.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Stored {
    /// It is in the cache.
    Yes,
    /// It was not filled in: the key was set or deleted while it was loaded, and the cache keeps that.
    Overtaken,
    /// There was nothing to fill in: the loader found no value.
    Nothing,
    /// The cluster could not be asked, or it is unknown whether the fill was done. What was loaded is good all
    /// the same.
    No(Arc<Error>),
}
