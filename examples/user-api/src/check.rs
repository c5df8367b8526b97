//! `--check`: whether the API answers, for anyone who looks after its process, such as a container's health check.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// How long connecting, and each step of the answer, may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// What needs neither database nor cache.
const REQUEST: &[u8] = b"GET /statistics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
const EXPECTED: &[u8] = b"HTTP/1.1 200 ";

/// Asks once. Blocks.
///
/// # Errors
/// If there is no answer, or another one than expected.
pub(crate) fn check(listen: SocketAddr) -> Result<(), Box<dyn Error>> {
    let address = reachable(listen);
    let failed = |error| format!("{address} does not answer: {error} (--listen)");
    let answer = ask(address).map_err(failed)?;
    if answer == EXPECTED {
        return Ok(());
    }
    let answer = String::from_utf8_lossy(&answer);
    Err(format!("{address} answers {answer:?}, which is not this API (--listen)").into())
}

fn ask(address: SocketAddr) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(REQUEST)?;
    let mut answer = Vec::new();
    stream
        .take(EXPECTED.len() as u64)
        .read_to_end(&mut answer)?;
    Ok(answer)
}

/// What listens on all addresses is reached by the machine's own.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let own: IpAddr = match listen.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(own, listen.port())
}
