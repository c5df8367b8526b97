//! Consistency levels: of how many replicas an answer is, in the words of Dynamo and Cassandra.
//!
//! Place: below the commands, as each connection chooses its own (`CONSISTENCY`); what the levels promise is written in
//! `docs/protocol.md`, how they are kept in `replication`.

/// How many replicas must answer before a request is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Level {
    /// A quorum while one is in view, otherwise those that live (at least one); reads from one replica.
    #[default]
    Auto,
    /// One replica.
    One,
    /// More than half of the key's replicas.
    Quorum,
    /// All of the key's replicas.
    All,
}

impl Level {
    /// The level's name, as users write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::One => "one",
            Self::Quorum => "quorum",
            Self::All => "all",
        }
    }

    /// The level with this name, in any case.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        [Self::Auto, Self::One, Self::Quorum, Self::All]
            .into_iter()
            .find(|level| level.name().as_bytes().eq_ignore_ascii_case(name))
    }

    /// Whether nodes without versions can give it.
    pub(crate) const fn needs_versions(self) -> bool {
        matches!(self, Self::Quorum | Self::All)
    }
}

/// How many replicas each kind of request waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Levels {
    /// For writes.
    pub write: Level,
    /// For reads.
    pub read: Level,
}
