//! [`ClusterPoll`]: what all nodes of the cluster tell, asked for while somebody looks.
//!
//! A node counts only for itself. So that one admin port shows the whole cluster, this asks the others, each on a
//! connection of its own: once every [`EVERY`], [`AT_ONCE`] of them at a time, with a time-out, until nobody has
//! looked for [`PATIENCE`]. Requests of clients wait for none of it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use async_channel::{Receiver, Sender};
use async_io::Timer;
use memvault::replication::Role;

use super::info_client::{InfoClient, ask};
use super::node_stats::NodeStats;
use crate::driver::Latency;
use crate::server::backend::Backend;
use crate::server::clients::Clients;

/// How often each node is asked.
const EVERY: Duration = Duration::from_secs(1);
/// How long after the last look the asking goes on.
const PATIENCE: Duration = Duration::from_secs(5);
/// Nodes that are asked at the same time.
const AT_ONCE: usize = 16;

/// What the nodes told.
pub(super) struct ClusterPoll {
    clients: Rc<Clients>,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    looked_at: Option<Instant>,
    is_running: bool,
    /// Rounds since somebody began to look.
    rounds: u64,
    /// What other nodes told, by id.
    others: BTreeMap<String, Record>,
    /// What this node knows of itself.
    here: Record,
    /// Closed when the first round is over.
    first: Option<(Sender<()>, Receiver<()>)>,
}

/// What is known of one node.
#[derive(Default)]
pub(super) struct Record {
    client: Option<InfoClient>,
    /// When it told what, the last two times.
    before: Option<(Instant, NodeStats)>,
    last: Option<(Instant, NodeStats)>,
    /// Why it did not tell the last time.
    pub(super) problem: Option<String>,
}

/// What a node did between the last two times that it told.
#[derive(Debug)]
pub(super) struct Rates {
    /// Above 0.
    pub(super) seconds: f64,
    pub(super) operations: u64,
    pub(super) hits: u64,
    pub(super) misses: u64,
    pub(super) evictions: u64,
    pub(super) expirations: u64,
    pub(super) client_latency: Latency,
    pub(super) answer_latency: Latency,
}

impl ClusterPoll {
    pub(super) fn new(clients: &Rc<Clients>) -> Rc<Self> {
        Rc::new(Self {
            clients: Rc::clone(clients),
            state: RefCell::default(),
        })
    }

    /// Has the nodes asked for some time from now on; waits until they were once.
    pub(super) async fn look(self: &Rc<Self>) {
        let first = {
            let mut state = self.state.borrow_mut();
            state.looked_at = Some(Instant::now());
            if !state.is_running {
                state.is_running = true;
                state.first = Some(async_channel::bounded(1));
                let asking = Rc::clone(self).run();
                if let Some(task) = self.clients.spawn(asking) {
                    task.detach();
                }
            }
            state.first.as_ref().map(|(_, over)| over.clone())
        };
        if let Some(over) = first {
            // Nothing is ever sent: it ends by being closed.
            let _ = over.recv().await;
        }
    }

    /// Rounds since somebody began to look.
    pub(super) fn rounds(&self) -> u64 {
        self.state.borrow().rounds
    }

    /// Shows what is known of the member with this id.
    pub(super) fn with_member<R>(&self, id: &str, show: impl FnOnce(&Record) -> R) -> R {
        let state = self.state.borrow();
        let blank = Record::default();
        let record = match self.own_id() {
            Some(own) if own == id => &state.here,
            _ => state.others.get(id).unwrap_or(&blank),
        };
        show(record)
    }

    /// Shows what is known of this process.
    pub(super) fn with_self<R>(&self, show: impl FnOnce(&Record) -> R) -> R {
        show(&self.state.borrow().here)
    }

    async fn run(self: Rc<Self>) {
        loop {
            let started = Instant::now();
            self.round().await;
            if self.is_forgotten() {
                *self.state.borrow_mut() = State::default();
                return;
            }
            Timer::at(started + EVERY).await;
        }
    }

    fn is_forgotten(&self) -> bool {
        let looked_at = self.state.borrow().looked_at;
        looked_at.is_none_or(|at| at.elapsed() > PATIENCE)
    }

    /// Asks all that can be reached, once.
    async fn round(self: &Rc<Self>) {
        let others = self.others();
        self.state
            .borrow_mut()
            .others
            .retain(|id, _| others.iter().any(|(other, _)| other == id));
        for some in others.chunks(AT_ONCE) {
            let asking: Vec<_> = some
                .iter()
                .filter_map(|(id, address)| {
                    let asking = Rc::clone(self).ask(id.clone(), address.clone());
                    self.clients.spawn(asking)
                })
                .collect();
            for task in asking {
                task.await;
            }
        }
        let told = NodeStats::of_self(&self.clients);
        let mut state = self.state.borrow_mut();
        state.here.take(Ok(told));
        state.rounds += 1;
        state.first = None;
    }

    async fn ask(self: Rc<Self>, id: String, address: String) {
        let kept = {
            let mut state = self.state.borrow_mut();
            state.others.entry(id.clone()).or_default().client.take()
        };
        let answer = ask(kept, &address).await;
        let mut state = self.state.borrow_mut();
        let record = state.others.entry(id).or_default();
        match answer {
            Ok((client, told)) => {
                record.take(Ok(told));
                record.client = Some(client);
            }
            Err(problem) => record.take(Err(problem)),
        }
    }

    /// Ids and addresses of the members that can be reached, without this node.
    fn others(&self) -> Vec<(String, String)> {
        let Backend::Cluster { driver, .. } = &self.clients.backend else {
            return Vec::new();
        };
        let own = self.own_id();
        let peers = driver.peers().into_iter();
        peers
            .filter(|peer| peer.is_up && Some(&peer.id) != own.as_ref())
            .map(|peer| (peer.id, peer.address))
            .collect()
    }

    /// The id of this node, if it is a member.
    fn own_id(&self) -> Option<String> {
        let driver = self.clients.backend.driver()?;
        driver.inspect(|node| match &node.config().role {
            Role::Member(id) => Some(id.clone()),
            Role::Coordinator(_) => None,
        })
    }
}

impl Record {
    fn take(&mut self, answer: Result<NodeStats, String>) {
        match answer {
            Ok(told) => {
                self.before = self.last.replace((Instant::now(), told));
                self.problem = None;
            }
            // What is old is not shown as if it were the present.
            Err(problem) => {
                *self = Self {
                    problem: Some(problem),
                    ..Self::default()
                }
            }
        }
    }

    /// What it told last.
    pub(super) fn told(&self) -> Option<&NodeStats> {
        Some(&self.last.as_ref()?.1)
    }

    /// What it has done of late; `None` if it has told only once since it was started.
    pub(super) fn rates(&self) -> Option<Rates> {
        let ((before_at, before), (last_at, last)) = (self.before.as_ref()?, self.last.as_ref()?);
        let seconds = last_at.duration_since(*before_at).as_secs_f64();
        let is_same_process = last.uptime_seconds >= before.uptime_seconds;
        (seconds > 0.0 && is_same_process).then(|| Rates {
            seconds,
            // Counters may have been set to zero meanwhile.
            operations: last.operations.saturating_sub(before.operations),
            hits: last.hits.saturating_sub(before.hits),
            misses: last.misses.saturating_sub(before.misses),
            evictions: last.evictions.saturating_sub(before.evictions),
            expirations: last.expirations.saturating_sub(before.expirations),
            client_latency: last.client_latency.since(&before.client_latency),
            answer_latency: last.answer_latency.since(&before.answer_latency),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(uptime_seconds: u64, operations: u64) -> Result<NodeStats, String> {
        Ok(NodeStats {
            uptime_seconds,
            operations,
            ..NodeStats::default()
        })
    }

    #[test]
    fn rates_are_between_the_last_two_answers_of_one_process() {
        let mut record = Record::default();
        record.take(told(5, 10));
        assert!(record.rates().is_none());
        record.take(told(6, 40));
        let rates = record.rates().expect("two answers");
        assert_eq!(rates.operations, 30);
        assert!(rates.seconds > 0.0);
        // It was started anew: the counters begin at zero.
        record.take(told(0, 7));
        assert!(record.rates().is_none());
        record.take(told(1, 3));
        assert_eq!(record.rates().expect("two answers").operations, 0);
    }

    #[test]
    fn a_node_that_does_not_answer_leaves_nothing_old() {
        let mut record = Record::default();
        record.take(told(5, 10));
        record.take(Err("silence".to_owned()));
        assert!(record.told().is_none() && record.rates().is_none());
        assert_eq!(record.problem.as_deref(), Some("silence"));
        record.take(told(6, 10));
        assert!(record.told().is_some() && record.problem.is_none());
    }
}
