//! A server on stock async-net: one thread, one task for each client.

use std::cell::Cell;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::time::{Duration, Instant};

use async_executor::LocalExecutor;
use async_net::TcpStream;
use futures_lite::{AsyncWriteExt, future};
use log::{debug, info, warn};
use memvault::connection::{Config, Connection};
use smol::Timer;
use smol::channel::Receiver;

use super::backend::Backend;
use super::client::Client;
use crate::error::{Error, OK, Outcome};

/// What all clients of a server share.
pub(super) struct Host {
    pub(super) backend: Backend,
    pub(super) limits: HostLimits,
    /// Closes when the server ends.
    pub(super) closing: Receiver<()>,
    clients: Cell<usize>,
}

/// How many clients, and what each may do.
#[derive(Clone, Copy, Debug)]
pub(super) struct HostLimits {
    pub(super) connection: Config,
    pub(super) max_clients: usize,
    pub(super) idle_timeout: Option<Duration>,
}

/// Serves until `shutdown` gives a reason; then answers what was received, and ends.
pub(super) fn run(
    executor: &Rc<LocalExecutor<'static>>,
    listener: TcpListener,
    backend: Backend,
    limits: HostLimits,
    shutdown: &Receiver<&'static str>,
) -> Outcome {
    let listener = async_net::TcpListener::try_from(listener)
        .map_err(|error| Error::failed(format_args!("cannot listen: {error}")))?;
    let (close, closing) = smol::channel::bounded::<()>(1);
    let host = Rc::new(Host {
        backend,
        limits,
        closing,
        clients: Cell::new(0),
    });
    let weak = Rc::downgrade(executor);
    let accepting = Rc::clone(&host);
    let accept = executor.spawn(async move {
        let mut last_id = 0;
        loop {
            match (listener.accept().await, weak.upgrade()) {
                (Ok((stream, address)), Some(executor)) => {
                    last_id += 1;
                    admit(&executor, &accepting, stream, address, last_id);
                }
                (Err(error), _) => {
                    // Out of file descriptors, mostly: others have to leave first.
                    warn!("cannot accept a connection: {error}");
                    Timer::after(Duration::from_millis(100)).await;
                }
                (Ok(_), None) => return,
            }
        }
    });
    future::block_on(executor.run(async {
        let reason = shutdown.recv().await.unwrap_or("the end of all signals");
        info!("stopping: {reason}");
        accept.cancel().await;
        if let Backend::Node(driver) = &host.backend {
            driver.leave();
        }
        drop(close);
        let deadline = Instant::now() + PATIENCE;
        while host.clients.get() > 0 && Instant::now() < deadline {
            Timer::after(Duration::from_millis(5)).await;
        }
    }));
    info!("stopped");
    Ok(OK)
}

/// Begins to serve a client, or turns it away.
fn admit(
    executor: &Rc<LocalExecutor<'static>>,
    host: &Rc<Host>,
    mut stream: TcpStream,
    address: SocketAddr,
    id: u64,
) {
    let most = host.limits.max_clients;
    if host.clients.get() >= most {
        let task = executor.spawn(async move {
            // What Redis says. Whoever is turned away may have left already.
            let _ = stream
                .write_all(b"-ERR max number of clients reached\r\n")
                .await;
        });
        task.detach();
        return;
    }
    if let Err(error) = stream.set_nodelay(true) {
        debug!("client {address}: {error}");
    }
    let guest = Guest::new(host);
    let connection = Connection::new(id, &address.to_string(), host.limits.connection);
    let client = Client::new(stream, connection, Rc::clone(host));
    let task = executor.spawn(async move {
        let _guest = guest;
        if let Err(error) = client.run().await {
            debug!("client {address}: {error}");
        }
    });
    task.detach();
}

/// Counts a client for as long as it is there.
struct Guest(Rc<Host>);

impl Guest {
    fn new(host: &Rc<Host>) -> Self {
        host.clients.set(host.clients.get() + 1);
        Self(Rc::clone(host))
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.0.clients.set(self.0.clients.get() - 1);
    }
}

/// How long clients have to take their last replies.
const PATIENCE: Duration = Duration::from_secs(2);
