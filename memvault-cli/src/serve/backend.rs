//! Who carries out the commands of a server's clients.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use async_executor::LocalExecutor;
use memvault::connection::{Connection, Progress};
use memvault::replication::{self, Member, Role};
use memvault::resp::Limits;
use memvault::store::{self, Store};
use memvault::time::Timestamp;
use memvault_net::driver::{Caller, Driver, NodeAddress, Settings};

use crate::error::Error;

/// One store, or one node of a cluster.
pub(super) enum Backend {
    Alone(Rc<RefCell<Store>>),
    Node(Driver),
}

impl Backend {
    /// A node alone.
    pub(super) fn alone(config: store::Config) -> Self {
        let seed = || fastrand::u64(..);
        let hasher = ahash::RandomState::with_seeds(seed(), seed(), seed(), seed());
        Self::Alone(Rc::new(RefCell::new(Store::new(config, hasher))))
    }

    /// A member or a gateway of the cluster with these members.
    pub(super) fn node(
        executor: &Rc<LocalExecutor<'static>>,
        members: &[NodeAddress],
        role: Role,
        replicas: usize,
        entries: store::Config,
        limits: Limits,
    ) -> Result<Self, Error> {
        let list = members.iter().map(|node| Member::new(&node.id)).collect();
        let mut config = replication::Config::new(list, role);
        config.replicas = replicas;
        let mut settings = Settings::new(config);
        settings.entries = entries;
        settings.limits = limits;
        let addresses = members.iter();
        let addresses = addresses.map(|node| (node.id.clone(), node.address.clone()));
        settings.addresses = addresses.collect::<BTreeMap<_, _>>();
        let driver = Driver::new(executor, settings)
            .map_err(|error| Error::usage(format_args!("--cluster: {error}")))?;
        Ok(Self::Node(driver))
    }

    /// Has a connection execute what has come.
    pub(super) fn process(
        &self,
        connection: &RefCell<Connection>,
        caller: &Rc<dyn Caller>,
    ) -> Progress {
        match self {
            Self::Alone(store) => connection
                .borrow_mut()
                .process(wall(), &mut *store.borrow_mut()),
            Self::Node(driver) => driver.with_engine(caller, driver.levels(), |now, engine| {
                connection.borrow_mut().process(now, engine)
            }),
        }
    }
}

/// The wall clock; before 1970 it stands still.
fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let millis = since.unwrap_or_default().as_millis();
    Timestamp::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}
