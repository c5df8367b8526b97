//! The cache in front of the database: users as JSON under `user:ID`.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use memvault_net::client::{Client, Error, Fetched, Source, Stored};

use crate::args::Args;
use crate::database::Database;
use crate::pending::Pending;
use crate::user::User;

/// The cluster, as soon as there is one.
pub(crate) struct Cache {
    client: OnceLock<Client>,
    database: Database,
    ttl: Duration,
    pending: Pending,
}

/// What part the cache had in an answer: the header `x-cache`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// It had the user.
    Hit,
    /// It had not; the database was asked, by this request or by another at the same time.
    Miss,
    /// It could not be asked.
    Down,
    /// It was not asked, as it may not know yet of a change.
    Bypass,
    /// After a change: it was told, and has the new user.
    Updated,
    /// After a change: it was told, and has no such user any more.
    Deleted,
    /// After a change: it could not be told; that is tried until it succeeds.
    Pending,
}

/// First and longest pause between two attempts to reach the cache.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

impl Cache {
    /// Connects in the background: the database serves without.
    pub(crate) fn start(args: &Args, database: Database) -> Arc<Self> {
        let cache = Arc::new(Self {
            client: OnceLock::new(),
            database,
            ttl: args.ttl(),
            pending: Pending::new(args.ttl()),
        });
        smol::spawn(Arc::clone(&cache).keep_told(args.clone())).detach();
        cache
    }

    /// A user, from the cache if it may be believed. Errors are those of the database.
    pub(crate) async fn find(&self, id: i64) -> Result<(Option<User>, Part), Error> {
        if self.pending.contains(id) {
            return self.load(id, Part::Bypass).await;
        }
        let Some(client) = self.client.get() else {
            return self.load(id, Part::Down).await;
        };
        let loader = || load(self.database.clone(), id);
        let fetched = client.get_or_load(key(id), self.ttl, loader).await?;
        let part = part(&fetched);
        let Some(json) = fetched.value else {
            return Ok((None, part));
        };
        match serde_json::from_slice(&json) {
            Ok(user) => Ok((Some(user), part)),
            Err(error) => {
                eprintln!("user-api: {} in the cache is no user: {error}", key(id));
                self.pending.add(id);
                self.load(id, Part::Bypass).await
            }
        }
    }

    async fn load(&self, id: i64, part: Part) -> Result<(Option<User>, Part), Error> {
        match self.database.find(id).await {
            Ok(user) => Ok((user, part)),
            Err(error) => Err(Error::Load(Arc::new(error))),
        }
    }

    /// A user was changed in the database: what was there before goes, and the new one comes in.
    pub(crate) async fn update(&self, id: i64) -> Part {
        let refreshed = match self.client.get() {
            Some(client) => {
                let loader = || load(self.database.clone(), id);
                client.refresh(key(id), self.ttl, loader).await
            }
            None => Err(Error::Closed),
        };
        match refreshed {
            Ok(Fetched { value: Some(_), .. }) => Part::Updated,
            Ok(_) | Err(Error::Load(_)) => Part::Deleted,
            Err(_) => self.tell_later(id),
        }
    }

    /// A user was deleted in the database.
    pub(crate) async fn delete(&self, id: i64) -> Part {
        match self.client.get() {
            Some(client) if client.del(key(id)).await.is_ok() => Part::Deleted,
            _ => self.tell_later(id),
        }
    }

    /// Changes that the cache has not been told of.
    pub(crate) fn pending(&self) -> usize {
        self.pending.len()
    }

    fn tell_later(&self, id: i64) -> Part {
        self.pending.add(id);
        Part::Pending
    }

    /// Connects, and tells the cache what it could not be told at once.
    async fn keep_told(self: Arc<Self>, args: Args) {
        let client = connect(&args).await;
        let client = self.client.get_or_init(|| client);
        let mut pause = PAUSES.0;
        loop {
            smol::Timer::after(pause).await;
            pause = if self.tell(client).await {
                PAUSES.0
            } else {
                (pause * 2).min(PAUSES.1)
            };
        }
    }

    /// Deletes what may be stale. `false` if the cache cannot be told now.
    async fn tell(&self, client: &Client) -> bool {
        for (id, mark) in self.pending.all() {
            if mark.until > Instant::now() && client.del(key(id)).await.is_err() {
                return false;
            }
            self.pending.remove(id, mark);
        }
        true
    }
}

async fn connect(args: &Args) -> Client {
    let mut pause = PAUSES.0;
    loop {
        let client = Client::builder()
            .cluster(args.cluster.clone())
            .replicas(args.replicas)
            .levels(args.levels())
            .ready_timeout(Duration::ZERO);
        match client.connect().await {
            Ok(client) => return client,
            Err(error) => eprintln!("user-api: without cache for now: {error}"),
        }
        smol::Timer::after(pause).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}

async fn load(
    database: Database,
    id: i64,
) -> Result<Option<Vec<u8>>, Box<dyn std::error::Error + Send + Sync>> {
    let user = database.find(id).await?;
    let json = user.map(|user| serde_json::to_vec(&user));
    Ok(json.transpose()?)
}

fn key(id: i64) -> String {
    format!("user:{id}")
}

const fn part(fetched: &Fetched) -> Part {
    match &fetched.source {
        Source::Cache => Part::Hit,
        Source::Loaded(Stored::No(_)) => Part::Down,
        Source::Loaded(_) => Part::Miss,
    }
}

impl Part {
    /// The value of the header.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Down => "down",
            Self::Bypass => "bypass",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
            Self::Pending => "pending",
        }
    }

    /// Where the answer comes from.
    pub(crate) const fn source(self) -> &'static str {
        match self {
            Self::Hit => "cache",
            _ => "database",
        }
    }
}
