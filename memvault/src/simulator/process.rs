//! One simulated process: a node, its clock, its life.

use alloc::format;
use alloc::vec::Vec;

use super::scenario::Scenario;
use super::server::Server;
use crate::replication::{Config, Level, Levels, Member, Node, Now, Role};
use crate::ring::NodeIndex;
use crate::store;
use crate::time::{Duration, Instant, Timestamp};

/// A member or a client's coordinator.
pub(super) struct Process {
    /// `None` while it is dead.
    pub(super) node: Option<Node>,
    pub(super) incarnation: u32,
    /// Its wall clock, relative to a common start.
    pub(super) wall_offset: Duration,
    /// A jump of its wall clock, in milliseconds.
    jump_ms: i64,
    /// When it was put right last.
    right_since: Instant,
    /// What it sends takes long before this.
    pub(super) slow_until: Instant,
    /// It does nothing before this.
    pub(super) paused_until: Instant,
    /// Until then a fault explains that it is silent.
    pub(super) excused_until: Instant,
    pub(super) server: Server,
    /// When it will be woken next.
    pub(super) wake_at: Option<Instant>,
    numbers: Numbers,
}

/// The numbers that a node gives to the members. None changes, and new ones come only with a member list.
#[derive(Default)]
struct Numbers {
    epoch: Option<u64>,
    /// By member.
    indices: Vec<Option<NodeIndex>>,
    /// By the node's number.
    members: Vec<Option<usize>>,
}

impl Numbers {
    fn of(node: &Node) -> Self {
        let mut numbers = Self {
            epoch: Some(node.membership().epoch),
            ..Self::default()
        };
        for index in (0..u16::MAX).map(NodeIndex) {
            let address = node.address(index);
            if address.is_empty() {
                break;
            }
            let member = member_number(&address);
            numbers.members.push(member);
            if let Some(member) = member {
                let most = numbers.indices.len().max(member + 1);
                numbers.indices.resize(most, None);
                if let Some(place) = numbers.indices.get_mut(member) {
                    *place = Some(index);
                }
            }
        }
        numbers
    }
}

/// Wall-clock time at the start of a simulation.
pub(super) const EPOCH_MS: u64 = 1_700_000_000_000;

impl Process {
    pub(super) fn new() -> Self {
        Self {
            node: None,
            incarnation: 0,
            wall_offset: Duration::ZERO,
            jump_ms: 0,
            right_since: Instant::ZERO,
            slow_until: Instant::ZERO,
            paused_until: Instant::ZERO,
            excused_until: Instant::ZERO,
            server: Server::default(),
            wake_at: None,
            numbers: Numbers {
                epoch: None,
                indices: Vec::new(),
                members: Vec::new(),
            },
        }
    }

    /// Its wall clock jumps by so many milliseconds.
    pub(super) const fn jump(&mut self, by_ms: i64) {
        self.jump_ms = by_ms;
    }

    /// Its wall clock is put right.
    pub(super) const fn jump_back(&mut self, now: Instant) {
        if self.jump_ms != 0 {
            self.jump_ms = 0;
            self.right_since = now;
        }
    }

    /// Whether its wall clock has been wrong by a jump since then.
    pub(super) fn was_wrong_since(&self, then: Instant) -> bool {
        self.jump_ms != 0 || self.right_since > then
    }

    /// The number that this process gives to a member, for as long as it lives; out of bounds if none.
    pub(super) fn index(&self, member: usize) -> NodeIndex {
        let index = self.numbers.indices.get(member).copied().flatten();
        index.unwrap_or(NodeIndex(u16::MAX))
    }

    /// The member to which this process gives this number.
    pub(super) fn member(&self, index: NodeIndex) -> Option<usize> {
        *self.numbers.members.get(index.as_usize())?
    }

    /// Takes note of a new member list of the node.
    pub(super) fn follow(&mut self) {
        if let Some(node) = &self.node
            && self.numbers.epoch != Some(node.membership().epoch)
        {
            self.numbers = Numbers::of(node);
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

    /// Starts the process anew, without any memory of a former life. Shares the ring of `sibling`.
    pub(super) fn start(
        &mut self,
        scenario: &Scenario,
        number: usize,
        incarnation: u32,
        seed: u64,
        instant: Instant,
        sibling: Option<&Node>,
    ) {
        let entries = store::Config {
            max_entries: scenario.max_entries,
            max_bytes: scenario.max_bytes,
            ..store::Config::default()
        };
        self.incarnation = incarnation;
        self.paused_until = Instant::ZERO;
        self.server = Server::default();
        self.wake_at = None;
        self.node = Node::beside(
            sibling,
            config(scenario, number),
            incarnation,
            seed,
            entries,
            self.now(instant),
        )
        .ok();
        self.numbers = Numbers::default();
        self.follow();
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

/// A node that goes by the member list with which all begin, and takes no part.
pub(super) fn sibling(scenario: &Scenario) -> Option<Node> {
    let number = scenario.nodes;
    let start = Process::new().now(Instant::ZERO);
    let entries = store::Config::default();
    Node::new(config(scenario, number), 0, 0, entries, start).ok()
}
