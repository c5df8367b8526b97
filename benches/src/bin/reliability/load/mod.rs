//! What a cluster does under load, and what one client can do to the others.
//!
//! Five members and a gateway, or a node alone, with default settings. Beside every load there is a bystander: a
//! client that writes and reads one small key at fixed times, and whose waits are what is measured. Latencies count
//! from the time at which a request was meant to be sent, so that a request that had to wait for its turn is not
//! left out.

mod bystander;
mod generator;
mod hostile;
mod hostile_rows;
mod large;
mod overload;
mod process;
mod resident;
mod rig;
mod steady;
mod whole;
mod wide;
mod wire;

use clap::Args as ClapArgs;

use crate::cluster::Starter;
use crate::report::Report;
use crate::{Args, What};

/// How long, and how often.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Under load")]
pub(crate) struct Flags {
    /// wide, large: how often each request is made
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(super) times: usize,
    /// wide: keys of a request
    #[arg(long, value_name = "N", default_value_t = 65_536)]
    pub(super) wide_keys: usize,
    /// steady: seconds of load
    #[arg(long, value_name = "N", default_value_t = 600)]
    pub(super) steady_seconds: u64,
    /// overload: seconds of twice the capacity
    #[arg(long, value_name = "N", default_value_t = 60)]
    pub(super) overload_seconds: u64,
    /// overload: members that are killed, and as many that are frozen, while twice the capacity is asked for
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) overload_faults: usize,
    /// large, hostile, resident: seconds of each load that goes on for a while
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(super) row_seconds: u64,
    /// hostile: only the rows whose name contains this
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(super) row: String,
    /// whole: requests written before the first reply is read
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    pub(super) requests: usize,
}

/// Measures what was asked for of this group.
pub(crate) fn measure(args: &Args, starter: &Starter, report: &mut Report) {
    let wanted = |what| args.what == what || args.what == What::Load;
    let flags = &args.load;
    if wanted(What::Wide) {
        wide::measure(flags, starter, report);
    }
    if wanted(What::Large) {
        large::measure(flags, starter, report);
    }
    if wanted(What::Steady) {
        steady::measure(flags, starter, report);
    }
    if wanted(What::Overload) {
        overload::measure(flags, starter, report);
    }
    if wanted(What::Hostile) {
        hostile::measure(flags, starter, report);
    }
    if wanted(What::Whole) {
        whole::measure(flags, starter, report);
    }
    if wanted(What::Resident) {
        resident::measure(flags, starter, report);
    }
}
