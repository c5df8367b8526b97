//! One attempt to connect to a member.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use async_io::Timer;
use async_net::TcpStream;
use futures_lite::FutureExt;

use super::link::LinkError;
use crate::tcp;

/// How long the resolution of a name may take. A look-up that is given up goes on in a thread of its own until the
/// system gives it up as well, so there must not be many.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Resolves `address` and connects to the first of its addresses that answers. The connection breaks when what
/// was sent stays unacknowledged for `patience`, where the system can do that.
///
/// # Errors
/// If its name is not resolved in time, or none of them answers within `timeout`: the last one's error.
pub(crate) async fn connect(
    address: &str,
    timeout: Duration,
    patience: Duration,
) -> Result<TcpStream, LinkError> {
    let resolved = resolve(address).or(in_time(RESOLVE_TIMEOUT, LinkError::ResolveTimeout));
    let addresses = resolved.await?;
    let attempt = async {
        let mut failure = LinkError::NoAddress;
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    prepare(&stream, patience).map_err(LinkError::Io)?;
                    return Ok(stream);
                }
                Err(error) => failure = LinkError::Connect(error),
            }
        }
        Err(failure)
    };
    attempt
        .or(in_time(timeout, LinkError::ConnectTimeout))
        .await
}

/// Bounds what the system holds of a link for the other end: what is beyond it waits here, where small messages pass
/// large ones.
pub(super) fn limit_send_buffer(stream: &TcpStream, bytes: usize) -> Result<(), LinkError> {
    let limited = rustix::net::sockopt::set_socket_send_buffer_size(stream, bytes);
    limited.map_err(|error| LinkError::Io(error.into()))
}

/// Gives up after this time.
async fn in_time<T>(
    limit: Duration,
    failure: impl FnOnce(Duration) -> LinkError,
) -> Result<T, LinkError> {
    Timer::after(limit).await;
    Err(failure(limit))
}

/// Sets the options of a link to a member.
fn prepare(stream: &TcpStream, patience: Duration) -> io::Result<()> {
    stream.set_nodelay(true)?;
    tcp::keep_alive(stream, tcp::LINK_KEEPALIVE)?;
    // A machine that is unplugged says nothing, and TCP by itself repeats for a quarter of an hour.
    #[cfg(target_os = "linux")]
    rustix::net::sockopt::set_tcp_user_timeout(stream, millis(patience))?;
    #[cfg(not(target_os = "linux"))]
    let _ = patience;
    Ok(())
}

/// Whole milliseconds, at least one: zero would mean the default of the system.
#[cfg(target_os = "linux")]
fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX).max(1)
}

/// The addresses behind a name, asked on a thread of their own, as the system's resolver blocks.
pub(super) async fn resolve(address: &str) -> Result<Vec<SocketAddr>, LinkError> {
    if let Ok(literal) = address.parse() {
        return Ok(vec![literal]);
    }
    let name = address.to_owned();
    let found: io::Result<Vec<SocketAddr>> =
        blocking::unblock(move || Ok(name.to_socket_addrs()?.collect())).await;
    found.map_err(LinkError::Resolve)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::TcpListener;

    use rustix::net::sockopt;

    use super::*;

    #[test]
    fn the_system_gives_a_silent_member_up_as_soon_as_the_node_does() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound").to_string();
        let patience = Duration::from_millis(1500);
        let attempt = connect(&address, Duration::from_secs(30), patience);
        let stream = async_io::block_on(attempt).expect("somebody listens");
        assert_eq!(sockopt::tcp_user_timeout(&stream).expect("an option"), 1500);
        assert!(sockopt::tcp_nodelay(&stream).expect("an option"));
    }

    #[test]
    fn no_patience_at_all_is_not_taken_for_the_default_of_the_system() {
        assert_eq!(millis(Duration::ZERO), 1);
        assert_eq!(millis(Duration::MAX), u32::MAX);
    }
}
