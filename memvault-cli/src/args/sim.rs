//! Flags of `sim`.

use std::fmt::{self, Display};
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::thread;
use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};
use memvault::replication::{Level, OnAmbiguous};
use memvault::simulator::CATALOGUE;

use super::cluster;
use super::duration::positive_duration;
use super::faults::{Fault, fault};

/// Arguments of `sim`.
#[derive(Clone, Debug, Args)]
#[command(group = ArgGroup::new("amount").args(["seeds", "hours"]))]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = help())]
pub(crate) struct Sim {
    #[command(subcommand)]
    pub(crate) kind: Option<Kind>,
    #[command(flatten)]
    pub(crate) runs: Runs,
    #[command(flatten)]
    pub(crate) world: World,
    /// Print one line of JSON, and no progress. Equal flags give equal fields, but for those whose
    /// names begin with wall or speed
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

/// Another kind of simulation.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Kind {
    /// Measure how a cluster grows: shares of keys, time to notice a death, messages, memory
    Scale(ScaleArgs),
}

/// Arguments of `sim scale`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Runs the real nodes over a simulated network without faults and without requests, for 10, 30, 100
... members up to --nodes; then kills one member and pulls the cable of another. 1000 members take
minutes and a gigabyte of memory.

Examples:
  memvault sim scale
  memvault sim scale --nodes 1000 --keys 10000000 --json")]
pub(crate) struct ScaleArgs {
    /// Members of the largest cluster, 3 to 5000
    #[arg(long, value_name = "N", default_value = "100", value_parser = many_nodes)]
    pub(crate) nodes: usize,
    /// Keys to share out: key:000000000000 and so on, at most 1000000000
    #[arg(long, value_name = "N", default_value = "1000000", value_parser = many_keys)]
    pub(crate) keys: u64,
    /// Coordinators without data, as many as notice a death as well; 0 to 1000
    #[arg(long, value_name = "N", default_value = "10", value_parser = coordinators)]
    pub(crate) clients: usize,
    /// Members that hold each key, 1 to 8
    #[arg(long, value_name = "N", default_value = "3", value_parser = cluster::replicas)]
    pub(crate) replicas: usize,
    /// Decides start times, and the time that each message takes
    #[arg(long, value_name = "N", default_value = "1", value_parser = seed)]
    pub(crate) seed: u64,
    /// Print one line of JSON. Equal flags give equal fields, but for those whose names begin with wall
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

/// How many runs.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Runs")]
pub(crate) struct Runs {
    /// First seed. The same seed with the same flags is the same run, event by event
    #[arg(long, value_name = "N", default_value = "1", value_parser = seed)]
    pub(crate) seed: u64,
    /// Runs, each with a seed of its own [default: 100]
    #[arg(long, value_name = "COUNT", value_parser = positive)]
    pub(crate) seeds: Option<u64>,
    /// As many runs as make this many simulated cluster-hours: 11 or 0.5
    #[arg(long, value_name = "H", value_parser = hours)]
    pub(crate) hours: Option<f64>,
    /// Simulated time of each run, at most 24h; five calm seconds follow
    /// [default: of the scenario, 20s]
    #[arg(long, value_name = "TIME", value_parser = run_time)]
    pub(crate) duration: Option<Duration>,
    /// Runs at a time [default: one for each processor]
    #[arg(long, value_name = "N", value_parser = threads, default_value_t = processors(), hide_default_value = true)]
    pub(crate) threads: usize,
}

/// What is simulated. What is not given is the scenario's.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Scenario")]
pub(crate) struct World {
    /// One of those below, or mixed: all of them in turn, those with a load more seldom
    #[arg(long, value_name = "NAME", default_value = MIXED, value_parser = scenario)]
    pub(crate) scenario: String,
    /// What goes wrong, instead of the scenario's faults; separated by commas, or repeated
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = fault)]
    pub(crate) faults: Option<Vec<Fault>>,
    /// Members, 1 to 100; a run of 100 takes some hundred times as long as one of 10
    #[arg(long, value_name = "N", value_parser = nodes)]
    pub(crate) nodes: Option<usize>,
    /// Members that hold each key, 1 to 8
    #[arg(long, value_name = "N", value_parser = cluster::replicas)]
    pub(crate) replicas: Option<usize>,
    /// Clients, each with one request in flight, 1 to 1000
    #[arg(long, value_name = "N", value_parser = clients)]
    pub(crate) clients: Option<usize>,
    /// Different keys, 1 to 100000
    #[arg(long, value_name = "N", value_parser = keys)]
    pub(crate) keys: Option<usize>,
    /// Replicas that must acknowledge a write: one, quorum, all or auto
    #[arg(long, value_name = "LEVEL", value_parser = cluster::level)]
    pub(crate) write_level: Option<Level>,
    /// Replicas that must answer a read: one, quorum, all or auto
    #[arg(long, value_name = "LEVEL", value_parser = cluster::level)]
    pub(crate) read_level: Option<Level>,
    /// What becomes of a write of unknown fate: rewrite (write again) or error
    #[arg(long, value_name = "WHAT", value_parser = cluster::on_ambiguous)]
    pub(crate) on_ambiguous: Option<OnAmbiguous>,
    /// What must hold: linearizable, current, durable, atomic, fresh, available, responsive; with commas
    /// [default: what the protocol promises under these flags]
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = promise)]
    pub(crate) check: Option<Vec<Promise>>,
}

/// Something that the protocol promises, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    /// What is written, and what is found, fit into one order.
    Linearizable,
    /// Reads that find a value are never stale.
    Current,
    /// No acknowledged write is lost.
    Durable,
    /// No change of a present value is lost or done twice.
    Atomic,
    /// Nothing stale is left by those who load what is missing.
    Fresh,
    /// No request fails.
    Available,
    /// Load harms nobody, and leaves nothing behind.
    Responsive,
}

impl Promise {
    const ALL: [Self; 7] = [
        Self::Linearizable,
        Self::Current,
        Self::Durable,
        Self::Atomic,
        Self::Fresh,
        Self::Available,
        Self::Responsive,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Linearizable => "linearizable",
            Self::Current => "current",
            Self::Durable => "durable",
            Self::Atomic => "atomic",
            Self::Fresh => "fresh",
            Self::Available => "available",
            Self::Responsive => "responsive",
        }
    }
}

impl Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name that stands for all scenarios in turn.
pub(crate) const MIXED: &str = "mixed";

fn help() -> String {
    let mut text = String::from("Scenarios:\n");
    for named in CATALOGUE {
        text += &format!("  {:<14} {}\n", named.name, named.about);
    }
    text + FAULTS_AND_EXAMPLES
}

const FAULTS_AND_EXAMPLES: &str = "
Faults:
  delay=1ms      mean time that a message takes [default: 0.7 ms]
  loss=2%        of the messages are lost
  duplicate=5%   arrive twice
  straggle=1%    take up to straggle-max [default: 200ms]
  crash=2.5s     mean time between two crashes with loss of memory; back within restart-max [600ms]
  crash-after-write=1%  of the acknowledged writes are the last that their leader sees
  silent-crash=20%  of the crashes reset no connection, as when a machine loses its power
  crash-any      even while another member is down
  partition=2s   mean time between two partitions, some one-way, of up to partition-max [700ms]
  swizzle=5s     ... between two times that the links of one member stop and come back one by one
  pause=2.5s     ... between two pauses of one process, of up to pause-max [900ms]
  slow=5s        ... between two times that one member sends a hundred times as slowly, for up to 2 s
  suspect=1s     ... between two false suspicions
  skew=200ms     wall clocks differ from the true time by up to this much, and change
  jump=5s        ... between two jumps of one wall clock by up to an hour, for up to 3 s
  change=1.5s    ... between two commands that add or remove a member; for scenarios with spares
  none, all      nothing; loss, duplicate, straggle, crash, silent-crash, partition, pause and skew as above; words behind them change that: all,crash=never

Checks, of which each scenario gets those that the protocol promises under its conditions:
  linearizable   acknowledged writes and reads that find a value fit into one order in real time
  current        no read finds what had been overwritten before it was asked
  durable        after the first acknowledged write of a key no read misses
  atomic         no increment is lost or counted twice, no lock is taken twice
  fresh          what was loaded before a change, and deleted after it, is not found any more
  available      no request fails; under load: none of the bystanders
  responsive     under load nobody is ejected without a fault, at least 80 % of the capacity is answered, bystanders
                 wait for no longer than the scenario says, and a second after too much load all is as before

Exit code 1 if a check failed, with the command that repeats the run; 130 after Ctrl-C, with the
summary so far.

Examples:
  memvault sim
  memvault sim --scenario hasty --seeds 2000
  memvault sim --hours 11 --json
  memvault sim --scenario stormy --nodes 7 --replicas 5 --faults all,loss=10%,pause=never
  memvault sim --scenario kills --check linearizable      what the default levels do not promise
  memvault sim --scenario hasty --seed 17 --seeds 1";

fn processors() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

fn seed(text: &str) -> Result<u64, String> {
    text.parse()
        .map_err(|_| format!("expected a whole number from 0 to {}", u64::MAX))
}

fn positive(text: &str) -> Result<u64, String> {
    let count = text.parse().ok().filter(|count| *count > 0);
    count.ok_or_else(|| format!("expected a whole number from 1 to {}", u64::MAX))
}

fn hours(text: &str) -> Result<f64, String> {
    let hours = text.parse().ok();
    hours
        .filter(|hours| (0.001..=1e6).contains(hours))
        .ok_or_else(|| "expected hours from 0.001 to 1000000, such as 11 or 0.5".to_owned())
}

fn scenario(text: &str) -> Result<String, String> {
    let names = CATALOGUE.iter().map(|named| named.name);
    if names.clone().chain([MIXED]).any(|name| name == text) {
        return Ok(text.to_owned());
    }
    let names: Vec<_> = names.collect();
    Err(format!("expected {} or {MIXED}", names.join(", ")))
}

fn promise(text: &str) -> Result<Promise, String> {
    let found = Promise::ALL.into_iter().find(|known| known.name() == text);
    found.ok_or_else(|| {
        "expected linearizable, current, durable, atomic, fresh, available or responsive".to_owned()
    })
}

/// A history is kept until the end of its run.
fn run_time(text: &str) -> Result<Duration, String> {
    const LONGEST: Duration = Duration::from_secs(24 * 3600);
    let time = positive_duration(text)?;
    if time > LONGEST {
        return Err("expected at most 24h".to_owned());
    }
    Ok(time)
}

fn nodes(text: &str) -> Result<usize, String> {
    up_to(text, 100)
}

fn many_nodes(text: &str) -> Result<usize, String> {
    in_range(text, 3, 5000)
}

fn many_keys(text: &str) -> Result<u64, String> {
    in_range(text, 1, 1_000_000_000)
}

fn coordinators(text: &str) -> Result<usize, String> {
    in_range(text, 0, 1000)
}

fn clients(text: &str) -> Result<usize, String> {
    up_to(text, 1000)
}

fn keys(text: &str) -> Result<usize, String> {
    up_to(text, 100_000)
}

fn threads(text: &str) -> Result<usize, String> {
    up_to(text, 1024)
}

fn up_to(text: &str, most: usize) -> Result<usize, String> {
    in_range(text, 1, most)
}

fn in_range<T>(text: &str, least: T, most: T) -> Result<T, String>
where
    T: FromStr + PartialOrd + Display,
{
    match text.parse() {
        Ok(number) if least <= number && number <= most => Ok(number),
        _ => Err(format!("expected {least} to {most}")),
    }
}
