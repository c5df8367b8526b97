//! One run from the first process to the verdict.

use std::time::Duration;

use memvault::rng::Rng;

use crate::clients::Clients;
use crate::cluster::Cluster;
use crate::history::History;
use crate::nemesis::Nemesis;
use crate::network::Network;
use crate::plan::Plan;
use crate::support::eventually;
use crate::verdict::Verdict;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Faults {
    /// Members are killed and start again, one at a time.
    Kills,
    /// Processes are killed and stand still, networks break, packets come late or not at all.
    Everything,
}

/// What to run.
pub(crate) struct Scenario {
    name: &'static str,
    faults: Faults,
    seed: u64,
    duration: Duration,
}

impl Scenario {
    /// With seed and duration from the environment.
    pub(crate) fn new(name: &'static str, faults: Faults) -> Self {
        let number = |name| std::env::var(name).ok()?.parse::<u64>().ok();
        Self {
            name,
            faults,
            seed: number("MEMVAULT_CHAOS_SEED").unwrap_or_else(|| fastrand::u64(..1 << 32)),
            duration: Duration::from_secs(number("MEMVAULT_CHAOS_SECONDS").unwrap_or(4)),
        }
    }

    /// Runs it.
    ///
    /// # Panics
    /// With seed, faults and histories, if a promise is broken.
    pub(crate) fn run(&self, network: &dyn Network) {
        println!(
            "{}: MEMVAULT_CHAOS_SEED={} for {:?}",
            self.name, self.seed, self.duration
        );
        let plan = Plan::new(self.faults, Rng::new(self.seed), self.duration);
        let cluster = Cluster::start(network, self.name);
        let history = History::new();
        let mut nemesis = Nemesis::new(network, cluster, plan, &history);
        let clients = Clients::start(network, &history);
        nemesis.rage();
        let mut cluster = nemesis.calm();
        eventually("all members serve again", || cluster.all_serve(&[]));
        history.note_fault("all members serve");
        clients.finish(network);
        cluster.assert_running();
        let verdict = Verdict::of(self.faults, &history, &cluster);
        println!("{}\n{}: {verdict}", history.faults().join("\n"), self.name);
        verdict.assert_good(self.seed, &history);
    }
}
