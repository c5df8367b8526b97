//! Starting servers and waiting until they answer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use memvault::replication::NodeState;
use memvault_net::client::Client;
use memvault_net::driver::PeerReport;

use super::{HOST, Plan};
use crate::error::Error;
use crate::link::Link;
use crate::logging::{ChildLog, LogFormat, is_error};
use crate::process::{self, Process};

/// Lines that servers log: held back while they start, shown afterwards.
#[derive(Clone)]
pub(crate) struct Startup(Arc<Mutex<Lines>>);

struct Lines {
    /// What was logged so far; `None` once lines are shown as they come.
    held: Option<Vec<(ChildLog, String)>>,
    shows_afterwards: bool,
    format: LogFormat,
}

impl Startup {
    /// With `shows_afterwards` lines are shown once all have started, else never.
    pub(crate) fn new(shows_afterwards: bool, format: LogFormat) -> Self {
        Self(Arc::new(Mutex::new(Lines {
            held: Some(Vec::new()),
            shows_afterwards,
            format,
        })))
    }

    /// Starts a server whose lines get `name` in front; `number` chooses the colour.
    pub(crate) fn start(
        &self,
        name: &str,
        number: usize,
        args: &[String],
    ) -> Result<Process, Error> {
        let lines = Arc::clone(&self.0);
        let child = ChildLog::new(name, number, self.lines().format);
        let log = move |line: &str| {
            let mut guard = lines.lock().unwrap_or_else(PoisonError::into_inner);
            let lines = &mut *guard;
            match &mut lines.held {
                Some(held) => held.push((child.clone(), line.to_owned())),
                None if lines.shows_afterwards => child.write(line),
                None => {}
            }
        };
        Process::start(name.to_owned(), args, log)
            .map_err(|error| Error::failed(format_args!("cannot start {name}: {error}")))
    }

    /// All have started: from now on lines are shown as they come. What was held back is of interest only
    /// where it is an error: nodes warn as long as they do not find each other.
    pub(crate) fn finish(&self) {
        // The nodes hear from each other within a few heartbeats that all serve, and log it.
        thread::sleep(Duration::from_millis(300));
        let mut lines = self.lines();
        let held = lines.held.take().unwrap_or_default();
        if lines.shows_afterwards {
            show(held.iter().filter(|(_, line)| is_error(line)));
        }
    }

    /// The servers are about to be stopped: what they log about each other is of no interest.
    pub(crate) fn mute(&self) {
        let mut lines = self.lines();
        lines.shows_afterwards = false;
    }

    /// A server did not start: shows all lines that were held back, and says what happened.
    pub(crate) fn fail(&self, what: impl std::fmt::Display) -> Error {
        // A last line may still be on its way through the pipe.
        thread::sleep(Duration::from_millis(100));
        let mut lines = self.lines();
        show(&lines.held.take().unwrap_or_default());
        Error::failed(what)
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until all nodes of a plan serve; gives the client that has seen it.
    pub(crate) fn wait_for_nodes(
        &self,
        processes: &mut [Process],
        plan: &Plan,
    ) -> Result<Client, Error> {
        let connected = Client::builder()
            .cluster(plan.addresses())
            .replicas(plan.replicas)
            .reconnect_max(Duration::from_millis(200))
            .ready_timeout(START_LIMIT)
            .connect();
        let client = smol::block_on(connected).map_err(|error| self.fail(error))?;
        let all_serve = || {
            let reports = smol::block_on(client.node_statistics()).unwrap_or_default();
            let serves = |node: &PeerReport| node.is_up && node.state == NodeState::Serving;
            reports.len() == plan.ports.len() && reports.iter().all(serves)
        };
        self.wait("not all nodes serve", processes, all_serve)?;
        Ok(client)
    }

    /// Waits until a gateway reaches the nodes.
    pub(crate) fn wait_for_gateway(
        &self,
        processes: &mut [Process],
        port: u16,
    ) -> Result<(), Error> {
        let address = format!("{HOST}:{port}");
        let serves = || {
            let patience = Duration::from_secs(2);
            Link::connect(&address, patience)
                .and_then(|mut link| link.request(&[b"EXISTS", b"memvault"]))
                .is_ok_and(|reply| reply.error_text().is_none())
        };
        self.wait("the gateway does not serve", processes, serves)
    }

    fn wait(
        &self,
        complaint: &str,
        processes: &mut [Process],
        is_done: impl FnMut() -> bool,
    ) -> Result<(), Error> {
        match wait_until(START_LIMIT, processes, is_done) {
            Waited::Done => Ok(()),
            Waited::Ended(what) => Err(self.fail(what)),
            Waited::TooLong => Err(self.fail(format_args!(
                "{complaint} after {} s",
                START_LIMIT.as_secs()
            ))),
        }
    }
}

fn show<'a>(lines: impl IntoIterator<Item = &'a (ChildLog, String)>) {
    lines
        .into_iter()
        .for_each(|(child, line)| child.write(line));
}

/// How waiting ended.
enum Waited {
    Done,
    /// A process ended meanwhile; which, and how.
    Ended(String),
    TooLong,
}

/// Asks again and again until `is_done`, a process has ended, or `limit` has passed.
fn wait_until(
    limit: Duration,
    processes: &mut [Process],
    mut is_done: impl FnMut() -> bool,
) -> Waited {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(what) = processes.iter_mut().find_map(end_of) {
            return Waited::Ended(what);
        }
        if is_done() {
            return Waited::Done;
        }
        if Instant::now() > deadline {
            return Waited::TooLong;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn end_of(process: &mut Process) -> Option<String> {
    let status = process.ended()?;
    Some(format!(
        "{} (pid {}) ended while starting: {}",
        process.name,
        process.pid(),
        process::describe(status)
    ))
}

/// Longest wait for a server on this machine; a restarted member gives its peers up to 10 s.
const START_LIMIT: Duration = Duration::from_secs(30);
