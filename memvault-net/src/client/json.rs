//! Values as JSON.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Client, Error};

impl Client {
    /// The value of a key, read as JSON; `None` is a miss.
    ///
    /// # Errors
    /// [`Error::Json`] if the value is not the JSON of a `T`; see [`Error`] for the rest.
    pub async fn get_json<T: DeserializeOwned>(
        &self,
        key: impl AsRef<[u8]>,
    ) -> Result<Option<T>, Error> {
        let key = key.as_ref();
        let value = self.get(key).await?;
        let parsed = value.map(|bytes| serde_json::from_slice(&bytes));
        parsed.transpose().map_err(|source| wrong(key, source))
    }

    /// Sets a key to the JSON of `value`, without expiry.
    ///
    /// # Errors
    /// [`Error::Json`] if `value` has no JSON; see [`Error`] for the rest.
    pub async fn set_json<T: Serialize + ?Sized>(
        &self,
        key: impl AsRef<[u8]>,
        value: &T,
    ) -> Result<(), Error> {
        let json = encode(key.as_ref(), value);
        self.set(key, json?).await
    }

    /// Sets a key that expires after `ttl` to the JSON of `value`.
    ///
    /// # Errors
    /// [`Error::Json`] if `value` has no JSON; see [`Error`] for the rest.
    pub async fn set_json_with_ttl<T: Serialize + ?Sized>(
        &self,
        key: impl AsRef<[u8]>,
        value: &T,
        ttl: Duration,
    ) -> Result<(), Error> {
        let json = encode(key.as_ref(), value);
        self.set_with_ttl(key, json?, ttl).await
    }
}

fn encode<T: Serialize + ?Sized>(key: &[u8], value: &T) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|source| wrong(key, source))
}

fn wrong(key: &[u8], source: serde_json::Error) -> Error {
    let key = String::from_utf8_lossy(key).into_owned();
    Error::Json { key, source }
}
