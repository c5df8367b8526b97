//! How users name the members of a cluster.

use core::fmt;
use core::str::FromStr;

/// One member in a list such as `10.0.0.1:6379,cache-2.local:6379,c=10.0.0.3:6379`: `host:port`, or
/// `id=host:port` where the id is not the address.
///
/// The id decides which keys the member holds, so every process must give the same.
///
/// ```
/// use memvault_net::driver::NodeAddress;
///
/// let plain: NodeAddress = "cache-1:6379".parse()?;
/// assert_eq!((plain.id.as_str(), plain.address.as_str()), ("cache-1:6379", "cache-1:6379"));
/// let named: NodeAddress = "a=[::1]:6379".parse()?;
/// assert_eq!((named.id.as_str(), named.address.as_str()), ("a", "[::1]:6379"));
/// assert_eq!(
///     "cache-1".parse::<NodeAddress>().unwrap_err().to_string(),
///     "node \"cache-1\": expected host:port or id=host:port, such as 10.0.0.1:6379",
/// );
/// # Ok::<(), memvault_net::driver::AddressError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeAddress {
    /// The member's name on the ring.
    pub id: String,
    /// Where it is reached: `host:port`.
    pub address: String,
}

/// Why a text does not name a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressError(String);

impl FromStr for NodeAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        let (id, address) = text.split_once('=').unwrap_or((text, text));
        let is_address = address
            .rsplit_once(':')
            .is_some_and(|(host, port)| is_host(host) && port.parse::<u16>().is_ok_and(|n| n > 0));
        let is_id = !id.is_empty() && !id.contains(char::is_whitespace);
        if !is_id || !is_address {
            return Err(AddressError(text.to_owned()));
        }
        Ok(Self {
            id: id.to_owned(),
            address: address.to_owned(),
        })
    }
}

/// Whether it may be a name, an IPv4 address or an IPv6 address in brackets.
fn is_host(host: &str) -> bool {
    let bracketed = host.starts_with('[') && host.ends_with(']');
    !host.is_empty() && (bracketed || !host.contains([':', '/', ' ', ',', '=']))
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "node {:?}: expected host:port or id=host:port, such as 10.0.0.1:6379",
            self.0
        )
    }
}

impl core::error::Error for AddressError {}
