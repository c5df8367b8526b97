//! The source's part of a warm-up: hand out what the other side should hold, a bounded piece at a time.

use alloc::vec::Vec;

use super::Now;
use super::context::Context;
use super::entry::Entry;
use super::message::{NodeState, PullReply, PulledEntry};
use super::replica::{Replica, to_entry};
use super::rules::Rule;
use crate::ring::NodeIndex;
use crate::version::Version;

/// Slots looked at for one answer, so that it never holds up other work for long.
const MAX_SLOTS: usize = 512;
/// Bytes of keys and values after which an answer is full.
const MAX_BYTES: usize = 64 * 1024;

/// Answers a pull of the member `to`: the entries it should hold that are newer than `since`, from slot
/// `cursor` on. O(slots looked at).
pub(super) fn pull(
    cx: &Context,
    replica: &Replica,
    now: Now,
    to: NodeIndex,
    cursor: u32,
    since: u64,
) -> PullReply {
    // Until this node can reach the other, a write that it leads would miss it.
    let reaches = cx.peers.is_up(to) || !cx.rules.keep(Rule::SourcesReachTheirTaker);
    if replica.state == NodeState::Warming || !reaches {
        return PullReply::Loading;
    }
    let (mut entries, mut bytes, mut at) = (Vec::new(), 0, cursor);
    for _ in 0..MAX_SLOTS {
        let Some((held, next)) = replica.entries.scan(at) else {
            return PullReply::Chunk {
                entries,
                next: None,
                floors: replica.floors.raised().collect(),
            };
        };
        at = next;
        let version = held.meta.version.unwrap_or(Version::ZERO);
        if version.hlc() <= since || !cx.preference(held.key).contains(to) {
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
        next: Some(at),
        floors: Vec::new(),
    }
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
