//! How a member that discovers others is set up: whom it asks first, and under which address they reach it.

use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};

use memvault_net::driver::Discover;

use crate::args::cluster::Seeds;
use crate::error::Error;
use crate::link;

/// The settings of a member that listens on `listener`.
pub(super) fn settings(
    seeds: &Seeds,
    advertise: Option<&str>,
    listener: &TcpListener,
) -> Result<Discover, Error> {
    let address = match advertise {
        Some(text) => advertised(text)?,
        None => listening(seeds, listener)?,
    };
    Ok(Discover {
        seeds: seeds.0.clone(),
        address,
    })
}

fn advertised(text: &str) -> Result<SocketAddr, Error> {
    let found = link::resolve(text).map_err(|error| {
        Error::failed(format_args!(
            "--advertise {text}: expected an address or a name that this machine knows: {error}"
        ))
    })?;
    let first = found.into_iter().next();
    first.ok_or_else(|| {
        Error::failed(format_args!(
            "--advertise {text}: the name has no address; give an IP address"
        ))
    })
}

/// The address that this node listens on; if that is all of them, the one by which it reaches a seed.
fn listening(seeds: &Seeds, listener: &TcpListener) -> Result<SocketAddr, Error> {
    let bound = listener.local_addr().map_err(Error::failed)?;
    if !bound.ip().is_unspecified() {
        return Ok(bound);
    }
    let seeds = seeds.0.iter();
    let mut found = seeds.flat_map(|seed| link::resolve(seed).unwrap_or_default());
    let own = found.find_map(|seed| own_address_towards(seed).ok());
    own.map(|ip| SocketAddr::new(ip, bound.port()))
        .ok_or_else(|| {
            Error::failed(format_args!(
                "--bind {}: cannot tell under which address others reach this node, as no seed of --discover can be \
                 reached: name it with --advertise HOST:PORT",
                bound.ip()
            ))
        })
}

/// Sends nothing: the system only looks up its routes.
fn own_address_towards(other: SocketAddr) -> std::io::Result<IpAddr> {
    let any: SocketAddr = if other.is_ipv4() {
        ([0, 0, 0, 0], 0).into()
    } else {
        ([0; 16], 0).into()
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect(other)?;
    Ok(socket.local_addr()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(bind: &str, seed: &str, advertise: Option<&str>) -> Result<SocketAddr, String> {
        let listener = TcpListener::bind((bind, 0)).expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let discover = settings(&Seeds(vec![seed.to_owned()]), advertise, &listener);
        let discover = discover.map_err(|error| error.to_string())?;
        if advertise.is_none() {
            assert_eq!(discover.address.port(), port);
        }
        Ok(discover.address)
    }

    #[test]
    fn others_are_told_an_address_that_they_can_call() {
        let ip = |bind, seed| address(bind, seed, None).map(|address| address.ip().to_string());
        assert_eq!(ip("127.0.0.1", "127.0.0.2:1"), Ok("127.0.0.1".to_owned()));
        assert_eq!(ip("0.0.0.0", "127.0.0.1:1"), Ok("127.0.0.1".to_owned()));
        let named = address("127.0.0.1", "127.0.0.1:1", Some("192.0.2.7:70"));
        assert_eq!(named, Ok(([192, 0, 2, 7], 70).into()));
    }

    #[test]
    fn where_it_cannot_be_told_the_flag_is_named() {
        let error = address("0.0.0.0", "nowhere.invalid:1", None).expect_err("no route");
        assert!(error.contains("--advertise HOST:PORT"), "{error}");
        let error = address("127.0.0.1", "127.0.0.1:1", Some("nowhere.invalid:1"));
        let error = error.expect_err("no such name");
        assert!(error.contains("--advertise nowhere.invalid:1"), "{error}");
    }
}
