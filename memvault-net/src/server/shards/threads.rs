//! The threads of a server, from the first client to the last.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use async_executor::{LocalExecutor, Task};
use futures_lite::FutureExt;

use super::Shards;
use super::dispatcher::Dispatcher;
use super::message::{Batch, Message};
use super::shard::Shard;
use crate::server::backend::Backend;
use crate::server::calls::{Calls, ThreadCounters};
use crate::server::clients::Clients;
use crate::server::connection_limit::ConnectionLimit;
use crate::server::door::Door;
use crate::server::expiry;
use crate::server::listen::{self, Arrival};
use crate::server::meter::Meter;
use crate::server::protected_mode::ProtectedMode;
use crate::server::sockets::Sockets;
use crate::server::{Config, Error, Role, admin, governor, tidy};

/// Serves clients on as many threads as `config` says, the calling one included, until `shutdown` is done.
///
/// # Errors
/// As [`Server::run`](super::super::Server::run).
pub(in crate::server) fn run(
    listener: TcpListener,
    config: Config,
    shutdown: impl Future + 'static,
) -> Result<(), Error> {
    let (Role::Single(limits), 1..) = (&config.role, config.threads) else {
        return Err(Error::Threads(config.threads));
    };
    let address = listener.local_addr().ok();
    let door = Door::new(listener, "clients").map_err(Error::Listener)?;
    let common = Common {
        shards: Arc::new(Shards::new(config.threads, limits)),
        connection_limit: Arc::new(ConnectionLimit::new(
            config.max_clients,
            config.clients_memory(),
        )),
        meter: Arc::default(),
        calls: Arc::new(Calls::new(config.threads)),
        config,
        address,
    };
    common.run(door, shutdown)
}

/// What all threads are given.
#[derive(Clone)]
struct Common {
    shards: Arc<Shards>,
    connection_limit: Arc<ConnectionLimit>,
    meter: Arc<Meter>,
    calls: Arc<Calls>,
    config: Config,
    address: Option<SocketAddr>,
}

impl Common {
    /// Serves on all threads, the calling one included, until `shutdown` is done or one of them fails.
    fn run(self, door: Door, shutdown: impl Future + 'static) -> Result<(), Error> {
        let alarm = Alarm::new(&self.shards);
        let threads = (1..self.config.threads).map(|number| self.start(number));
        let result = threads.collect::<Result<Vec<_>, _>>();
        let threads = result.map_err(Error::Spawn)?;
        let result = Worker::new(0, &self).and_then(|worker| worker.receive(door, shutdown));
        alarm.end(&result);
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or(Err(Error::Panic)))
            .fold(result, Result::and)
    }

    fn start(&self, number: usize) -> io::Result<JoinHandle<Result<(), Error>>> {
        let common = self.clone();
        let name = format!("memvault-{number}");
        thread::Builder::new().name(name).spawn(move || {
            let alarm = Alarm::new(&common.shards);
            let result = Worker::new(number, &common).and_then(Worker::serve);
            alarm.end(&result);
            result
        })
    }
}

/// Ends all threads if one of them fails.
struct Alarm {
    shards: Arc<Shards>,
    is_set: bool,
}

impl Alarm {
    fn new(shards: &Arc<Shards>) -> Self {
        let shards = Arc::clone(shards);
        Self {
            shards,
            is_set: true,
        }
    }

    /// The thread has come to its end without a panic.
    fn end(mut self, result: &Result<(), Error>) {
        self.is_set = result.is_err();
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if self.is_set {
            for desk in &self.shards.desks {
                desk.mailbox.send(Batch {
                    messages: vec![Message::Abort],
                    ..Batch::default()
                });
            }
        }
    }
}

/// One thread.
struct Worker {
    executor: Rc<LocalExecutor<'static>>,
    sockets: Sockets,
    clients: Rc<Clients>,
    shard: Rc<Shard>,
}

impl Worker {
    fn new(number: usize, common: &Common) -> Result<Self, Error> {
        let executor = Rc::new(LocalExecutor::new());
        let config = common.config.clone();
        let sockets = Sockets::new(config.io).map_err(Error::Wait)?;
        let limits = config.connection.limits;
        let shard = Rc::new(Shard::new(number, &common.shards, limits));
        let backend = Backend::Shard(Rc::clone(&shard));
        let shared = (
            Arc::clone(&common.connection_limit),
            Arc::clone(&common.meter),
        );
        let counters = ThreadCounters::new(&common.calls, number);
        let clients = Clients::new(&executor, config, backend, common.address, shared, counters);
        Ok(Self {
            executor,
            sockets,
            clients: Rc::new(clients),
            shard,
        })
    }

    /// Serves clients until another thread says that it is time to end.
    fn serve(self) -> Result<(), Error> {
        let shard = Rc::clone(&self.shard);
        self.run(async move { shard.end.until(|end| end.is_asked_for.get()).await })
    }

    /// Accepts clients for all threads until `shutdown` is done, and tells the others then.
    fn receive(self, door: Door, shutdown: impl Future + 'static) -> Result<(), Error> {
        let connection_limit = Arc::clone(&self.clients.connection_limit);
        let protected_mode = ProtectedMode::of(&self.clients);
        let silence = self.clients.config.tcp_keepalive;
        let accepting =
            listen::accept(door, connection_limit, protected_mode, silence, self.deal());
        let accepting = self.executor.spawn(accepting);
        let shard = Rc::clone(&self.shard);
        let _admin = admin::start(&self.clients).map_err(Error::Admin)?;
        let _measuring = self.executor.spawn(self.clients.measure_rate());
        self.run(async move {
            shutdown.await;
            drop(accepting);
            shard.post_to_others(|| Message::Finish);
        })
    }

    /// Gives new clients to the threads by turns.
    fn deal(&self) -> impl FnMut(Arrival) + 'static {
        let shard = Rc::clone(&self.shard);
        let (sockets, clients) = (self.sockets.clone(), Rc::clone(&self.clients));
        let mut turns = (0..shard.shards.len()).cycle();
        move |arrival| match turns.next() {
            Some(other) if other != shard.number => shard.post(other, Message::Arrival(arrival)),
            _ => sockets.welcome(&clients, arrival),
        }
    }

    /// Serves clients until `told_to_stop` is done, then answers what was received, also for the clients of
    /// others.
    fn run(self, told_to_stop: impl Future + 'static) -> Result<(), Error> {
        let dispatcher = self.dispatcher();
        let watching = listen::close_idle(Rc::clone(&self.clients));
        let watching = self.executor.spawn(watching);
        let expiring = expiry::purge_expired(Rc::clone(&self.clients));
        let _expiring = self.executor.spawn(expiring);
        let governing = governor::govern(Rc::clone(&self.clients));
        let _governing = self.executor.spawn(governing);
        let _tidying = self.executor.spawn(tidy::tidy(Rc::clone(&self.clients)));
        let (clients, shard) = (Rc::clone(&self.clients), Rc::clone(&self.shard));
        let serving = async move {
            told_to_stop.await;
            drop(watching);
            let finish = async {
                clients.finish().await;
                shard.take_leave().await;
            };
            finish.or(clients.lose_patience()).await;
        };
        let shard = Rc::clone(&self.shard);
        let aborted = async move { shard.end.until(|end| end.is_aborted.get()).await };
        let serving = self.executor.spawn(aborted.or(serving));
        // Whichever of the two panics, the thread does.
        let ending = serving.or(dispatcher);
        self.sockets
            .block_on(&self.executor, ending)
            .map_err(Error::Wait)
    }

    fn dispatcher(&self) -> Task<()> {
        let dispatcher = Dispatcher {
            shard: Rc::clone(&self.shard),
            clients: Rc::clone(&self.clients),
            sockets: self.sockets.clone(),
        };
        self.executor.spawn(dispatcher.run())
    }
}

impl Shard {
    /// Waits until no thread has clients any more.
    async fn take_leave(&self) {
        self.post_to_others(|| Message::Gone);
        // If all others are gone already, nobody asks the dispatcher any more.
        self.flush();
        let others = self.shards.len() - 1;
        self.end.until(|end| end.gone.get() == others).await;
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::time::{Duration, Instant};

    use super::super::message::Answers;
    use super::*;

    fn common(threads: usize) -> Common {
        let mut config = Config::new(Role::Single(memvault::store::Config::default()));
        config.threads = threads;
        Common {
            shards: Arc::new(Shards::new(threads, &memvault::store::Config::default())),
            connection_limit: Arc::new(ConnectionLimit::new(
                config.max_clients,
                config.clients_memory(),
            )),
            meter: Arc::default(),
            calls: Arc::new(Calls::new(threads)),
            config,
            address: None,
        }
    }

    /// Serves until it ends of its own accord, with a thread that gets an answer from a thread that there
    /// is not: an invariant is broken.
    fn run_with_one_that_panics(number: usize) -> (Arc<Shards>, thread::Result<Result<(), Error>>) {
        let common = common(3);
        let shards = Arc::clone(&common.shards);
        let all = Arc::clone(&shards);
        let running = thread::spawn(move || {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            let door = Door::new(listener, "clients").expect("a listener");
            common.run(door, async move {
                let mut answers = Answers::default();
                answers.add(|_| {});
                all.desks[number].mailbox.send(Batch {
                    from: 99,
                    answers,
                    ..Batch::default()
                });
                drop(all);
                pending::<()>().await;
            })
        });
        (shards, running.join())
    }

    #[test]
    fn a_thread_that_panics_ends_the_server_with_an_error() {
        let (_, result) = run_with_one_that_panics(1);
        assert!(matches!(result, Ok(Err(Error::Panic))), "{result:?}");
    }

    #[test]
    fn a_panic_of_the_calling_thread_ends_all_others() {
        let (shards, result) = run_with_one_that_panics(0);
        assert!(result.is_err(), "{result:?}");
        let deadline = Instant::now() + Duration::from_secs(30);
        while Arc::strong_count(&shards) > 1 {
            assert!(Instant::now() < deadline, "a thread still runs");
            thread::sleep(Duration::from_millis(5));
        }
    }
}
