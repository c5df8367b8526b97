//! Who a member is, as far as discovery goes.

use std::net::SocketAddr;

use memvault::hash::token;
use serde::{Deserialize, Serialize};

/// One start of a member's process, and where it is reached.
///
/// Among several with one id the one with the higher `(incarnation, bump)` counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Identity {
    /// The member's id.
    pub id: String,
    /// Where it is reached, by TCP and by UDP.
    pub address: SocketAddr,
    /// Grows with every start of the process: a restarted member counts instead of its former self.
    pub incarnation: u64,
    /// Grows when a living process was taken for dead. Apart from `incarnation`, so that it does not look restarted.
    pub bump: u32,
    /// Of the id: compared for every member that a datagram tells of.
    #[serde(skip)]
    hash: u64,
}

/// Longest id of a member that others can discover, in bytes: three of them have to fit into a datagram.
pub const MAX_ID_LEN: usize = 255;

/// Why an identity cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdentityError {
    /// The id is empty or longer than [`MAX_ID_LEN`].
    IdLength,
    /// The id has control characters or commas, which no member list can hold.
    IdCharacters,
    /// The address is none that can be called: port 0, or an address that stands for all of a machine's.
    Address,
}

/// An identity as it comes over the wire.
#[derive(Deserialize)]
struct Unchecked {
    id: String,
    address: SocketAddr,
    incarnation: u64,
    bump: u32,
}

impl Identity {
    /// A process that has just started.
    ///
    /// # Errors
    /// See [`IdentityError`].
    pub fn new(id: String, address: SocketAddr, incarnation: u64) -> Result<Self, IdentityError> {
        if !(1..=MAX_ID_LEN).contains(&id.len()) {
            Err(IdentityError::IdLength)
        } else if id.contains(|c: char| c.is_control() || c == ',') {
            Err(IdentityError::IdCharacters)
        } else if address.port() == 0 || address.ip().is_unspecified() {
            Err(IdentityError::Address)
        } else {
            Ok(Self {
                hash: token(id.as_bytes()).0,
                id,
                address,
                incarnation,
                bump: 0,
            })
        }
    }

    fn rank(&self) -> (u64, u32, SocketAddr) {
        (self.incarnation, self.bump, self.address)
    }
}

impl foca::Identity for Identity {
    type Addr = u64;

    fn renew(&self) -> Option<Self> {
        Some(Self {
            bump: self.bump.checked_add(1)?,
            ..self.clone()
        })
    }

    /// The id and not the address: so a member that starts again elsewhere takes the place of its former self.
    fn addr(&self) -> u64 {
        self.hash
    }

    fn win_addr_conflict(&self, adversary: &Self) -> bool {
        self.rank() > adversary.rank()
    }
}

impl TryFrom<Unchecked> for Identity {
    type Error = IdentityError;

    fn try_from(raw: Unchecked) -> Result<Self, IdentityError> {
        let identity = Self::new(raw.id, raw.address, raw.incarnation)?;
        Ok(Self {
            bump: raw.bump,
            ..identity
        })
    }
}

impl std::fmt::Display for IdentityError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::IdLength => write!(f, "an id has 1 to {MAX_ID_LEN} bytes"),
            Self::IdCharacters => f.write_str("an id has no commas and no control characters"),
            Self::Address => {
                f.write_str("an address needs an IP address that others can call, and a port")
            }
        }
    }
}

impl std::error::Error for IdentityError {}
