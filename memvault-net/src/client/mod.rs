//! The replicating client: a cluster of nodes as one cache.
//!
//! ```text
//! any task, any executor                        the client's own thread
//! Client::get ---- request, Sender ---->  Driver (ring, coordinator, one connection per node)
//!             <--- outcome -------------
//! ```
//!
//! A [`Client`] coordinates by itself: it knows who holds a key and asks those nodes directly. It is a
//! handle; clones share the thread and the connections. Its methods are plain futures and need no
//! particular executor.
//!
//! ```no_run
//! use memvault_net::client::Client;
//! use std::time::Duration;
//!
//! # async fn example() -> Result<(), memvault_net::client::Error> {
//! let client = Client::builder()
//!     .cluster(["10.0.0.1:6379", "10.0.0.2:6379", "10.0.0.3:6379"])
//!     .replicas(3)
//!     .connect()
//!     .await?;
//! client.set_with_ttl("greeting", "hello", Duration::from_secs(60)).await?;
//! assert_eq!(client.get("greeting").await?.as_deref(), Some(&b"hello"[..]));
//! # Ok(())
//! # }
//! ```
//!
//! When nodes fail, others take over without an error; see [`Error`] for what is left to the caller. Dropping
//! a future abandons its answer, not its effect; of many keys those that were not begun are left out.

mod builder;
mod error;
mod events;
mod fetched;
mod json;
mod load;
mod oneshot;
mod single_flight;
mod thread;

use std::sync::Arc;
use std::time::Duration;

use async_lock::Semaphore;
use memvault::cluster::SLICE_KEYS;
use memvault::command::{Condition, Expiry};
use memvault::replication::{Answer, Bytes, Levels, NodeStatistics, Request};
use memvault::time::Timestamp;

pub use builder::Builder;
pub use error::{Error, NodeProblem};
pub use events::{ClusterEvent, Events};
pub use fetched::{Fetched, Source, Stored};

use crate::clock::wall;
use crate::driver::PeerReport;
use events::Subscribers;
use oneshot::channel;
use single_flight::SingleFlight;
use thread::Order;

/// A handle on a cluster. Cheap to clone; clones share everything but their [levels](Self::with_levels).
///
/// The thread behind it ends, and the connections close, when the last clone is dropped.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    levels: Levels,
}

/// What all clones of a client share.
struct Shared {
    orders: async_channel::Sender<Order>,
    /// One permit for each request that may be in flight.
    in_flight: Arc<Semaphore>,
    subscribers: Arc<Subscribers>,
    single_flight: Arc<SingleFlight>,
    max_key_len: usize,
    max_value_len: usize,
}

/// How long a key has to live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// There is no such key.
    Miss,
    /// It never expires.
    Never,
    /// It expires after this time.
    After(Duration),
}

impl Client {
    /// Begins to describe a cluster; see [`Builder`].
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The same client with other levels: how many replicas each of its requests waits for.
    ///
    /// ```no_run
    /// # async fn example(client: memvault_net::client::Client) -> Result<(), memvault_net::client::Error> {
    /// use memvault::replication::{Level, Levels};
    ///
    /// let careful = client.with_levels(Levels { write: Level::Quorum, read: Level::Quorum });
    /// careful.set("balance", "100").await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_levels(&self, levels: Levels) -> Self {
        Self {
            levels,
            ..self.clone()
        }
    }

    /// The levels of this handle.
    #[must_use]
    pub const fn levels(&self) -> Levels {
        self.levels
    }

    /// The value of a key; `None` is a miss.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Bytes>, Error> {
        match self.request(Request::Get(self.key(&key)?)).await? {
            Answer::Value(value) => Ok(value),
            other => Err(Error::unexpected("GET", &other)),
        }
    }

    /// Sets a key, without expiry.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn set(&self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<(), Error> {
        self.set_until(&key, &value, Expiry::None).await
    }

    /// Sets a key that expires after `ttl`, in whole milliseconds.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn set_with_ttl(
        &self,
        key: impl AsRef<[u8]>,
        value: impl AsRef<[u8]>,
        ttl: Duration,
    ) -> Result<(), Error> {
        let millis = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        let at = Timestamp::from_millis(wall().as_millis().saturating_add(millis));
        self.set_until(&key, &value, Expiry::At(at)).await
    }

    async fn set_until(
        &self,
        key: &impl AsRef<[u8]>,
        value: &impl AsRef<[u8]>,
        expiry: Expiry,
    ) -> Result<(), Error> {
        let request = Request::Set {
            key: self.key(key)?,
            value: self.value(value)?,
            expiry,
            condition: Condition::Always,
            return_old: false,
        };
        match self.request(request).await? {
            Answer::Done => Ok(()),
            other => Err(Error::unexpected("SET", &other)),
        }
    }

    /// Deletes a key; returns whether it was there.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn del(&self, key: impl AsRef<[u8]>) -> Result<bool, Error> {
        match self.request(Request::Delete(vec![self.key(&key)?])).await? {
            Answer::Count(count) => Ok(count > 0),
            other => Err(Error::unexpected("DEL", &other)),
        }
    }

    /// Whether a key is there.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn exists(&self, key: impl AsRef<[u8]>) -> Result<bool, Error> {
        match self.request(Request::Exists(vec![self.key(&key)?])).await? {
            Answer::Count(count) => Ok(count > 0),
            other => Err(Error::unexpected("EXISTS", &other)),
        }
    }

    /// How long a key has to live.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn ttl(&self, key: impl AsRef<[u8]>) -> Result<Ttl, Error> {
        match self.request(Request::Expiry(self.key(&key)?)).await? {
            Answer::Expiry(None) => Ok(Ttl::Miss),
            Answer::Expiry(Some(None)) => Ok(Ttl::Never),
            Answer::Expiry(Some(Some(at))) => {
                let left = at.as_millis().saturating_sub(wall().as_millis());
                Ok(Ttl::After(Duration::from_millis(left)))
            }
            other => Err(Error::unexpected("TTL", &other)),
        }
    }

    /// The values of several keys, in their order. Asks all nodes at once, for [`SLICE_KEYS`] keys at a time; not
    /// atomic.
    ///
    /// # Errors
    /// If one of the keys could not be read; see [`Error`].
    pub async fn mget<K: AsRef<[u8]>>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<Vec<Option<Bytes>>, Error> {
        let keys = keys.into_iter().map(|key| self.key(&key));
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        let mut all = Vec::with_capacity(keys.len());
        for slice in keys.chunks(SLICE_KEYS) {
            match self.request(Request::GetMany(slice.to_vec())).await? {
                Answer::Values(values) => all.extend(values),
                other => return Err(Error::unexpected("MGET", &other)),
            }
        }
        Ok(all)
    }

    /// Sets several keys, without expiry. Asks all nodes at once, for [`SLICE_KEYS`] keys at a time; not atomic.
    ///
    /// # Errors
    /// If one of the keys could not be set; others may be. See [`Error`].
    pub async fn mset<K: AsRef<[u8]>, V: AsRef<[u8]>>(
        &self,
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Result<(), Error> {
        let pairs = pairs
            .into_iter()
            .map(|(key, value)| Ok((self.key(&key)?, self.value(&value)?)));
        let pairs = pairs.collect::<Result<Vec<_>, Error>>()?;
        for slice in pairs.chunks(SLICE_KEYS) {
            match self.request(Request::SetMany(slice.to_vec())).await? {
                Answer::Done => {}
                other => return Err(Error::unexpected("MSET", &other)),
            }
        }
        Ok(())
    }

    /// Carries out any [`Request`].
    ///
    /// Waits for its turn while as many requests are in flight as may be.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn request(&self, request: Request) -> Result<Answer, Error> {
        let permit = self.shared.in_flight.acquire_arc().await;
        let (answered, outcome) = channel();
        let order = Order::Request {
            request,
            levels: self.levels,
            answered,
            permit,
        };
        self.order(order)?;
        outcome.await.unwrap_or(Err(Error::Closed))
    }

    /// What happens to the nodes, from now on. Each call gives a stream of its own.
    #[must_use]
    pub fn events(&self) -> Events {
        self.shared.subscribers.subscribe()
    }

    /// The nodes, as this client sees them, and how it fared with each.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub async fn node_statistics(&self) -> Result<Vec<PeerReport>, Error> {
        let (answered, reports) = channel();
        self.order(Order::Nodes { answered })?;
        reports.await.ok_or(Error::Closed)
    }

    /// Counters of all requests of this client and its clones.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub async fn statistics(&self) -> Result<NodeStatistics, Error> {
        let (answered, statistics) = channel();
        self.order(Order::Statistics { answered })?;
        statistics.await.ok_or(Error::Closed)
    }

    fn order(&self, order: Order) -> Result<(), Error> {
        let sent = self.shared.orders.try_send(order);
        sent.map_err(|_| Error::Closed)
    }

    fn key(&self, key: &impl AsRef<[u8]>) -> Result<Bytes, Error> {
        bounded("key", key.as_ref(), self.shared.max_key_len)
    }

    fn value(&self, value: &impl AsRef<[u8]>) -> Result<Bytes, Error> {
        bounded("value", value.as_ref(), self.shared.max_value_len)
    }
}

fn bounded(what: &'static str, bytes: &[u8], limit: usize) -> Result<Bytes, Error> {
    if bytes.len() > limit {
        return Err(Error::TooLong {
            what,
            len: bytes.len(),
            limit,
        });
    }
    Ok(Bytes::from(bytes))
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("levels", &self.levels)
            .finish_non_exhaustive()
    }
}
