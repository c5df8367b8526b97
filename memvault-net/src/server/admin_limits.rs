//! How much those who reach the admin port may take.

use std::time::Duration;

/// Connections that are there for probes, beyond the limit for all.
pub(super) const FOR_PROBES: usize = 8;

/// Limits of [`Config::admin`](crate::server::Config::admin).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AdminLimits {
    /// Connections at a time; default 32. Flag `--admin-max-connections`. Above it the one that has been without a
    /// whole request for longest is closed; if there is none, further ones are answered with 503 at once, but for 8
    /// that ask for `/healthz` or `/readyz`.
    pub max_connections: usize,
    /// Bytes of the head of a request, above which it is answered with 431; default 8 KiB. Flag `--admin-max-head`.
    pub max_head_len: usize,
    /// Lines of the head of a request, above which it is answered with 431; default 64. Flag
    /// `--admin-max-header-lines`.
    pub max_headers: usize,
    /// How long the head of a request may take, after which it is answered with 408; default 5 s. Flag
    /// `--admin-read-timeout`.
    pub read_timeout: Duration,
    /// How long a connection may last, after which it is closed; default 10 s. Flag `--admin-timeout`.
    pub exchange_timeout: Duration,
    /// Events that are kept, older ones are forgotten; default 500. Flag `--admin-max-events`.
    pub max_events: usize,
}

impl AdminLimits {
    /// Connections that there may be in the worst case.
    pub(super) const fn most_connections(&self) -> usize {
        self.max_connections.saturating_add(FOR_PROBES)
    }
}

impl Default for AdminLimits {
    fn default() -> Self {
        Self {
            max_connections: 32,
            max_head_len: 8 << 10,
            max_headers: 64,
            read_timeout: Duration::from_secs(5),
            exchange_timeout: Duration::from_secs(10),
            max_events: 500,
        }
    }
}
