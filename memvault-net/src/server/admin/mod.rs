//! What operators and their programs ask a server: HTTP on a port of its own.
//!
//! ```text
//! listener --accept--> read head --> answer: path --> Snapshot --> text
//!                                                       ^
//!                            Clients, Facts, Driver ----+
//! ```
//!
//! Place: beside the clients, in tasks of the same executor; it only looks.
//! Cost: none for requests of clients, beside the time that one in sixteen batches of them is measured
//! with. A page walks the ring and the member list: well below a millisecond for tens of members.
//! Limits: [`MAX_CONNECTIONS`], [`READ_TIMEOUT`], [`EXCHANGE_TIMEOUT`], [`http::MAX_HEAD_LEN`]; they are fixed. One
//! request per connection.

mod history;
mod http;
mod metrics;
mod snapshot;
mod status;

use std::cell::RefCell;
use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use std::time::Duration;

use async_executor::Task;
use async_io::Timer;
use async_net::TcpStream;
use futures_lite::{AsyncReadExt, AsyncWriteExt, FutureExt};
use memvault::replication::{NodeState, Role};

use super::backend::Backend;
use super::clients::Clients;
use crate::clock::wall;
use history::History;
use http::{Method, Request, Response};
use snapshot::Snapshot;

/// Connections at a time; further ones are answered with 503 at once.
const MAX_CONNECTIONS: usize = 32;
/// How long the head of a request may take.
const READ_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection may last.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(10);
/// Most bytes that are taken from a connection after its answer, so that the client can read that.
const MAX_DRAINED: usize = 64 << 10;
/// Pause after a failure to accept that is likely to last, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How often the counters are remembered: what is told as recent is of the last one or two such times.
const MARK_EVERY: Duration = Duration::from_secs(1);

/// What there is.
const PATHS: &str = "/metrics, /healthz, /readyz, /api/status, /api/where?key=KEY";

/// Starts to answer on [`Config::admin`](super::Config::admin), if there is one, until the task is dropped.
///
/// # Errors
/// If the listener cannot be used.
pub(super) fn start(clients: &Rc<Clients>) -> io::Result<Option<Task<()>>> {
    let Some(listener) = &clients.config.admin else {
        return Ok(None);
    };
    let listener = TcpListener::try_clone(listener)?.try_into()?;
    let admin = Rc::new(Admin {
        clients: Rc::clone(clients),
        history: RefCell::default(),
    });
    admin.note_events();
    let marking = Rc::clone(&admin).mark();
    Ok(clients.spawn(accept(listener, admin).or(marking)))
}

/// What answers are made of.
struct Admin {
    clients: Rc<Clients>,
    history: RefCell<History>,
}

async fn accept(listener: async_net::TcpListener, admin: Rc<Admin>) {
    // Each connection has one as well.
    let open = Rc::new(());
    loop {
        match listener.accept().await {
            Ok((stream, _)) if Rc::strong_count(&open) > MAX_CONNECTIONS => turn_away(stream).await,
            Ok((stream, address)) => {
                let (admin_of_task, open) = (Rc::clone(&admin), Rc::clone(&open));
                let task = admin.clients.spawn(async move {
                    let too_late = async {
                        Timer::after(EXCHANGE_TIMEOUT).await;
                        Err(io::ErrorKind::TimedOut.into())
                    };
                    let result = admin_of_task.converse(stream).or(too_late).await;
                    if let Err(error) = result {
                        log::debug!(address:%, error:%; "admin-client-gone");
                    }
                    drop(open);
                });
                if let Some(task) = task {
                    task.detach();
                }
            }
            Err(error) => {
                log::warn!(port = "admin", error:%; "accept-failed");
                Timer::after(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn turn_away(mut stream: TcpStream) {
    let text = format!("{MAX_CONNECTIONS} connections are open already");
    let bytes = Response::text(503, text).encode(Method::Get);
    // A fresh socket takes a line at once; if not, the client learns from the close.
    if let Err(error) = stream.write(&bytes).await {
        log::debug!(error:%; "admin-client-refused");
    }
}

impl Admin {
    async fn converse(&self, mut stream: TcpStream) -> io::Result<()> {
        let too_late = async {
            Timer::after(READ_TIMEOUT).await;
            let text = format!("no whole request within {} s", READ_TIMEOUT.as_secs());
            Ok(Some(Err(Response::text(408, text))))
        };
        let Some(request) = read_head(&mut stream).or(too_late).await? else {
            return Ok(());
        };
        let (method, response) = match request {
            Ok(request) => (request.method, self.answer(&request)),
            Err(response) => (Method::Other, response),
        };
        stream.write_all(&response.encode(method)).await?;
        stream.close().await?;
        // Closing a socket with bytes unread would have the system reset it: the answer might be lost.
        drain(&mut stream).await
    }

    fn answer(&self, request: &Request) -> Response {
        let page: fn(&Self, &str) -> Response = match &*request.path {
            "/metrics" => |admin, _| admin.metrics(),
            "/healthz" => |_, _| Response::text(200, "ok"),
            "/readyz" => |admin, _| admin.readiness(),
            "/api/status" => |admin, _| admin.status(),
            "/api/where" => Self::place,
            _ => return Response::text(404, format!("no such path; there are {PATHS}")),
        };
        match request.method {
            Method::Get | Method::Head => page(self, &request.query),
            Method::Other => Response::text(405, "expected GET or HEAD"),
        }
    }

    fn metrics(&self) -> Response {
        let snapshot = Snapshot::take(&self.clients, &self.history.borrow().counts);
        Response {
            status: 200,
            content_type: metrics::CONTENT_TYPE,
            body: metrics::text(snapshot),
        }
    }

    /// 200 while requests of clients are served here.
    fn readiness(&self) -> Response {
        match readiness(&self.clients) {
            Ok(text) => Response::text(200, text),
            Err(text) => Response::text(503, text),
        }
    }

    fn status(&self) -> Response {
        let history = self.history.borrow();
        let snapshot = Snapshot::take(&self.clients, &history.counts);
        Response::json(&status::status(
            &snapshot,
            &readiness(&self.clients),
            &history,
        ))
    }

    /// Which nodes hold the key that a query names.
    fn place(&self, query: &str) -> Response {
        let place = match &self.clients.backend {
            Backend::Cluster { driver, .. } => {
                driver.inspect(|node| status::place(query, Some(node)))
            }
            Backend::Single(_) | Backend::Shard(_) => status::place(query, None),
        };
        place.map_or_else(
            || Response::text(400, "expected /api/where?key=KEY, percent-encoded"),
            |place| Response::json(&place),
        )
    }

    /// Remembers the counters from time to time, for ever.
    async fn mark(self: Rc<Self>) {
        loop {
            let (facts, latency) = (self.clients.backend.facts(), self.clients.meter.latency());
            let commands = facts.statistics.commands;
            self.history.borrow_mut().mark(commands, latency);
            Timer::after(MARK_EVERY).await;
        }
    }

    fn note_events(self: &Rc<Self>) {
        let Some(driver) = self.clients.backend.driver() else {
            return;
        };
        let weak = Rc::downgrade(self);
        driver.on_event(move |event| {
            if let Some(admin) = weak.upgrade() {
                admin.history.borrow_mut().note(wall(), event);
            }
        });
    }
}

/// Whether this server does its part, and why it does or not.
fn readiness(clients: &Clients) -> Result<String, String> {
    if clients.is_stopping() {
        return Err("stopping".to_owned());
    }
    let Backend::Cluster { driver, .. } = &clients.backend else {
        return Ok("serving".to_owned());
    };
    driver.inspect(|node| {
        let (state, mut members) = (node.state(), node.document().members.iter());
        match &node.config().role {
            Role::Coordinator(_) if node.is_ready() => Ok("serving".to_owned()),
            Role::Coordinator(_) => Err("no member that serves is in view".to_owned()),
            Role::Member(id) if !members.any(|member| member.id == *id) => Err(format!(
                "{id} is no member of the cluster yet (memvault cluster add)"
            )),
            Role::Member(_) if state == NodeState::Serving => Ok(state.name().to_owned()),
            Role::Member(id) => {
                let mut peers = node.peers().filter(|peer| peer.id == *id);
                let progress = peers.find_map(|peer| peer.gaining);
                let percent = progress.map(|progress| progress.permille / 10);
                let percent = percent.map(|percent| format!(", {percent} % fetched"));
                Err(format!("{}{}", state.name(), percent.unwrap_or_default()))
            }
        }
    })
}

/// Reads until a request is whole; `None` if the client leaves before.
async fn read_head(stream: &mut TcpStream) -> io::Result<Option<Result<Request, Response>>> {
    let mut head = [0; http::MAX_HEAD_LEN];
    let mut len = 0;
    loop {
        let read = stream.read(&mut head[len..]).await?;
        if read == 0 {
            return Ok(None);
        }
        len += read;
        if let Some(request) = http::parse(&head[..len]) {
            return Ok(Some(request));
        }
    }
}

/// Takes what a client still sends.
async fn drain(stream: &mut TcpStream) -> io::Result<()> {
    let mut left = MAX_DRAINED;
    let mut rest = [0; 1024];
    while left > 0 {
        match stream.read(&mut rest).await? {
            0 => break,
            read => left = left.saturating_sub(read),
        }
    }
    Ok(())
}
