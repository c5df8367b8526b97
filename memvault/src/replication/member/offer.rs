//! The one accept rule: every path that stores an entry (write, replication, repair, catching up) comes
//! through here.

use super::replica::Replica;
use crate::hash::token;
use crate::replication::Now;
use crate::replication::entry::Entry;
use crate::replication::rules::Rule;
use crate::replication::wire::message::{NodeState, OfferKind, OfferReply, Refusal};
use crate::slot::slot_of;
use crate::version::{Hlc, Version};

/// What stands against a new version for a key.
pub(in crate::replication) struct Present {
    /// The version held, or the floor where nothing is held.
    pub(in crate::replication) current: Version,
    /// Whether `current` is held for certain.
    held: bool,
    /// Whether exactly this version may be stored again: it is here, but unconfirmed.
    confirmable: Option<Version>,
    /// The version of the entry that is here, if it is unconfirmed.
    doubted: Option<Version>,
}

impl Replica {
    /// Accepts or refuses one version of a key. O(1), apart from evictions to make room.
    ///
    /// - A version seen before is acknowledged again, even if overwritten since: retries are idempotent.
    /// - An older version is refused, and a refusal of a write is for ever (within the window of retries).
    /// - What may be older than something forgotten is refused as well.
    /// - What is older than a [promise](super::promises) is refused. Where only a lease is in the way of a deletion,
    ///   what it deletes goes all the same: others may have acknowledged it, and the lease may never be used.
    pub(crate) fn offer(
        &mut self,
        now: Now,
        key: &[u8],
        entry: &Entry,
        kind: OfferKind,
    ) -> OfferReply {
        let warming = self.state == NodeState::Warming;
        self.offer_as(warming, now, key, entry, kind)
    }

    /// As [`offer`](Self::offer); `warming` is whether this node has yet to fetch what it should hold of the
    /// key.
    pub(in crate::replication) fn offer_as(
        &mut self,
        warming: bool,
        now: Now,
        key: &[u8],
        entry: &Entry,
        kind: OfferKind,
    ) -> OfferReply {
        let rules = self.rules;
        let counted = !warming || !rules.keep(Rule::WarmingDoesNotCount);
        let version = entry.version;
        if !Hlc::is_believable(version.hlc(), now.wall) && rules.keep(Rule::FutureIsRefused) {
            return refuse(Version::ZERO, false, counted, Refusal::Skew);
        }
        if kind == OfferKind::Fence && !counted {
            return OfferReply::Silent;
        }
        self.purge(now, key);
        let present = self.present(key, kind);
        let accepted =
            self.accepted.contains(version) && rules.keep(Rule::AcceptedVersionsAreRemembered);
        if present.held && present.current == version || accepted {
            return OfferReply::Ack { counted };
        }
        let stale = refuse(present.current, present.held, counted, Refusal::Stale);
        if kind == OfferKind::Fence {
            self.refused.insert(now.instant, version);
            return stale;
        }
        if self.refused.contains(version) && rules.keep(Rule::RefusedVersionsAreRemembered) {
            return stale;
        }
        let is_write = matches!(kind, OfferKind::Write | OfferKind::Fill);
        let updated = self.promises.at(token(key));
        let promised = match kind {
            OfferKind::Fill => updated,
            _ => self.promised(token(key)),
        };
        if version < promised && rules.keep(Rule::PromisesAreKept) {
            if is_write {
                self.refused.insert(now.instant, version);
            }
            if entry.value.is_none() && version >= updated && version > present.current {
                // As if it had been stored and evicted; but it must not be acknowledged when it comes again.
                self.forget_up_to(now, key, version);
            }
            let current = promised.max(present.current);
            return refuse(current, false, counted, Refusal::Promised);
        }
        if version > present.current || present.confirmable == Some(version) {
            return match self.store(now, key, entry, false) {
                Ok(()) => OfferReply::Ack { counted },
                Err(_) => refuse(present.current, present.held, counted, Refusal::TooLarge),
            };
        }
        if is_write {
            if !rules.keep(Rule::OlderVersionsAreRefused) {
                return OfferReply::Ack { counted };
            }
            self.refused.insert(now.instant, version);
        }
        if present.doubted.is_some_and(|doubted| doubted < version) {
            // Neither is certain; the newer one is what a read at ONE should find.
            let _ = self.store(now, key, entry, true);
        }
        stale
    }

    pub(in crate::replication) fn present(&self, key: &[u8], kind: OfferKind) -> Present {
        let mut floor = self.floors.at(slot_of(key));
        if kind == OfferKind::Repair && !self.rules.keep(Rule::RepairsRespectFloors) {
            floor = Version::ZERO;
        }
        let Some(held) = self.entries.peek(key) else {
            return Present {
                current: floor,
                held: false,
                confirmable: None,
                doubted: None,
            };
        };
        let version = held.meta.version.unwrap_or(Version::ZERO);
        if held.meta.unconfirmed {
            let confirmable = (version > floor).then_some(version);
            return Present {
                current: version.max(floor),
                held: false,
                confirmable,
                doubted: Some(version),
            };
        }
        Present {
            current: version,
            held: true,
            confirmable: None,
            doubted: None,
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
