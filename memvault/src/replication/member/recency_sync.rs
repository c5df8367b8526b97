//! Which keys a leader has served: its followers are told, so that their order of use is like its own.
//!
//! A read at ONE touches the leader alone. Without a word about it a follower would evict the keys that are
//! read most, as soon as they were not written for a while, and all of them would be misses once it leads.
//! The leader samples the keys of its answers and tells each follower once a second. Nobody answers, nothing
//! depends on it: what is lost costs a hit at most.
//!
//! Only a node that is [nearly full](crate::store::Entries::is_nearly_full) does so: where nobody has to make
//! room, the order of use does not matter.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::mem;

use crate::replication::Now;
use crate::replication::context::Context;
use crate::replication::entry::Bytes;
use crate::replication::wire::message::{Body, NodeState};
use crate::ring::NodeIndex;
use crate::rng::Rng;
use crate::time::{Duration, Instant};

/// A uniform sample of the keys that this node has served since it told the others last.
pub(in crate::replication) struct RecencySync {
    /// Invariant: no more keys than [`room`](Self::room) says.
    sample: Vec<Bytes>,
    /// Keys served, whether in the sample or not.
    served: u64,
    rng: Rng,
    tell_at: Instant,
}

/// How often followers are told.
const PERIOD: Duration = Duration::from_secs(1);
/// Longer keys are not told of: the sample is to stay small.
const LONGEST_KEY: usize = 1024;
/// Keys told of in one message, which is thus no longer than 256 KiB and a little.
const KEYS_PER_MESSAGE: usize = 256;

impl RecencySync {
    pub(in crate::replication) const fn new(rng: Rng) -> Self {
        Self {
            sample: Vec::new(),
            served: 0,
            rng,
            tell_at: Instant::ZERO,
        }
    }

    /// Notes that a reader got the value of `key` from this node. O(1).
    pub(in crate::replication) fn note(&mut self, cx: &Context, key: &[u8]) {
        let room = Self::room(cx);
        if room == 0 || key.len() > LONGEST_KEY {
            return;
        }
        // Vitter's algorithm R (1985): each key served is in the sample with the same probability.
        self.served += 1;
        if self.sample.len() < room {
            return self.sample.push(key.into());
        }
        let at = usize::try_from(self.rng.below(self.served)).unwrap_or(usize::MAX);
        if let Some(place) = self.sample.get_mut(at) {
            *place = key.into();
        }
    }

    /// Most keys of a sample: each goes to as many followers as a key has, so that together they get what
    /// [`Config::max_touches`](crate::replication::Config::max_touches) allows each.
    fn room(cx: &Context) -> usize {
        let others = cx.membership.members.len().saturating_sub(1);
        let replicas = usize::from(cx.membership.replicas).saturating_sub(1);
        let room = cx.config.max_touches.saturating_mul(others);
        room.checked_div(replicas.min(others)).unwrap_or(0)
    }

    /// Tells the followers, if it is time.
    pub(in crate::replication) fn tell(&mut self, cx: &mut Context, now: Now) {
        if now.instant < self.tell_at {
            return;
        }
        self.tell_at = now.instant + PERIOD;
        self.served = 0;
        let mut sample = mem::take(&mut self.sample);
        sample.sort_unstable();
        sample.dedup();
        for (follower, keys) in batches(cx, now, &sample) {
            cx.statistics.touches_sent += keys.len() as u64;
            for keys in keys.chunks(KEYS_PER_MESSAGE) {
                let keys = keys.into();
                cx.send(follower, 0, Body::Touch { keys });
            }
        }
    }
}

/// What each follower is told: of the keys that this node leads, those that it holds as well.
fn batches(cx: &Context, now: Now, sample: &[Bytes]) -> BTreeMap<NodeIndex, Vec<Bytes>> {
    let serves = |node| cx.peers.is_live(node) && cx.peers.state(node) == Some(NodeState::Serving);
    let mut batches: BTreeMap<NodeIndex, Vec<Bytes>> = BTreeMap::new();
    for key in sample {
        let list = cx.preference(key);
        let replicas = list.leaders().iter().copied();
        let mut fit = replicas
            .clone()
            .filter(|node| cx.peers.may_lead(now.instant, *node));
        if fit.next() != cx.me {
            continue;
        }
        for follower in replicas.filter(|node| cx.me != Some(*node) && serves(*node)) {
            let batch = batches.entry(follower).or_default();
            if batch.len() < cx.config.max_touches {
                batch.push(Bytes::clone(key));
            }
        }
    }
    batches
}
