//! What operators and their programs ask a server: HTTP on a port of its own.
//!
//! ```text
//! listener --accept--> read head --> answer: path --> Snapshot --> text
//!                                                       ^
//!                            Clients, StoreInfo, Driver ----+---- ClusterPoll: what other nodes tell
//! ```
//!
//! Place: beside the clients, in tasks of the same executor; it only looks.
//! Cost: none for requests of clients, beside the time that one in sixteen batches of them, and one in sixteen
//! questions of other nodes, is measured with. A page walks the ring and the member list: well below a millisecond for
//! tens of members. While somebody looks at the whole cluster, every node is asked for `INFO` once a second.
//! Limits: [`AdminLimits`], and those of [`cluster_poll`] and [`info_client`], which are fixed. One request per
//! connection.

mod cluster_poll;
mod events;
mod history;
mod http;
mod http_connection;
mod info_client;
mod metrics;
mod node_stats;
mod overview;
mod page;
mod places;
mod readiness;
mod ring_view;
mod snapshot;
mod status;
mod watch;

use std::cell::RefCell;
use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use std::time::Duration;

use async_executor::Task;
use async_io::Timer;
use futures_lite::FutureExt;
use memvault::replication::Node;

use super::admin_limits::AdminLimits;
use super::backend::Backend;
use super::clients::Clients;
use super::door::Door;
use crate::clock::wall;
use crate::web::OwnNames;
use cluster_poll::ClusterPoll;
use history::History;
use http::{Method, Request, Response};
pub use node_stats::NodeStats;
use readiness::readiness;
use snapshot::Snapshot;
use watch::Watch;

/// How often the counters are remembered: what is told as recent is of the last one or two such times.
const MARK_EVERY: Duration = Duration::from_secs(1);

/// What there is.
const PATHS: &str = "/ (a page for people), /metrics, /healthz, /readyz, /api/status, /api/cluster, /api/ring, \
                     /api/events?since=NUMBER, /api/where?key=KEY";

/// Starts to answer on [`Config::admin`](super::Config::admin), if there is one, until the task is dropped.
///
/// # Errors
/// If the listener cannot be used.
pub(super) fn start(clients: &Rc<Clients>) -> io::Result<Option<Task<()>>> {
    let Some(listener) = &clients.config.admin else {
        return Ok(None);
    };
    let door = Door::new(TcpListener::try_clone(listener)?, "admin")?;
    let admin = Rc::new(Admin {
        clients: Rc::clone(clients),
        history: RefCell::new(History::new(clients.config.admin_limits.max_events)),
        cluster_poll: ClusterPoll::new(clients),
        names: OwnNames::new(&clients.config.admin_hosts),
        started_ms: wall().as_millis(),
    });
    admin.note_events();
    let marking = Rc::clone(&admin).mark();
    Ok(clients.spawn(http_connection::accept(door, admin).or(marking)))
}

/// What answers are made of.
struct Admin {
    clients: Rc<Clients>,
    history: RefCell<History>,
    cluster_poll: Rc<ClusterPoll>,
    /// Whom requests may be for.
    names: OwnNames,
    /// When this began, in Unix milliseconds.
    started_ms: u64,
}

impl Admin {
    fn limits(&self) -> &AdminLimits {
        &self.clients.config.admin_limits
    }

    async fn answer(&self, request: &Request) -> Response {
        if let Err(refusal) = self.check_sender(request) {
            return refusal;
        }
        if !page::PATHS.contains(&&*request.path) && !KNOWN.contains(&&*request.path) {
            return Response::text(404, format!("no such path; there are {PATHS}"));
        }
        if request.method == Method::Other {
            return Response::text(405, "expected GET or HEAD");
        }
        let query = &*request.query;
        match &*request.path {
            "/metrics" => self.metrics(),
            "/healthz" => Response::text(200, "ok"),
            "/readyz" => self.readiness(),
            "/api/status" => self.status(),
            "/api/cluster" => self.overview().await,
            "/api/ring" => Response::json(&self.with_node(ring_view::ring)),
            "/api/events" => self.events(query),
            "/api/where" => self.place(query),
            path => page::file(path),
        }
    }

    /// Refuses what a web page from elsewhere may have sent.
    fn check_sender(&self, request: &Request) -> Result<(), Response> {
        let Some(host) = request.host() else {
            return Err(Response::text(400, "expected one Host"));
        };
        let checked = self.names.check(host, request.origin.as_deref());
        checked.map_err(|foreign| {
            log::warn!(host, origin = request.origin; "admin-foreign-request");
            Response::text(403, format!("{foreign}, or what --admin-host names"))
        })
    }

    fn metrics(&self) -> Response {
        let snapshot = Snapshot::take(&self.clients, &self.history.borrow().counts);
        Response::new(metrics::CONTENT_TYPE, metrics::text(snapshot))
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

    async fn overview(&self) -> Response {
        self.cluster_poll.look().await;
        let snapshot = Snapshot::take(&self.clients, &self.history.borrow().counts);
        Response::json(&overview::overview(
            &snapshot,
            &readiness(&self.clients),
            &self.cluster_poll,
            self.started_ms,
        ))
    }

    fn events(&self, query: &str) -> Response {
        let events = events::events(query, &self.history.borrow(), self.started_ms);
        events.map_or_else(
            || Response::text(400, "expected /api/events or /api/events?since=NUMBER"),
            |events| Response::json(&events),
        )
    }

    /// Which nodes hold the key that a query names.
    fn place(&self, query: &str) -> Response {
        let place = self.with_node(|node| ring_view::place(query, node));
        place.map_or_else(
            || Response::text(400, "expected /api/where?key=KEY, percent-encoded"),
            |place| Response::json(&place),
        )
    }

    /// Looks at the node of the cluster, if this is one.
    fn with_node<R>(&self, look: impl FnOnce(Option<&Node>) -> R) -> R {
        match &self.clients.backend {
            Backend::Cluster { driver, .. } => driver.inspect(|node| look(Some(node))),
            Backend::Single(_) | Backend::Shard(_) => look(None),
        }
    }

    /// Remembers the counters from time to time, and notes what has changed, for ever.
    async fn mark(self: Rc<Self>) {
        let mut watch = Watch::default();
        loop {
            self.look(&mut watch);
            Timer::after(MARK_EVERY).await;
        }
    }

    fn look(&self, watch: &mut Watch) {
        let (store_info, latency) = (
            self.clients.backend.store_info(),
            self.clients.meter.latency(),
        );
        let mut history = self.history.borrow_mut();
        history.mark(store_info.statistics.commands, latency);
        history.sum_up(wall());
        if let Some(driver) = self.clients.backend.driver() {
            driver.inspect(|node| watch.look(node, &mut history));
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

/// The paths that documents are under.
const KNOWN: [&str; 8] = [
    "/metrics",
    "/healthz",
    "/readyz",
    "/api/status",
    "/api/cluster",
    "/api/ring",
    "/api/events",
    "/api/where",
];
