//! The two versions of the protocol.

/// The version that a connection speaks, chosen by `HELLO`; how some replies are encoded depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// RESP2: what every connection begins with.
    #[default]
    Resp2,
    /// RESP3: maps, sets, doubles, booleans and a null of its own.
    Resp3,
}

impl Protocol {
    /// The version with the number that `HELLO` takes; `None` if there is no such version.
    #[must_use]
    pub const fn from_version(version: i64) -> Option<Self> {
        match version {
            2 => Some(Self::Resp2),
            3 => Some(Self::Resp3),
            _ => None,
        }
    }

    /// The number that `HELLO` takes and gives.
    #[must_use]
    pub const fn version(self) -> i64 {
        match self {
            Self::Resp2 => 2,
            Self::Resp3 => 3,
        }
    }
}
