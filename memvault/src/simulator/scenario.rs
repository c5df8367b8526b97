//! What is simulated: cluster, workload, faults.

use alloc::format;
use alloc::vec::Vec;

use super::faults::Faults;
use super::load::Load;
#[cfg(test)]
use crate::replication::Rule;
use crate::replication::{Level, OnAmbiguous};
use crate::rng::Rng;
use crate::time::Duration;

/// One simulated cluster and its workload.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Everything that looks like chance comes from here.
    pub seed: u64,
    /// Members, and nodes that wait to become members.
    pub nodes: usize,
    /// How many of the nodes are no members at the beginning.
    pub spares: usize,
    /// Clients, each a coordinator of its own with one request in flight.
    pub clients: usize,
    /// Different keys.
    pub keys: usize,
    /// Replicas per key.
    pub replicas: usize,
    /// Simulated time during which requests are made and faults happen. Another
    /// [`CALM`](super::CALM) follows, after which everything has to be at rest.
    pub duration: Duration,
    /// The members start one after the other within this time, in an order drawn from the seed; zero: all at once.
    pub starts_within: Duration,
    /// When the clients begin. Members serve after their warm-up; asking before that would only fail.
    pub first_request: Duration,
    /// Mean pause of a client between two requests.
    pub think: Duration,
    /// Requests that write, per thousand.
    pub writes: u64,
    /// Writes that delete, per thousand.
    pub deletes: u64,
    /// Requests that read, modify and write, per thousand: they increment counters and take locks.
    pub updates: u64,
    /// Requests that keep rows of a database in the cache, per thousand.
    pub loads: u64,
    /// Level of writes.
    pub write_level: Level,
    /// Level of reads.
    pub read_level: Level,
    /// What to do with writes of unknown fate.
    pub on_ambiguous: OnAmbiguous,
    /// Writes of a value that expires, per thousand.
    pub expiring: u64,
    /// Values that expire do so within this.
    pub ttl_max: Duration,
    /// How long a deletion is remembered.
    pub tombstone_grace: Duration,
    /// Requests that a member coordinates instead of the client itself, per thousand.
    pub through_members: u64,
    /// Most entries per member, so that evictions happen.
    pub max_entries: Option<usize>,
    /// Most bytes per member.
    pub max_bytes: Option<usize>,
    /// Hash tags of the clients' keys; those with one tag share a slot, its replicas and its floor.
    pub hash_tags: usize,
    /// How long a restarted member waits for peers out of reach.
    pub warm_max: Duration,
    /// What work costs, and what is asked for beside the clients; none: messages cost no time, and links have no width.
    pub load: Option<Load>,
    /// What goes wrong.
    pub faults: Faults,
    /// The rule that all nodes break.
    #[cfg(test)]
    pub(crate) broken: Option<Rule>,
}

impl Scenario {
    /// Whether small messages go before large ones on a link.
    #[allow(clippy::unused_self, reason = "only a test can break the rule")]
    pub(super) fn lets_small_pass(&self) -> bool {
        #[cfg(test)]
        return self.broken != Some(Rule::SmallBeforeLarge);
        #[cfg(not(test))]
        true
    }

    /// The name of a key. Those of the load are spread over all slots.
    pub(super) fn key_name(&self, key: usize) -> Vec<u8> {
        if key < self.keys {
            format!("{{{}}}key-{key}", key % self.hash_tags.max(1)).into_bytes()
        } else {
            format!("key-{key}").into_bytes()
        }
    }

    /// Keys of the clients and of the load.
    pub(super) fn all_keys(&self) -> usize {
        self.keys + self.load.map_or(0, |load| load.keys)
    }

    /// Five nodes, six clients, strict levels, no faults.
    #[must_use]
    pub const fn calm(seed: u64) -> Self {
        Self {
            seed,
            nodes: 5,
            spares: 0,
            clients: 6,
            keys: 10,
            replicas: 3,
            duration: Duration::from_secs(20),
            starts_within: Duration::ZERO,
            first_request: Duration::from_millis(1200),
            think: Duration::from_millis(8),
            writes: 400,
            deletes: 200,
            updates: 0,
            loads: 0,
            write_level: Level::Quorum,
            read_level: Level::Quorum,
            on_ambiguous: OnAmbiguous::Error,
            expiring: 0,
            ttl_max: Duration::from_millis(500),
            tombstone_grace: Duration::from_secs(600),
            through_members: 0,
            max_entries: None,
            max_bytes: None,
            hash_tags: 8,
            warm_max: Duration::from_secs(8),
            load: None,
            faults: Faults::none(),
            #[cfg(test)]
            broken: None,
        }
    }

    /// As [`calm`](Self::calm), with every fault.
    #[must_use]
    pub const fn stormy(seed: u64) -> Self {
        Self {
            faults: Faults::all(),
            ..Self::calm(seed)
        }
    }

    /// Three nodes, three keys, crashes as soon as all serve again: what goes wrong only while a member comes
    /// back goes wrong here soonest. Without deletions.
    #[must_use]
    pub const fn hasty(seed: u64) -> Self {
        let mut faults = Faults::all();
        faults.loss = 60;
        faults.straggle = 40;
        faults.crash_every = Some(Duration::from_millis(1300));
        faults.partition_every = Some(Duration::from_millis(900));
        faults.pause_every = Some(Duration::from_millis(1500));
        Self {
            nodes: 3,
            clients: 8,
            keys: 3,
            // Then the floors of the cold start lie in the past of every clock.
            first_request: Duration::from_millis(1700),
            think: Duration::from_millis(3),
            writes: 500,
            deletes: 0,
            faults,
            ..Self::calm(seed)
        }
    }

    /// Six nodes of which four are members at first; an operator adds and removes members all the time.
    /// Without deletions.
    #[must_use]
    pub const fn changing(seed: u64) -> Self {
        let mut faults = Faults::all();
        faults.change_every = Some(Duration::from_millis(1500));
        Self {
            nodes: 6,
            spares: 2,
            duration: Duration::from_secs(30),
            first_request: Duration::from_millis(1700),
            deletes: 0,
            faults,
            ..Self::calm(seed)
        }
    }

    /// As [`stormy`](Self::stormy), with a cluster, a workload and a memory limit drawn from the seed.
    #[must_use]
    pub fn varied(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut between =
            |low: usize, high: usize| low + rng.below((high - low) as u64 + 1) as usize;
        let nodes = between(1, 7);
        let keys = between(2, 30);
        Self {
            nodes,
            clients: between(2, 9),
            keys,
            replicas: between(1, 5),
            think: Duration::from_millis(between(1, 20) as u64),
            writes: between(100, 900) as u64,
            deletes: between(0, 500) as u64,
            max_entries: (between(0, 1) == 0).then_some(between(1, keys)),
            hash_tags: 1 << between(0, 8),
            warm_max: Duration::from_millis(between(500, 8000) as u64),
            ..Self::stormy(seed)
        }
    }

    /// As [`varied`](Self::varied), with every fault, its strength drawn from the seed as well.
    #[must_use]
    pub fn wild(seed: u64) -> Self {
        let mut rng = Rng::new(!seed);
        Self {
            expiring: if rng.one_in_thousand(500) { 300 } else { 0 },
            tombstone_grace: Duration::from_millis(1 + rng.below(500)),
            through_members: rng.below(500),
            faults: Faults::drawn(&mut rng),
            ..Self::varied(seed)
        }
    }
}
