//! New clients, and those that say nothing any more.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_io::Timer;
use async_net::TcpStream;

use super::clients::Clients;
use super::connection_limit::{ConnectionLimit, Permit};
use super::door::{Arrived, Door, dismiss};
use super::protected_mode::{ProtectedMode, is_from_here};
use crate::tcp;

/// A new client, for the thread that is to serve it.
pub(super) struct Arrival {
    pub(super) permit: Permit,
    pub(super) stream: TcpStream,
    pub(super) address: String,
}

/// Accepts clients for ever; protected mode, if it is on, takes those who are not on this machine. The system watches
/// over the silent ones if it is said after how long a `silence`.
pub(super) async fn accept(
    mut door: Door,
    connection_limit: Arc<ConnectionLimit>,
    protected_mode: Option<ProtectedMode>,
    silence: Option<Duration>,
    mut welcome: impl FnMut(Arrival),
) {
    loop {
        let (stream, address) = match door.next().await {
            Arrived::ReplySink(stream, address) => (stream, address),
            Arrived::TooMany(stream, address) => {
                connection_limit.refuse();
                turn_away(stream, address, "no file descriptor is left (ulimit -n)");
                continue;
            }
        };
        if let Err(error) = prepare(&stream, silence) {
            log::debug!(address:%, error:%; "client-gone");
            continue;
        }
        let protected_mode = protected_mode.as_ref();
        if let Some(protected_mode) = protected_mode.filter(|_| !is_from_here(address)) {
            protected_mode.meet(stream, address);
            continue;
        }
        let Some(permit) = connection_limit.take() else {
            let reason = format!("the limit is {} (--max-clients)", connection_limit.max());
            turn_away(stream, address, &reason);
            continue;
        };
        welcome(Arrival {
            permit,
            stream,
            address: address.to_string(),
        });
    }
}

fn prepare(stream: &TcpStream, silence: Option<Duration>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    silence.map_or(Ok(()), |silence| tcp::keep_alive(stream, silence))
}

/// Tells a client that there is no room for it.
fn turn_away(stream: TcpStream, address: SocketAddr, reason: &str) {
    log::warn!(address:%, reason; "client-refused");
    let words = format!("-ERR max number of clients reached: {reason}\r\n");
    dismiss(stream, words.as_bytes());
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

/// Silent clients are not looked for more often than this.
const SHORTEST_LOOK: Duration = Duration::from_millis(10);
