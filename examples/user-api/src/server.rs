//! Sockets: listens, serves each connection in a task, and ends well.

use std::error::Error;
use std::pin::pin;
use std::time::{Duration, Instant};

use async_channel::{Receiver, Sender};
use async_net::{TcpListener, TcpStream};
use async_signal::{Signal, Signals};
use axum::Router;
use futures_lite::{FutureExt, StreamExt};
use hyper::Request;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::service::TowerToHyperService;
use memvault_net::{open_files, tcp};
use smol_hyper::rt::{FuturesIo, SmolTimer};

use crate::args::Args;
use crate::cache::Cache;
use crate::database::Database;
use crate::places::{Place, Places};
use crate::routes::router;
use crate::seed::seed;
use crate::service::Users;
use crate::stream::Stream;

/// How long requests under way may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(10);
/// Files for the database, the nodes of the cache and what a process has open anyway.
const OWN_FILES: u64 = 64;
/// How often it is told that connections cannot be accepted.
const TELL_EVERY: Duration = Duration::from_secs(10);
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
    let mut signals = Signals::new([Signal::Int, Signal::Term, Signal::Hup])?;
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
    tcp::lengthen_backlog(&listener)?;
    let max_connections = connections_within_open_files(args.max_connections);
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
    let accepting = smol::spawn(accept(listener, server, max_connections));
    while let Some(Ok(Signal::Hup)) = signals.next().await {
        eprintln!("user-api: SIGHUP is ignored, there is nothing to read again; SIGTERM ends it");
    }
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
    let places = Places::new(max_connections);
    let mut told_at = None;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let place = places.take().await;
                smol::spawn(server.clone().serve(stream, place)).detach();
            }
            Err(error) => {
                if told_at.is_none_or(|at: Instant| at.elapsed() > TELL_EVERY) {
                    eprintln!("user-api: cannot accept: {error}");
                    told_at = Some(Instant::now());
                }
                timeout(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// How many of `wanted` connections the system lets this process have open.
fn connections_within_open_files(wanted: usize) -> usize {
    let needed = open_files::open_now() + OWN_FILES + wanted as u64;
    let Some(allowed) = open_files::raise_to(needed).filter(|allowed| *allowed < needed) else {
        return wanted;
    };
    let connections = (allowed + wanted as u64).saturating_sub(needed).max(1) as usize;
    eprintln!(
        "user-api: the system allows {allowed} open files (ulimit -n), so that there are {connections} connections at a \
         time and not {wanted} (--max-connections)"
    );
    connections
}

impl Server {
    async fn serve(self, socket: TcpStream, place: Place) {
        // Only costs time if it fails.
        let _ = socket.set_nodelay(true);
        let stream = Stream::new(socket, self.write_timeout);
        let router = TowerToHyperService::new(self.router);
        let guest = place.guest.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            // With a body still to come it is not whole: anyone who reads that says when it is.
            if request.body().is_end_stream() {
                guest.set_busy(true);
            }
            request.extensions_mut().insert(guest.clone());
            let (answering, guest) = (router.call(request), guest.clone());
            async move {
                let answer = answering.await;
                guest.set_busy(false);
                answer
            }
        });
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
        let is_needed = async {
            place.guest.is_to_leave().await;
            true
        };
        if !is_over.or(is_needed).or(stopped).await {
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
