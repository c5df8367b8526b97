//! The node driver: runs a [`Node`] of the core over TCP, on one thread.
//!
//! ```text
//! request, accept_peer -->  Driver  --handle_*-->  Node
//! sockets, timer       -->          <--Action---
//!                             |
//!                             +--> outboxes --> one writer task per link --> sockets
//!                             +--> answers to requests, events
//! ```
//!
//! Place: under the replicating [`Client`](crate::client::Client), and under a server that is a member or a
//! gateway. The node decides everything; the driver owns the sockets, the clock and the timer.
//!
//! After every input the driver does what the node asks and sets its one timer anew if something became due
//! sooner. All messages that are queued for a link before its writer runs leave in one send.
//!
//! Limits: [`Settings`] names them with their defaults.

mod address;
mod alarm;
mod clock;
mod connect;
mod latency;
mod link;
mod links;
mod peer;
mod requests;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::time::Duration;

use async_executor::{LocalExecutor, Task};
use futures_lite::{AsyncRead, AsyncWrite};
use memvault::replication::{
    Action, Config, ConfigError, Event, Levels, Link, Message, Node, NodeState, NodeStatistics,
    Now, Outcome, Request,
};
use memvault::resp::Limits;
use memvault::ring::NodeIndex;
use memvault::store;

pub use address::{AddressError, NodeAddress};
pub use latency::Latency;
pub use peer::PeerReport;
pub use requests::{Completions, RequestIds};

use alarm::Alarm;
use clock::Clock;
use link::{LinkError, Reader};
use links::Links;
use peer::PeerLog;
use requests::Requests;

/// How a [`Driver`] and its node are set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The node: members, role, replicas, levels, time limits.
    pub node: Config,
    /// How much a member may store; ignored for a coordinator.
    pub entries: store::Config,
    /// Where members are reached, as `host:port`, by their id; a member that is not named here has its
    /// address as its id. Host names are resolved anew for each attempt.
    pub addresses: BTreeMap<String, String>,
    /// How long a connection attempt may take, name resolution included; default 1 s.
    pub connect_timeout: Duration,
    /// Bytes that may wait to be sent on one link before it is closed; default 64 MiB. A single message may
    /// be longer.
    pub max_link_buffer: usize,
    /// Limits of what members send. Those that would not let the node's own messages pass are raised.
    pub limits: Limits,
}

impl Settings {
    /// The default settings around this node.
    #[must_use]
    pub fn new(node: Config) -> Self {
        Self {
            node,
            entries: store::Config::default(),
            addresses: BTreeMap::new(),
            connect_timeout: Duration::from_secs(1),
            max_link_buffer: 64 << 20,
            limits: Limits::default(),
        }
    }
}

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
    limits: Limits,
    node: RefCell<Node>,
    links: RefCell<Links>,
    requests: RefCell<Requests>,
    peers: RefCell<PeerLog>,
    alarm: Rc<Alarm>,
    on_event: RefCell<Vec<EventHook>>,
    /// Whether someone further up the call stack is already doing what the node asks.
    driving: Cell<bool>,
}

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
        let floor_buckets = settings.node.floor_buckets;
        let (boot, seed) = (fastrand::u32(..), fastrand::u64(..));
        let node = Node::new(settings.node, boot, seed, settings.entries, now)?;
        let ids: Vec<String> = node.peers().map(|peer| peer.id).collect();
        let inner = Inner {
            executor: Rc::downgrade(executor),
            clock,
            connect_timeout: settings.connect_timeout,
            limits: with_room_for_messages(settings.limits, floor_buckets),
            node: RefCell::new(node),
            links: RefCell::new(Links::new(ids.len(), settings.max_link_buffer)),
            requests: RefCell::new(Requests::new()),
            peers: RefCell::new(PeerLog::new(ids, &settings.addresses)),
            alarm: Rc::new(Alarm::new(now.instant)),
            on_event: RefCell::new(Vec::new()),
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

    /// Begins a request whose outcome `to` is told; returns the request's id.
    pub fn submit(&self, request: Request, levels: Levels, to: &Rc<dyn Completions>) -> u64 {
        let id = self.0.requests.borrow_mut().expect_for(Rc::downgrade(to));
        self.begin(id, request, levels);
        id
    }

    fn begin(&self, id: u64, request: Request, levels: Levels) {
        let now = self.0.clock.now();
        self.0
            .node
            .borrow_mut()
            .handle_request(now, id, request, levels);
        self.drive(now);
    }

    /// Runs `input` on the node, for callers that begin requests themselves: each id drawn from the
    /// [`RequestIds`] is answered to `to`. Afterwards the driver does what the node asks.
    ///
    /// # Panics
    /// If `input` calls this driver.
    pub fn with_node<R>(
        &self,
        to: &Rc<dyn Completions>,
        input: impl FnOnce(&mut Node, Now, &mut RequestIds<'_>) -> R,
    ) -> R {
        let now = self.0.clock.now();
        let result = {
            let mut requests = self.0.requests.borrow_mut();
            let mut ids = RequestIds::new(&mut requests, to);
            input(&mut self.0.node.borrow_mut(), now, &mut ids)
        };
        self.drive(now);
        result
    }

    /// Takes over a connection that somebody opened to this node, with the bytes already read from it.
    ///
    /// Two tasks use the stream from now on, one to read and one to write.
    pub fn accept_peer<S>(&self, stream: S, buffered: Vec<u8>)
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let (read, write) = futures_lite::io::split(stream);
        let link = self.0.links.borrow_mut().fresh_inbound();
        self.open(link, Reader::new(read, buffered, self.0.limits), write);
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

    /// The members as this node sees them, and how it fared with each. O(members).
    #[must_use]
    pub fn peers(&self) -> Vec<PeerReport> {
        let node = self.0.node.borrow();
        let log = self.0.peers.borrow();
        node.peers().map(|status| log.report(status)).collect()
    }
}

impl Driver {
    /// A handle that does not keep the driver alive.
    pub(crate) fn downgrade(&self) -> WeakDriver {
        WeakDriver(Rc::downgrade(&self.0))
    }

    /// Starts a task; `None` if the executor is gone.
    fn spawn(&self, future: impl Future<Output = ()> + 'static) -> Option<Task<()>> {
        let executor = self.0.executor.upgrade()?;
        Some(executor.spawn(future))
    }

    fn start_timer(&self) {
        let (weak, alarm, clock) = (self.downgrade(), Rc::clone(&self.0.alarm), self.0.clock);
        let timer = async move {
            loop {
                alarm.rings(clock).await;
                let Some(driver) = weak.upgrade() else { return };
                let now = driver.0.clock.now();
                driver.0.node.borrow_mut().handle_timeout(now);
                driver.drive(now);
            }
        };
        if let Some(task) = self.spawn(timer) {
            self.0.alarm.keep(task);
        }
    }

    /// Does what the node asks, until it asks for nothing more.
    fn drive(&self, now: Now) {
        if self.0.driving.replace(true) {
            return;
        }
        loop {
            while let Some(action) = self.next_action() {
                self.perform(now, action);
            }
            let Some((link, error)) = self.0.links.borrow_mut().pop_overflown() else {
                break;
            };
            self.lose(now, link, &error);
        }
        self.0.driving.set(false);
        self.0.alarm.set(self.0.node.borrow().poll_timeout());
    }

    fn next_action(&self) -> Option<Action> {
        self.0.node.borrow_mut().poll_action()
    }

    fn perform(&self, now: Now, action: Action) {
        match action {
            Action::Connect(node) => self.connect(node),
            Action::Disconnect(link) => {
                if let Link::Peer(node) = link {
                    self.0.peers.borrow_mut().dropped(node);
                }
                self.0.links.borrow_mut().close(link);
            }
            Action::Send(link, message) => {
                if let Link::Peer(node) = link {
                    self.0.peers.borrow_mut().sent(now, node, &message);
                }
                self.0.links.borrow_mut().send(link, &message);
            }
            Action::Complete(id, outcome) => {
                let waiting = self.0.requests.borrow_mut().take(id);
                if let Some(waiting) = waiting {
                    waiting.complete(id, outcome);
                }
            }
            Action::Event(event) => self.announce(&event),
        }
    }

    fn announce(&self, event: &Event) {
        self.0.peers.borrow_mut().note(event);
        let level = match event {
            Event::Up { .. } | Event::Rejoined { .. } | Event::StateChanged { .. } => {
                log::Level::Info
            }
            _ => log::Level::Warn,
        };
        log::log!(level, "{event}");
        for hook in self.0.on_event.borrow().iter() {
            hook(event);
        }
    }

    fn connect(&self, node: NodeIndex) {
        let address = self.0.peers.borrow().address(node);
        let timeout = self.0.connect_timeout;
        let weak = self.downgrade();
        let attempt = async move {
            let result = connect::connect(&address, timeout).await;
            let Some(driver) = weak.upgrade() else { return };
            match result {
                Ok(stream) => driver.connected(node, stream),
                Err(error) => {
                    log::debug!("connect node={address} error=\"{error}\"");
                    driver.lose(driver.0.clock.now(), Link::Peer(node), &error);
                }
            }
        };
        if let Some(task) = self.spawn(attempt) {
            self.0.links.borrow_mut().connecting(node, task);
        }
    }

    fn connected(&self, node: NodeIndex, stream: async_net::TcpStream) {
        let reader = Reader::new(stream.clone(), Vec::new(), self.0.limits);
        self.open(Link::Peer(node), reader, stream);
        let now = self.0.clock.now();
        self.0.peers.borrow_mut().connected(node);
        self.0.node.borrow_mut().handle_connected(now, node);
        self.drive(now);
    }

    fn open<R, W>(&self, link: Link, mut reader: Reader<R>, writer: W)
    where
        R: AsyncRead + Unpin + 'static,
        W: AsyncWrite + Unpin + 'static,
    {
        let outbox = Rc::new(link::Outbox::default());
        let weak = self.downgrade();
        let reading = async move {
            loop {
                let result = reader.read().await;
                let Some(driver) = weak.upgrade() else { return };
                driver.take_messages(link, reader.messages());
                if let Err(error) = result {
                    return driver.lose(driver.0.clock.now(), link, &error);
                }
            }
        };
        let weak = self.downgrade();
        let queue = Rc::clone(&outbox);
        let writing = async move {
            if let Err(error) = link::write(queue, writer).await
                && let Some(driver) = weak.upgrade()
            {
                driver.lose(driver.0.clock.now(), link, &LinkError::Io(error));
            }
        };
        if let (Some(reader), Some(writer)) = (self.spawn(reading), self.spawn(writing)) {
            self.0
                .links
                .borrow_mut()
                .open(link, outbox, (reader, writer));
        }
    }

    fn take_messages(&self, link: Link, messages: impl Iterator<Item = Message>) {
        let now = self.0.clock.now();
        for message in messages {
            if !self.0.links.borrow().is_open(link) {
                return;
            }
            if let Link::Peer(node) = link {
                self.0.peers.borrow_mut().received(now, node, &message);
            }
            self.0.node.borrow_mut().handle_message(now, link, message);
            self.drive(now);
        }
    }

    /// Tells the node that a link is gone, or did not come about.
    fn lose(&self, now: Now, link: Link, error: &LinkError) {
        self.0.links.borrow_mut().close(link);
        match link {
            Link::Peer(node) => {
                self.0.peers.borrow_mut().lost(node, error);
                self.0.node.borrow_mut().handle_disconnected(now, node);
            }
            Link::Inbound(number) => {
                if !matches!(error, LinkError::Closed) {
                    log::warn!("inbound link {number} closed: {error}");
                }
                self.0.node.borrow_mut().handle_inbound_closed(number);
            }
        }
        self.drive(now);
    }
}

/// The limits, raised where a low limit for values would keep messages from passing: the fixed fields of a
/// message are one argument, and a piece of a warm-up has hundreds of entries.
fn with_room_for_messages(limits: Limits, floor_buckets: usize) -> Limits {
    const FIELDS: usize = 1 << 20;
    const BYTES_PER_FLOOR: usize = 16;
    let max_bulk_len = limits
        .max_bulk_len
        .max(FIELDS.saturating_add(floor_buckets.saturating_mul(BYTES_PER_FLOOR)));
    Limits {
        max_bulk_len,
        max_arguments: limits.max_arguments.max(1 << 14),
        max_command_len: limits
            .max_command_len
            .max(max_bulk_len.saturating_mul(2).saturating_add(FIELDS)),
        ..limits
    }
}

/// A driver that may be gone: what the tasks hold, so that they do not keep it alive.
pub(crate) struct WeakDriver(Weak<Inner>);

impl WeakDriver {
    pub(crate) fn upgrade(&self) -> Option<Driver> {
        self.0.upgrade().map(Driver)
    }
}
