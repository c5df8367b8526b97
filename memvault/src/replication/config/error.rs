//! Why a configuration is refused.

use alloc::string::String;

use super::Config;
use crate::consistency::Level;

/// Why a [`Node`](crate::replication::Node) could not be made. The caller's fault; nothing was started.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The member list is empty.
    NoMembers,
    /// The member list names this id twice.
    DuplicateMember(String),
    /// A member has a weight that is not allowed, or there are too many members; the text says which.
    BadMember(String),
    /// This node's own id is not in the member list, and that is no list of seeds.
    NotAMember(String),
    /// Replicas per key are outside 1 to [`Config::MAX_REPLICAS`].
    Replicas(usize),
    /// A member of a cluster whose members speak plain Redis: only a coordinator can have one.
    PlainMember(String),
    /// A list of seeds of plain Redis servers, which cannot tell who the members are.
    PlainSeeds,
    /// A level that nodes which speak plain Redis cannot give.
    PlainLevel(Level),
    /// A setting has a value that it cannot have beside the others.
    Setting {
        /// The field of [`Config`].
        name: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        expected: String,
    },
}

impl core::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NoMembers => write!(f, "the member list is empty"),
            Self::DuplicateMember(id) => write!(f, "the member list names {id} twice"),
            Self::BadMember(why) => write!(f, "{why}"),
            Self::NotAMember(id) => write!(f, "the member list does not name this node, {id}"),
            Self::Replicas(n) => {
                write!(
                    f,
                    "{n} replicas per key: expected 1 to {}",
                    Config::MAX_REPLICAS
                )
            }
            Self::PlainMember(id) => write!(
                f,
                "{id} cannot be a member of a cluster of plain Redis servers (plain-redis): use a gateway or a client"
            ),
            Self::PlainSeeds => write!(
                f,
                "plain Redis servers (plain-redis) do not know each other: name all of them"
            ),
            Self::PlainLevel(level) => write!(f, "{}", NoVersions(*level)),
            Self::Setting {
                name,
                value,
                expected,
            } => write!(f, "{name} is {value}: expected {expected}"),
        }
    }
}

impl core::error::Error for ConfigError {}

/// Says why a level is refused where nodes keep no versions.
pub(in crate::replication) struct NoVersions(pub(in crate::replication) Level);

impl core::fmt::Display for NoVersions {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "level {} needs versions, and plain Redis servers (plain-redis) keep none: use one or auto",
            self.0.name()
        )
    }
}
