//! The one accept rule: every path that stores an entry (write, replication, repair, catching up) comes
//! through here.

use super::Now;
use super::entry::Entry;
use super::message::{NodeState, OfferKind, OfferReply, Refusal};
use super::replica::Replica;
use crate::hash::token;
use crate::version::{Hlc, Version};

/// What stands against a new tag for a key.
struct Present {
    /// The version held, or the floor where nothing is held.
    current: Version,
    /// Whether `current` is held for certain.
    held: bool,
    /// The version of the entry that is here, confirmed or not.
    version: Option<Version>,
    /// Whether exactly this tag may be stored again: it is here, but unconfirmed.
    confirmable: Option<Version>,
}

impl Replica {
    /// Accepts or refuses one version of a key. O(1), apart from evictions to make room.
    ///
    /// - A tag seen before is acknowledged again, even if overwritten since: retries are idempotent.
    /// - An older tag is refused, and a refusal of a write is for ever (within the window of retries).
    /// - What may be older than something forgotten is refused as well.
    pub(crate) fn offer(
        &mut self,
        now: Now,
        key: &[u8],
        entry: &Entry,
        kind: OfferKind,
        base: Option<Version>,
    ) -> OfferReply {
        let counted = self.state != NodeState::Warming;
        let tag = entry.version;
        if !Hlc::is_believable(tag.hlc(), now.wall) {
            return refuse(Version::ZERO, false, counted, Refusal::Skew);
        }
        if kind == OfferKind::Fence && !counted {
            return OfferReply::Silent;
        }
        self.purge(now, key);
        let present = self.present(key);
        if present.held && present.current == tag || self.accepted.contains(tag) {
            return OfferReply::Ack { counted };
        }
        if kind == OfferKind::Fence {
            self.refused.insert(now.instant, tag);
        }
        let stale = refuse(present.current, present.held, counted, Refusal::Stale);
        if self.refused.contains(tag) {
            return stale;
        }
        let base_holds =
            base.is_none_or(|base| present.version.is_none_or(|version| version <= base));
        if base_holds && (tag > present.current || present.confirmable == Some(tag)) {
            return match self.store(now, key, entry, false) {
                Ok(()) => OfferReply::Ack { counted },
                Err(_) => refuse(present.current, present.held, counted, Refusal::TooLarge),
            };
        }
        if kind == OfferKind::Write {
            self.refused.insert(now.instant, tag);
        }
        stale
    }

    fn present(&self, key: &[u8]) -> Present {
        let floor = self.floors.at(token(key));
        let Some(held) = self.entries.peek(key) else {
            return Present {
                current: floor,
                held: false,
                version: None,
                confirmable: None,
            };
        };
        let version = held.meta.version.unwrap_or(Version::ZERO);
        if held.meta.unconfirmed {
            let confirmable = (version > floor).then_some(version);
            return Present {
                current: version.max(floor),
                held: false,
                version: Some(version),
                confirmable,
            };
        }
        Present {
            current: version,
            held: true,
            version: Some(version),
            confirmable: None,
        }
    }
}

const fn refuse(current: Version, held: bool, counted: bool, refusal: Refusal) -> OfferReply {
    OfferReply::Nack {
        current,
        held,
        counted,
        refusal,
    }
}
