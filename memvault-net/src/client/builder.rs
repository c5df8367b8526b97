//! How a client is set up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_lock::Semaphore;
use memvault::replication::{Config, Levels, Member, OnAmbiguous, Role};

use super::error::Error;
use super::events::Subscribers;
use super::oneshot::channel;
use super::thread::{self, Readiness};
use super::{Client, Shared};
use crate::driver::{NodeAddress, Settings};

/// Describes a cluster and how to use it. Everything but [`cluster`](Self::cluster) or
/// [`discover`](Self::discover) has a default.
#[derive(Clone, Debug)]
#[must_use = "nothing happens before connect()"]
pub struct Builder {
    cluster: Vec<String>,
    settings: Settings,
    levels: Levels,
    max_requests: usize,
    ready_timeout: Duration,
}

impl Default for Builder {
    fn default() -> Self {
        let name = format!("client-{:08x}", fastrand::u32(..));
        let node = Config::new(Vec::new(), Role::Coordinator(name));
        Self {
            cluster: Vec::new(),
            settings: Settings::new(node),
            levels: Levels::default(),
            max_requests: 4096,
            ready_timeout: Duration::from_secs(5),
        }
    }
}

impl Builder {
    /// The members: `host:port`, or `id=host:port` where a member's id is not its address. All of them, in
    /// any order; the same in every process.
    pub fn cluster<N: Into<String>>(mut self, nodes: impl IntoIterator<Item = N>) -> Self {
        self.cluster = nodes.into_iter().map(N::into).collect();
        self.settings.node.is_seed_list = false;
        self
    }

    /// One or more of the members, `host:port`, in place of all of them: they tell who the members are, how many
    /// replicas there are per key, and where members are reached when that changes. When no member can be
    /// reached any more, these are called again.
    pub fn discover<N: Into<String>>(mut self, seeds: impl IntoIterator<Item = N>) -> Self {
        self.cluster = seeds.into_iter().map(N::into).collect();
        self.settings.node.is_seed_list = true;
        self
    }

    /// Replicas per key, 1 to 8; default 3. Must be what the members have.
    pub const fn replicas(mut self, replicas: usize) -> Self {
        self.settings.node.replicas = replicas;
        self
    }

    /// The members are servers that speak plain Redis, such as redis-server, and not nodes of MemVault; all
    /// of them. The client places keys, copies them and goes round dead servers as ever, with a weaker
    /// promise: the last write to arrive at a server wins there, levels
    /// [`Quorum`](memvault::replication::Level::Quorum) and [`All`](memvault::replication::Level::All) are
    /// refused, and a server that comes back may have missed writes. RELIABILITY.md tells more.
    pub const fn plain_redis(mut self) -> Self {
        self.settings.node.plain_redis = true;
        self
    }

    /// How many replicas requests wait for; default [`Level::Auto`](memvault::replication::Level::Auto).
    pub const fn levels(mut self, levels: Levels) -> Self {
        self.levels = levels;
        self
    }

    /// What to do with a write of unknown fate that was overtaken; default: write it again.
    pub const fn on_ambiguous(mut self, on_ambiguous: OnAmbiguous) -> Self {
        self.settings.node.on_ambiguous = on_ambiguous;
        self
    }

    /// How long connecting to a node may take, without the resolution of its name; default 400 ms.
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.settings.connect_timeout = timeout;
        self
    }

    /// How long a request may take; default 1 s. Not longer than the members' own limit, or they refuse this client.
    pub const fn request_timeout(mut self, timeout: Duration) -> Self {
        self.settings.node.op_deadline = timeout;
        self
    }

    /// How long [`connect`](Self::connect) waits for a cluster that is not there yet; default 5 s. With zero
    /// it gives up as soon as each node was tried once.
    pub const fn ready_timeout(mut self, timeout: Duration) -> Self {
        self.ready_timeout = timeout;
        self
    }

    /// Longest pause between attempts to connect to a node; default 500 ms. They are jittered. With
    /// a longer one requests at QUORUM may fail while members are restarted one after the other, see
    /// [`Config::reconnect_max`].
    pub const fn reconnect_max(mut self, pause: Duration) -> Self {
        self.settings.node.reconnect_max = pause;
        self
    }

    /// Silence of a node after which a write goes to the next, and after which a read does; default 100 ms
    /// and 30 ms.
    pub const fn attempt_timeouts(mut self, write: Duration, read: Duration) -> Self {
        self.settings.node.write_attempt = write;
        self.settings.node.read_attempt = read;
        self
    }

    /// Requests in flight above which further ones wait; default 4096, at least 1.
    pub const fn max_requests(mut self, requests: usize) -> Self {
        self.max_requests = requests;
        self
    }

    /// Bytes that may wait to be sent to one node before its connection is closed; default 1 GiB. Values that wait are
    /// counted, though they are not copied.
    pub const fn max_link_buffer(mut self, bytes: usize) -> Self {
        self.settings.max_link_buffer = bytes;
        self
    }

    /// Longest key in bytes; default 64 KiB. Not longer than the members' own limit.
    pub const fn max_key_len(mut self, bytes: usize) -> Self {
        self.settings.limits.max_key_len = bytes;
        self
    }

    /// Longest value in bytes; default 64 MiB. Not longer than the members' own limit.
    pub const fn max_value_len(mut self, bytes: usize) -> Self {
        self.settings.limits.max_bulk_len = bytes;
        self
    }

    /// Everything about the node behind the client, for settings that have no method of their own. Members
    /// and role are overwritten.
    pub fn node_config(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.settings.node);
        self
    }

    /// Connects, and waits until the cluster serves and every node was tried.
    ///
    /// # Errors
    /// - [`Error::Address`], [`Error::Config`]: the description is wrong.
    /// - [`Error::Unreachable`]: no node serves; it lists every node with the reason.
    /// - [`Error::Thread`]: the operating system gives no thread.
    pub async fn connect(mut self) -> Result<Client, Error> {
        self.validate()?;
        self.fit_times();
        self.settings.node.write_level = self.levels.write;
        self.settings.node.read_level = self.levels.read;
        // A node refuses what is too much; here, callers wait.
        self.settings.node.max_requests = usize::MAX;
        let subscribers = Arc::new(Subscribers::default());
        let (ready, readiness) = channel();
        let wait = Readiness {
            timeout: self.ready_timeout,
            attempt: self.settings.connect_timeout,
            ready,
        };
        let limits = self.settings.limits;
        let orders = thread::start(self.settings, Arc::clone(&subscribers), wait)?;
        let client = Client {
            shared: Arc::new(Shared {
                orders,
                in_flight: Arc::new(Semaphore::new(self.max_requests.max(1))),
                subscribers,
                single_flight: Arc::default(),
                max_key_len: limits.max_key_len,
                max_value_len: limits.max_bulk_len,
            }),
            levels: self.levels,
        };
        readiness.await.unwrap_or(Err(Error::Closed))?;
        Ok(client)
    }

    /// Where requests have little time, no part of one may take all of it.
    fn fit_times(&mut self) {
        let node = &mut self.settings.node;
        let most = node.op_deadline / 2;
        for time in [
            &mut node.max_wait,
            &mut node.write_attempt,
            &mut node.read_attempt,
        ] {
            *time = most.min(*time);
        }
    }

    /// Brings members and addresses into the settings.
    fn validate(&mut self) -> Result<(), Error> {
        let nodes = self.cluster.iter().map(|text| text.parse());
        let nodes: Vec<NodeAddress> = nodes.collect::<Result<_, _>>()?;
        self.settings.node.members = nodes.iter().map(|node| Member::new(&node.id)).collect();
        let addresses = nodes.into_iter().map(|node| (node.id, node.address));
        self.settings.addresses = addresses.collect::<BTreeMap<_, _>>();
        Ok(())
    }
}
