//! Who answers a question.

use std::time::Duration;

use futures_lite::future::block_on;
use memvault::replication::{Answer, Bytes, Levels, Request};
use memvault::resp::Reply;
use memvault_net::client::{self, Client};

use super::server_address;
use crate::args::cluster::{Members, REQUEST};
use crate::args::query::Careful;
use crate::error::Error;
use crate::link::Link;

/// A server that is asked over one connection, or a cluster that this process coordinates itself.
pub(super) enum Backend {
    Server(Link),
    Cluster(Client),
}

impl Backend {
    pub(super) fn connect(careful: &Careful) -> Result<Self, Error> {
        let target = &careful.target;
        let Some(members) = &target.cluster else {
            let server = server_address(target.server.as_deref())?;
            return Link::connect(&server, target.timeout)
                .map(Self::Server)
                .map_err(Error::failed);
        };
        let level = careful.level.unwrap_or_default();
        let levels = Levels {
            write: level,
            read: level,
        };
        let plain_redis = careful.kind.plain_redis;
        cluster(
            members,
            target.replicas.replicas,
            plain_redis,
            levels,
            target.timeout,
        )
        .map(Self::Cluster)
    }

    pub(super) fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        match self {
            Self::Server(link) => match ask(link, &[b"GET", key])? {
                Reply::Null => Ok(None),
                reply => reply
                    .into_bytes()
                    .map(Some)
                    .map_err(|reply| unexpected(link, &reply)),
            },
            Self::Cluster(client) => {
                let value = block_on(client.get(key)).map_err(Error::failed)?;
                Ok(value.map(|value| value.to_vec()))
            }
        }
    }

    pub(super) fn set(
        &mut self,
        key: &[u8],
        value: &[u8],
        ttl: Option<Duration>,
    ) -> Result<(), Error> {
        match (self, ttl) {
            (Self::Server(link), None) => ask(link, &[b"SET", key, value]).map(drop),
            (Self::Server(link), Some(ttl)) => {
                let millis = ttl.as_millis().to_string();
                ask(link, &[b"SET", key, value, b"PX", millis.as_bytes()]).map(drop)
            }
            (Self::Cluster(client), None) => {
                block_on(client.set(key, value)).map_err(Error::failed)
            }
            (Self::Cluster(client), Some(ttl)) => {
                block_on(client.set_with_ttl(key, value, ttl)).map_err(Error::failed)
            }
        }
    }

    /// Deletes keys; returns how many there were.
    pub(super) fn del(&mut self, keys: &[&[u8]]) -> Result<u64, Error> {
        match self {
            Self::Server(link) => {
                let command: Vec<&[u8]> = [&b"DEL"[..]].iter().chain(keys).copied().collect();
                let reply = ask(link, &command)?;
                let count = reply
                    .as_integer()
                    .and_then(|count| u64::try_from(count).ok());
                count.ok_or_else(|| unexpected(link, &reply))
            }
            Self::Cluster(client) => {
                let keys = keys.iter().copied().map(Bytes::from).collect();
                match block_on(client.request(Request::Delete(keys))) {
                    Ok(Answer::Count(count)) => Ok(count as u64),
                    Ok(other) => Err(Error::failed(format_args!("unexpected answer {other:?}"))),
                    Err(error) => Err(Error::failed(error)),
                }
            }
        }
    }
}

/// Connects to a cluster as its coordinator.
pub(super) fn cluster(
    members: &Members,
    replicas: usize,
    plain_redis: bool,
    levels: Levels,
    timeout: Duration,
) -> Result<Client, Error> {
    let builder = Client::builder()
        .cluster(members.to_words())
        .replicas(replicas);
    let builder = if plain_redis {
        builder.plain_redis()
    } else {
        builder
    };
    let connected = builder
        .levels(levels)
        .connect_timeout(timeout)
        // No coordinator waits longer.
        .request_timeout(timeout.min(REQUEST))
        .ready_timeout(timeout)
        .connect();
    block_on(connected).map_err(|error: client::Error| Error::failed(error))
}

fn ask(link: &mut Link, args: &[&[u8]]) -> Result<Reply, Error> {
    match link.request(args).map_err(Error::failed)? {
        Reply::Error(text) => Err(Error::failed(format_args!(
            "{}: {}",
            link.address(),
            String::from_utf8_lossy(&text)
        ))),
        reply => Ok(reply),
    }
}

fn unexpected(link: &Link, reply: &Reply) -> Error {
    Error::failed(format_args!("{}: unexpected reply {reply}", link.address()))
}
