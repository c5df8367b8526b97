//! Free ports of this machine.

use std::io::{self, ErrorKind};
use std::net::TcpListener;

use super::HOST;
use crate::error::Error;

/// Checks that nobody listens on a port; `flag` is what chose it.
pub(crate) fn check_free(host: &str, port: u16, flag: &str) -> Result<(), Error> {
    match TcpListener::bind((host, port)) {
        Ok(_) => Ok(()),
        Err(error) => Err(unusable(host, port, flag, &error)),
    }
}

/// Why a server cannot listen on a port that `flag` chose, and what to do.
pub(crate) fn unusable(host: &str, port: u16, flag: &str, error: &io::Error) -> Error {
    Error::failed(match error.kind() {
        ErrorKind::AddrInUse => format!(
            "port {port} on {host} is in use ({flag}): stop what listens there, or choose another port"
        ),
        ErrorKind::PermissionDenied => {
            format!("port {port} needs privileges ({flag}): choose one above 1023")
        }
        _ => format!("cannot listen on {host}:{port} ({flag}): {error}"),
    })
}

/// Finds ports that are free now.
pub(crate) fn pick_free(count: usize) -> io::Result<Vec<u16>> {
    // All are held until the last is found, so that none comes twice.
    let listeners = (0..count).map(|_| TcpListener::bind((HOST, 0)));
    let listeners = listeners.collect::<io::Result<Vec<_>>>()?;
    let port = |listener: &TcpListener| Ok(listener.local_addr()?.port());
    listeners.iter().map(port).collect()
}
