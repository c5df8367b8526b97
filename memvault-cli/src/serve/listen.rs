//! The listening socket of a server.

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

use crate::error::Error;
use crate::local::unusable;

/// Listens on a host or address and a port; port 0 lets the system choose.
pub(super) fn listen(host: &str, port: u16) -> Result<TcpListener, Error> {
    let addresses: Vec<SocketAddr> = match (host, port).to_socket_addrs() {
        Ok(addresses) => addresses.collect(),
        Err(error) => {
            return Err(Error::failed(format_args!(
                "--bind {host}: expected an address or host name of this machine: {error}"
            )));
        }
    };
    TcpListener::bind(&addresses[..])
        .map_err(|error| unusable(host, port, &format!("--port {port}"), &error))
}
