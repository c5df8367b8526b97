//! The cache in front of something slower.

use super::*;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use async_executor::LocalExecutor;
use memvault_net::client::{Fetched, Source, Stored};

const TTL: Duration = Duration::from_secs(600);

/// Something slow that counts how often it is asked, and answers when it is let.
struct Database {
    value: RefCell<Option<&'static str>>,
    loads: Cell<usize>,
    begun: async_channel::Sender<()>,
    begins: async_channel::Receiver<()>,
    gate: async_channel::Receiver<()>,
    opener: async_channel::Sender<()>,
}

impl Database {
    /// One that answers with this.
    fn new(value: Option<&'static str>) -> Rc<Self> {
        let (begun, begins) = async_channel::unbounded();
        let (opener, gate) = async_channel::unbounded();
        Rc::new(Self {
            value: RefCell::new(value),
            loads: Cell::new(0),
            begun,
            begins,
            gate,
            opener,
        })
    }

    /// Answers what is asked from now on at once.
    fn open(&self) {
        self.opener.close();
    }

    /// Looks the value up at once; the way back takes until the gate opens, or lets one pass.
    async fn load(self: Rc<Self>) -> Result<Option<&'static str>, std::io::Error> {
        let value = *self.value.borrow();
        self.loads.set(self.loads.get() + 1);
        let _ = self.begun.try_send(());
        let _ = self.gate.recv().await;
        value
            .map(|value| Some(value).filter(|value| !value.is_empty()))
            .ok_or_else(|| std::io::Error::other("the database is down"))
    }
}

async fn ask(client: &Client, database: &Rc<Database>) -> Result<Fetched, Error> {
    let loader = || Database::load(Rc::clone(database));
    client.get_or_load("row", TTL, loader).await
}

/// Runs `all` tasks that ask, and `then` beside them.
fn with_tasks(
    client: &Client,
    database: &Rc<Database>,
    all: usize,
    then: impl Future<Output = ()>,
) -> Vec<Result<Fetched, Error>> {
    let executor = LocalExecutor::new();
    block_on(executor.run(async {
        let tasks: Vec<_> = (0..all)
            .map(|_| executor.spawn(ask(client, database)))
            .collect();
        then.await;
        let mut results = Vec::new();
        for task in tasks {
            results.push(task.await);
        }
        results
    }))
}

#[track_caller]
fn loaded(result: &Result<Fetched, Error>) -> (&[u8], &Stored) {
    match result {
        Ok(Fetched {
            value: Some(value),
            source: Source::Loaded(stored),
        }) => (value, stored),
        other => panic!("it is loaded: {other:?}"),
    }
}

#[test]
fn a_hundred_tasks_that_miss_the_same_key_make_one_load() {
    let cluster = Cluster::start(3, 3);
    let client = cluster.client();
    let database = Database::new(Some("ada"));
    let results = with_tasks(&client, &database, 100, async {
        database.begins.recv().await.expect("a load begins");
        database.open();
    });
    assert_eq!(database.loads.get(), 1);
    for result in &results {
        let Ok(Fetched { value, .. }) = result else {
            panic!("{result:?}");
        };
        assert_eq!(value.as_deref(), Some(&b"ada"[..]));
    }
    let again = block_on(ask(&client, &database)).expect("a hit");
    assert!(matches!(again.source, Source::Cache), "{again:?}");
    let Ok(Ttl::After(left)) = block_on(client.ttl("row")) else {
        panic!("it expires");
    };
    assert!(left <= TTL && left > TTL / 2, "{left:?}");
}

#[test]
fn all_who_wait_get_the_error_of_a_load_that_fails() {
    let cluster = Cluster::start(3, 3);
    let client = cluster.client();
    let database = Database::new(None);
    let results = with_tasks(&client, &database, 20, async {
        database.begins.recv().await.expect("a load begins");
        async_io::Timer::after(Duration::from_millis(100)).await;
        database.open();
    });
    assert_eq!(database.loads.get(), 1);
    for result in results {
        let error = result.expect_err("the database is down").to_string();
        assert_eq!(error, "it could not be loaded: the database is down");
    }
}

#[test]
fn what_is_not_there_is_not_stored() {
    let cluster = Cluster::start(1, 1);
    let client = cluster.client();
    let database = Database::new(Some(""));
    database.open();
    for loads in 1..=2 {
        let nothing = block_on(ask(&client, &database)).expect("an answer");
        assert_eq!(nothing.value, None);
        assert!(matches!(nothing.source, Source::Loaded(Stored::Nothing)));
        assert_eq!(database.loads.get(), loads);
    }
}

#[test]
fn a_load_that_is_dropped_is_taken_over_by_the_next() {
    let cluster = Cluster::start(3, 3);
    let client = cluster.client();
    let database = Database::new(Some("ada"));
    let executor = LocalExecutor::new();
    block_on(executor.run(async {
        let first = executor.spawn(ask(&client, &database));
        database.begins.recv().await.expect("a load begins");
        let second = executor.spawn(ask(&client, &database));
        async_io::Timer::after(Duration::from_millis(50)).await;
        first.cancel().await;
        database.begins.recv().await.expect("another load begins");
        database.open();
        let (value, stored) = (second.await, Stored::Yes);
        assert_eq!(loaded(&value).0, b"ada");
        assert!(matches!(
            (loaded(&value).1, stored),
            (Stored::Yes, Stored::Yes)
        ));
    }));
    assert_eq!(database.loads.get(), 2);
}

#[test]
fn a_change_during_a_load_leaves_nothing_stale_for_anyone_who_asks_after_it() {
    let cluster = Cluster::start(3, 3);
    let (client, other) = (cluster.client(), cluster.client());
    let database = Database::new(Some("old"));
    let executor = LocalExecutor::new();
    block_on(executor.run(async {
        let before = executor.spawn(ask(&client, &database));
        database.begins.recv().await.expect("a load begins");
        *database.value.borrow_mut() = Some("new");
        other.del("row").await.expect("it is deleted");
        // These come after the change, while what was there before it is still on its way.
        let after: Vec<_> = (0..20)
            .map(|_| executor.spawn(ask(&client, &database)))
            .collect();
        async_io::Timer::after(Duration::from_millis(100)).await;
        database.open();
        let before = before.await;
        assert_eq!(
            loaded(&before).0,
            b"old",
            "asked before the change was done"
        );
        assert!(matches!(loaded(&before).1, Stored::Overtaken), "{before:?}");
        for after in after {
            let value = after.await.expect("a value").value;
            assert_eq!(value.as_deref(), Some(&b"new"[..]));
        }
        let found = client.get("row").await.expect("a read");
        assert_eq!(found.as_deref(), Some(&b"new"[..]));
    }));
    assert_eq!(
        database.loads.get(),
        2,
        "those who were late share one load"
    );
}

#[test]
fn refresh_leaves_the_newest_whoever_comes_last() {
    let cluster = Cluster::start(3, 3);
    let (slow, quick) = (cluster.client(), cluster.client());
    let database = Database::new(Some("first"));
    let executor = LocalExecutor::new();
    block_on(executor.run(async {
        slow.set("row", "before").await.expect("it is set");
        let loader = || Database::load(Rc::clone(&database));
        let first = executor.spawn(slow.refresh("row", TTL, loader));
        database.begins.recv().await.expect("a load begins");
        assert_eq!(quick.get("row").await.expect("a read"), None);
        *database.value.borrow_mut() = Some("second");
        let second = executor.spawn(quick.refresh("row", TTL, loader));
        database.begins.recv().await.expect("a load begins");
        database.open();
        let (first, second) = (first.await, second.await);
        assert_eq!(loaded(&first).0, b"first");
        assert_eq!(loaded(&second).0, b"second");
        assert!(matches!(loaded(&second).1, Stored::Yes), "{second:?}");
        let found = slow.get("row").await.expect("a read");
        assert_eq!(found.as_deref(), Some(&b"second"[..]));
    }));
}

#[test]
fn without_the_cluster_it_is_loaded_all_the_same() {
    let mut cluster = Cluster::start(1, 1);
    let client = cluster.client();
    cluster.kill(0);
    eventually("it is known to be gone", || {
        block_on(client.get("row")).is_err()
    });
    let database = Database::new(Some("ada"));
    let results = with_tasks(&client, &database, 50, async {
        database.begins.recv().await.expect("a load begins");
        async_io::Timer::after(Duration::from_millis(200)).await;
        database.open();
    });
    for result in &results {
        let (value, stored) = loaded(result);
        assert_eq!(value, b"ada");
        assert!(matches!(stored, Stored::No(_)), "{stored:?}");
    }
    assert!(database.loads.get() <= 2, "{}", database.loads.get());
}
