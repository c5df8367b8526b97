//! The listening sockets of a server.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;

use crate::args::admin::AdminAddress;
use crate::args::environment::said;
use crate::error::Error;
use crate::local::unusable;

/// Listens where a server's clients and nodes connect; port 0 lets the system choose.
pub(super) fn listen(host: &str, port: u16) -> Result<TcpListener, Error> {
    bind(host, port, &said("bind", host), &said("port", port))
}

/// Listens where `--admin` says, if it was given.
pub(super) fn listen_for_admin(
    at: Option<&AdminAddress>,
) -> Result<Option<Arc<TcpListener>>, Error> {
    at.map(|at| {
        let flag = format!("--admin {at}");
        bind(&at.host, at.port, &flag, &flag).map(Arc::new)
    })
    .transpose()
}

fn bind(host: &str, port: u16, host_flag: &str, port_flag: &str) -> Result<TcpListener, Error> {
    let addresses: Vec<SocketAddr> = match (host, port).to_socket_addrs() {
        Ok(addresses) => addresses.collect(),
        Err(error) => {
            return Err(Error::failed(format_args!(
                "{host_flag}: expected an address or host name of this machine: {error}"
            )));
        }
    };
    TcpListener::bind(&addresses[..]).map_err(|error| {
        let is_the_address = error.kind() == ErrorKind::AddrNotAvailable;
        let flag = if is_the_address { host_flag } else { port_flag };
        unusable(host, port, flag, &error)
    })
}
