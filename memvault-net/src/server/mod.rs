//! The server: Redis clients and peers on one port, served by one node.
//!
//! ```text
//! listener --accept--> ClientTask: read --> Connection::process --> write     (one task per client)
//!                                               |          ^
//!                          a store of its own --+          | replies that were deferred
//!                          or the cluster, through a Driver
//! ```
//!
//! Place: on top of the core's [`Connection`](memvault::connection::Connection) and of the
//! [`Driver`](crate::driver::Driver). A connection whose first command is a node's greeting goes over to the
//! driver.
//!
//! Everything runs on the thread that calls [`Server::run`], unless [`Config::threads`] says otherwise: then
//! each of several threads does all of the above for its share of the clients and of the keys. A slow reader holds up
//! only itself, and what waits for it is bounded.
//!
//! Limits: [`Config`] names them with their defaults.

#[cfg(feature = "admin")]
mod admin;
#[cfg(not(feature = "admin"))]
#[path = "no_admin.rs"]
mod admin;
mod admin_limits;
mod backend;
mod calls;
mod client;
mod clients;
mod connection_limit;
mod door;
mod expiry;
mod file_limit;
mod governor;
mod host;
mod ledger;
mod listen;
mod meter;
mod process;
mod protected_mode;
mod shards;
mod socket;
mod sockets;
mod task;
mod tidy;

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use async_executor::LocalExecutor;
use futures_lite::FutureExt;
use memvault::connection;
use memvault::replication::{ConfigError, Event};
use memvault::store;

use crate::driver::{self, DiscoverError};
use crate::memory_limit::quarter_of_memory;
#[cfg(feature = "admin")]
pub use admin::NodeStats;
pub use admin_limits::AdminLimits;
use backend::Backend;
use calls::{Calls, ThreadCounters};
use clients::Clients;
use connection_limit::ConnectionLimit;
use door::Door;
pub use meter::ASKER_NAME;
use protected_mode::ProtectedMode;
pub use sockets::Io;
use sockets::Sockets;

/// How a server is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// What the server is.
    pub role: Role,
    /// Threads that serve clients; default 1. Flag `--threads`.
    ///
    /// More than one only for a node alone. Each thread then keeps the keys that a hash gives it: it has
    /// an even share of the limits of the store, at least one entry, and its own exact LRU order. What a
    /// client asks of another thread's keys costs a hand-over in memory: a request takes about half as much
    /// processor time again, so more threads pay when one is not enough.
    pub threads: usize,
    /// How the server waits for its clients; default [`Io::Auto`]. Flag `--io`.
    pub io: Io,
    /// What one client may send and hold.
    pub connection: connection::Config,
    /// Clients above which new ones are sent away with an error; default 10 000. Flag `--max-clients`.
    ///
    /// The server raises the limit of open files of its process to what they need, and what it needs itself; where the
    /// system does not let it, there are fewer clients, and the log says so.
    pub max_clients: usize,
    /// Silence of a client after which the system asks whether it is still there; default 300 s, `None` never. Flag
    /// `--tcp-keepalive`.
    pub tcp_keepalive: Option<Duration>,
    /// Bytes that all clients together may have the server hold: what they have sent that is not executed yet, and
    /// replies that they have not taken. Beyond it the largest are closed. Default `None`: a quarter of the
    /// [memory](crate::memory_limit) that this process may have. Flag `--max-clients-memory`.
    pub max_clients_memory: Option<usize>,
    /// Whether clients from other machines are refused with an error that says why; default `true`. Flag
    /// `--protected-mode`.
    ///
    /// Nodes that greet as members of a cluster are let in; clients and gateways that find the nodes of a key by
    /// themselves are not. A client is on this machine if its address is a loopback one.
    pub protected: bool,
    /// How long a client may be silent before it is closed; default `None`, for ever. Flag
    /// `--idle-timeout`.
    pub idle_timeout: Option<Duration>,
    /// Where metrics and health are told over HTTP; default `None`, nowhere. Flag `--admin`. Without the feature `admin` a
    /// server that has one does not start.
    ///
    /// Paths: `/metrics` for Prometheus, `/healthz`, `/readyz`, which is 200 while this server does its part, and the
    /// documents `/api/status`, `/api/cluster`, `/api/ring`, `/api/events?since=NUMBER` and `/api/where?key=KEY`.
    /// Anyone who reaches it learns who the members are, and can change nothing.
    pub admin: Option<Arc<TcpListener>>,
    /// Names under which [`admin`](Self::admin) is asked, beside `localhost` and IP addresses; default none. Flag
    /// `--admin-host`. Requests for others are refused: see [`web`](crate::web).
    pub admin_hosts: Vec<String>,
    /// How much those who reach [`admin`](Self::admin) may take.
    pub admin_limits: AdminLimits,
    /// How long the end of the server waits for answers that are under way; default 5 s.
    pub shutdown_timeout: Duration,
}

/// What a server is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Role {
    /// A node alone, with a store that has these limits.
    Single(store::Config),
    /// A node of a cluster: a member with data or, as a coordinator, a gateway without.
    Cluster(Box<driver::Settings>),
}

impl Config {
    /// The default settings for this role.
    #[must_use]
    pub fn new(role: Role) -> Self {
        Self {
            role,
            threads: 1,
            io: Io::Auto,
            connection: connection::Config::default(),
            max_clients: 10_000,
            tcp_keepalive: Some(Duration::from_secs(300)),
            max_clients_memory: None,
            protected: true,
            idle_timeout: None,
            admin: None,
            admin_hosts: Vec::new(),
            admin_limits: AdminLimits::default(),
            shutdown_timeout: Duration::from_secs(5),
        }
    }
}

impl Config {
    /// Bytes that all clients together may have the server hold.
    fn clients_memory(&self) -> usize {
        self.max_clients_memory.unwrap_or_else(quarter_of_memory)
    }
}

/// Serves clients until it is told to stop.
#[derive(Clone, Copy, Debug)]
pub struct Server;

impl Server {
    /// Serves on `listener` until `shutdown` is done; then answers what it has received, and returns.
    ///
    /// Blocks the calling thread. A member tells the others first that it leaves.
    ///
    /// ```
    /// use memvault_net::server::{Config, Role, Server};
    /// use std::io::{Read, Write};
    ///
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let mut client = std::net::TcpStream::connect(listener.local_addr()?)?;
    /// let (stop, stopped) = async_channel::bounded::<()>(1);
    /// let server = std::thread::spawn(move || {
    ///     let config = Config::new(Role::Single(memvault::store::Config::default()));
    ///     Server::run(listener, config, async move { stopped.recv().await })
    /// });
    /// client.write_all(b"SET a \"x y\" EX 10\r\nGET a\r\n")?;
    /// let mut replies = [0; 14];
    /// client.read_exact(&mut replies)?;
    /// assert_eq!(&replies, b"+OK\r\n$3\r\nx y\r\n");
    /// stop.close();
    /// server.join().expect("no panic")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the settings are contradictory, the listener cannot be used, or a thread cannot be started or
    /// has panicked.
    pub fn run(
        listener: TcpListener,
        mut config: Config,
        shutdown: impl Future + 'static,
    ) -> Result<(), Error> {
        config.io = config.io.resolve(&config.role)?;
        file_limit::apply(&mut config, &listener)?;
        if config.threads != 1 {
            return shards::run(listener, config, shutdown);
        }
        let executor = Rc::new(LocalExecutor::new());
        let backend = Backend::new(&executor, &config.role).map_err(Error::Config)?;
        // Without an address of its own the server still serves; it only has less to tell.
        let address = listener.local_addr().ok();
        discover(&config.role, &backend, address).map_err(Error::Discover)?;
        let door = Door::new(listener, "clients").map_err(Error::Listener)?;
        let silence = config.tcp_keepalive;
        let sockets = Sockets::new(config.io).map_err(Error::Wait)?;
        let connection_limit = Arc::new(ConnectionLimit::new(
            config.max_clients,
            config.clients_memory(),
        ));
        let shared = (Arc::clone(&connection_limit), Arc::default());
        let counters = ThreadCounters::new(&Arc::new(Calls::new(1)), 0);
        let clients = Clients::new(&executor, config, backend, address, shared, counters);
        let clients = Rc::new(clients);
        clients.dismiss_after_pauses();
        let welcome = {
            let (sockets, clients) = (sockets.clone(), Rc::clone(&clients));
            move |arrival| sockets.welcome(&clients, arrival)
        };
        let protected_mode = ProtectedMode::of(&clients);
        let accepting = executor.spawn(listen::accept(
            door,
            connection_limit,
            protected_mode,
            silence,
            welcome,
        ));
        let watching = executor.spawn(listen::close_idle(Rc::clone(&clients)));
        let _admin = admin::start(&clients).map_err(Error::Admin)?;
        let _measuring = executor.spawn(clients.measure_rate());
        let _expiring = executor.spawn(expiry::purge_expired(Rc::clone(&clients)));
        let _governing = executor.spawn(governor::govern(Rc::clone(&clients)));
        let _tidying = executor.spawn(tidy::tidy(Rc::clone(&clients)));
        let (tell, told) = async_channel::bounded(1);
        if let Some(driver) = clients.backend.driver() {
            let tell = tell.clone();
            driver.on_event(move |event| end_if_told(event, &tell));
        }
        let serving = executor.spawn(async move {
            let ended = async {
                shutdown.await;
                None
            };
            let reason = ended.or(async { told.recv().await.ok() }).await;
            drop((accepting, watching));
            clients.finish().or(clients.lose_patience()).await;
            reason
        });
        let reason = sockets.block_on(&executor, serving).map_err(Error::Wait)?;
        drop(tell);
        reason.map_or(Ok(()), |id| Err(Error::SameId(id)))
    }
}

/// Has a member that is set up so discover others through UDP, on the port that it listens on.
fn discover(
    role: &Role,
    backend: &Backend,
    address: Option<SocketAddr>,
) -> Result<(), DiscoverError> {
    let (Role::Cluster(settings), Some(driver)) = (role, backend.driver()) else {
        return Ok(());
    };
    match (&settings.discover, address) {
        (Some(discover), Some(address)) => {
            let socket = UdpSocket::bind(address).map_err(DiscoverError::Socket)?;
            driver.discover(discover.clone(), socket)
        }
        _ => Ok(()),
    }
}

/// Passes the id on if another process has it and this one has to end.
fn end_if_told(event: &Event, tell: &async_channel::Sender<String>) {
    if let Event::SameId {
        node,
        must_end: true,
    } = event
    {
        // Once is enough.
        let _ = tell.try_send(node.clone());
    }
}

/// Why a server did not start, or did not go on.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The settings of the node are contradictory.
    Config(ConfigError),
    /// [`Config::threads`] is more than this role can have, or zero.
    Threads(usize),
    /// [`Config::io`] is [`Io::Epoll`] where that cannot be; the text says why.
    Epoll(&'static str),
    /// The system gives no thread.
    Spawn(io::Error),
    /// A thread of the server panicked: the keys that it kept are lost.
    Panic,
    /// Another process with this node's id was there first, and is alive.
    SameId(String),
    /// The member cannot discover others.
    Discover(DiscoverError),
    /// The system allows the process too few open files for any client; with the least number that would do.
    OpenFiles {
        /// How many it allows.
        allowed: u64,
        /// How many it would take.
        least: u64,
    },
    /// The listening socket cannot be used.
    Listener(io::Error),
    /// The listening socket of [`Config::admin`] cannot be used.
    Admin(io::Error),
    /// The operating system does not let the server wait for its clients.
    Wait(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => write!(f, "the cluster is misconfigured: {error}"),
            Self::Threads(0) => f.write_str("a server has at least 1 thread (--threads)"),
            Self::Threads(threads) => write!(
                f,
                "{threads} threads (--threads) are for a node alone: a node of a cluster has 1"
            ),
            Self::Epoll(why) => write!(f, "--io epoll {why}: use --io auto or smol"),
            Self::Spawn(error) => write!(f, "cannot start a thread (--threads): {error}"),
            Self::Panic => f.write_str("a thread of the server panicked; its keys are lost"),
            Self::SameId(id) => write!(
                f,
                "another process with the id {id} is alive in this cluster: stop it first, or give this one an id of its \
                 own (--node-id)"
            ),
            Self::Discover(error) => write!(f, "--discover: {error}"),
            Self::OpenFiles { allowed, least } => write!(
                f,
                "the system allows this process {allowed} open files, but at least {least} are needed for one client: \
                 raise the limit (ulimit -n)"
            ),
            Self::Listener(error) => write!(f, "cannot use the listening socket: {error}"),
            Self::Admin(error) => write!(f, "cannot use the listening socket of --admin: {error}"),
            Self::Wait(error) => write!(f, "cannot wait for clients: {error}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Config(error) => Some(error),
            Self::Discover(error) => Some(error),
            Self::Listener(error) | Self::Spawn(error) | Self::Admin(error) | Self::Wait(error) => {
                Some(error)
            }
            Self::Threads(_)
            | Self::Epoll(_)
            | Self::Panic
            | Self::SameId(_)
            | Self::OpenFiles { .. } => None,
        }
    }
}
