//! A replicated cache without sockets, threads and an operating system's clock: a near cache in front of three
//! nodes over a network in memory. One node dies, nobody notices; it comes back empty and catches up.
//!
//! On a board the same calls run over a serial line or a radio: implement [`Transport`] for it and let a timer
//! call [`Driver::run`].
//!
//! Run: `cargo run --release -p memvault-cache --example embedded`

use std::error::Error;

use memvault::cache::Cache;
use memvault::command::{Condition, Expiry};
use memvault::replication::{
    Answer, Config, Levels, Member, Node, NodeState, Now, Outcome, Request, Role,
};
use memvault::store;
use memvault::time::{Clock, Duration, ManualClock, Timestamp};
use memvault::transport::{Driver, Loopback, LoopbackNetwork};

const NODES: [&str; 3] = ["kitchen", "attic", "cellar"];

struct House {
    clock: ManualClock,
    network: LoopbackNetwork,
    nodes: [Option<Driver<Loopback>>; 3],
    controller: Driver<Loopback>,
    boots: u32,
    requests: u64,
}

impl House {
    fn new() -> Result<Self, Box<dyn Error>> {
        let network = LoopbackNetwork::new();
        let clock = ManualClock::default();
        let role = Role::Coordinator("controller".into());
        let mut house = Self {
            controller: Driver::new(node(role, 0, now(&clock))?, network.attach(3)),
            clock,
            network,
            nodes: [None, None, None],
            boots: 0,
            requests: 0,
        };
        for number in 0..NODES.len() {
            house.switch_on(number)?;
        }
        Ok(house)
    }

    /// Starts a node with nothing in memory.
    fn switch_on(&mut self, number: usize) -> Result<(), Box<dyn Error>> {
        self.boots += 1;
        let node = node(
            Role::Member(NODES[number].into()),
            self.boots,
            now(&self.clock),
        )?;
        // Addresses on the network are places on the ring, and those go by the order of the ids.
        let address = node.ring().index_of(NODES[number]).ok_or("not a member")?;
        self.nodes[number] = Some(Driver::new(node, self.network.attach(address.0)));
        Ok(())
    }

    /// One tick of a timer.
    fn tick(&mut self) {
        let now = now(&self.clock);
        let mut busy = true;
        while busy {
            busy = self.controller.run(now);
            for driver in self.nodes.iter_mut().flatten() {
                busy |= driver.run(now);
            }
        }
        while let Some(event) = self.controller.poll_event() {
            println!("{:>6} ms  {event}", now.instant.as_micros() / 1000);
        }
        self.clock.advance(Duration::from_millis(1));
    }

    fn ask(&mut self, request: Request) -> Outcome {
        self.requests += 1;
        let now = now(&self.clock);
        self.controller
            .request(now, self.requests, request, Levels::default());
        loop {
            self.tick();
            if let Some((_, outcome)) = self.controller.poll_outcome() {
                return outcome;
            }
        }
    }

    fn wait_until_all_serve(&mut self) {
        let serves = |driver: &Driver<Loopback>| driver.node().state() == NodeState::Serving;
        while !self.nodes.iter().flatten().all(serves) {
            self.tick();
        }
        (0..200).for_each(|_| self.tick());
    }
}

fn node(role: Role, incarnation: u32, now: Now) -> Result<Node, Box<dyn Error>> {
    let config = Config::new(NODES.map(Member::new).into(), role);
    Ok(Node::new(
        config,
        incarnation,
        u64::from(incarnation),
        store::Config::default(),
        now,
    )?)
}

fn now(clock: &ManualClock) -> Now {
    let instant = clock.now();
    Now {
        instant,
        wall: Timestamp::from_millis(instant.as_micros() / 1000),
    }
}

fn set(key: &str, value: &str) -> Request {
    Request::Set {
        key: key.as_bytes().into(),
        value: value.as_bytes().into(),
        expiry: Expiry::None,
        condition: Condition::Always,
        return_old: false,
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut house = House::new()?;
    house.wait_until_all_serve();
    for room in 0..100 {
        house.ask(set(&format!("room:{room}"), &format!("{room} degrees")))?;
    }
    println!("100 rooms written; the attic loses power");
    house.nodes[1] = None;
    let mut near = Cache::with_max_entries(10);
    let mut found = 0;
    for room in 0..100 {
        let key = format!("room:{room}");
        if let Answer::Value(Some(value)) = house.ask(Request::Get(key.as_bytes().into()))? {
            near.insert(key, value)?;
            found += 1;
        }
    }
    println!(
        "{found} rooms found without the attic, the last {} kept near by",
        near.len()
    );
    house.switch_on(1)?;
    house.wait_until_all_serve();
    let attic = house.nodes[1]
        .as_ref()
        .and_then(|driver| driver.node().entries());
    println!(
        "the attic is back with {} entries",
        attic.map_or(0, |entries| entries.len())
    );
    Ok(())
}
