//! The source's part of a warm-up: hand out what the other side should hold, a bounded piece at a time.

use alloc::vec::Vec;

use super::replica::{Replica, to_entry};
use crate::replication::Now;
use crate::replication::context::Context;
use crate::replication::entry::Entry;
use crate::replication::membership::preference::Preference;
use crate::replication::wire::message::{PullReply, PulledEntry};
use crate::ring::NodeIndex;
use crate::slot::{Slot, slot_of};
use crate::version::Version;

/// What is wanted, and from where on.
#[derive(Clone, Copy)]
pub(in crate::replication) struct Position {
    pub(in crate::replication) cursor: u32,
    pub(in crate::replication) since: u64,
    pub(in crate::replication) pending: bool,
}

/// Slots looked at for one answer: a client that asks meanwhile waits for that long, some 100 us.
const MAX_SLOTS: usize = 128;
/// Bytes of keys and values after which an answer is full.
const MAX_BYTES: usize = 16 * 1024;

/// Answers a pull of the member `to`, if this node is ready to be a source: the entries it should hold, or
/// should take over, that are newer than `since`, from slot `cursor` on. O(slots looked at).
///
/// Where something newer than `since` was forgotten, older entries are among them: what is not is what went.
pub(in crate::replication) fn pull(
    cx: &Context,
    (replica, is_source): (&Replica, bool),
    now: Now,
    to: NodeIndex,
    from: Position,
) -> PullReply {
    let Position {
        cursor,
        since,
        pending,
    } = from;
    // Until this node can reach the other, a write that it leads would miss it.
    if !is_source || !cx.peers.is_up(to) {
        return PullReply::Loading;
    }
    let should_hold = |list: &Preference| list.contains(to) && (!pending || list.is_pending(to));
    let (mut entries, mut bytes, mut at) = (Vec::new(), 0, cursor);
    let total = u32::try_from(replica.entries.len()).unwrap_or(u32::MAX);
    let mut looked_at = 0;
    for _ in 0..MAX_SLOTS {
        let Some((held, next)) = replica.entries.scan(at) else {
            return PullReply::Chunk {
                entries,
                looked_at,
                total,
                next: None,
                floors: forgotten(replica, since)
                    .filter(|(slot, _)| should_hold(cx.placement.at(*slot)))
                    .collect(),
            };
        };
        at = next;
        looked_at += 1;
        let version = held.meta.version.unwrap_or(Version::ZERO);
        if version.hlc() <= since && !has_forgotten(replica, held.key, since) {
            continue;
        }
        if !should_hold(&cx.preference(held.key)) {
            continue;
        }
        bytes += held.key.len() + held.value.len();
        entries.push(PulledEntry {
            key: held.key.into(),
            entry: without_expired_value(to_entry(&held), now),
            unconfirmed: held.meta.unconfirmed,
        });
        if bytes >= MAX_BYTES {
            break;
        }
    }
    PullReply::Chunk {
        entries,
        looked_at,
        total,
        next: Some(at),
        floors: Vec::new(),
    }
}

/// The floors that someone has to know who knows everything up to `since`.
fn forgotten(replica: &Replica, since: u64) -> impl Iterator<Item = (Slot, Version)> + '_ {
    let raised = replica.floors.raised();
    raised.filter(move |(_, floor)| since == 0 || is_of_late(*floor, since))
}

/// Whether a version newer than `since` was forgotten in the slot of `key`.
fn has_forgotten(replica: &Replica, key: &[u8], since: u64) -> bool {
    is_of_late(replica.floors.at(slot_of(key)), since)
}

/// Whether a floor is the version of a write after `since`. That of a start with too few sources is of no
/// write: it says what a node does not know, not what went.
fn is_of_late(floor: Version, since: u64) -> bool {
    floor.hlc() > since && floor.writer() != 0
}

/// An entry past its time counts as deleted, but its version still stands against older ones.
fn without_expired_value(entry: Entry, now: Now) -> Entry {
    if entry.is_live(now.wall) {
        entry
    } else {
        Entry {
            value: None,
            expire_at: None,
            ..entry
        }
    }
}
