//! How a node is set up: members, replicas, levels, time limits.

mod check;
mod error;

pub use error::ConfigError;
pub(super) use error::NoVersions;

use alloc::string::String;
use alloc::vec::Vec;

#[cfg(test)]
use super::rules::Rule;
use crate::consistency::Level;
use crate::time::Duration;

/// More than half of `replicas`.
#[must_use]
pub const fn quorum(replicas: usize) -> usize {
    replicas / 2 + 1
}

/// How many replicas a reader must hear so that one of every write quorum is among them.
pub(crate) const fn read_quorum(replicas: usize) -> usize {
    replicas - quorum(replicas) + 1
}

/// What to do with a write of unknown fate that was overtaken.
///
/// Complete: it is written once more, or it is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnAmbiguous {
    /// Write again under a new version: it may become visible twice.
    #[default]
    Rewrite,
    /// Answer [`Failure::Indeterminate`](super::Failure::Indeterminate): strictly linearizable.
    Error,
}

impl OnAmbiguous {
    /// The name, as users write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rewrite => "rewrite",
            Self::Error => "error",
        }
    }
}

impl Config {
    /// Largest weight of a member. A member of weight 64 has nearly all keys beside four of weight 1. Each unit is 256
    /// virtual nodes, all of which are placed anew when the members change: with this some 30 ms, which no request
    /// notices; 1000 took over a second, in which all of them failed.
    pub const MAX_WEIGHT: u32 = 64;
    /// Largest sum of all weights, unless there are more members than this, each of weight 1.
    pub const MAX_TOTAL_WEIGHT: u32 = 256;

    /// What is wrong with the weights of these members, if anything is.
    pub(super) fn bad_weights<'a>(members: impl Iterator<Item = &'a Member>) -> bool {
        let (mut sum, mut count) = (0_u64, 0_u64);
        for member in members {
            if !(1..=Self::MAX_WEIGHT).contains(&member.weight) {
                return true;
            }
            sum += u64::from(member.weight);
            count += 1;
        }
        sum > count.max(u64::from(Self::MAX_TOTAL_WEIGHT))
    }
}

/// The weights that are allowed, for errors.
pub(super) const WEIGHTS: &str =
    "weights are 1 to 64, and all together at most 256 unless each is 1";

/// One member of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name on the ring; decides where keys go, so it must be the same in every process.
    pub id: String,
    /// Its share of the ring, relative to the others: 1 to [`Config::MAX_WEIGHT`].
    pub weight: u32,
    /// Where it is reached, in whatever form the driver understands; not looked at here.
    pub address: String,
}

impl Member {
    /// A member of weight 1 whose id is its address.
    pub fn new(id: impl Into<String>) -> Self {
        let id = id.into();
        Self {
            address: id.clone(),
            id,
            weight: 1,
        }
    }
}

/// The part that a node plays.
///
/// Complete: a node has data or has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// Holds data: the member with this id.
    Member(String),
    /// Coordinates only, under this name.
    Coordinator(String),
}

/// The settings of a [`Node`](super::Node). All times have the defaults of the protocol.
#[derive(Clone, Debug)]
pub struct Config {
    /// The members, in any order; the same in every process that is started with them.
    pub members: Vec<Member>,
    /// Whether `members` only says whom to ask for the member list: for a node that waits for being added, or
    /// finds that it is a member, and for a coordinator, which calls these again when it has lost everyone.
    pub is_seed_list: bool,
    /// The part that this node plays.
    pub role: Role,
    /// Replicas per key; 1 to [`MAX_REPLICAS`](Self::MAX_REPLICAS), default 3.
    pub replicas: usize,
    /// Default level of writes.
    pub write_level: Level,
    /// Default level of reads.
    pub read_level: Level,
    /// What to do with a write of unknown fate.
    pub on_ambiguous: OnAmbiguous,
    /// A request that takes longer fails; default 1 s. The same in all members, and no longer in coordinators.
    pub op_deadline: Duration,
    /// Silence of a leader after which a write goes to the next replica; default 100 ms.
    pub write_attempt: Duration,
    /// Silence of a replica after which a read goes to the next; default 30 ms.
    pub read_attempt: Duration,
    /// Time between two signs of life on a link; default 100 ms.
    pub heartbeat: Duration,
    /// Silence after which a node is no longer chosen; default 400 ms, above `heartbeat`.
    pub suspect_after: Duration,
    /// Silence after which a link is closed; default 1.5 s, above `suspect_after`.
    pub down_after: Duration,
    /// Pings per second that a node sends at most to members that answer, all together; default 1000. Where
    /// `heartbeat` would take more, as with more than 100 others, pings are further apart, and `suspect_after`
    /// and `down_after` are longer by the difference. A member that owes an answer is always pinged at
    /// `heartbeat`, and one that does not serve, but that requests wait for, ten times as often as the others.
    pub ping_rate: u64,
    /// Longest wait before a new connection attempt; default 500 ms. Together with the time that an attempt may
    /// take it should be below [`warm_delay`](Self::warm_delay), by more than the 25 ms between two looks at the time:
    /// then nodes that look for a restarted member have reached it before it serves, and nobody is left to whom it is
    /// still away when the next one fails.
    pub reconnect_max: Duration,
    /// After a change of leader, reads at ONE ask a quorum for this long; default 1 s.
    pub settle: Duration,
    /// How long a restarted member waits for peers that it cannot reach; default 10 s.
    pub warm_max: Duration,
    /// How long a node that is joining may be out of reach before the attempt is given up; default 30 s.
    pub join_patience: Duration,
    /// Bytes of keys and values per second that a node fetches at most when it starts or takes keys over;
    /// default 200 MiB.
    pub fetch_rate: u64,
    /// Keys per second of which a member that is nearly full tells each follower that it served them, so that
    /// they are not evicted there; default 256, 0 for none.
    pub max_touches: usize,
    /// How long a deletion is remembered; default 10 min.
    pub tombstone_grace: Duration,
    /// The share of a member's limits of bytes and entries that deletions may take, in percent; default 5.
    /// Beyond it the oldest are forgotten before their time.
    pub max_tombstones: u8,
    /// Whether the members are servers that speak plain Redis, such as redis-server, and not nodes of our own;
    /// default `false`. Only for a coordinator, and only at the levels ONE and AUTO, which then mean the
    /// same: such servers keep no versions. The same in every process.
    pub plain_redis: bool,
    /// Keys of one caller that are under way or wait, above which no more is taken from it; default 65 536. A request
    /// with more keys than that is refused in any case.
    pub max_requests: usize,
    /// Keys under way at a time for each member that comes first for them; default 128. Further ones wait. It is the
    /// most: a member that answers late gets fewer.
    pub max_in_flight: usize,
    /// Bytes of keys and values under way at a time for each such member, and for each caller with all members
    /// together; default 32 MiB. One key is let through in any case.
    pub max_in_flight_bytes: usize,
    /// Keys that wait for their turn, of all callers together, above which a request is refused; default 1 048 576.
    pub max_waiting: usize,
    /// The same for the bytes of keys and values; default 256 MiB.
    pub max_waiting_bytes: usize,
    /// How long a caller waits for its turn before its request is refused; default 500 ms. Below `op_deadline`. Where
    /// somebody has been waiting for longer than that without a break, it is a fifth of it.
    pub max_wait: Duration,
    /// Versions remembered after their entry was overwritten, and as many refused ones; default 65 536.
    pub max_versions: usize,
    /// The rule that a test breaks.
    #[cfg(test)]
    pub(crate) broken: Option<Rule>,
}

impl Config {
    /// The most replicas a key can have.
    pub const MAX_REPLICAS: usize = 8;

    /// The default settings for these members and this role.
    #[must_use]
    pub fn new(members: Vec<Member>, role: Role) -> Self {
        Self {
            members,
            is_seed_list: false,
            role,
            replicas: 3,
            write_level: Level::Auto,
            read_level: Level::Auto,
            on_ambiguous: OnAmbiguous::Rewrite,
            op_deadline: Duration::from_secs(1),
            write_attempt: Duration::from_millis(100),
            read_attempt: Duration::from_millis(30),
            heartbeat: Duration::from_millis(100),
            suspect_after: Duration::from_millis(400),
            down_after: Duration::from_millis(1500),
            ping_rate: 1000,
            reconnect_max: Duration::from_millis(500),
            settle: Duration::from_secs(1),
            warm_max: Duration::from_secs(10),
            join_patience: Duration::from_secs(30),
            fetch_rate: 200 << 20,
            max_touches: 256,
            tombstone_grace: Duration::from_secs(600),
            max_tombstones: 5,
            plain_redis: false,
            max_requests: 65_536,
            max_in_flight: 128,
            max_in_flight_bytes: 32 << 20,
            max_waiting: 1 << 20,
            max_waiting_bytes: 256 << 20,
            max_wait: Duration::from_millis(500),
            max_versions: 65_536,
            #[cfg(test)]
            broken: None,
        }
    }

    /// How long a restarted member waits before it asks for data: until no leader can still count an
    /// acknowledgement of its former life, and its floor of a cold start lies in the past.
    #[must_use]
    pub fn warm_delay(&self) -> Duration {
        let floor_in_the_past = Duration::from_millis(2 * crate::version::Hlc::MAX_SKEW_MS);
        self.op_deadline.max(floor_in_the_past) + Duration::from_millis(50)
    }
}
