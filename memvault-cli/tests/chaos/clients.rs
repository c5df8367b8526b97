//! The clients: each asks, waits, thinks, and asks again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use memvault::replication::{Level, Levels, OnAmbiguous};
use memvault::resp::Reply;
use memvault_net::client::Client;

use crate::cluster::socket_address;
use crate::history::{Group, History};
use crate::network::{CLIENTS, GATEWAY, MEMBERS, Network};
use crate::redis::Redis;
use crate::support::eventually;

/// All clients at work.
pub(crate) struct Clients {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    history: History,
    judge: Client,
}

/// One client of one group.
struct Worker {
    group: Group,
    history: History,
    stop: Arc<AtomicBool>,
}

/// Something that can be asked for keys.
pub(crate) trait Ask {
    fn get(&mut self, key: &str) -> Result<Option<u64>, String>;
    fn set(&mut self, key: &str, value: u64) -> Result<(), String>;
    fn del(&mut self, key: &str) -> Result<(), String>;
}

impl Clients {
    /// Starts all.
    pub(crate) fn start(network: &dyn Network, history: &History) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        let mut start = |group, ask: Box<dyn Ask + Send>| {
            let worker = Worker {
                group,
                history: history.clone(),
                stop: Arc::clone(&stop),
            };
            threads.push(thread::spawn(move || worker.work(ask)));
        };
        let strict = [connect_strict(network), connect_strict(network)];
        for client in &strict {
            start(Group::Strict, Box::new(client.clone()));
            start(Group::Strict, Box::new(client.clone()));
            start(Group::Deleted, Box::new(client.clone()));
        }
        start(Group::Default, Box::new(connect(network)));
        start(Group::Default, Box::new(Plain::of_gateway(network)));
        start(Group::Default, Box::new(Plain::of_gateway(network)));
        let members = (0..MEMBERS).map(|member| socket_address(network, member));
        start(Group::Default, Box::new(Plain::new(members.collect())));
        let [judge, _] = strict;
        Self {
            stop,
            threads,
            history: history.clone(),
            judge,
        }
    }

    /// Lets all finish, and reads each key once more: all is calm, so what is there must be found.
    ///
    /// # Panics
    /// If one has panicked.
    pub(crate) fn finish(mut self, network: &dyn Network) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().expect("no client panics");
        }
        let mut plain = Plain::of_gateway(network);
        for group in Group::ALL {
            for key in 0..Group::KEYS {
                let ask: &mut dyn Ask = if group == Group::Default {
                    &mut plain
                } else {
                    &mut self.judge
                };
                let mut last = (self.history.now(), Ok(None));
                // A client looks for a member that it lost every few seconds.
                eventually("every key can be read again", || {
                    last = (self.history.now(), ask.get(&group.key(key)));
                    last.1.is_ok()
                });
                let (asked, read) = last;
                self.history.note((group, key), asked, None, read);
            }
        }
    }
}

const STRICT: Levels = Levels {
    write: Level::Quorum,
    read: Level::Quorum,
};

/// A client with default settings.
fn connect(network: &dyn Network) -> Client {
    let builder = Client::builder().cluster(network.list(CLIENTS));
    smol::block_on(builder.connect()).expect("the cluster serves")
}

/// A client at level QUORUM, to which a write of unknown fate is an error.
pub(crate) fn connect_strict(network: &dyn Network) -> Client {
    let builder = Client::builder().cluster(network.list(CLIENTS));
    let strict = builder.levels(STRICT).on_ambiguous(OnAmbiguous::Error);
    smol::block_on(strict.connect()).expect("the cluster serves")
}

impl Worker {
    fn work(&self, mut ask: Box<dyn Ask + Send>) {
        while !self.stop.load(Ordering::Relaxed) {
            let number = fastrand::usize(..Group::KEYS);
            let key = self.group.key(number);
            let (asked, mut written) = (self.history.now(), None);
            let outcome = match fastrand::u32(..100) {
                0..60 => ask.get(&key),
                choice => {
                    let value = self.history.fresh_value();
                    written = Some(value);
                    let done = if self.group == Group::Deleted && choice < 70 {
                        ask.del(&key)
                    } else {
                        ask.set(&key, value)
                    };
                    done.map(|()| None)
                }
            };
            let failed = outcome.is_err();
            self.history
                .note((self.group, number), asked, written, outcome);
            // A refused connection fails at once: the history would consist of nothing else.
            let pause = if failed { 20_000 } else { 3_000 };
            thread::sleep(Duration::from_micros(fastrand::u64(..pause)));
        }
    }
}

impl Ask for Client {
    fn get(&mut self, key: &str) -> Result<Option<u64>, String> {
        let value = smol::block_on(Self::get(self, key)).map_err(|error| error.to_string())?;
        Ok(value.map(|value| number_of(&value)))
    }

    fn set(&mut self, key: &str, value: u64) -> Result<(), String> {
        smol::block_on(Self::set(self, key, text_of(value))).map_err(|error| error.to_string())
    }

    fn del(&mut self, key: &str) -> Result<(), String> {
        let deleted = smol::block_on(Self::del(self, key));
        deleted.map(|_| ()).map_err(|error| error.to_string())
    }
}

/// A plain Redis client, which knows one server at a time.
pub(crate) struct Plain {
    servers: Vec<SocketAddr>,
    connection: Option<Redis>,
}

impl Plain {
    /// A client of the gateway.
    pub(crate) fn of_gateway(network: &dyn Network) -> Self {
        Self::new(vec![socket_address(network, GATEWAY)])
    }

    fn new(servers: Vec<SocketAddr>) -> Self {
        Self {
            servers,
            connection: None,
        }
    }

    fn ask(&mut self, command: &[&str]) -> Result<Reply, String> {
        let result = self.try_ask(command);
        match self.servers.len() {
            1 => result,
            _ => result.map_err(|error| format!("{OF_ONE_MEMBER}{error}")),
        }
    }

    fn try_ask(&mut self, command: &[&str]) -> Result<Reply, String> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let server = self.servers[fastrand::usize(..self.servers.len())];
                let connection = Redis::connect_within(server, PATIENCE_OF_PLAIN);
                connection.map_err(|error| format!("connect to {server}: {error}"))?
            }
        };
        let reply = connection
            .try_ask(command)
            .map_err(|error| error.to_string())?;
        if let Reply::Error(text) = reply {
            return Err(String::from_utf8_lossy(&text).into_owned());
        }
        self.connection = Some(connection);
        Ok(reply)
    }
}

impl Ask for Plain {
    fn get(&mut self, key: &str) -> Result<Option<u64>, String> {
        let reply = Self::ask(self, &["GET", key])?;
        Ok(reply.as_bytes().map(number_of))
    }

    fn set(&mut self, key: &str, value: u64) -> Result<(), String> {
        Self::ask(self, &["SET", key, &text_of(value)]).map(|_| ())
    }

    fn del(&mut self, key: &str) -> Result<(), String> {
        Self::ask(self, &["DEL", key]).map(|_| ())
    }
}

/// What errors of plain clients begin with that ask a member: if it dies, or is coming back, they have to look
/// for another one.
pub(crate) const OF_ONE_MEMBER: &str = "of one member: ";

/// A value as text: short most of the time, long now and then.
fn text_of(value: u64) -> String {
    let padding = if value.is_multiple_of(50) {
        20_000
    } else {
        value as usize % 100
    };
    format!("{value}{}", " ".repeat(padding))
}

/// What a text says; 0, which nobody writes, if it is none of ours.
fn number_of(text: &[u8]) -> u64 {
    let text = std::str::from_utf8(text).unwrap_or_default();
    text.trim_end().parse().unwrap_or_default()
}

/// How long a plain client waits for a reply before it tries another server.
const PATIENCE_OF_PLAIN: Duration = Duration::from_secs(3);
