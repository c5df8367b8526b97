//! One attempt to connect to a member.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use async_io::Timer;
use async_net::TcpStream;
use futures_lite::FutureExt;

use super::link::LinkError;

/// Resolves `address` and connects to the first of its addresses that answers.
///
/// # Errors
/// If none does within `timeout`: the last one's error.
pub(super) async fn connect(address: &str, timeout: Duration) -> Result<TcpStream, LinkError> {
    let attempt = async {
        let mut failure = LinkError::NoAddress;
        for address in resolve(address).await? {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    stream.set_nodelay(true).map_err(LinkError::Io)?;
                    return Ok(stream);
                }
                Err(error) => failure = LinkError::Connect(error),
            }
        }
        Err(failure)
    };
    let too_late = async {
        Timer::after(timeout).await;
        Err(LinkError::ConnectTimeout(timeout))
    };
    attempt.or(too_late).await
}

/// The addresses behind a name, asked on a thread of their own, as the system's resolver blocks.
async fn resolve(address: &str) -> Result<Vec<SocketAddr>, LinkError> {
    if let Ok(literal) = address.parse() {
        return Ok(vec![literal]);
    }
    let name = address.to_owned();
    let found: io::Result<Vec<SocketAddr>> =
        smol::unblock(move || Ok(name.to_socket_addrs()?.collect())).await;
    found.map_err(LinkError::Resolve)
}
