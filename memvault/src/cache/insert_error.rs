//! Why a cache does not take an entry, and the entry back.

use core::fmt;

/// A key and a value that a cache could not hold even alone. What was stored under the key still is.
///
/// The caller's fault: it asked for more than it configured.
#[derive(Clone, PartialEq, Eq)]
pub struct InsertError<K, V> {
    /// The key, back.
    pub key: K,
    /// The value, back.
    pub value: V,
    /// Which limit is in the way.
    pub reason: Reason,
}

/// Which limit an entry would break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// [`max_bytes`](super::Builder::max_bytes): raise it, or keep such entries out.
    Bytes {
        /// What the entry would need, in bytes: its weight plus the smallest arena and index.
        needed: usize,
        /// The budget in bytes.
        limit: usize,
    },
    /// [`max_entries`](super::Builder::max_entries) is zero: nothing is ever stored.
    Entries,
}

impl<K, V> fmt::Debug for InsertError<K, V> {
    /// Leaves key and value out: they need not be printable, and may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InsertError")
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

impl<K, V> fmt::Display for InsertError<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl<K, V> core::error::Error for InsertError<K, V> {}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes { needed, limit } => {
                write!(
                    f,
                    "entry needs {needed} bytes of memory, the limit for all is {limit}"
                )
            }
            Self::Entries => f.write_str("the limit of entries is zero"),
        }
    }
}
