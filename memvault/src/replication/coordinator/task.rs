//! What to do with one key.

use crate::command::Update;
use crate::replication::entry::Bytes;
use crate::replication::request::Lease;
use crate::time::Timestamp;

/// What to do with one key.
#[derive(Clone, Debug)]
pub(super) enum Task {
    Get,
    Exists,
    Expiry,
    Set {
        value: Bytes,
        expire_at: Option<Timestamp>,
    },
    Delete,
    Update(Update<Bytes>),
    /// The value, or leave to fill it in.
    Lease,
    Fill {
        value: Bytes,
        expire_at: Option<Timestamp>,
        lease: Lease,
    },
}

impl Task {
    /// Bytes that it brings along beside the key.
    pub(super) fn value_len(&self) -> usize {
        match self {
            Self::Set { value, .. } | Self::Fill { value, .. } => value.len(),
            Self::Update(update) => update.brought().map_or(0, |bytes| bytes.len()),
            Self::Get | Self::Exists | Self::Expiry | Self::Delete | Self::Lease => 0,
        }
    }

    /// Whether its answer has the value.
    pub(super) const fn is_read(&self) -> bool {
        matches!(self, Self::Get | Self::Exists | Self::Expiry | Self::Lease)
    }
}

/// What replicas are asked for beside what they hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AsksFor {
    Nothing,
    /// [`Prepare::Update`](crate::replication::wire::message::Prepare::Update)
    Promises,
    /// [`Prepare::Fill`](crate::replication::wire::message::Prepare::Fill)
    Leases,
}
