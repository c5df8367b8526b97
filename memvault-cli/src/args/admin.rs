//! `--admin`: where a server tells of itself over HTTP.

use std::fmt;

use clap::Args;

/// The flag of a single server.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Network")]
pub(crate) struct Admin {
    /// Tell of this server over HTTP there: /metrics for Prometheus, /healthz, /readyz,
    /// /api/status. Whoever reaches it can look and change nothing [default: nowhere]
    #[arg(verbatim_doc_comment, long, value_name = "HOST:PORT", value_parser = address)]
    pub(crate) admin: Option<AdminAddress>,
}

/// A host or address of this machine, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AdminAddress {
    /// Without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl AdminAddress {
    /// The address `offset` ports further; `None` past the last port.
    pub(crate) fn plus(&self, offset: usize) -> Option<Self> {
        let port = usize::from(self.port) + offset;
        Some(Self {
            host: self.host.clone(),
            port: port.try_into().ok()?,
        })
    }
}

impl fmt::Display for AdminAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') {
            write!(f, "[{host}]:{port}")
        } else {
            write!(f, "{host}:{port}")
        }
    }
}

/// Reads `host:port`.
pub(crate) fn address(text: &str) -> Result<AdminAddress, String> {
    let wrong = || "expected host:port, such as 127.0.0.1:9400".to_owned();
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let is_bare = bare.is_some() || !host.contains(':');
    let host = bare.unwrap_or(host);
    if host.is_empty() || !is_bare {
        return Err(wrong());
    }
    Ok(AdminAddress {
        host: host.to_owned(),
        port: port.parse().map_err(|_| wrong())?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_host_and_a_port() {
        for text in ["127.0.0.1:9400", "[::1]:9400", "localhost:0"] {
            let read = address(text).expect("it is well-formed");
            assert_eq!(read.to_string(), text);
        }
        for text in ["9400", ":9400", "::1:9400", "a:", "a:65536", "a:x", "[]:1"] {
            let error = address(text).expect_err(text);
            assert!(error.contains("127.0.0.1:9400"), "{error}");
        }
    }

    #[test]
    fn ports_end() {
        let first = address("a:65000").expect("it is well-formed");
        assert_eq!(first.plus(535).map(|last| last.port), Some(65535));
        assert_eq!(first.plus(536), None);
    }
}
