//! Three members and a coordinator over links in memory: a write at QUORUM, then a read after a member died.

use alloc::vec::Vec;

use memvault::command::{Condition, Expiry};
use memvault::replication::{
    Answer, Config, Level, Levels, Member, Node, Now, Outcome, Request, Role,
};
use memvault::store;
use memvault::time::{Duration, Instant, Timestamp};
use memvault::transport::{Driver, Loopback, LoopbackNetwork};

pub fn run() {
    let mut cluster = Cluster::new();
    cluster.run_for(Duration::from_secs(2));
    let set = Request::Set {
        key: (*b"key").into(),
        value: (*b"value").into(),
        expiry: Expiry::None,
        condition: Condition::Always,
        return_old: false,
    };
    assert_eq!(cluster.ask(1, set), Ok(Answer::Done));
    // Dropping a driver ends its links, as the end of a process does.
    drop(cluster.members.pop());
    let value = cluster.ask(2, Request::Get((*b"key").into()));
    assert_eq!(value, Ok(Answer::Value(Some((*b"value").into()))));
}

const IDS: [&str; 3] = ["a:7001", "b:7001", "c:7001"];
const STEP: Duration = Duration::from_millis(5);

struct Cluster {
    members: Vec<Driver<Loopback>>,
    coordinator: Driver<Loopback>,
    now: Instant,
}

impl Cluster {
    fn new() -> Self {
        let network = LoopbackNetwork::new();
        let start = |role: Role, address: u16| {
            let config = Config::new(IDS.into_iter().map(Member::new).collect(), role);
            let (incarnation, seed) = (u32::from(address) + 1, u64::from(address));
            let now = wall_clock_too(Instant::ZERO);
            let node = Node::new(config, incarnation, seed, store::Config::default(), now);
            Driver::new(
                node.expect("the settings are the defaults"),
                network.attach(address),
            )
        };
        let members = IDS.into_iter().zip(0..);
        Self {
            members: members
                .map(|(id, address)| start(Role::Member(id.into()), address))
                .collect(),
            coordinator: start(Role::Coordinator("proof".into()), 3),
            now: Instant::ZERO,
        }
    }

    /// Asks the coordinator and waits for the outcome.
    fn ask(&mut self, id: u64, request: Request) -> Outcome {
        let levels = Levels {
            write: Level::Quorum,
            read: Level::Quorum,
        };
        self.coordinator
            .request(wall_clock_too(self.now), id, request, levels);
        loop {
            if let Some((_, outcome)) = self.coordinator.poll_outcome() {
                return outcome;
            }
            self.run_for(STEP);
        }
    }

    fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now = self.now + STEP;
            let now = wall_clock_too(self.now);
            let mut drivers: Vec<_> = self
                .members
                .iter_mut()
                .chain([&mut self.coordinator])
                .collect();
            while drivers
                .iter_mut()
                .fold(false, |any, driver| driver.run(now) | any)
            {}
        }
    }
}

fn wall_clock_too(instant: Instant) -> Now {
    let wall = Timestamp::from_millis(1_700_000_000_000 + instant.as_micros() / 1000);
    Now { instant, wall }
}
