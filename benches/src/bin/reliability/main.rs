//! The numbers of RELIABILITY.md: what happens to requests when nodes die, and what replication costs.
//!
//! ```text
//! cargo build --release -p memvault-server
//! cargo run --release -p memvault-benches --bin reliability -- failover|rejoin|levels|kills|memory|all
//! cargo run --release -p memvault-benches --bin reliability -- wide|large|steady|overload|hostile|whole|resident|load
//! ```
//!
//! The second line is what a cluster does under load, and what one client can do to the others; `load` is all of it.
//!
//! Real processes of `memvault serve` with their default settings, real sockets on the loopback interface,
//! asked by the Rust client in this process. Prints a table, or with `--json` one line for each number.
#![forbid(unsafe_code)]

mod cluster;
mod failover;
mod hiccups;
mod kills;
mod levels;
mod load;
mod memory;
mod rejoin;
mod report;

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use cluster::Starter;
use report::Report;

/// What to measure, and how long.
#[derive(Debug, Parser)]
#[command(about = "Measures what MemVault promises for the time when nodes fail")]
pub(crate) struct Args {
    /// What to measure
    what: What,
    /// The binary to measure [default: memvault beside this one]
    #[arg(long, value_name = "PATH")]
    memvault: Option<PathBuf>,
    /// failover: kills, and as many freezes
    #[arg(long, value_name = "N", default_value_t = 30)]
    rounds: usize,
    /// rejoin, memory: entries
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    entries: usize,
    /// levels: rounds of two seconds for each level, in turn
    #[arg(long, value_name = "N", default_value_t = 10)]
    turns: usize,
    /// levels: writes under way at the same time
    #[arg(long, value_name = "N", default_value_t = 64)]
    tasks: usize,
    /// kills: how many
    #[arg(long, value_name = "N", default_value_t = 1000)]
    kills: usize,
    /// kills: independent clusters of three, each with one member at a time that is not there
    #[arg(long, value_name = "N", default_value_t = 4)]
    clusters: usize,
    #[command(flatten)]
    load: load::Flags,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// Requests while a node is killed or frozen: how many fail, how long they take
    Failover,
    /// A node that comes back empty: how long it takes, and what its peers' clients notice
    Rejoin,
    /// Writes at level QUORUM beside writes at level ONE
    Levels,
    /// Many kills: lost writes and stale reads
    Kills,
    /// Bytes per entry that versions cost
    Memory,
    /// The five above
    All,
    /// MGET, MSET and DEL of as many keys as a request may have, beside a client that asks for one
    Wide,
    /// Values of up to 60 MiB, beside the same client
    Large,
    /// A closed-loop load for minutes: no member may be taken for dead
    Steady,
    /// Twice the load that the cluster can carry, and then half
    Overload,
    /// Clients that ask for too much, or never read
    Hostile,
    /// Pipelines that are written as a whole before the first reply is read
    Whole,
    /// Resident memory at its limit
    Resident,
    /// The seven above
    Load,
}

fn main() {
    let args = Args::parse();
    let starter = Starter::new(args.memvault.as_deref()).unwrap_or_else(|why| {
        eprintln!("{why}");
        std::process::exit(2)
    });
    let mut report = Report::new(args.json);
    let wanted = |what| args.what == what || args.what == What::All;
    if wanted(What::Failover) {
        failover::measure(&args, &starter, &mut report);
    }
    if wanted(What::Rejoin) {
        rejoin::measure(&args, &starter, &mut report);
    }
    if wanted(What::Levels) {
        levels::measure(&args, &starter, &mut report);
    }
    if wanted(What::Memory) {
        memory::measure(&args, &starter, &mut report);
    }
    if wanted(What::Kills) {
        kills::measure(&args, &starter, &mut report);
    }
    load::measure(&args, &starter, &mut report);
    std::process::exit(i32::from(!report.all_hold()));
}
