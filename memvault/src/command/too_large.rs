//! Why what a command would store does not fit.

use core::fmt;

/// Why an entry was refused. The state is as before: what was stored under the key still is.
///
/// The caller's fault: it asked for more than it configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TooLarge {
    /// Not even an otherwise empty store could hold the entry within [`max_bytes`](crate::store::Config::max_bytes).
    Bytes {
        /// What the entry would need, in bytes: its allocation plus the smallest arena and index.
        needed: usize,
        /// [`max_bytes`](crate::store::Config::max_bytes).
        limit: usize,
    },
    /// The key is longer than any that is stored.
    Key {
        /// Length of the key in bytes.
        len: usize,
        /// [`MAX_KEY_LEN`](crate::store::MAX_KEY_LEN).
        limit: usize,
    },
    /// [`max_entries`](crate::store::Config::max_entries) is zero.
    Entries,
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes { needed, limit } => {
                write!(
                    f,
                    "entry needs {needed} bytes of memory, the limit for all is {limit}"
                )
            }
            Self::Key { len, limit } => write!(f, "key has {len} bytes, the limit is {limit}"),
            Self::Entries => f.write_str("the limit of entries is zero"),
        }
    }
}

impl core::error::Error for TooLarge {}
