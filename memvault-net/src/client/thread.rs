//! The thread behind a client: its driver, and the orders of its handles.

use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use async_channel::{Receiver, Sender};
use async_executor::LocalExecutor;
use async_io::Timer;
use async_lock::SemaphoreGuardArc;
use memvault::replication::{Answer, Failure, Levels, NodeState, NodeStatistics, Request};

use super::error::{Error, NodeProblem};
use super::events::Subscribers;
use super::oneshot;
use crate::driver::{Driver, PeerReport, Settings};

/// What a handle asks of the thread.
pub(super) enum Order {
    Request {
        request: Request,
        levels: Levels,
        answered: oneshot::Sender<Result<Answer, Error>>,
        /// Given back when the request is answered, whether or not anybody still waits.
        permit: SemaphoreGuardArc,
    },
    Nodes {
        answered: oneshot::Sender<Vec<PeerReport>>,
    },
    Statistics {
        answered: oneshot::Sender<NodeStatistics>,
    },
}

/// Who waits for the cluster to serve, and for how long.
pub(super) struct Readiness {
    pub(super) timeout: Duration,
    /// How long one connection attempt may take.
    pub(super) attempt: Duration,
    pub(super) ready: oneshot::Sender<Result<(), Error>>,
}

/// Starts the thread. It ends when all senders of orders are gone.
pub(super) fn start(
    settings: Settings,
    subscribers: Arc<Subscribers>,
    readiness: Readiness,
) -> Result<Sender<Order>, Error> {
    // Bounded by the permits that travel with the requests.
    let (sender, orders) = async_channel::unbounded();
    let body = move || {
        let executor = Rc::new(LocalExecutor::new());
        match Driver::new(&executor, settings) {
            Ok(driver) => run(&executor, &driver, &subscribers, readiness, orders),
            Err(error) => readiness.ready.send(Err(error.into())),
        }
    };
    let builder = thread::Builder::new().name("memvault-client".into());
    builder.spawn(body).map_err(Error::Thread)?;
    Ok(sender)
}

fn run(
    executor: &Rc<LocalExecutor<'static>>,
    driver: &Driver,
    subscribers: &Arc<Subscribers>,
    readiness: Readiness,
    orders: Receiver<Order>,
) {
    let publishers = Arc::clone(subscribers);
    driver.on_event(move |event| publishers.publish(event));
    let watched = driver.clone();
    executor
        .spawn(async move { watch(&watched, readiness).await })
        .detach();
    let driver = driver.clone();
    let serving = executor.spawn(async move {
        while let Ok(order) = orders.recv().await {
            take(&driver, order);
            while let Ok(order) = orders.try_recv() {
                take(&driver, order);
            }
        }
    });
    async_io::block_on(executor.run(serving));
}

fn take(driver: &Driver, order: Order) {
    match order {
        Order::Request {
            request,
            levels,
            answered,
            permit,
        } => {
            let weak = driver.downgrade();
            driver.request_then(request, levels, move |outcome| {
                let result = outcome.map_err(|failure| match weak.upgrade() {
                    Some(driver) => explain(&driver, failure),
                    None => Error::Failed(failure),
                });
                drop(permit);
                answered.send(result);
            });
        }
        Order::Nodes { answered } => answered.send(driver.peers()),
        Order::Statistics { answered } => answered.send(driver.statistics()),
    }
}

/// A failure as an error; where no node is left, with what is wrong with each.
fn explain(driver: &Driver, failure: Failure) -> Error {
    if matches!(failure, Failure::Unavailable | Failure::Rejected { .. }) {
        let problems = problems(&driver.peers());
        if !problems.is_empty() {
            return Error::Unreachable {
                nodes: problems,
                tried_for: None,
            };
        }
    }
    Error::Failed(failure)
}

fn problems(reports: &[PeerReport]) -> Vec<NodeProblem> {
    reports.iter().filter_map(NodeProblem::of).collect()
}

/// Waits until the cluster serves and each node was tried, or until it is clear that it does not.
async fn watch(driver: &Driver, readiness: Readiness) {
    let start = Instant::now();
    loop {
        let reports = driver.peers();
        let waited = start.elapsed();
        let all_tried = reports.iter().all(is_tried) || waited >= readiness.attempt + TRY_MARGIN;
        let serves = reports.iter().any(is_serving);
        if serves && all_tried {
            return readiness.ready.send(Ok(()));
        }
        if !serves && all_tried && waited >= readiness.timeout {
            return readiness.ready.send(Err(Error::Unreachable {
                nodes: problems(&reports),
                tried_for: Some(waited),
            }));
        }
        Timer::after(LOOK_EVERY).await;
    }
}

fn is_tried(report: &PeerReport) -> bool {
    report.is_up || report.last_failure.is_some()
}

fn is_serving(report: &PeerReport) -> bool {
    report.is_up && !report.is_suspect && report.state == NodeState::Serving
}

/// How much longer than one attempt to connect the first round of attempts may take.
const TRY_MARGIN: Duration = Duration::from_millis(200);
/// How often a client that is being connected looks whether it is.
const LOOK_EVERY: Duration = Duration::from_millis(5);
