//! What every message has to fulfil: asserted where one is sent, looked at where one comes in.

use super::message::{Body, Hello, OfferKind, PullReply, ReadReply, Write};
use crate::replication::entry::Entry;
use crate::version::Version;

impl Body {
    /// Why nobody who keeps to the protocol sends this, if nobody does. O(entries).
    ///
    /// A member list has [a look of its own](crate::replication::Event::BadMemberList), as people write it.
    #[must_use]
    pub fn flaw(&self) -> Option<&'static str> {
        let (is_sound, flaw) = match self {
            Self::Hello(hello) => return flaw_of_hello(hello),
            Self::Write(write) => return flaw_of_write(write),
            Self::Offer { entry, kind, .. } => {
                let is_bare = *kind != OfferKind::Fence || entry.value.is_none();
                (
                    is_bare && has_version(entry),
                    "an offer without a version, or a fence with a value",
                )
            }
            Self::Read { promise, .. } => (
                promise.is_none_or(|promise| promise.version() > Version::ZERO),
                "a promise is asked for without a version",
            ),
            Self::Held(ReadReply::Holds {
                entry, unconfirmed, ..
            }) => (
                entry.as_ref().map_or(!unconfirmed, has_version),
                "an entry without a version, or doubt about nothing",
            ),
            Self::Pulled(PullReply::Chunk {
                entries,
                looked_at,
                total,
                ..
            }) => (
                looked_at <= total && entries.iter().all(|pulled| has_version(&pulled.entry)),
                "an entry without a version, or more looked at than there is",
            ),
            Self::Flush { version } => (*version > Version::ZERO, "a flush without a version"),
            Self::Propose { number, .. } => (*number > 0, "a proposal without a number"),
            _ => return None,
        };
        (!is_sound).then_some(flaw)
    }
}

fn flaw_of_hello(hello: &Hello) -> Option<&'static str> {
    if hello.node_id.is_empty() {
        Some("a greeting without a name")
    } else if hello.replicas == 0 || hello.op_deadline_ms == 0 {
        Some("a greeting without replicas, or without time for a request")
    } else {
        None
    }
}

fn flaw_of_write(write: &Write) -> Option<&'static str> {
    if !has_version(&write.entry) {
        Some("a write without a version")
    } else if write.need == 0 || write.next_need == 0 {
        Some("a write that nobody is to have")
    } else if write.is_fill && write.entry.value.is_none() {
        Some("a fill that deletes")
    } else {
        None
    }
}

fn has_version(entry: &Entry) -> bool {
    entry.version > Version::ZERO
}
