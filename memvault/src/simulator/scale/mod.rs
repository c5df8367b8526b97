//! How a cluster grows: what every member has to know, say and do when there are a thousand of them.
//!
//! [`share_keys`] asks the ring alone, for millions of keys. [`measure`] runs the real nodes, every one with
//! links to all members, over a network without faults, then kills one and unplugs another.

mod keys;
mod swarm;

use alloc::vec::Vec;
use core::fmt;

pub use keys::{Load, Shares, share_keys};

use crate::time::Duration;
use swarm::Swarm;

/// How large a cluster is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// Members; at least 3, one to kill, one to unplug and one to notice it.
    pub members: usize,
    /// Coordinators that hold no data.
    pub clients: usize,
    /// Replicas per key.
    pub replicas: usize,
    /// Decides start times and the time that each message takes.
    pub seed: u64,
}

/// What [`measure`] has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Growth {
    /// From the start of all processes until all members serve and all links are up.
    pub ready: Duration,
    /// Messages that a member sends per second when nothing is asked, on average over the members.
    pub messages: u64,
    /// Bytes of these messages, without the headers of TCP and IP.
    pub bytes: u64,
    /// Connections that a member has, those opened by others included; on average.
    pub connections: u64,
    /// Bytes of the ring.
    pub ring_bytes: u64,
    /// Bytes of what a member knows of the others; see [`Node::view_bytes`](crate::replication::Node::view_bytes).
    pub view_bytes: u64,
    /// From the death of a member until others take it for down, its connections being reset.
    pub killed: Noticed,
    /// From the moment a member is unplugged until others choose it no more.
    pub suspected: Noticed,
    /// From the moment a member is unplugged until others close the link.
    pub down: Noticed,
    /// Events of the simulation.
    pub events: u64,
}

/// When something was noticed: one time for each process that noticed it, in ascending order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Noticed {
    /// By the other members.
    pub members: Vec<Duration>,
    /// By the clients.
    pub clients: Vec<Duration>,
}

/// Why a measurement came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScaleError {
    /// Fewer than three members, more than a ring holds, or a number of replicas that no cluster has.
    BadScale,
    /// The cluster did not become ready within [`PATIENCE`].
    NotReady,
}

impl fmt::Display for ScaleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadScale => f.write_str("expected at least 3 members and at most 8 replicas"),
            Self::NotReady => write!(
                f,
                "not all members served within {PATIENCE:?} of simulated time"
            ),
        }
    }
}

impl core::error::Error for ScaleError {}

/// Simulated time within which a cluster must be ready.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a cluster of this size without requests. Deterministic.
///
/// Costs about two million events per simulated second of a cluster of 1000 members, and most of a megabyte of
/// memory for each member.
///
/// # Errors
/// See [`ScaleError`].
pub fn measure(scale: &Scale) -> Result<Growth, ScaleError> {
    let mut swarm = Swarm::start(scale)?;
    let mut growth = Growth {
        ready: swarm.run_until_ready()?,
        ..Growth::default()
    };
    swarm.measure_rest(&mut growth);
    swarm.kill(KILLED);
    swarm.run_for(Duration::from_millis(100));
    growth.killed = swarm.noticed_down();
    swarm.unplug(UNPLUGGED);
    swarm.run_for(swarm.down_after() + Duration::from_millis(500));
    growth.suspected = swarm.noticed_silence();
    growth.down = swarm.noticed_down();
    growth.events = swarm.events();
    Ok(growth)
}

impl Noticed {
    /// The time after which this share of the members, in percent, had noticed; `None` if not that many did.
    #[must_use]
    pub fn by_members(&self, percent: usize) -> Option<Duration> {
        quantile(&self.members, percent)
    }

    /// The same of the clients.
    #[must_use]
    pub fn by_clients(&self, percent: usize) -> Option<Duration> {
        quantile(&self.clients, percent)
    }
}

/// The nearest-rank percentile of an ascending list.
fn quantile(sorted: &[Duration], percent: usize) -> Option<Duration> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

/// The number of the member that is killed.
const KILLED: usize = 0;
/// The number of the member that is unplugged.
const UNPLUGGED: usize = 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(members: usize) -> Scale {
        Scale {
            members,
            clients: 2,
            replicas: 3,
            seed: 1,
        }
    }

    #[test]
    fn a_death_is_noticed_by_everyone_and_rest_costs_what_the_heartbeat_says() {
        let growth = measure(&cluster(8)).expect("it becomes ready");
        for noticed in [&growth.killed, &growth.suspected, &growth.down] {
            // One is dead before another is unplugged.
            assert!((6..=7).contains(&noticed.members.len()), "{noticed:?}");
            assert_eq!(noticed.clients.len(), 2);
        }
        let longest = |noticed: &Noticed| noticed.by_members(100).expect("not empty");
        assert!(
            longest(&growth.killed) <= Duration::from_millis(3),
            "{growth:?}"
        );
        let suspected = longest(&growth.suspected);
        assert!(suspected > Duration::from_millis(300), "{suspected:?}");
        assert!(suspected < Duration::from_millis(600), "{suspected:?}");
        // Processes do not beat in step, so that some notice sooner than others.
        let soonest = growth.suspected.members.first().expect("not empty");
        assert!(
            suspected - *soonest > Duration::from_millis(10),
            "{growth:?}"
        );
        assert!(longest(&growth.down) > Duration::from_secs(1));
        assert!(longest(&growth.down) < Duration::from_secs(2));

        // Seven pings to the others, and an answer to each of nine, ten times a second.
        assert!((140..=160).contains(&growth.messages), "{growth:?}");
        // Both directions with each of seven members, and one from each client.
        assert_eq!(growth.connections, 16);
        assert!(growth.ring_bytes >= 8 * 256 * 20 && growth.view_bytes > 0);
        assert_eq!(growth, measure(&cluster(8)).expect("the same again"));
    }

    #[test]
    fn too_small_a_cluster_is_refused() {
        assert_eq!(measure(&cluster(2)), Err(ScaleError::BadScale));
        let greedy = Scale {
            replicas: 99,
            ..cluster(3)
        };
        assert_eq!(measure(&greedy), Err(ScaleError::BadScale));
    }

    #[test]
    fn keys_are_shared_and_only_those_of_a_newcomer_move() {
        let shares = share_keys(10, 3, 20_000).expect("a ring");
        assert_eq!((shares.leads.mean, shares.holds.mean), (2000.0, 6000.0));
        assert!(
            shares.leads.p95 <= shares.leads.max && shares.leads.max < 2600,
            "{shares:?}"
        );
        assert!(shares.holds.max < 7000, "{shares:?}");
        // An eleventh node should get one part in eleven.
        assert!((1500..2200).contains(&shares.leaders_moved), "{shares:?}");
        assert!((4800..6100).contains(&shares.copies_moved), "{shares:?}");
    }

    #[test]
    fn percentiles_are_nearest_ranks() {
        let times: Vec<_> = (1..=10).map(Duration::from_millis).collect();
        assert_eq!(quantile(&times, 50), Some(Duration::from_millis(5)));
        assert_eq!(quantile(&times, 99), Some(Duration::from_millis(10)));
        assert_eq!(quantile(&[], 50), None);
    }
}
