//! Nodes that speak plain Redis, in memory: the store's own connection plays redis-server.

use std::cell::RefCell;
use std::rc::Rc;

use memvault::command::{Condition, Edit, ExpireCondition, Expiry};
use memvault::connection::{self, Connection};
use memvault::replication::{
    Answer, Bytes, Config, ConfigError, DownReason, Event, Failure, Level, Levels, Link, Member,
    Node, Now, Outcome, Request, Role,
};
use memvault::store::{self, Store};
use memvault::time::{Duration, Instant, Timestamp};
use memvault::transport::{Incident, Loopback, LoopbackNetwork, Pump, Transport};

const EPOCH_MS: u64 = 1_700_000_000_000;
const DONE: Outcome = Ok(Answer::Done);
const MISS: Outcome = Ok(Answer::Value(None));

type Shared = Rc<RefCell<Store<ahash::RandomState>>>;

/// A server that speaks plain Redis. Its data outlives its process, if the test wants it to.
struct Server {
    end: Loopback,
    store: Shared,
    connections: Vec<(u64, Connection)>,
    /// Takes commands, but neither executes nor answers them.
    is_paused: bool,
    /// Says this in place of every reply to a command on keys.
    says: Option<&'static str>,
}

struct World {
    network: LoopbackNetwork,
    servers: Vec<Option<Server>>,
    pump: Pump<Loopback>,
    now: Instant,
    next_id: u64,
    events: Vec<Event>,
}

fn empty() -> Shared {
    let hasher = ahash::RandomState::with_seeds(1, 2, 3, 4);
    Rc::new(RefCell::new(Store::new(store::Config::default(), hasher)))
}

fn config(servers: usize) -> Config {
    let members = (0..servers).map(|n| Member::new(format!("redis-{n}")));
    let role = Role::Coordinator("client".into());
    let mut config = Config::new(members.collect(), role);
    config.plain_redis = true;
    config
}

impl Server {
    fn start(network: &LoopbackNetwork, number: usize, store: Shared) -> Self {
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
            && let Some(incident) = self.end.poll(now.instant)
        {
            moved = true;
            match incident {
                Incident::Received(Link::Inbound(number), bytes) => {
                    self.take(now.wall, number, &bytes);
                }
                Incident::Closed(Link::Inbound(number)) => {
                    self.connections.retain(|(of, _)| *of != number);
                }
                _ => {}
            }
        }
        moved
    }

    fn take(&mut self, wall: Timestamp, number: u64, bytes: &[u8]) {
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
    fn new(servers: usize) -> Self {
        Self::with(config(servers))
    }

    fn with(config: Config) -> Self {
        let network = LoopbackNetwork::new();
        let count = config.members.len();
        let start = |number| Some(Server::start(&network, number, empty()));
        let servers: Vec<_> = (0..count).map(start).collect();
        let now = Now {
            instant: Instant::ZERO,
            wall: Timestamp::from_millis(EPOCH_MS),
        };
        let node = Node::new(config, 1, 1, store::Config::default(), now).expect("it is sound");
        let pump = Pump::new(node, network.attach(100));
        let mut world = Self {
            network,
            servers,
            pump,
            now: Instant::ZERO,
            next_id: 0,
            events: Vec::new(),
        };
        world.run(200);
        world
    }

    fn time(&self) -> Now {
        Now {
            instant: self.now,
            wall: Timestamp::from_millis(EPOCH_MS + self.now.as_micros() / 1000),
        }
    }

    fn step(&mut self) {
        let now = self.time();
        let mut moved = true;
        while moved {
            moved = self.pump.run(now);
            for server in self.servers.iter_mut().flatten() {
                moved |= server.run(now);
            }
        }
        while let Some(event) = self.pump.poll_event() {
            self.events.push(event);
        }
        self.now = self.now + Duration::from_millis(1);
    }

    fn run(&mut self, millis: u64) {
        (0..millis).for_each(|_| self.step());
    }

    /// The outcome of a request, and the milliseconds it took.
    fn timed(&mut self, request: Request, levels: Levels) -> (Outcome, u64) {
        self.next_id += 1;
        let (begun, now) = (self.now, self.time());
        self.pump.request(now, self.next_id, request, levels);
        loop {
            if let Some((id, outcome)) = self.pump.poll_outcome() {
                assert_eq!(id, self.next_id);
                let took = (self.now - begun).as_millis();
                return (outcome, u64::try_from(took).expect("it is short"));
            }
            assert!(self.now - begun < Duration::from_millis(1500), "it hangs");
            self.step();
        }
    }

    fn ask(&mut self, request: Request) -> Outcome {
        self.timed(request, Levels::default()).0
    }

    fn set(&mut self, key: &str, value: &str) -> Outcome {
        self.ask(set(key, value))
    }

    fn get(&mut self, key: &str) -> Outcome {
        self.ask(Request::Get(bytes(key)))
    }

    fn kill(&mut self, number: usize) {
        self.servers[number] = None;
    }

    fn start(&mut self, number: usize, store: Shared) {
        self.servers[number] = Some(Server::start(&self.network, number, store));
    }

    fn server(&mut self, number: usize) -> &mut Server {
        self.servers[number].as_mut().expect("it runs")
    }

    /// The servers of a key, the leader first.
    fn replicas(&self, key: &str) -> Vec<usize> {
        let ring = self.pump.node().ring();
        let replicas = self.pump.node().config().replicas;
        let list = ring.replicas(key.as_bytes(), replicas);
        list.map(|node| node.as_usize()).collect()
    }

    /// What each server holds for a key, by its number.
    fn held(&self, key: &str) -> Vec<Option<String>> {
        let wall = self.time().wall;
        let held = |server: &Option<Server>| {
            let mut store = server.as_ref()?.store.borrow_mut();
            let value = ask_store(&mut store, wall, key)?;
            Some(String::from_utf8(value).expect("it is text"))
        };
        self.servers.iter().map(held).collect()
    }
}

fn ask_store(store: &mut Store<ahash::RandomState>, wall: Timestamp, key: &str) -> Option<Vec<u8>> {
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

fn bytes(text: &str) -> Bytes {
    text.as_bytes().into()
}

fn value(text: &str) -> Outcome {
    Ok(Answer::Value(Some(bytes(text))))
}

fn set(key: &str, value: &str) -> Request {
    set_if(key, value, Condition::Always, false)
}

fn set_if(key: &str, value: &str, condition: Condition, return_old: bool) -> Request {
    Request::Set {
        key: bytes(key),
        value: bytes(value),
        expiry: Expiry::None,
        condition,
        return_old,
    }
}

#[test]
fn a_write_reaches_every_replica_and_no_other_server() {
    let mut world = World::new(5);
    for number in 0..50 {
        let key = format!("key-{number}");
        assert_eq!(world.set(&key, "x"), DONE);
        world.run(1);
        let mut replicas = world.replicas(&key);
        replicas.sort_unstable();
        let held = world.held(&key);
        let holders: Vec<_> = (0..5).filter(|n| held[*n].is_some()).collect();
        assert_eq!(holders, replicas, "{key}");
        assert_eq!(world.get(&key), value("x"));
    }
    assert_eq!(
        world.ask(Request::Delete(vec![bytes("key-7")])),
        Ok(Answer::Count(1))
    );
    world.run(1);
    assert_eq!(world.held("key-7"), vec![None; 5]);
    assert_eq!(world.ask(Request::Flush), DONE);
    world.run(1);
    assert_eq!(world.held("key-8"), vec![None; 5]);
}

#[test]
fn expiries_and_conditions_are_the_servers_own_and_all_replicas_follow_the_first() {
    let mut world = World::new(3);
    let taken = || Ok(Answer::NotDone);
    assert_eq!(
        world.ask(set_if("k", "0", Condition::IfPresent, false)),
        taken()
    );
    assert_eq!(
        world.ask(set_if("k", "1", Condition::IfAbsent, false)),
        DONE
    );
    assert_eq!(
        world.ask(set_if("k", "2", Condition::IfAbsent, false)),
        taken()
    );
    world.run(1);
    assert_eq!(world.held("k"), vec![Some("1".to_owned()); 3]);
    assert_eq!(
        world.ask(set_if("k", "3", Condition::Always, true)),
        value("1")
    );
    let in_an_hour = Timestamp::from_millis(EPOCH_MS + 3_600_000);
    let expire = |at, condition| Request::Expire {
        key: bytes("k"),
        at,
        condition,
    };
    let at = Some(in_an_hour);
    assert_eq!(
        world.ask(expire(at, ExpireCondition::IfSome)),
        Ok(Answer::Count(0))
    );
    assert_eq!(
        world.ask(expire(at, ExpireCondition::IfNone)),
        Ok(Answer::Count(1))
    );
    world.run(1);
    let leader = world.replicas("k")[0];
    world.kill(leader);
    world.run(1);
    assert_eq!(
        world.ask(Request::Expiry(bytes("k"))),
        Ok(Answer::Expiry(Some(at)))
    );
    assert_eq!(
        world.ask(expire(None, ExpireCondition::Always)),
        Ok(Answer::Count(1))
    );
    assert_eq!(
        world.ask(Request::Expiry(bytes("k"))),
        Ok(Answer::Expiry(Some(None)))
    );
    assert_eq!(
        world.ask(Request::Exists(vec![bytes("k"), bytes("no")])),
        Ok(Answer::Count(1))
    );
}

#[test]
fn numbers_are_added_up_by_the_leader_and_copied_to_the_others() {
    let mut world = World::new(3);
    let edit = |edit| Request::Edit {
        key: bytes("n"),
        edit,
        max_len: 1 << 20,
    };
    assert_eq!(world.ask(edit(Edit::Add(40))), Ok(Answer::Count(40)));
    assert_eq!(world.ask(edit(Edit::Add(-2))), Ok(Answer::Count(38)));
    world.run(1);
    assert_eq!(world.held("n"), vec![Some("38".to_owned()); 3]);
    assert_eq!(
        world.ask(edit(Edit::Append(bytes("!")))),
        Ok(Answer::Count(3))
    );
    let refused = world.ask(edit(Edit::Add(1))).expect_err("it is no number");
    assert!(
        refused
            .to_string()
            .starts_with("ERR value is not an integer"),
        "{refused}"
    );
    let overwrite = Edit::Overwrite {
        offset: 1,
        bytes: bytes("9"),
    };
    assert_eq!(world.ask(edit(overwrite)), Ok(Answer::Count(3)));
    world.run(1);
    assert_eq!(world.held("n"), vec![Some("39!".to_owned()); 3]);
    let expire = Request::GetAndExpire {
        key: bytes("n"),
        at: Some(Timestamp::from_millis(EPOCH_MS + 3_600_000)),
    };
    assert_eq!(world.ask(expire), value("39!"));
    assert_eq!(world.ask(Request::GetAndDelete(bytes("n"))), value("39!"));
    world.run(1);
    assert_eq!(world.held("n"), vec![None; 3]);
}

#[test]
fn a_dead_server_costs_no_request_and_is_used_again_when_it_is_back() {
    let mut world = World::new(3);
    assert_eq!(world.set("k", "1"), DONE);
    let leader = world.replicas("k")[0];
    world.kill(leader);
    let (outcome, took) = world.timed(Request::Get(bytes("k")), Levels::default());
    assert_eq!(outcome, value("1"));
    assert!(took <= 2, "{took} ms");
    assert_eq!(world.set("k", "2"), DONE);
    let node = format!("redis-{leader}");
    let reason = DownReason::Disconnected;
    assert!(world.events.contains(&Event::Down {
        node: node.clone(),
        reason
    }));
    world.start(leader, empty());
    world.run(2000);
    assert!(world.events.contains(&Event::Rejoined { node }));
    // The weaker promise: what the empty server lacks is a miss until it is written again.
    assert_eq!(world.get("k"), MISS);
    assert_eq!(world.set("k", "3"), DONE);
    assert_eq!(world.get("k"), value("3"));
}

#[test]
fn a_silent_server_costs_one_time_limit_and_is_ejected() {
    let mut world = World::new(3);
    assert_eq!(world.set("k", "1"), DONE);
    let leader = world.replicas("k")[0];
    world.server(leader).is_paused = true;
    let (outcome, took) = world.timed(Request::Get(bytes("k")), Levels::default());
    assert_eq!(outcome, value("1"));
    assert!((30..40).contains(&took), "{took} ms");
    let ejected = Event::Ejected {
        node: format!("redis-{leader}"),
    };
    assert!(world.events.contains(&ejected));
    let (outcome, took) = world.timed(set("k", "2"), Levels::default());
    assert_eq!(outcome, DONE);
    assert!(took <= 2, "nobody waits for it again: {took} ms");
    world.server(leader).is_paused = false;
    world.run(200);
    assert_eq!(world.get("k"), value("2"), "it was told as well");
}

#[test]
fn a_write_waits_for_a_silent_leader_once_and_takes_the_word_of_the_next() {
    let mut world = World::new(3);
    let leader = world.replicas("k")[0];
    world.server(leader).is_paused = true;
    let (outcome, took) = world.timed(Request::Delete(vec![bytes("k")]), Levels::default());
    assert_eq!(outcome, Ok(Answer::Count(0)));
    assert!((100..110).contains(&took), "{took} ms");
}

#[test]
fn levels_that_rest_on_versions_are_refused() {
    let mut world = World::new(3);
    for level in [Level::Quorum, Level::All] {
        let levels = Levels {
            write: Level::One,
            read: level,
        };
        let (outcome, _) = world.timed(Request::Get(bytes("k")), levels);
        let failure = outcome.expect_err("there are no versions");
        assert_eq!(failure, Failure::NoVersions { level });
        let text = failure.to_string();
        assert!(
            text.contains("plain Redis servers (--plain-redis) keep none"),
            "{text}"
        );
        let mut config = config(3);
        config.write_level = level;
        let error = Node::new(config, 1, 1, store::Config::default(), Now::default()).err();
        assert_eq!(error, Some(ConfigError::PlainLevel(level)));
    }
    let levels = Levels {
        write: Level::One,
        read: Level::One,
    };
    assert_eq!(world.timed(set("k", "1"), levels).0, DONE);
    let mut config = config(3);
    config.role = Role::Member("redis-0".into());
    let error = Node::new(config, 1, 1, store::Config::default(), Now::default()).err();
    assert_eq!(error, Some(ConfigError::PlainMember("redis-0".into())));
}

#[test]
fn the_error_of_a_server_is_handed_on_and_a_loading_one_is_passed_over() {
    let mut world = World::new(3);
    assert_eq!(world.set("k", "1"), DONE);
    let leader = world.replicas("k")[0];
    world.server(leader).says = Some("-OOM command not allowed\r\n");
    let failure = world.set("k", "2").expect_err("it is full");
    assert_eq!(failure.code(), "OOM");
    let text = format!("OOM command not allowed (said by redis-{leader})");
    assert_eq!(failure.to_string(), text);
    world.server(leader).says = Some("-LOADING Redis is loading the dataset in memory\r\n");
    assert_eq!(world.get("k"), value("2"), "the next one knows");
}

#[test]
fn nonsense_ejects_a_server_with_the_reason_and_harms_no_request() {
    let mut world = World::new(3);
    assert_eq!(world.set("k", "1"), DONE);
    let leader = world.replicas("k")[0];
    for (nonsense, part) in [
        (":5\r\n", "it answered GET with a reply of the wrong kind"),
        ("?\r\n", "unknown type of reply"),
        ("$1\r\nx\r\n+OK\r\n", "a reply although nothing was asked"),
    ] {
        world.events.clear();
        world.run(3000);
        world.server(leader).says = Some(nonsense);
        let answer = world.get("k");
        assert!(answer == value("1") || answer == value("x"), "{answer:?}");
        world.run(5);
        let told = world.events.iter().any(|event| {
            matches!(event, Event::Rejected { node, reason }
                if *node == format!("redis-{leader}") && reason.contains(part))
        });
        assert!(told, "{part}: {:?}", world.events);
        world.server(leader).says = None;
    }
}

/// Under any schedule of crashes, pauses and requests: a value that is read was written, with all servers
/// up and quiet the last write is read, and a request never fails while a replica lives.
fn run(seed: u64) {
    let mut chance = memvault::chance::Chance::new(seed);
    let mut world = World::new(4);
    let mut written: Vec<Vec<String>> = vec![vec![]; 5];
    let mut down: Option<usize> = None;
    for number in 0..60 {
        let key = chance.below(5) as usize;
        let name = format!("key-{key}");
        match chance.below(10) {
            0 if down.is_none() => {
                let server = chance.below(4) as usize;
                down = Some(server);
                if chance.one_in_thousand(500) {
                    world.kill(server);
                } else {
                    world.server(server).is_paused = true;
                }
            }
            1 => {
                if let Some(server) = down.take() {
                    match &mut world.servers[server] {
                        Some(paused) => paused.is_paused = false,
                        None => world.start(server, empty()),
                    }
                    world.run(6000);
                }
            }
            2..=5 => {
                let text = format!("{seed}-{number}");
                written[key].push(text.clone());
                assert_eq!(world.set(&name, &text), DONE, "seed {seed}, {number}");
            }
            _ => {
                let found = world.get(&name).unwrap_or_else(|error| {
                    panic!("seed {seed}, request {number}: {error}");
                });
                if let Answer::Value(Some(found)) = found {
                    let known = written[key].iter().any(|text| text.as_bytes() == &*found);
                    assert!(known, "seed {seed}: {found:?} was never written");
                }
            }
        }
        world.run(chance.below(20));
    }
    if let Some(server) = down
        && let Some(paused) = &mut world.servers[server]
    {
        paused.is_paused = false;
    }
    world.run(6000);
    for key in 0..5 {
        let name = format!("key-{key}");
        assert_eq!(world.set(&name, "last"), DONE, "seed {seed}");
        assert_eq!(world.get(&name), value("last"), "seed {seed}");
    }
}

#[test]
fn any_schedule_reads_only_what_was_written() {
    (0..40).for_each(run);
}
