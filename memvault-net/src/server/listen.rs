//! New clients, and those that say nothing any more.

use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use async_io::Timer;
use async_net::{TcpListener, TcpStream};
use futures_lite::AsyncWriteExt;

use super::clients::Clients;
use super::sockets::Sockets;

/// Accepts clients for ever.
pub(super) async fn accept(listener: TcpListener, sockets: Sockets, clients: Rc<Clients>) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                if clients.is_full() {
                    turn_away(stream, clients.config.max_clients).await;
                    continue;
                }
                let address = address.to_string();
                let welcome = |stream: TcpStream| {
                    stream.set_nodelay(true)?;
                    sockets.welcome(&clients, stream, &address)
                };
                if let Err(error) = welcome(stream) {
                    log::debug!("client {address} was gone at once: {error}");
                }
            }
            // The client's own end of it: the next one is not affected.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                log::warn!("cannot accept clients: {error}; trying again");
                Timer::after(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Tells a client that there is no room for it.
async fn turn_away(mut stream: TcpStream, max_clients: usize) {
    let text = format!(
        "-ERR max number of clients reached: the limit is {max_clients} (--max-clients)\r\n"
    );
    // A fresh socket takes a line at once; if not, the client learns from the close.
    if let Err(error) = stream.write(text.as_bytes()).await {
        log::debug!("a client too many was gone at once: {error}");
    }
}

/// Closes clients that are silent for too long, for ever.
pub(super) async fn close_idle(clients: Rc<Clients>) {
    let Some(timeout) = clients.config.idle_timeout else {
        return;
    };
    loop {
        Timer::after((timeout / 4).max(SHORTEST_LOOK)).await;
        clients.dismiss_idle(Instant::now(), timeout);
    }
}

/// Pause after a failure to accept that is likely to last, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Silent clients are not looked for more often than this.
const SHORTEST_LOOK: Duration = Duration::from_millis(10);
