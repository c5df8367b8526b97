//! `--admin`: where a server tells of itself over HTTP.

use std::fmt;
use std::time::Duration;

use clap::Args;
use memvault_net::server::AdminLimits;

use super::duration::positive_duration;
use super::size::size;

/// The flag of a single server.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Network")]
pub(crate) struct Admin {
    /// Tell of this server over HTTP there: / for people, /metrics for Prometheus, /healthz,
    /// /readyz, /api/status. Anyone who reaches it can look and change nothing [default: nowhere]
    #[arg(long, value_name = "HOST:PORT", value_parser = address)]
    pub(crate) admin: Option<AdminAddress>,
}

/// How much those who reach the admin port may take.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Limits of the admin port")]
pub(crate) struct AdminFlags {
    /// Names under which the admin port is asked, separated by commas, such as that of a proxy or
    /// a service in front; requests for other names are refused, as web pages could send them
    /// [default: IP addresses, localhost and the host of --admin]
    #[arg(verbatim_doc_comment, long, value_name = "NAMES", requires = "admin", value_delimiter = ',', value_parser = host_name)]
    admin_host: Vec<String>,
    /// Connections at a time, 1 to 10000; beyond them the one silent for longest is closed, or
    /// more are answered with 503, but for probes [default: 32]
    #[arg(verbatim_doc_comment, long, value_name = "N", requires = "admin", value_parser = connections)]
    admin_max_connections: Option<usize>,
    /// Longest head of a request, 512b to 1mb; else 431 [default: 8kb]
    #[arg(long, value_name = "SIZE", requires = "admin", value_parser = head)]
    admin_max_head: Option<usize>,
    /// Most header lines of a request, 1 to 1000; else 431 [default: 64]
    #[arg(long, value_name = "N", requires = "admin", value_parser = lines)]
    admin_max_header_lines: Option<usize>,
    /// How long the head of a request may take; else 408 [default: 5s]
    #[arg(long, value_name = "TIME", requires = "admin", value_parser = positive_duration)]
    admin_read_timeout: Option<Duration>,
    /// How long a connection may last [default: 10s]
    #[arg(long, value_name = "TIME", requires = "admin", value_parser = positive_duration)]
    admin_timeout: Option<Duration>,
    /// Events that are kept for those who ask, 1 to 100000 [default: 500]
    #[arg(long, value_name = "N", requires = "admin", value_parser = events)]
    admin_max_events: Option<usize>,
}

impl AdminFlags {
    /// What they amount to.
    pub(crate) fn limits(&self) -> AdminLimits {
        let mut limits = AdminLimits::default();
        let set = |place: &mut usize, given: Option<usize>| *place = given.unwrap_or(*place);
        set(&mut limits.max_connections, self.admin_max_connections);
        set(&mut limits.max_head_len, self.admin_max_head);
        set(&mut limits.max_headers, self.admin_max_header_lines);
        set(&mut limits.max_events, self.admin_max_events);
        limits.read_timeout = self.admin_read_timeout.unwrap_or(limits.read_timeout);
        limits.exchange_timeout = self.admin_timeout.unwrap_or(limits.exchange_timeout);
        limits
    }

    /// The names under which the admin port at this address may be asked, beside those that always are.
    pub(crate) fn hosts(&self, at: Option<&AdminAddress>) -> Vec<String> {
        let own = at.map(|at| at.host.clone());
        self.admin_host.iter().cloned().chain(own).collect()
    }

    /// The same flags, for another process.
    pub(crate) fn words(&self) -> Vec<String> {
        let numbers = [
            ("--admin-max-connections", self.admin_max_connections),
            ("--admin-max-head", self.admin_max_head),
            ("--admin-max-header-lines", self.admin_max_header_lines),
            ("--admin-max-events", self.admin_max_events),
        ];
        let times = [
            ("--admin-read-timeout", self.admin_read_timeout),
            ("--admin-timeout", self.admin_timeout),
        ];
        let numbers = numbers.map(|(flag, value)| Some((flag, value?.to_string())));
        let times = times.map(|(flag, time)| Some((flag, format!("{}ms", time?.as_millis()))));
        let hosts =
            (!self.admin_host.is_empty()).then(|| ("--admin-host", self.admin_host.join(",")));
        let given = numbers.into_iter().chain(times).flatten().chain(hosts);
        given
            .flat_map(|(flag, value)| [flag.to_owned(), value])
            .collect()
    }
}

/// The name of a host, without a port.
fn host_name(text: &str) -> Result<String, String> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    if !text.is_empty() && text.chars().all(is_part) {
        Ok(text.to_owned())
    } else {
        Err("expected the name of a host without a port, such as cache.example.org".to_owned())
    }
}

fn connections(text: &str) -> Result<usize, String> {
    in_range(text, 10_000)
}

fn lines(text: &str) -> Result<usize, String> {
    in_range(text, 1000)
}

fn events(text: &str) -> Result<usize, String> {
    in_range(text, 100_000)
}

fn in_range(text: &str, most: usize) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if (1..=most).contains(&number) => Ok(number),
        _ => Err(format!("expected 1 to {most}")),
    }
}

/// Shorter than 512 bytes no browser's request is.
fn head(text: &str) -> Result<usize, String> {
    match size(text)? {
        bytes @ 512..=0x10_0000 => Ok(bytes),
        _ => Err("expected 512b to 1mb".to_owned()),
    }
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
