//! New clients, and those that say nothing any more.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_io::Timer;
use async_net::{TcpListener, TcpStream};
use futures_lite::AsyncWriteExt;

use super::clients::Clients;
use super::guard::{Guard, is_from_here};
use super::seats::{Seat, Seats};

/// A new client, for the thread that is to serve it.
pub(super) struct Arrival {
    pub(super) seat: Seat,
    pub(super) stream: TcpStream,
    pub(super) address: String,
}

/// Accepts clients for ever; the `guard`, if there is one, takes those who are not on this machine.
pub(super) async fn accept(
    listener: TcpListener,
    seats: Arc<Seats>,
    guard: Option<Guard>,
    mut welcome: impl FnMut(Arrival),
) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                let guard = guard.as_ref();
                if let Some(guard) = guard.filter(|_| !is_from_here(address)) {
                    guard.meet(stream, address);
                    continue;
                }
                let Some(seat) = seats.take() else {
                    turn_away(stream, seats.max()).await;
                    continue;
                };
                if let Err(error) = stream.set_nodelay(true) {
                    log::debug!(address:%, error:%; "client-gone");
                    continue;
                }
                welcome(Arrival {
                    seat,
                    stream,
                    address: address.to_string(),
                });
            }
            // The client's own end of it: the next one is not affected.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                log::warn!(port = "clients", error:%; "accept-failed");
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
        log::debug!(error:%; "client-refused");
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
