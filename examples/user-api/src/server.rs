//! Sockets: listens, serves each connection in a task, and ends well.

use std::error::Error;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_channel::{Receiver, Sender};
use async_lock::{Semaphore, SemaphoreGuardArc};
use async_net::{TcpListener, TcpStream};
use async_signal::{Signal, Signals};
use axum::Router;
use futures_lite::{FutureExt, StreamExt};
use hyper::server::conn::http1;
use hyper_util::service::TowerToHyperService;
use smol_hyper::rt::{FuturesIo, SmolTimer};

use crate::args::Args;
use crate::cache::Cache;
use crate::database::Database;
use crate::routes::router;
use crate::seed::seed;
use crate::service::Users;
use crate::stream::Stream;

/// How long requests under way may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(10);
/// Pause after a connection could not be accepted, for lack of file descriptors perhaps.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a connection needs to be served.
#[derive(Clone)]
struct Server {
    router: Router,
    client_timeout: Duration,
    write_timeout: Duration,
    /// Closed when the server is to stop.
    stop: Receiver<()>,
    /// Held by everyone who is at work.
    _working: Sender<()>,
}

/// Serves until SIGINT or SIGTERM.
pub(crate) async fn run(args: Args) -> Result<(), Box<dyn Error>> {
    let mut signals = Signals::new([Signal::Int, Signal::Term])?;
    let (path, users, slow) = (args.database.clone(), args.users, args.slow());
    let opened = smol::unblock(move || {
        seed(&path, users)?;
        Database::open(&path, slow)
    });
    let path = args.database.display();
    let database = opened
        .await
        .map_err(|error| format!("cannot open the database {path}: {error}"))?;
    let cache = Cache::start(&args, database.clone());
    let users = Users::new(database, cache);
    let listener = TcpListener::bind(args.listen)
        .await
        .map_err(|error| format!("cannot listen on {}: {error} (--listen)", args.listen))?;
    println!("user-api listens on http://{}", listener.local_addr()?);

    let (stopper, stop) = async_channel::bounded(1);
    let (working, idle) = async_channel::bounded(1);
    let server = Server {
        router: router(&args, users.clone()),
        client_timeout: args.client_timeout(),
        write_timeout: args.write_timeout(),
        stop,
        _working: working,
    };
    let accepting = smol::spawn(accept(listener, server, args.max_connections));
    signals.next().await;
    accepting.cancel().await;
    drop(stopper);
    let all_idle = async {
        let _ = idle.recv().await;
    };
    all_idle.or(timeout(GRACE)).await;
    if users.pending() > 0 {
        let (count, ttl) = (users.pending(), args.ttl);
        eprintln!("user-api: the cache was not told of {count} changes; they show within {ttl} s");
    }
    Ok(())
}

async fn accept(listener: TcpListener, server: Server, max_connections: usize) {
    let seats = Arc::new(Semaphore::new(max_connections));
    loop {
        let seat = seats.acquire_arc().await;
        match listener.accept().await {
            Ok((stream, _)) => smol::spawn(server.clone().serve(stream, seat)).detach(),
            Err(error) => {
                eprintln!("user-api: cannot accept: {error}");
                timeout(ACCEPT_PAUSE).await;
            }
        }
    }
}

impl Server {
    async fn serve(self, socket: TcpStream, _seat: SemaphoreGuardArc) {
        // Only costs time if it fails.
        let _ = socket.set_nodelay(true);
        let stream = Stream::new(socket, self.write_timeout);
        let service = TowerToHyperService::new(self.router);
        let connection = http1::Builder::new()
            .timer(SmolTimer::new())
            .header_read_timeout(self.client_timeout)
            .serve_connection(FuturesIo::new(stream), service);
        let mut connection = pin!(connection);
        let stopped = async {
            let _ = self.stop.recv().await;
            false
        };
        // What goes wrong with a connection is its client's affair.
        let is_over = async {
            let _ = connection.as_mut().await;
            true
        };
        if !is_over.or(stopped).await {
            connection.as_mut().graceful_shutdown();
            let ended = async {
                let _ = connection.await;
            };
            ended.or(timeout(GRACE)).await;
        }
    }
}

async fn timeout(time: Duration) {
    smol::Timer::after(time).await;
}
