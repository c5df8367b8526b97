//! The cache in front of something slower: what is missing is loaded and filled in, without ever leaving something
//! stale behind.
//!
//! ```text
//! get_or_load   GET: hit | LEASE, load, FILL        the fill is refused if anything was set or deleted since LEASE
//! refresh       DEL, then the same
//! ```

use std::sync::Arc;
use std::time::Duration;

use memvault::replication::{Answer, Bytes, Lease, Request};
use memvault::time::Timestamp;

use super::fetched::{Fetched, Source, Stored};
use super::single_flight::{Leader, Outcome, Part, Phase};
use super::{Client, Error};
use crate::clock::wall;

/// What the cluster says to one who is about to load.
enum Leave {
    /// No need: here is the value.
    Value(Bytes),
    Fill(Lease),
}

impl Client {
    /// The value of a key; on a miss it is loaded by `loader` and filled in, to expire after `ttl`.
    ///
    /// **One load at a time.** Of all tasks of this client and its clones that miss the same key, one runs its
    /// loader and the others wait for it. If that one fails, all get its error, as [`Error::Load`]; if its
    /// future is dropped, or it panics, the next one takes over.
    ///
    /// **Nothing stale is left behind.** The fill is refused if the key was set, deleted or changed by a request that
    /// began after `loader` was called, no matter who made it. So if a program that changes the database deletes the
    /// key *after* that ([`del`](Self::del) or [`refresh`](Self::refresh), not [`set`](Self::set) with what was
    /// written), no load that began before the change survives it. At the level
    /// [`Quorum`](memvault::replication::Level::Quorum) for writes and reads this holds under every fault that
    /// RELIABILITY.md names; at the default level it does without faults.
    ///
    /// **The cache is not needed.** If the cluster fails, `loader` is called all the same, and [`Stored::No`] says
    /// why nothing was stored. It can take twice the request timeout until that is clear.
    ///
    /// A loader that finds nothing returns `None`, which is not stored: each further call asks it again.
    ///
    /// On servers that speak plain Redis the fill is a `SET NX`, and may leave something stale until it expires.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use memvault_net::client::{Client, Error};
    /// # async fn find(_: u64) -> Result<Option<Vec<u8>>, std::io::Error> { Ok(None) }
    /// # async fn example(client: Client) -> Result<(), Error> {
    /// let user = client
    ///     .get_or_load("user:17", Duration::from_secs(60), || find(17))
    ///     .await?;
    /// println!("{:?} from {:?}", user.value, user.source);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Load`] if the loader failed; [`Error::TooLong`] if the key is. Never because of the cluster.
    pub async fn get_or_load<L, F, V, E>(
        &self,
        key: impl AsRef<[u8]>,
        ttl: Duration,
        loader: L,
    ) -> Result<Fetched, Error>
    where
        L: FnOnce() -> F,
        F: Future<Output = Result<Option<V>, E>>,
        V: AsRef<[u8]>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let key = self.key(&key)?;
        let trouble = match self.get(&key).await {
            Ok(Some(value)) => return Ok(Fetched::cached(value)),
            Ok(None) => None,
            Err(error) => Some(error),
        };
        let mut part = self.shared.single_flight.join(&key);
        loop {
            match part {
                Part::Lead(leader) => return self.fly(&key, ttl, loader, trouble, leader).await,
                Part::Wait(waiter) => match waiter.wait().await {
                    Ok(outcome) => return outcome.map_err(Error::Load),
                    Err(next) => part = next,
                },
            }
        }
    }

    /// After a change of the database: deletes the key, so that nobody finds any more what was there before, then
    /// loads it again and fills it in as [`get_or_load`](Self::get_or_load) does.
    ///
    /// Of several changes at once, each followed by its `refresh`, the last one is what the cache ends up with,
    /// or nothing, whatever the order in which they arrive. To set what was written would not do that.
    ///
    /// # Errors
    /// [`Error::Load`] if the key was deleted and the loader then failed. With any other error the key may still be
    /// there as it was before the change: call [`del`](Self::del) until that succeeds.
    pub async fn refresh<L, F, V, E>(
        &self,
        key: impl AsRef<[u8]>,
        ttl: Duration,
        loader: L,
    ) -> Result<Fetched, Error>
    where
        L: FnOnce() -> F,
        F: Future<Output = Result<Option<V>, E>>,
        V: AsRef<[u8]>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.del(&key).await?;
        self.get_or_load(key, ttl, loader).await
    }

    /// Leases, loads and fills, for all who wait.
    async fn fly<L, F, V, E>(
        &self,
        key: &Bytes,
        ttl: Duration,
        loader: L,
        trouble: Option<Error>,
        leader: Leader,
    ) -> Result<Fetched, Error>
    where
        L: FnOnce() -> F,
        F: Future<Output = Result<Option<V>, E>>,
        V: AsRef<[u8]>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        leader.enter(Phase::Asking);
        let lease = match trouble {
            Some(error) => Err(error),
            None => self.lease(key).await,
        };
        let outcome = match lease {
            Ok(Leave::Value(value)) => Ok(Fetched::cached(value)),
            Ok(Leave::Fill(lease)) => self.load(key, ttl, loader, Ok(lease), &leader).await,
            Err(error) => self.load(key, ttl, loader, Err(error), &leader).await,
        };
        leader.finish(outcome.clone());
        outcome.map_err(Error::Load)
    }

    async fn lease(&self, key: &Bytes) -> Result<Leave, Error> {
        match self.request(Request::Lease(Bytes::clone(key))).await? {
            Answer::Leased(lease) => Ok(Leave::Fill(lease)),
            Answer::Value(Some(value)) => Ok(Leave::Value(value)),
            other => Err(Error::unexpected("a lease", &other)),
        }
    }

    async fn load<L, F, V, E>(
        &self,
        key: &Bytes,
        ttl: Duration,
        loader: L,
        lease: Result<Lease, Error>,
        leader: &Leader,
    ) -> Outcome
    where
        L: FnOnce() -> F,
        F: Future<Output = Result<Option<V>, E>>,
        V: AsRef<[u8]>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        leader.enter(Phase::Loading);
        let loaded = loader().await.map_err(|error| Arc::from(error.into()))?;
        let Some(value) = loaded else {
            return Ok(Fetched::loaded(None, Stored::Nothing));
        };
        let value = Bytes::from(value.as_ref());
        leader.enter(Phase::Filling);
        let stored = match lease {
            Ok(lease) => self.fill(key, &value, ttl, lease).await,
            Err(error) => Stored::No(Arc::new(error)),
        };
        Ok(Fetched::loaded(Some(value), stored))
    }

    async fn fill(&self, key: &Bytes, value: &Bytes, ttl: Duration, lease: Lease) -> Stored {
        let millis = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        let expire_at = Timestamp::from_millis(wall().as_millis().saturating_add(millis));
        let value = match self.value(value) {
            Ok(value) => value,
            Err(error) => return Stored::No(Arc::new(error)),
        };
        let fill = Request::Fill {
            key: Bytes::clone(key),
            value,
            expire_at: Some(expire_at),
            lease,
        };
        match self.request(fill).await {
            Ok(Answer::Done) => Stored::Yes,
            Ok(Answer::NotDone) => Stored::Overtaken,
            Ok(other) => Stored::No(Arc::new(Error::unexpected("a fill", &other))),
            Err(error) => Stored::No(Arc::new(error)),
        }
    }
}

impl Fetched {
    const fn cached(value: Bytes) -> Self {
        Self {
            value: Some(value),
            source: Source::Cache,
        }
    }

    const fn loaded(value: Option<Bytes>, stored: Stored) -> Self {
        Self {
            value,
            source: Source::Loaded(stored),
        }
    }
}
