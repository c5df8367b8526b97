//! `demo`: kills the leader of some keys under load, and counts what fails.
//!
//! ```text
//! start nodes -> write all keys -> load -> kill -> load -> start again -> load -> read all keys -> summary
//! ```

mod counters;
mod display;
mod load;
mod placement;
mod summary;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use log::LevelFilter;
use memvault::replication::NodeState;
use memvault_net::client::Client;
use smol::{Task, Timer};

use crate::args::local::Demo;
use crate::error::{Error, NOT_FOUND, OK, Outcome};
use crate::local::{Plan, Startup, pick_free};
use crate::logging::Wanted;
use crate::output::{self, grouped};
use crate::process::{self, Process};
use counters::{Counters, Phase};
use display::{Display, time};
use load::{Load, Worker};
use placement::Victim;
use summary::{Facts, Summary};

/// Runs the subcommand. The exit code is 1 if a request failed or a key was lost.
pub(crate) fn run(args: &Demo, log: Wanted) -> Outcome {
    let ports = pick_free(args.count)
        .map_err(|error| Error::failed(format_args!("no free ports: {error}")))?;
    let plan = Plan {
        ports,
        replicas: args.replicas.replicas,
        coordination: None,
        max_memory: None,
        admin: None,
        admin_flags: None,
        log,
        node_log: log.level.unwrap_or(LevelFilter::Warn),
        gateway_log: LevelFilter::Off,
    };
    let mut stage = Stage {
        args,
        startup: Startup::new(log.level.is_some(), log.format),
        display: Display::new(args.json),
        victim: Victim::choose(&plan.addresses(), args.keys),
        plan,
        processes: Vec::new(),
    };
    let outcome = stage.perform();
    stage.display.finish();
    process::end_all(&mut stage.processes);
    let summary = outcome?;
    if args.json {
        output::json(&summary);
    } else {
        output::write(summary.to_text(stage.display.style).as_bytes());
    }
    Ok(if summary.is_good() { OK } else { NOT_FOUND })
}

/// The nodes and the screen.
struct Stage<'a> {
    args: &'a Demo,
    plan: Plan,
    startup: Startup,
    display: Display,
    victim: Victim,
    processes: Vec<Process>,
}

impl Stage<'_> {
    fn perform(&mut self) -> Result<Summary, Error> {
        let client = self.open()?;
        smol::block_on(async {
            let load = Arc::new(Load {
                client,
                counters: Counters::new(),
                stop: AtomicBool::new(false),
                keys: self.args.keys,
                victims_keys: self.victim.keys.clone(),
            });
            let workers = self.write_keys(&load).await;
            let workers: Vec<_> = workers
                .into_iter()
                .map(|mut worker| {
                    smol::spawn(async move {
                        worker.run().await;
                        worker
                    })
                })
                .collect();
            self.watch(&load, self.args.seconds, "all nodes up").await;
            self.kill(&load).await?;
            let rejoin = self.bring_back(&load).await?;
            load.stop.store(true, Ordering::Relaxed);
            let lost_keys = self.check_keys(&load, workers).await;
            let facts = Facts {
                nodes: self.args.count,
                replicas: self.args.replicas.replicas,
                keys: self.args.keys,
                lost_keys,
                rejoin,
            };
            Ok(Summary::new(&facts, &load.counters))
        })
    }

    fn open(&mut self) -> Result<Client, Error> {
        self.display.line(format_args!(
            "{}  {} nodes on this machine, every key on {} of them, {} requests in flight\n",
            self.display.style.bold("MemVault demo"),
            self.args.count,
            self.args.replicas.replicas,
            self.args.workers,
        ));
        for number in 0..self.args.count {
            let process = self.start(number)?;
            self.processes.push(process);
        }
        let client = self
            .startup
            .wait_for_nodes(&mut self.processes, &self.plan)?;
        self.startup.finish();
        let ports = self.plan.ports.iter().map(u16::to_string);
        self.display.say(format_args!(
            "started nodes on ports {}",
            ports.collect::<Vec<_>>().join(", ")
        ));
        Ok(client)
    }

    fn start(&self, number: usize) -> Result<Process, Error> {
        let name = format!("node {}", self.plan.ports[number]);
        self.startup
            .start(&name, number, &self.plan.node_args(number))
    }

    /// Writes every key once.
    async fn write_keys(&self, load: &Arc<Load>) -> Vec<Worker> {
        load.counters.enter(Phase::Before);
        let count = self.args.workers;
        let tasks = (0..count).map(|number| {
            let mut worker = Worker::new(Arc::clone(load), number, count);
            smol::spawn(async move {
                worker.write_all().await;
                worker
            })
        });
        let workers = self.join(load, tasks.collect(), "writing").await;
        let keys = grouped(self.args.keys as u64);
        self.display.say(format_args!("wrote {keys} keys"));
        workers
    }

    /// Kills the victim and watches what happens.
    async fn kill(&mut self, load: &Load) -> Result<(), Error> {
        let process = &mut self.processes[self.victim.number];
        let (name, pid) = (process.name.clone(), process.pid());
        load.counters.enter(Phase::Dead);
        let at = Instant::now();
        process
            .kill()
            .map_err(|error| Error::failed(format_args!("cannot kill {name}: {error}")))?;
        load.counters.mark_dead(at);
        let style = self.display.style;
        self.display.say(format_args!(
            "{} (pid {pid}, SIGKILL), the leader of {} of the keys",
            style.red(format_args!("killed {name}")),
            grouped(self.victim.keys.len() as u64),
        ));
        let note = format!("{name} is dead");
        let deadline = Instant::now() + self.args.seconds;
        while load.counters.taken_over().is_none() && Instant::now() < deadline {
            self.watch(load, TICK, &note).await;
        }
        if let Some(taken) = load.counters.taken_over() {
            self.display.say(format_args!(
                "{} after {}: {} was written, which {name} had led",
                style.green("taken over"),
                time(taken.after),
                taken.key,
            ));
            self.display
                .say(format_args!("its keys are led by {}", self.successors()));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        self.watch(load, left, &note).await;
        Ok(())
    }

    fn successors(&self) -> String {
        let short = |address: &str| address.rsplit(':').next().unwrap_or(address).to_owned();
        let successors = self.victim.successors.iter();
        let successors = successors
            .map(|(successor, keys)| format!("{} ({})", short(successor), grouped(*keys as u64)));
        successors.collect::<Vec<_>>().join(", ")
    }

    /// Starts the victim again; returns how long it took until the others used it.
    async fn bring_back(&mut self, load: &Load) -> Result<Duration, Error> {
        load.counters.enter(Phase::Back);
        let began = Instant::now();
        let number = self.victim.number;
        let process = self.start(number)?;
        let (name, pid) = (process.name.clone(), process.pid());
        self.processes[number] = process;
        self.display
            .say(format_args!("started {name} again (pid {pid}), empty"));
        let id = self.plan.address(number);
        while !serves(&load.client, &id).await {
            if began.elapsed() > REJOIN_LIMIT || self.processes[number].ended().is_some() {
                let what = format_args!("{name} does not come back");
                return Err(self.startup.fail(what));
            }
            let note = format!("{name} catches up");
            self.watch(load, TICK, &note).await;
        }
        let took = began.elapsed();
        let style = self.display.style;
        self.display.say(format_args!(
            "{} after {}: caught up, and used by the others",
            style.green(format_args!("{name} serves again")),
            time(took)
        ));
        self.watch(
            load,
            Duration::from_secs(1).min(self.args.seconds),
            "all nodes up",
        )
        .await;
        Ok(took)
    }

    /// Reads every key; returns how many are lost.
    async fn check_keys(&self, load: &Arc<Load>, workers: Vec<Task<Worker>>) -> usize {
        let workers = self.join(load, workers, "finishing").await;
        let checks = workers
            .into_iter()
            .map(|mut worker| smol::spawn(async move { worker.check_all().await }));
        let lost: usize = self
            .join(load, checks.collect(), "reading every key")
            .await
            .into_iter()
            .sum();
        self.display.say(format_args!(
            "read all {} keys: {} lost",
            grouped(self.args.keys as u64),
            if lost == 0 {
                "none".to_owned()
            } else {
                grouped(lost as u64)
            }
        ));
        lost
    }

    /// Waits for all of these with the live line going on.
    async fn join<T>(&self, load: &Load, tasks: Vec<Task<T>>, note: &str) -> Vec<T> {
        while tasks.iter().any(|task| !task.is_finished()) {
            self.watch(load, TICK, note).await;
        }
        let mut results = Vec::new();
        for task in tasks {
            results.push(task.await);
        }
        results
    }

    /// Keeps the live line up to date for a while.
    async fn watch(&self, load: &Load, time: Duration, note: &str) {
        let deadline = Instant::now() + time;
        loop {
            self.display.update(&load.counters, note);
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            Timer::after(left.min(TICK)).await;
        }
    }
}

/// Whether the client uses a node for everything.
async fn serves(client: &Client, id: &str) -> bool {
    let reports = client.node_statistics().await.unwrap_or_default();
    let serving = |state| state == NodeState::Serving;
    reports
        .iter()
        .any(|report| report.id == id && report.is_up && serving(report.state))
}

/// How often the live line changes.
const TICK: Duration = Duration::from_millis(50);
/// A restarted member gives peers up to 10 s; this one has live ones.
const REJOIN_LIMIT: Duration = Duration::from_secs(60);
