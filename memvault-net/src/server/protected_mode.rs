//! Protected mode: callers from other machines are refused, unless they greet as a member of a cluster.
//!
//! It protects from a server that was opened to a network by mistake, and from those who look for such servers; not
//! from someone who knows the messages between nodes, as a node shows no secret.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use async_io::Timer;
use async_net::TcpStream;
use futures_lite::{AsyncReadExt, AsyncWriteExt, FutureExt};
use memvault::replication::{Body, Hello, Message, Role};
use memvault::resp::{CommandDecoder, Limits};

use super::clients::Clients;
use crate::driver::Driver;

/// Looks at those who call from other machines.
pub(super) struct ProtectedMode {
    clients: Rc<Clients>,
    /// Callers who are listened to.
    strangers: Rc<Cell<usize>>,
}

impl ProtectedMode {
    /// Protected mode of a server whose clients these are; `None` if it is open to all.
    pub(super) fn of(clients: &Rc<Clients>) -> Option<Self> {
        clients.config.protected.then(|| Self {
            clients: Rc::clone(clients),
            strangers: Rc::default(),
        })
    }

    /// Takes over a caller from elsewhere.
    pub(super) fn meet(&self, stream: TcpStream, address: SocketAddr) {
        let is_member =
            |driver: &&Driver| driver.inspect(|node| matches!(node.config().role, Role::Member(_)));
        let driver = self.clients.backend.driver().filter(is_member).cloned();
        let caller = Stranger {
            stream,
            address,
            place: Place::among(&self.strangers),
        };
        if let Some(task) = self.clients.spawn(caller.admit(driver)) {
            task.detach();
        }
    }
}

/// Whether a client at this address is on the machine of the server.
pub(super) fn is_from_here(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

/// Someone who calls from another machine.
struct Stranger {
    stream: TcpStream,
    address: SocketAddr,
    /// `None` if there are too many: this one is not listened to.
    place: Option<Place>,
}

impl Stranger {
    /// Gives a member to the `driver`, and refuses everyone else.
    async fn admit(mut self, driver: Option<Driver>) {
        // A member that is not on the list may be about to be added. If it is none of this cluster, the driver says so.
        if let Some(driver) = driver.filter(|_| self.place.is_some())
            && let Some((hello, read)) = in_time(self.read_greeting()).await.flatten()
            && hello.is_member
        {
            // Only costs time if it fails.
            let _ = self.stream.set_nodelay(true);
            return driver.accept_peer(self.stream, read);
        }
        log::debug!(address:% = self.address; "client-denied");
        if let Some(Err(error)) = in_time(self.refuse()).await {
            log::debug!(address:% = self.address, error:%; "client-gone");
        }
    }

    /// The greeting of a node, and all that was read with it; `None` if something else comes first.
    async fn read_greeting(&mut self) -> Option<(Hello, Vec<u8>)> {
        let limits = Limits {
            max_command_len: MAX_GREETING_LEN,
            max_bulk_len: MAX_GREETING_LEN,
            ..Limits::default()
        };
        let mut decoder = CommandDecoder::new(limits);
        let (mut bytes, mut filled) = (vec![0; MAX_GREETING_LEN], 0);
        loop {
            let space = bytes.get_mut(filled..).filter(|space| !space.is_empty())?;
            let read = self.stream.read(space).await.ok();
            filled += read.filter(|read| *read > 0)?;
            let begun = bytes.get(..filled)?;
            if begun.first() != Some(&b'*') {
                return None;
            }
            if let Some(decoded) = decoder.decode(begun).ok()? {
                let Body::Hello(hello) = Message::decode(decoded.args).ok()?.body else {
                    return None;
                };
                bytes.truncate(filled);
                return Some((hello, bytes));
            }
        }
    }

    /// Says why, and closes. What the caller has sent is read: to a socket that is closed before, the system answers
    /// with a reset, which may overtake the words.
    async fn refuse(&mut self) -> io::Result<()> {
        self.stream.write_all(DENIED.as_bytes()).await?;
        self.stream.close().await?;
        let mut unheard = [0; 1024];
        while self.place.is_some() && self.stream.read(&mut unheard).await? > 0 {}
        Ok(())
    }
}

/// What comes of it, if that is soon enough.
async fn in_time<T>(doing: impl Future<Output = T>) -> Option<T> {
    let too_late = async {
        Timer::after(PATIENCE).await;
        None
    };
    async { Some(doing.await) }.or(too_late).await
}

/// A caller's place among those who are listened to, until it is dropped.
struct Place(Rc<Cell<usize>>);

impl Place {
    /// A place, unless all are taken.
    fn among(count: &Rc<Cell<usize>>) -> Option<Self> {
        let has_room = count.get() < MAX_STRANGERS;
        has_room.then(|| {
            count.set(count.get() + 1);
            Self(Rc::clone(count))
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// What those are told who are refused.
const DENIED: &str = "-DENIED MemVault is running in protected mode: it has no password, so clients from other \
                      machines are refused. Connect from its own machine by 127.0.0.1; or, if only those who may use it \
                      can reach it, start it with --protected-mode no; or have it listen on its own machine alone with \
                      --bind 127.0.0.1\r\n";
/// How long a caller may take to greet as a node, and how long to hear its refusal.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest greeting of a node from another machine, in bytes: two ids and some numbers.
const MAX_GREETING_LEN: usize = 4 << 10;
/// Callers from other machines that are listened to at a time; further ones are refused at once.
pub(super) const MAX_STRANGERS: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_addresses_are_from_here_however_they_are_written() {
        let is_from_here = |text: &str| is_from_here(text.parse().expect("an address"));
        for here in [
            "127.0.0.1:1",
            "127.9.9.9:1",
            "[::1]:1",
            "[::ffff:127.0.0.1]:1",
        ] {
            assert!(is_from_here(here), "{here}");
        }
        for elsewhere in ["10.0.0.1:1", "[fe80::1]:1", "[::ffff:10.0.0.1]:1", "[::]:1"] {
            assert!(!is_from_here(elsewhere), "{elsewhere}");
        }
    }
}
