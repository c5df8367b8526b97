//! A cluster over [`LoopbackNetwork`]: real nodes, real bytes, a clock that is moved by hand.

mod faults;

use memvault::replication::{
    Answer, Bytes, Config, Event, Level, Levels, Member, Node, NodeState, Now, Outcome, Request,
    Role,
};
use memvault::ring::NodeIndex;
use memvault::slot::slot_of;
use memvault::store;
use memvault::time::{Duration, Instant, Timestamp};
use memvault::transport::{Driver, Loopback, LoopbackNetwork};

use faults::FaultInjector;
pub(crate) use faults::FaultRates;

pub(crate) type Process = Driver<FaultInjector<Loopback>>;

const EPOCH_MS: u64 = 1_700_000_000_000;
/// Time between two looks at everything; what is sent arrives within the same step.
pub(crate) const STEP: Duration = Duration::from_millis(1);

pub(crate) struct Cluster {
    network: LoopbackNetwork,
    /// Members first, then clients; `None` is dead.
    pub(crate) processes: Vec<Option<Process>>,
    paused: Vec<bool>,
    members: usize,
    pub(crate) now: Instant,
    next_id: u64,
    boots: u32,
    configure: fn(&mut Config),
    /// How much a member may store, from its next start on.
    pub(crate) entries: store::Config,
    pub(crate) rates: FaultRates,
    pub(crate) events: Vec<(usize, Event)>,
    /// Requests that are done, in that order.
    pub(crate) outcomes: Vec<(u64, Outcome)>,
}

/// The outcome of a request and how long it took.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) outcome: Outcome,
    pub(crate) took: Duration,
}

impl Cluster {
    /// A cluster that has just been started.
    pub(crate) fn start(members: usize, clients: usize, configure: fn(&mut Config)) -> Self {
        let mut cluster = Self {
            network: LoopbackNetwork::new(),
            processes: (0..members + clients).map(|_| None).collect(),
            paused: vec![false; members + clients],
            members,
            now: Instant::ZERO,
            next_id: 0,
            boots: 0,
            configure,
            entries: store::Config::default(),
            rates: FaultRates::default(),
            events: Vec::new(),
            outcomes: Vec::new(),
        };
        for number in 0..members + clients {
            cluster.restart(number);
        }
        cluster
    }

    /// A cluster whose members serve.
    pub(crate) fn serving(members: usize, clients: usize) -> Self {
        let mut cluster = Self::start(members, clients, |_| {});
        cluster.wait_until_serving();
        cluster
    }

    pub(crate) fn wait_until_serving(&mut self) {
        let all_serve = |cluster: &Self| {
            let members = cluster.processes.iter().take(cluster.members).flatten();
            members
                .map(Process::node)
                .all(|node| node.state() == NodeState::Serving)
        };
        self.run_until(Duration::from_secs(30), all_serve);
        // The others hear of it with the next heartbeat.
        self.run(Duration::from_millis(200));
    }

    pub(crate) fn client(&self, number: usize) -> usize {
        self.members + number
    }

    /// Starts a process with nothing in memory.
    pub(crate) fn restart(&mut self, number: usize) {
        self.boots += 1;
        let members: Vec<_> = (0..self.members)
            .map(|n| Member::new(format!("node-{n}")))
            .collect();
        let role = if number < self.members {
            Role::Member(format!("node-{number}"))
        } else {
            Role::Coordinator(format!("client-{number}"))
        };
        let mut config = Config::new(members, role);
        (self.configure)(&mut config);
        let seed = u64::from(self.boots);
        let node = Node::new(config, self.boots, seed, self.entries, self.time())
            .expect("the configuration is sound");
        let end = self.network.attach(number as u16);
        let transport = FaultInjector::new(end, self.rates, seed);
        self.processes[number] = Some(Driver::new(node, transport));
        self.paused[number] = false;
    }

    pub(crate) fn kill(&mut self, number: usize) {
        self.processes[number] = None;
    }

    /// The process stands still: it neither reads nor writes, and its links stay open.
    pub(crate) fn pause(&mut self, number: usize) {
        self.paused[number] = true;
    }

    pub(crate) fn resume(&mut self, number: usize) {
        self.paused[number] = false;
    }

    pub(crate) fn process(&mut self, number: usize) -> &mut Process {
        self.processes[number].as_mut().expect("it is alive")
    }

    pub(crate) fn node(&self, number: usize) -> &Node {
        self.processes[number].as_ref().expect("it is alive").node()
    }

    pub(crate) fn time(&self) -> Now {
        Now {
            instant: self.now,
            wall: Timestamp::from_millis(EPOCH_MS + self.now.as_micros() / 1000),
        }
    }

    /// Lets every process do what it can now, until nothing moves any more; then time passes.
    pub(crate) fn step(&mut self) {
        let now = self.time();
        let mut moved = true;
        while moved {
            moved = false;
            for (number, process) in self.processes.iter_mut().enumerate() {
                let Some(process) = process.as_mut().filter(|_| !self.paused[number]) else {
                    continue;
                };
                moved |= process.run(now);
                while let Some(event) = process.poll_event() {
                    self.events.push((number, event));
                }
                while let Some(outcome) = process.poll_outcome() {
                    self.outcomes.push(outcome);
                }
            }
        }
        self.now = self.now + STEP;
    }

    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.step();
        }
    }

    pub(crate) fn run_until(&mut self, at_most: Duration, condition: impl Fn(&Self) -> bool) {
        let end = self.now + at_most;
        while !condition(self) {
            assert!(self.now < end, "it takes longer than {at_most:?}");
            self.step();
        }
    }

    /// Begins a request of a client or member.
    pub(crate) fn begin(&mut self, number: usize, request: Request, levels: Levels) -> u64 {
        self.next_id += 1;
        let (id, now) = (self.next_id, self.time());
        self.process(number).request(now, id, request, levels);
        id
    }

    /// Waits for a request.
    pub(crate) fn finish(&mut self, id: u64) -> Finished {
        let begun = self.now;
        loop {
            if let Some(at) = self.outcomes.iter().position(|(done, _)| *done == id) {
                let (_, outcome) = self.outcomes.swap_remove(at);
                let took = self.now - begun;
                return Finished { outcome, took };
            }
            assert!(
                self.now - begun < Duration::from_millis(1500),
                "request {id} hangs"
            );
            self.step();
        }
    }

    pub(crate) fn ask(&mut self, number: usize, request: Request, levels: Levels) -> Finished {
        let id = self.begin(number, request, levels);
        self.finish(id)
    }

    pub(crate) fn set(&mut self, number: usize, key: &str, value: &str) -> Finished {
        self.ask(number, set(key, value), Levels::default())
    }

    pub(crate) fn get(&mut self, number: usize, key: &str) -> Finished {
        self.ask(number, get(key), Levels::default())
    }

    /// The replicas of a key, in order.
    pub(crate) fn replicas_of(&self, key: &str) -> Vec<usize> {
        let node = self.node(self.client(0));
        let number = |index: &NodeIndex| {
            let id = node.ring().node_id(*index).expect("it is named");
            id.trim_start_matches("node-").parse().expect("a number")
        };
        let list = node.slots().replicas(slot_of(key.as_bytes()));
        list.iter().map(number).collect()
    }

    /// The events of one process.
    pub(crate) fn events_of(&self, number: usize) -> impl Iterator<Item = &Event> {
        let of_it = move |(who, _): &&(usize, Event)| *who == number;
        self.events.iter().filter(of_it).map(|(_, event)| event)
    }
}

pub(crate) fn set(key: &str, value: &str) -> Request {
    Request::Set {
        key: bytes(key),
        value: bytes(value),
        expiry: memvault::command::Expiry::None,
        condition: memvault::command::Condition::Always,
        return_old: false,
    }
}

pub(crate) fn get(key: &str) -> Request {
    Request::Get(bytes(key))
}

pub(crate) fn bytes(text: &str) -> Bytes {
    text.as_bytes().into()
}

pub(crate) fn value(text: &str) -> Outcome {
    Ok(Answer::Value(Some(bytes(text))))
}

pub(crate) const MISS: Outcome = Ok(Answer::Value(None));

pub(crate) fn at(level: Level) -> Levels {
    Levels {
        write: level,
        read: level,
    }
}
