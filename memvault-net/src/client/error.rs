//! What can go wrong with a request, and what to do about it.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use memvault::replication::{Answer, ConfigError, Failure};

use crate::driver::{AddressError, PeerReport};

/// Why a client could not be made, or a request not be carried out.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The list of nodes is misspelt. Nothing was started.
    Address(AddressError),
    /// The settings are contradictory. Nothing was started.
    Config(ConfigError),
    /// The operating system gives no thread. Nothing was started.
    Thread(io::Error),
    /// No node serves. Nothing was done; the client, if there is one, recovers by itself.
    Unreachable {
        /// Every node, with what is wrong with it.
        nodes: Vec<NodeProblem>,
        /// For how long they were tried; `None` if a request found them out of reach.
        tried_for: Option<Duration>,
    },
    /// The cluster did not carry the request out; [`Failure`] tells what that means for the data.
    Failed(Failure),
    /// A key or a value is too long. Nothing was done.
    TooLong {
        /// `key` or `value`.
        what: &'static str,
        /// Its length in bytes.
        len: usize,
        /// The longest allowed.
        limit: usize,
    },
    /// A value could not be turned into JSON or back. With `set_json` nothing was done.
    Json {
        /// The key.
        key: String,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The loader of [`get_or_load`](super::Client::get_or_load) failed; all who waited for it get the same error.
    /// Nothing was stored.
    Load(Arc<dyn std::error::Error + Send + Sync>),
    /// The client's thread has ended. Only a bug ends it while there are handles.
    Closed,
    /// The cluster answered something else than was asked. A bug.
    Unexpected(String),
}

/// A node that cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeProblem {
    /// The node's id.
    pub id: String,
    /// Where it was sought.
    pub address: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Error {
    pub(super) fn unexpected(command: &str, answer: &Answer) -> Self {
        Self::Unexpected(format!("{command} was answered with {answer:?}"))
    }

    /// Whether the same request may succeed later without any change.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Failed(failure) => {
                !matches!(failure, Failure::TooLarge | Failure::NoVersions { .. })
            }
            _ => false,
        }
    }
}

impl NodeProblem {
    /// What is wrong with the node of this report; `None` if it serves.
    pub(super) fn of(report: &PeerReport) -> Option<Self> {
        let reason = match &report.last_failure {
            _ if report.is_up && report.state == memvault::replication::NodeState::Serving => {
                return None;
            }
            _ if report.is_up => {
                format!("it is up but does not serve yet: {}", report.state.name())
            }
            Some(reason) => reason.clone(),
            None if report.connects > 0 => "it has accepted the connection but not answered".into(),
            None => "no connection yet".into(),
        };
        Some(Self {
            id: report.id.clone(),
            address: report.address.clone(),
            reason,
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(error) => write!(f, "{error}"),
            Self::Config(error) => write!(f, "the cluster is misconfigured: {error}"),
            Self::Thread(error) => write!(f, "cannot start the client's thread: {error}"),
            Self::Unreachable { nodes, tried_for } => {
                write!(f, "none of {} nodes can be used", nodes.len())?;
                if let Some(time) = tried_for {
                    write!(f, " (tried for {} ms)", time.as_millis())?;
                }
                write!(f, "; check the addresses and that the nodes run:")?;
                nodes.iter().try_for_each(|node| write!(f, "\n  {node}"))
            }
            Self::Failed(failure) => write!(f, "{failure}"),
            Self::TooLong { what, len, limit } => {
                write!(
                    f,
                    "the {what} has {len} bytes; the longest allowed is {limit}"
                )
            }
            Self::Json { key, source } => write!(f, "JSON of key {key:?}: {source}"),
            Self::Load(error) => write!(f, "it could not be loaded: {error}"),
            Self::Closed => write!(f, "the client's thread has ended; make a new client"),
            Self::Unexpected(what) => write!(f, "internal error: {what}"),
        }
    }
}

impl fmt::Display for NodeProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.id == self.address {
            write!(f, "{}: {}", self.id, self.reason)
        } else {
            write!(f, "{} at {}: {}", self.id, self.address, self.reason)
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Address(error) => Some(error),
            Self::Config(error) => Some(error),
            Self::Thread(error) => Some(error),
            Self::Failed(failure) => Some(failure),
            Self::Json { source, .. } => Some(source),
            Self::Load(error) => Some(&**error),
            _ => None,
        }
    }
}

impl From<AddressError> for Error {
    fn from(error: AddressError) -> Self {
        Self::Address(error)
    }
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}
