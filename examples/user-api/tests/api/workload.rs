//! Many clients at once, and the rule by which each answer is judged.
//!
//! A user's name is the number of its version. An answer is stale if another version was begun after the one in it had
//! been answered, and answered before the question. Changes of the same user race as well, so which of two comes last
//! is not known; at the end the database tells.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::Instant;

use crate::http::{Response, get, request};
use crate::processes::{Api, Nodes, eventually};

/// What happened to one user.
#[derive(Default)]
struct Log {
    last: u64,
    changes: Vec<Change>,
    reads: Vec<Read>,
}

/// A version that was written.
#[derive(Clone, Copy, Debug)]
struct Change {
    version: u64,
    begun: Instant,
    answered: Instant,
}

/// A version that was found.
#[derive(Clone, Copy, Debug)]
struct Read {
    version: u64,
    asked: Instant,
    answered: Instant,
}

/// The version of one who was deleted.
const DELETED: u64 = u64::MAX;

/// Clients, and the users that they ask about.
pub(crate) struct Workload {
    address: SocketAddr,
    users: Vec<Mutex<Log>>,
    pub(crate) answers: AtomicU64,
    pub(crate) hits: AtomicU64,
    stop: AtomicBool,
}

impl Workload {
    /// About the users from number 1 on.
    pub(crate) fn new(address: SocketAddr, users: usize) -> Self {
        Self {
            address,
            users: (0..users).map(|_| Mutex::default()).collect(),
            answers: AtomicU64::new(0),
            hits: AtomicU64::new(0),
            stop: AtomicBool::new(false),
        }
    }

    /// Runs so many clients while `meanwhile` runs.
    pub(crate) fn run(&self, clients: u64, meanwhile: impl FnOnce()) {
        thread::scope(|scope| {
            for client in 0..clients {
                scope.spawn(move || {
                    let mut random = Random(client + 1);
                    while !self.stop.load(Ordering::Relaxed) {
                        self.ask(&mut random);
                    }
                });
            }
            // A task that fails a check ends; so shall the others.
            let stopper = StopOnDrop(&self.stop);
            meanwhile();
            drop(stopper);
        });
    }

    fn ask(&self, random: &mut Random) {
        let index = random.below(self.users.len() as u64) as usize;
        match random.below(100) {
            0..70 => self.read(index),
            70..74 => self.create(random),
            // The first half of the users stays.
            74..75 if index >= self.users.len() / 2 => self.delete(index),
            _ => self.change(index),
        }
        self.answers.fetch_add(1, Ordering::Relaxed);
    }

    fn read(&self, index: usize) {
        let asked = Instant::now();
        let answer = get(self.address, &path(index));
        if answer.cache() == "hit" {
            self.hits.fetch_add(1, Ordering::Relaxed);
        }
        let read = Read {
            version: version(&answer),
            asked,
            answered: Instant::now(),
        };
        self.log(index).reads.push(read);
    }

    fn change(&self, index: usize) {
        let version = {
            let mut log = self.log(index);
            log.last += 1;
            log.last
        };
        let begun = Instant::now();
        let answer = request(self.address, "PUT", &path(index), &body(version));
        if answer.status == 404 && index >= self.users.len() / 2 {
            return;
        }
        assert_eq!(answer.status, 200, "{answer:?}");
        self.changed(index, version, begun);
    }

    fn delete(&self, index: usize) {
        let begun = Instant::now();
        let answer = request(self.address, "DELETE", &path(index), "");
        match answer.status {
            200 => self.changed(index, DELETED, begun),
            status => assert_eq!(status, 404, "{answer:?}"),
        }
    }

    fn changed(&self, index: usize, version: u64, begun: Instant) {
        self.log(index).changes.push(Change {
            version,
            begun,
            answered: Instant::now(),
        });
    }

    fn log(&self, index: usize) -> MutexGuard<'_, Log> {
        self.users[index].lock().expect("nobody has panicked")
    }

    /// One who is new is found at once.
    fn create(&self, random: &mut Random) {
        let made = random.below(1000);
        let answer = request(self.address, "POST", "/user", &body(made));
        assert_eq!(answer.status, 201, "{answer:?}");
        let path = answer.header("location").expect("where it is").to_owned();
        let found = get(self.address, &path);
        assert_eq!(found.body["data"], answer.body["data"], "{found:?}");
    }

    /// When all is quiet: what is answered, and what the cache holds, is what the database holds.
    pub(crate) fn check_at_rest(&self, api: &Api, nodes: &Nodes) {
        nodes.wait_until_serving();
        eventually("the cache was told of everything", || {
            api.statistic("pending") == 0
        });
        let database = api.database();
        for (id, log) in (1..).zip(&self.users) {
            log.lock().expect("nobody has panicked").check(id);
            let select = "SELECT name FROM users WHERE id = ?1";
            let name = database.query_row(select, [id], |row| row.get::<_, String>(0));
            let expected = name.map_or(DELETED, |name| number(&name));
            let cached = nodes.cached(id);
            let cached = cached.map(|json| serde_json::from_str(&json).expect("JSON"));
            if let Some::<serde_json::Value>(user) = cached {
                let name = user["name"].as_str().expect("a name");
                assert_eq!(number(name), expected, "user {id} in the cache");
            }
            let answer = get(api.address, &format!("/user/{id}"));
            assert_eq!(version(&answer), expected, "user {id}");
        }
    }
}

impl Log {
    /// No read found what had been replaced, nor what was not there yet.
    fn check(&self, id: i64) {
        for read in &self.reads {
            let found = self.changes.iter().find(|of| of.version == read.version);
            if let Some(found) = found {
                assert!(
                    found.begun < read.answered,
                    "user {id}: {read:?} before {found:?}"
                );
            }
            let is_newer = |other: &&Change| {
                let after = found.is_none_or(|found| found.answered < other.begun);
                other.version != read.version && other.answered < read.asked && after
            };
            let newer = self.changes.iter().find(is_newer);
            assert!(
                newer.is_none(),
                "user {id}: {read:?} is stale: {found:?}, {newer:?}"
            );
            assert!(
                read.version == DELETED
                    || !self
                        .changes
                        .iter()
                        .any(|of| of.version == DELETED && of.answered < read.asked),
                "user {id}: {read:?} after it was deleted"
            );
        }
    }
}

struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn path(index: usize) -> String {
    format!("/user/{}", index + 1)
}

fn body(version: u64) -> String {
    format!(r#"{{"name": "version {version}", "email": "version{version}@example.com"}}"#)
}

/// The version in an answer. Nothing but 200 and 404 is due.
fn version(answer: &Response) -> u64 {
    match answer.status {
        404 => DELETED,
        200 => {
            let user = &answer.body["data"];
            let number = number(user["name"].as_str().expect("a name"));
            if number > 0 {
                let email = user["email"].as_str().expect("an address");
                assert_eq!(
                    email,
                    format!("version{number}@example.com"),
                    "of one version"
                );
            }
            number
        }
        _ => panic!("nothing may fail: {answer:?}"),
    }
}

/// Zero is the version that was made with the database.
fn number(name: &str) -> u64 {
    let number = name.strip_prefix("version ");
    number.map_or(0, |number| number.parse().expect("a number"))
}

/// Xorshift: each client has its own sequence.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
