//! The numbers of RELIABILITY.md: what happens to requests when nodes die, and what replication costs.
//!
//! ```text
//! cargo build --release -p memvault-cli
//! cargo run --release -p memvault-benches --bin reliability -- failover|rejoin|levels|kills|memory|all
//! ```
//!
//! Real processes of `memvault serve` with their default settings, real sockets on the loopback interface,
//! asked by the Rust client in this process. Prints a table, or with `--json` one line for each number.
#![forbid(unsafe_code)]

mod cluster;
mod failover;
mod hiccups;
mod kills;
mod levels;
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
    /// All of them
    All,
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
    std::process::exit(i32::from(!report.all_hold()));
}
