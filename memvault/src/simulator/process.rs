//! One simulated process: a node, its clock, its life.

use alloc::format;
use alloc::vec::Vec;

use super::scenario::Scenario;
use crate::replication::{Config, Level, Levels, Member, Node, Now, Role};
use crate::store;
use crate::time::{Duration, Instant, Timestamp};

/// A member or a client's coordinator.
pub(super) struct Process {
    /// `None` while it is dead.
    pub(super) node: Option<Node>,
    pub(super) boot: u32,
    /// Its wall clock, relative to a common start.
    pub(super) wall_offset: Duration,
    /// A jump of its wall clock, in milliseconds.
    pub(super) jump_ms: i64,
    /// What it sends takes long before this.
    pub(super) slow_until: Instant,
    /// It does nothing before this.
    pub(super) paused_until: Instant,
    /// When it will be woken next.
    pub(super) wake_at: Option<Instant>,
}

/// Wall-clock time at the start of a simulation.
pub(super) const EPOCH_MS: u64 = 1_700_000_000_000;

impl Process {
    pub(super) const fn new() -> Self {
        Self {
            node: None,
            boot: 0,
            wall_offset: Duration::ZERO,
            jump_ms: 0,
            slow_until: Instant::ZERO,
            paused_until: Instant::ZERO,
            wake_at: None,
        }
    }

    /// Both kinds of time, as this process sees them.
    pub(super) fn now(&self, instant: Instant) -> Now {
        let since_start = instant.saturating_since(Instant::ZERO) + self.wall_offset;
        let millis = u64::try_from(since_start.as_millis()).unwrap_or(u64::MAX);
        Now {
            instant,
            wall: Timestamp::from_millis((EPOCH_MS + millis).saturating_add_signed(self.jump_ms)),
        }
    }

    /// Starts the process anew, without any memory of a former life.
    pub(super) fn start(
        &mut self,
        scenario: &Scenario,
        number: usize,
        boot: u32,
        seed: u64,
        instant: Instant,
    ) {
        let entries = store::Config {
            max_entries: scenario.max_entries,
            max_bytes: scenario.max_bytes,
            ..store::Config::default()
        };
        self.boot = boot;
        self.paused_until = Instant::ZERO;
        self.wake_at = None;
        self.node = Node::new(
            config(scenario, number),
            boot,
            seed,
            entries,
            self.now(instant),
        )
        .ok();
    }
}

/// The name of a process: the id of a member, or a client.
pub(super) fn process_name(scenario: &Scenario, number: usize) -> alloc::string::String {
    if number < scenario.nodes {
        member_id(number)
    } else {
        format!("client-{number}")
    }
}

/// The id of a member.
pub(super) fn member_id(number: usize) -> alloc::string::String {
    format!("{MEMBER}{number}")
}

/// The number of the member with this id or address.
pub(super) fn member_number(id: &str) -> Option<usize> {
    id.strip_prefix(MEMBER)?.parse().ok()
}

const MEMBER: &str = "node-";

/// The settings of a process.
pub(super) fn config(scenario: &Scenario, number: usize) -> Config {
    let members: Vec<_> = (0..scenario.nodes - scenario.spares)
        .map(|n| Member::new(member_id(n)))
        .collect();
    let role = if number < scenario.nodes {
        Role::Member(member_id(number))
    } else {
        Role::Coordinator(format!("client-{number}"))
    };
    Config {
        is_seed_list: (members.len()..scenario.nodes).contains(&number),
        join_patience: Duration::from_secs(2),
        replicas: scenario.replicas,
        on_ambiguous: scenario.on_ambiguous,
        floor_buckets: scenario.floor_buckets,
        warm_max: scenario.warm_max,
        tombstone_grace: scenario.tombstone_grace,
        #[cfg(test)]
        broken: scenario.broken,
        ..Config::new(members, role)
    }
}

/// The levels of a scenario's requests.
pub(super) const fn levels(scenario: &Scenario) -> Levels {
    let (write, read): (Level, Level) = (scenario.write_level, scenario.read_level);
    Levels { write, read }
}
