//! Requests that a web page from elsewhere has a browser send.
//!
//! A browser lets a page read answers of the server that the page came from, and takes a name for a server: one who
//! owns a name can have it stand for another address once his page is loaded (DNS rebinding), such as that of a server
//! on the reader's own machine. Such a request tells that name in its `Host`. So a server answers only to names that it
//! knows to be its own; to an address no name can be made to refer.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The names under which a server is asked: `localhost`, every IP address, and some more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnNames(Vec<String>);

/// A request that is not to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign<'a> {
    /// It was meant for a server of this name.
    Host(&'a str),
    /// A page from there has sent it.
    Origin(&'a str),
}

impl OwnNames {
    /// `localhost`, every IP address, and these names; an address or `localhost` among them changes nothing.
    #[must_use]
    pub fn new<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> Self {
        let names = names.into_iter();
        let names = names.map(|name| without_dot(name.as_ref()).to_ascii_lowercase());
        let is_more = |name: &String| name != "localhost" && name.parse::<IpAddr>().is_err();
        Self(names.filter(is_more).collect())
    }

    /// Looks at the `Host` and the `Origin` of a request; what is not there is what no browser leaves out.
    ///
    /// ```
    /// use memvault_net::web::{Foreign, OwnNames};
    ///
    /// let names = OwnNames::new(["cache.example"]);
    /// assert_eq!(names.check(Some("127.0.0.1:9400"), None), Ok(()));
    /// assert_eq!(names.check(Some("Cache.Example"), Some("https://cache.example")), Ok(()));
    /// assert_eq!(names.check(Some("evil.example:9400"), None), Err(Foreign::Host("evil.example:9400")));
    /// ```
    ///
    /// # Errors
    /// If the host is none of these names, or the origin is neither the host itself nor one of the names given to
    /// [`new`](Self::new).
    pub fn check<'a>(
        &self,
        host: Option<&'a str>,
        origin: Option<&'a str>,
    ) -> Result<(), Foreign<'a>> {
        if let Some(host) = host.filter(|host| !host.is_empty() && !self.is_own(host)) {
            return Err(Foreign::Host(host));
        }
        let Some(origin) = origin else {
            return Ok(());
        };
        let from = origin.split_once("://").map(|(_, authority)| authority);
        let is_own = from.is_some_and(|from| {
            host.is_some_and(|host| host.eq_ignore_ascii_case(from)) || self.is_given(from)
        });
        if is_own {
            Ok(())
        } else {
            Err(Foreign::Origin(origin))
        }
    }

    fn is_own(&self, authority: &str) -> bool {
        let host = host_of(authority);
        let address = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        address.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
            || host.parse::<Ipv4Addr>().is_ok()
            || without_dot(host).eq_ignore_ascii_case("localhost")
            || self.is_given(authority)
    }

    fn is_given(&self, authority: &str) -> bool {
        let host = without_dot(host_of(authority));
        self.0.iter().any(|name| name.eq_ignore_ascii_case(host))
    }
}

impl fmt::Display for Foreign<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host) => write!(
                f,
                "the request is for {host:?}, which is none of this server's names; expected its IP address or localhost"
            ),
            Self::Origin(origin) => write!(
                f,
                "the request comes from a page of {origin:?}; expected one of this server"
            ),
        }
    }
}

/// What stands before the port.
fn host_of(authority: &str) -> &str {
    if authority.starts_with('[') {
        return authority
            .find(']')
            .map_or(authority, |end| &authority[..=end]);
    }
    authority
        .split_once(':')
        .map_or(authority, |(host, _)| host)
}

/// A name may be written as one that ends at the root.
fn without_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_allowed(host: &str) -> bool {
        let names = OwnNames::new(["Cache.internal.", "gateway"]);
        names.check(Some(host), None).is_ok()
    }

    #[test]
    fn addresses_localhost_and_given_names_are_own() {
        for host in [
            "127.0.0.1",
            "10.1.2.3:9400",
            "[::1]",
            "[fe80::1]:9400",
            "localhost",
            "LocalHost:9400",
            "localhost.:1",
            "cache.internal",
            "CACHE.internal.:9400",
            "gateway:9400",
            "",
        ] {
            assert!(is_allowed(host), "{host}");
        }
    }

    #[test]
    fn every_other_name_is_foreign() {
        for host in [
            "evil.example",
            "evil.example:9400",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "notlocalhost",
            "127.1",
            "2130706433",
            "[::1",
            "[evil]:1",
            "::1",
            "gateway.evil.example",
            "a@localhost",
            ":9400",
            " localhost",
        ] {
            assert!(!is_allowed(host), "{host}");
        }
    }

    #[test]
    fn pages_of_the_same_host_and_port_are_own() {
        // One who serves another page under an address of this machine does not own that address.
        let names = OwnNames::new(["cache.internal", "127.0.0.1", "localhost", "::1"]);
        for (host, origin) in [
            ("127.0.0.1:9400", "http://127.0.0.1:9400"),
            ("localhost:9400", "http://LOCALHOST:9400"),
            // A proxy in front speaks TLS, and to this server by its address.
            ("10.0.0.1:9400", "https://cache.internal"),
        ] {
            assert_eq!(names.check(Some(host), Some(origin)), Ok(()), "{origin}");
        }
        for origin in [
            "null",
            "",
            "http://evil.example",
            "http://127.0.0.1",
            "http://127.0.0.1:9401",
            "http://localhost:9400",
            "127.0.0.1:9400",
        ] {
            let found = names.check(Some("127.0.0.1:9400"), Some(origin));
            assert_eq!(found, Err(Foreign::Origin(origin)));
        }
        assert!(names.check(None, Some("http://evil.example")).is_err());
    }
}
