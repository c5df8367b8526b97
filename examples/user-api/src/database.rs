//! The slow source: users in SQLite.
//!
//! A few connections, each used by one request at a time, on smol's threads for what blocks.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_channel::{Receiver, Sender};
use rusqlite::{Connection, OptionalExtension, Result, params};

use crate::user::{Draft, User};

/// A database of users. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Database {
    idle: (Sender<Connection>, Receiver<Connection>),
    slow: Duration,
    reads: Arc<AtomicU64>,
}

/// Connections; SQLite lets any number read, and one write.
const CONNECTIONS: usize = 8;
/// How long a statement waits for one who writes.
const BUSY: Duration = Duration::from_secs(5);

impl Database {
    /// Opens the file; each look-up takes `slow` longer than it has to. Blocks.
    pub(crate) fn open(path: &Path, slow: Duration) -> Result<Self> {
        let idle = async_channel::bounded(CONNECTIONS);
        for _ in 0..CONNECTIONS {
            let connection = connect(path)?;
            // There is room for all of them.
            let _ = idle.0.try_send(connection);
        }
        let reads = Arc::default();
        Ok(Self { idle, slow, reads })
    }

    /// Look-ups so far.
    pub(crate) fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// Looks a user up.
    pub(crate) async fn find(&self, id: i64) -> Result<Option<User>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.wait().await;
        let user = self.with(move |connection| find(connection, id)).await;
        self.wait().await;
        user
    }

    /// The way to the database, or back: half of what it takes longer.
    async fn wait(&self) {
        if !self.slow.is_zero() {
            smol::Timer::after(self.slow / 2).await;
        }
    }

    /// Makes a user; its number was never used before.
    pub(crate) async fn create(&self, draft: Draft) -> Result<User> {
        self.with(move |connection| {
            let insert = "INSERT INTO users (name, email) VALUES (?1, ?2)";
            connection.execute(insert, params![draft.name, draft.email])?;
            let id = connection.last_insert_rowid();
            let Draft { name, email } = draft;
            Ok(User { id, name, email })
        })
        .await
    }

    /// Changes a user. `false` if there is none.
    pub(crate) async fn update(&self, user: User) -> Result<bool> {
        self.with(move |connection| {
            let update = "UPDATE users SET name = ?2, email = ?3 WHERE id = ?1";
            let User { id, name, email } = user;
            Ok(connection.execute(update, params![id, name, email])? > 0)
        })
        .await
    }

    /// Deletes a user. `false` if there is none.
    pub(crate) async fn delete(&self, id: i64) -> Result<bool> {
        self.with(move |connection| {
            Ok(connection.execute("DELETE FROM users WHERE id = ?1", [id])? > 0)
        })
        .await
    }

    /// Does something on an idle connection. What has begun is finished, even if nobody waits any more.
    async fn with<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (idle, taken) = &self.idle;
        let Ok(connection) = taken.recv().await else {
            unreachable!("both ends are here");
        };
        let lent = Lent {
            connection: Some(connection),
            idle: idle.clone(),
        };
        smol::unblock(move || match &lent.connection {
            Some(connection) => job(connection),
            None => unreachable!("it is taken when this is dropped"),
        })
        .await
    }
}

/// A connection that is idle again when this is dropped, also if the job never began.
struct Lent {
    connection: Option<Connection>,
    idle: Sender<Connection>,
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            // There is room for all of them.
            let _ = self.idle.try_send(connection);
        }
    }
}

/// Opens one connection, with the tables that there have to be.
pub(crate) fn connect(path: &Path) -> Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "normal")?;
    // AUTOINCREMENT: the number of a user who was deleted never names another.
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS users
         (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, email TEXT NOT NULL)",
    )?;
    Ok(connection)
}

fn find(connection: &Connection, id: i64) -> Result<Option<User>> {
    let select = "SELECT name, email FROM users WHERE id = ?1";
    connection
        .query_row(select, [id], |row| {
            let (name, email) = (row.get(0)?, row.get(1)?);
            Ok(User { id, name, email })
        })
        .optional()
}
