//! Why members cannot be discovered; in every program that may be asked to.

use std::fmt;
use std::io;

#[cfg(feature = "discovery")]
use crate::discovery::IdentityError;

/// Why a member cannot discover others.
#[derive(Debug)]
#[non_exhaustive]
pub enum DiscoverError {
    /// Its id or its address cannot be told to others.
    #[cfg(feature = "discovery")]
    Identity(IdentityError),
    /// The UDP socket cannot be used.
    Socket(io::Error),
    /// The program was built without the feature `discovery` of memvault-net.
    NotBuilt,
}

impl fmt::Display for DiscoverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(feature = "discovery")]
            Self::Identity(error) => write!(
                f,
                "others cannot discover this node: {error} (--node-id, --advertise)"
            ),
            Self::Socket(error) => write!(f, "the UDP socket cannot be used: {error}"),
            Self::NotBuilt => f.write_str(
                "this program was built without the feature `discovery` of memvault-net",
            ),
        }
    }
}

impl std::error::Error for DiscoverError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            #[cfg(feature = "discovery")]
            Self::Identity(error) => Some(error),
            Self::Socket(error) => Some(error),
            Self::NotBuilt => None,
        }
    }
}
