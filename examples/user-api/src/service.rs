//! What is done about a request: the database first, then the cache.

use std::sync::Arc;

use axum::http::StatusCode;
use memvault_net::client;

use crate::cache::{Cache, Part};
use crate::database::Database;
use crate::error::Error;
use crate::user::{Draft, User};

/// The users. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Users {
    database: Database,
    cache: Arc<Cache>,
}

impl Users {
    pub(crate) const fn new(database: Database, cache: Arc<Cache>) -> Self {
        Self { database, cache }
    }

    pub(crate) async fn find(&self, id: i64) -> Result<(User, Part), Error> {
        let (user, part) = self.cache.find(id).await.map_err(|error| match error {
            client::Error::Load(error) => Error::database(error),
            other => Error::new(StatusCode::INTERNAL_SERVER_ERROR, other.to_string()),
        })?;
        user.map(|user| (user, part))
            .ok_or_else(|| Error::no_user(id))
    }

    pub(crate) async fn create(&self, draft: Draft) -> Result<User, Error> {
        self.database.create(draft).await.map_err(Error::database)
    }

    pub(crate) async fn update(&self, id: i64, draft: Draft) -> Result<(User, Part), Error> {
        let Draft { name, email } = draft;
        let user = User { id, name, email };
        let this = self.clone();
        to_its_end(async move {
            let found = this.database.update(user.clone()).await;
            if !found.map_err(Error::database)? {
                return Err(Error::no_user(id));
            }
            Ok((user, this.cache.update(id).await))
        })
        .await
    }

    pub(crate) async fn delete(&self, id: i64) -> Result<Part, Error> {
        let this = self.clone();
        to_its_end(async move {
            let found = this.database.delete(id).await;
            // Also if it was not there: who asks again may do so because the cache was not told.
            let part = this.cache.delete(id).await;
            match found.map_err(Error::database)? {
                true => Ok(part),
                false => Err(Error::no_user(id)),
            }
        })
        .await
    }

    /// Look-ups in the database so far.
    pub(crate) fn database_reads(&self) -> u64 {
        self.database.reads()
    }

    /// Changes that the cache has not been told of.
    pub(crate) fn pending(&self) -> usize {
        self.cache.pending()
    }
}

/// A client that hangs up must not leave a change half done: in the database, and not in the cache.
async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    let (sender, receiver) = async_channel::bounded(1);
    smol::spawn(async move {
        // Nobody may wait any more.
        let _ = sender.send(work.await).await;
    })
    .detach();
    receiver.recv().await.unwrap_or_else(|_| {
        let message = "the request ended without an answer";
        Err(Error::new(StatusCode::INTERNAL_SERVER_ERROR, message))
    })
}
