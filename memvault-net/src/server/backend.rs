//! Who carries out the commands of clients.

use std::cell::RefCell;
use std::rc::Rc;

use async_executor::LocalExecutor;
use memvault::connection::{Host, Hosted, Progress, StoreInfo};
use memvault::replication::{ConfigError, Levels};
use memvault::store::Store;
use memvault::time::Timestamp;

use super::Role;
use super::client::Client;
use super::shards::Shard;
use crate::clock::wall;
use crate::driver::{Driver, ReplySink};
use crate::hasher::seeded;

/// A store of this server's own, one shard of such a store per thread, or the cluster.
pub(super) enum Backend {
    Single(Box<RefCell<Store<ahash::RandomState>>>),
    Shard(Rc<Shard>),
    Cluster { driver: Driver, levels: Levels },
}

impl Backend {
    pub(super) fn new(
        executor: &Rc<LocalExecutor<'static>>,
        role: &Role,
    ) -> Result<Self, ConfigError> {
        Ok(match role {
            Role::Single(config) => {
                Self::Single(Box::new(RefCell::new(Store::new(*config, seeded()))))
            }
            Role::Cluster(settings) => {
                let driver = Driver::new(executor, (**settings).clone())?;
                let levels = driver.levels();
                Self::Cluster { driver, levels }
            }
        })
    }

    /// Executes what a client has sent, as far as that goes.
    pub(super) fn process(
        &self,
        host: &impl Host,
        client: &Rc<Client>,
        caller: &Rc<dyn ReplySink>,
    ) -> Progress {
        match self {
            Self::Single(store) => {
                let mut connection = client.connection.borrow_mut();
                let engine = &mut *store.borrow_mut();
                connection.process(wall(), &mut Hosted { engine, host })
            }
            Self::Shard(shard) => {
                let mut connection = client.connection.borrow_mut();
                shard.with_engine(caller, |engine| {
                    connection.process(wall(), &mut Hosted { engine, host })
                })
            }
            Self::Cluster { driver, levels } => {
                let number = client.connection.borrow().id();
                driver.with_engine((caller, number), *levels, |now, engine| {
                    let mut connection = client.connection.borrow_mut();
                    connection.process(now, &mut Hosted { engine, host })
                })
            }
        }
    }

    /// Removes entries past their time from this thread's store, `slice` by `slice`, while there are any and `goes_on`.
    /// Returns before when nothing expires then; `None` if nothing ever does.
    pub(super) fn purge_expired(
        &self,
        slice: usize,
        goes_on: impl Fn() -> bool,
    ) -> Option<Timestamp> {
        let purge = |store: &mut Store<ahash::RandomState>| loop {
            let now = wall();
            store.purge_expired(now, slice);
            let next = store.next_expiry();
            if next.is_none_or(|next| next > now) || !goes_on() {
                return next;
            }
        };
        match self {
            Self::Single(store) => purge(&mut store.borrow_mut()),
            Self::Shard(shard) => shard.with_store(purge),
            Self::Cluster { .. } => None,
        }
    }

    /// Leaves so much of the budget of this thread's store unused, and evicts for it, `slice` by `slice`, while there
    /// is more to evict and `goes_on`. Returns whether there is.
    pub(super) fn withhold(&self, bytes: usize, slice: usize, goes_on: impl Fn() -> bool) -> bool {
        let until = |withhold: &mut dyn FnMut() -> bool| loop {
            let has_more = withhold();
            if !has_more || !goes_on() {
                return has_more;
            }
        };
        let of_store =
            |store: &mut Store<ahash::RandomState>| until(&mut || store.withhold(bytes, slice));
        match self {
            Self::Single(store) => of_store(&mut store.borrow_mut()),
            Self::Shard(shard) => shard.with_store(of_store),
            Self::Cluster { driver, .. } => until(&mut || driver.withhold(bytes, slice)),
        }
    }

    /// Returns some memory of what was flushed. Returns whether there is more; a cluster's node sees to it by itself.
    pub(super) fn drop_flushed(&self, limit: usize) -> bool {
        match self {
            Self::Single(store) => store.borrow_mut().drop_flushed(limit),
            Self::Shard(shard) => shard.with_store(|store| store.drop_flushed(limit)),
            Self::Cluster { .. } => false,
        }
    }

    /// The state of what is stored, in numbers.
    pub(super) fn store_info(&self) -> StoreInfo {
        match self {
            Self::Single(store) => StoreInfo::of_store(&store.borrow()),
            Self::Shard(shard) => shard.store_info(),
            Self::Cluster { driver, .. } => driver.store_info(),
        }
    }

    /// The node's driver, if this is one of a cluster.
    pub(super) const fn driver(&self) -> Option<&Driver> {
        match self {
            Self::Single(_) | Self::Shard(_) => None,
            Self::Cluster { driver, .. } => Some(driver),
        }
    }
}
