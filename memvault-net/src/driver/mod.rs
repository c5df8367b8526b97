//! The node driver: runs a [`Node`] of the core over TCP, on one thread.
//!
//! ```text
//! request, accept_peer -->  Driver  --handle_*-->  Node
//! sockets, timer       -->          <--Action---
//!                             |
//!                             +--> outlets --> one writer task per link --> sockets
//!                             +--> answers to requests, events
//! ```
//!
//! Place: under the replicating [`Client`](crate::client::Client), and under a server that is a member or a
//! gateway. The node decides everything; the driver owns the sockets, the clock and the timer.
//!
//! After every input the driver does what the node asks and sets its one timer anew if something became due
//! sooner. All small messages that are queued for a link before its writer runs leave in one send; large ones in
//! pieces, after them and between them. No read and no write keeps the thread for more than 64 KiB.
//!
//! Limits: [`Settings`] names them with their defaults.

mod address;
mod alarm;
mod answers;
pub(crate) mod connect;
#[cfg(feature = "discovery")]
mod discover;
mod discover_error;
mod drive;
mod effort;
mod event_log;
mod latency;
mod link;
mod links;
#[cfg(all(feature = "server", not(feature = "discovery")))]
mod no_discover;
mod outlet;
mod peer;
mod questions;
mod requests;
mod settings;

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

use async_executor::LocalExecutor;
use futures_lite::{AsyncRead, AsyncWrite};
use memvault::cluster::ClusterEngine;
use memvault::connection::StoreInfo;
use memvault::replication::{
    ConfigError, Event, Levels, Node, NodeState, NodeStatistics, Outcome, Request,
};
use memvault::resp::Limits;
use memvault::time::Timestamp;

pub use address::{AddressError, NodeAddress};
pub use discover_error::DiscoverError;
pub use latency::Latency;
pub use peer::PeerReport;
pub use requests::ReplySink;
pub use settings::{Discover, Settings};

use crate::clock::Clock;
use crate::flapping::Flapping;
use crate::memory_limit::quarter_of_memory;
use alarm::Alarm;
use answers::Answers;
use effort::Effort;
use link::{Codec, LinkError, Reader};
use links::Links;
use peer::PeerLog;
use requests::Requests;

/// A [`Node`] over TCP. A handle: clones drive the same node. The last one to go closes all links.
///
/// Lives on one thread, in tasks of the executor that it was given; nothing happens unless that runs.
#[derive(Clone)]
pub struct Driver(Rc<Inner>);

struct Inner {
    /// Weak, so that tasks which hold a driver do not keep the executor that they live in.
    executor: Weak<LocalExecutor<'static>>,
    clock: Clock,
    connect_timeout: Duration,
    idle_timeout: Duration,
    max_link_answers: usize,
    link_send_buffer: usize,
    limits: Limits,
    max_inbound: usize,
    node: RefCell<Node>,
    links: RefCell<Links>,
    requests: RefCell<Requests>,
    peers: RefCell<PeerLog>,
    answers: RefCell<Answers>,
    alarm: Rc<Alarm>,
    effort: RefCell<Effort>,
    on_event: RefCell<Vec<EventHook>>,
    flapping: RefCell<Flapping>,
    /// Whether someone further up the call stack is already doing what the node asks.
    driving: Cell<bool>,
}

/// How long no node is silent on a connection that it has opened: it gives a sign of life much more often.
const NEVER_SILENT: Duration = Duration::from_secs(2);

type EventHook = Box<dyn Fn(&Event)>;

impl Driver {
    /// Makes a node and starts it: it connects to the members as soon as `executor` runs.
    ///
    /// # Errors
    /// If the settings of the node are contradictory; see [`ConfigError`].
    pub fn new(
        executor: &Rc<LocalExecutor<'static>>,
        settings: Settings,
    ) -> Result<Self, ConfigError> {
        let clock = Clock::start();
        let now = clock.now();
        let limits = settings.link_limits();
        let (incarnation, seed) = (fastrand::u32(..), fastrand::u64(..));
        let mut config = settings.node;
        for member in &mut config.members {
            if let Some(address) = settings.addresses.get(&member.id) {
                member.address.clone_from(address);
            }
        }
        let node = Node::new(config, incarnation, seed, settings.entries, now)?;
        let mut peers = PeerLog::new(settings.addresses);
        for peer in node.peers() {
            peers.know(peer.index, peer.id, peer.address);
        }
        let inbound_memory = settings.max_inbound_memory;
        let links = Links::new(
            settings.max_link_buffer,
            inbound_memory.unwrap_or_else(quarter_of_memory),
            settings.stall_timeout,
        );
        let inner = Inner {
            executor: Rc::downgrade(executor),
            clock,
            connect_timeout: settings.connect_timeout,
            idle_timeout: settings.idle_timeout,
            max_link_answers: settings.max_link_answers,
            link_send_buffer: settings.link_send_buffer,
            limits,
            max_inbound: settings.max_inbound,
            node: RefCell::new(node),
            links: RefCell::new(links),
            requests: RefCell::new(Requests::new()),
            peers: RefCell::new(peers),
            answers: RefCell::default(),
            alarm: Rc::new(Alarm::new(now.instant)),
            effort: RefCell::default(),
            on_event: RefCell::new(Vec::new()),
            flapping: RefCell::default(),
            driving: Cell::new(false),
        };
        let driver = Self(Rc::new(inner));
        driver.start_timer();
        Ok(driver)
    }

    /// Begins a request; the future gives its outcome, at the latest after the node's `op_deadline`.
    ///
    /// The request is carried out even if the future is dropped.
    pub fn request(
        &self,
        request: Request,
        levels: Levels,
    ) -> impl Future<Output = Outcome> + use<> {
        let (id, outcome) = self.0.requests.borrow_mut().expect();
        self.begin(id, request, levels);
        outcome
    }

    /// Begins a request whose outcome is given to `then`, while the driver is at work.
    pub fn request_then(
        &self,
        request: Request,
        levels: Levels,
        then: impl FnOnce(Outcome) + 'static,
    ) {
        let id = self.0.requests.borrow_mut().expect_once(then);
        self.begin(id, request, levels);
    }

    fn begin(&self, id: u64, request: Request, levels: Levels) {
        let now = self.now();
        self.0
            .node
            .borrow_mut()
            .handle_request(now, id, request, levels);
        self.drive(now);
    }

    /// Has the commands of one client of a server, which has a number from 1 on, carried out by the cluster: `process`
    /// gets an engine for [`Connection::process`](memvault::connection::Connection::process), and the time to call it
    /// with. Afterwards the driver does what the node asks; replies that are deferred go to `caller`, some of them
    /// before this returns.
    ///
    /// # Panics
    /// If `process` calls this driver, or if [`ReplySink::complete`] needs something that is borrowed meanwhile:
    /// borrow the connection within `process`.
    pub fn with_engine<R>(
        &self,
        (caller, number): (&Rc<dyn ReplySink>, u64),
        levels: Levels,
        process: impl FnOnce(Timestamp, &mut ClusterEngine<'_, Rc<dyn ReplySink>>) -> R,
    ) -> R {
        let now = self.now();
        let result = {
            let mut engine = ClusterEngine {
                node: &mut self.0.node.borrow_mut(),
                requests: &mut self.0.requests.borrow_mut().clients,
                client: Rc::clone(caller),
                caller: number,
                now,
                levels,
            };
            process(now.wall, &mut engine)
        };
        self.drive(now);
        result
    }

    /// The levels that the node's settings name.
    #[must_use]
    pub fn levels(&self) -> Levels {
        self.inspect(|node| Levels {
            write: node.config().write_level,
            read: node.config().read_level,
        })
    }

    /// Takes over a connection that somebody opened to this node, with the bytes already read from it.
    ///
    /// Two tasks use the stream from now on, one to read and one to write. If there are as many such connections as
    /// may be, the one that was silent for longest makes room, if it was for longer than any node is; otherwise the
    /// new one is closed.
    pub fn accept_peer<S>(&self, stream: S, buffered: Vec<u8>)
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        if !self.make_room_for_link() {
            return;
        }
        let (read, write) = futures_lite::io::split(stream);
        let link = self.0.links.borrow_mut().fresh_inbound();
        let codec = Codec::messages(self.0.limits);
        self.open(link, Reader::new(read, buffered, codec), write);
    }

    /// Whether one more may open a connection to this node.
    fn make_room_for_link(&self) -> bool {
        let limit = self.0.max_inbound;
        if self.0.links.borrow().inbound() < limit {
            return true;
        }
        let now = self.0.clock.now();
        let silent = self.0.links.borrow().most_silent(now.instant, NEVER_SILENT);
        match silent {
            Some(link) => self.lose(now, link, &LinkError::Crowded { limit }),
            None => log::debug!(limit; "inbound-refused"),
        }
        silent.is_some()
    }

    /// Bytes that the connections which others opened have this node hold, and how many were closed as it was too much.
    #[must_use]
    pub fn held_for_links(&self) -> (usize, u64) {
        self.0.links.borrow_mut().held()
    }

    /// Has `hook` told of every event from now on.
    pub fn on_event(&self, hook: impl Fn(&Event) + 'static) {
        self.0.on_event.borrow_mut().push(Box::new(hook));
    }

    /// Stops leading: the process is about to end. What is in flight is still finished.
    pub fn leave(&self) {
        let now = self.0.clock.now();
        self.0.node.borrow_mut().leave(now);
        self.drive(now);
    }

    /// Looks at the node.
    ///
    /// # Panics
    /// If `look` calls this driver.
    pub fn inspect<R>(&self, look: impl FnOnce(&Node) -> R) -> R {
        look(&self.0.node.borrow())
    }

    /// Whether the node does its part: a member serves, a coordinator has a member in view.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.inspect(Node::is_ready)
    }

    /// What the node can be used for.
    #[must_use]
    pub fn state(&self) -> NodeState {
        self.inspect(Node::state)
    }

    /// Counters of the node since its start.
    #[must_use]
    pub fn statistics(&self) -> NodeStatistics {
        self.inspect(Node::statistics)
    }

    /// The state of the node in numbers, as `INFO` tells it.
    #[must_use]
    pub fn store_info(&self) -> StoreInfo {
        let requests = self.0.requests.borrow();
        requests.clients.store_info(&self.0.node.borrow())
    }

    /// Leaves so much of the budget of entries unused; up to `limit` entries go for it. Returns whether there are more.
    pub fn withhold(&self, bytes: usize, limit: usize) -> bool {
        let now = self.now();
        self.0.node.borrow_mut().withhold(now, bytes, limit)
    }

    /// How long this node takes to answer what others ask it, to read and to write: one question in 16.
    #[must_use]
    pub fn answer_latency(&self) -> Latency {
        self.0.answers.borrow().latency().clone()
    }

    /// The members as this node sees them, and how it fared with each. O(members).
    #[must_use]
    pub fn peers(&self) -> Vec<PeerReport> {
        let node = self.0.node.borrow();
        let log = self.0.peers.borrow();
        node.peers().map(|status| log.report(status)).collect()
    }
}

/// A driver that may be gone: what the tasks hold, so that they do not keep it alive.
pub(crate) struct WeakDriver(Weak<Inner>);

impl WeakDriver {
    pub(crate) fn upgrade(&self) -> Option<Driver> {
        self.0.upgrade().map(Driver)
    }
}
