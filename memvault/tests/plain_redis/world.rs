//! A coordinator and its servers over a network in memory, and a clock that is moved by hand.

use std::cell::RefCell;
use std::rc::Rc;

use memvault::command::{Condition, Expiry};
use memvault::connection::{self, Connection};
use memvault::replication::{
    Answer, Bytes, Config, Event, Levels, Link, Member, Node, Now, Outcome, Request, Role,
};
use memvault::slot::slot_of;
use memvault::store::{self, Store};
use memvault::time::{Duration, Instant, Timestamp};
use memvault::transport::{Driver, Loopback, LoopbackNetwork, Transport, TransportEvent};

pub(crate) const EPOCH_MS: u64 = 1_700_000_000_000;
pub(crate) const DONE: Outcome = Ok(Answer::Done);
pub(crate) const MISS: Outcome = Ok(Answer::Value(None));

pub(crate) type Shared = Rc<RefCell<Store<ahash::RandomState>>>;

/// A server that speaks plain Redis. Its data outlives its process, if the test wants it to.
pub(crate) struct Server {
    end: Loopback,
    pub(crate) store: Shared,
    connections: Vec<(u64, Connection)>,
    /// Takes commands, but neither executes nor answers them.
    pub(crate) is_paused: bool,
    /// Says this in place of every reply to a command on keys.
    pub(crate) says: Option<&'static str>,
}

pub(crate) struct World {
    network: LoopbackNetwork,
    pub(crate) servers: Vec<Option<Server>>,
    pub(crate) driver: Driver<Loopback>,
    pub(crate) now: Instant,
    /// How far the wall clock of the coordinator has jumped ahead, in milliseconds.
    pub(crate) jump_ms: u64,
    next_id: u64,
    pub(crate) events: Vec<Event>,
}

pub(crate) fn empty() -> Shared {
    let hasher = ahash::RandomState::with_seeds(1, 2, 3, 4);
    Rc::new(RefCell::new(Store::new(store::Config::default(), hasher)))
}

pub(crate) fn config(servers: usize) -> Config {
    let members = (0..servers).map(|n| Member::new(format!("redis-{n}")));
    let role = Role::Coordinator("client".into());
    let mut config = Config::new(members.collect(), role);
    config.plain_redis = true;
    config
}

impl Server {
    pub(crate) fn start(network: &LoopbackNetwork, number: usize, store: Shared) -> Self {
        Self {
            end: network.attach(number as u16),
            store,
            connections: Vec::new(),
            is_paused: false,
            says: None,
        }
    }

    fn run(&mut self, now: Now) -> bool {
        let mut moved = false;
        while !self.is_paused
            && let Some(event) = self.end.poll(now.instant)
        {
            moved = true;
            match event {
                TransportEvent::Received(Link::Inbound(number), bytes) => {
                    self.take(now.wall, number, &bytes);
                }
                TransportEvent::Closed(Link::Inbound(number)) => {
                    self.connections.retain(|(of, _)| *of != number);
                }
                _ => {}
            }
        }
        moved
    }

    pub(crate) fn take(&mut self, wall: Timestamp, number: u64, bytes: &[u8]) {
        if let Some(text) = self.says
            && !bytes.ends_with(b"PING\r\n")
            && !bytes.ends_with(b"INFO\r\n")
        {
            return self.end.send(Link::Inbound(number), text.as_bytes());
        }
        if !self.connections.iter().any(|(of, _)| *of == number) {
            let fresh = Connection::new(number, "client", connection::Config::default());
            self.connections.push((number, fresh));
        }
        let connection = self.connections.iter_mut().find(|(of, _)| *of == number);
        let connection = &mut connection.expect("it was just made").1;
        let mut rest = bytes;
        while !rest.is_empty() {
            let space = connection.input_space();
            let len = rest.len().min(space.len());
            space[..len].copy_from_slice(&rest[..len]);
            connection.commit(len);
            rest = &rest[len..];
            let _ = connection.process(wall, &mut *self.store.borrow_mut());
        }
        let output = connection.output().to_vec();
        connection.consume_output(output.len());
        self.end.send(Link::Inbound(number), &output);
    }
}

impl World {
    pub(crate) fn new(servers: usize) -> Self {
        Self::with(config(servers))
    }

    pub(crate) fn with(config: Config) -> Self {
        let network = LoopbackNetwork::new();
        let count = config.members.len();
        let start = |number| Some(Server::start(&network, number, empty()));
        let servers: Vec<_> = (0..count).map(start).collect();
        let now = Now {
            instant: Instant::ZERO,
            wall: Timestamp::from_millis(EPOCH_MS),
        };
        let node = Node::new(config, 1, 1, store::Config::default(), now).expect("it is sound");
        let driver = Driver::new(node, network.attach(100));
        let mut world = Self {
            network,
            servers,
            driver,
            now: Instant::ZERO,
            jump_ms: 0,
            next_id: 0,
            events: Vec::new(),
        };
        world.run(200);
        world
    }

    pub(crate) fn time(&self) -> Now {
        Now {
            instant: self.now,
            wall: Timestamp::from_millis(EPOCH_MS + self.jump_ms + self.now.as_micros() / 1000),
        }
    }

    pub(crate) fn step(&mut self) {
        let now = self.time();
        let mut moved = true;
        while moved {
            moved = self.driver.run(now);
            for server in self.servers.iter_mut().flatten() {
                moved |= server.run(now);
            }
        }
        while let Some(event) = self.driver.poll_event() {
            self.events.push(event);
        }
        self.now = self.now + Duration::from_millis(1);
    }

    pub(crate) fn run(&mut self, millis: u64) {
        (0..millis).for_each(|_| self.step());
    }

    /// The outcome of a request, and the milliseconds it took.
    pub(crate) fn timed(&mut self, request: Request, levels: Levels) -> (Outcome, u64) {
        self.next_id += 1;
        let (begun, now) = (self.now, self.time());
        self.driver.request(now, self.next_id, request, levels);
        loop {
            if let Some((id, outcome)) = self.driver.poll_outcome() {
                assert_eq!(id, self.next_id);
                let took = (self.now - begun).as_millis();
                return (outcome, u64::try_from(took).expect("it is short"));
            }
            assert!(self.now - begun < Duration::from_millis(1500), "it hangs");
            self.step();
        }
    }

    pub(crate) fn ask(&mut self, request: Request) -> Outcome {
        self.timed(request, Levels::default()).0
    }

    pub(crate) fn set(&mut self, key: &str, value: &str) -> Outcome {
        self.ask(set(key, value))
    }

    pub(crate) fn get(&mut self, key: &str) -> Outcome {
        self.ask(Request::Get(bytes(key)))
    }

    pub(crate) fn kill(&mut self, number: usize) {
        self.servers[number] = None;
    }

    pub(crate) fn start(&mut self, number: usize, store: Shared) {
        self.servers[number] = Some(Server::start(&self.network, number, store));
    }

    pub(crate) fn server(&mut self, number: usize) -> &mut Server {
        self.servers[number].as_mut().expect("it runs")
    }

    /// The servers of a key, the leader first.
    pub(crate) fn replicas(&self, key: &str) -> Vec<usize> {
        let list = self.driver.node().slots().replicas(slot_of(key.as_bytes()));
        list.iter().map(|node| node.as_usize()).collect()
    }

    /// What each server holds for a key, by its number.
    pub(crate) fn held(&self, key: &str) -> Vec<Option<String>> {
        let wall = self.time().wall;
        let held = |server: &Option<Server>| {
            let mut store = server.as_ref()?.store.borrow_mut();
            let value = ask_store(&mut store, wall, key)?;
            Some(String::from_utf8(value).expect("it is text"))
        };
        self.servers.iter().map(held).collect()
    }
}

pub(crate) fn ask_store(
    store: &mut Store<ahash::RandomState>,
    wall: Timestamp,
    key: &str,
) -> Option<Vec<u8>> {
    let mut connection = Connection::new(1, "test", connection::Config::default());
    let command = format!("*2\r\n$3\r\nGET\r\n${}\r\n{key}\r\n", key.len());
    connection.input_space()[..command.len()].copy_from_slice(command.as_bytes());
    connection.commit(command.len());
    let _ = connection.process(wall, store);
    let reply = connection.output().to_vec();
    let (_, rest) = reply.strip_prefix(b"$")?.split_first()?;
    let text = rest.strip_suffix(b"\r\n")?;
    let start = text.iter().position(|byte| *byte == b'\n')? + 1;
    (!reply.starts_with(b"$-1")).then(|| text[start..].to_vec())
}

pub(crate) fn bytes(text: &str) -> Bytes {
    text.as_bytes().into()
}

pub(crate) fn value(text: &str) -> Outcome {
    Ok(Answer::Value(Some(bytes(text))))
}

pub(crate) fn set(key: &str, value: &str) -> Request {
    set_if(key, value, Condition::Always, false)
}

pub(crate) fn set_if(key: &str, value: &str, condition: Condition, return_old: bool) -> Request {
    Request::Set {
        key: bytes(key),
        value: bytes(value),
        expiry: Expiry::None,
        condition,
        return_old,
    }
}
