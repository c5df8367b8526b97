//! A whole cluster in one thread, in virtual time, with faults drawn from a seed.
//!
//! The nodes are the real ones ([`Node`](crate::replication::Node)); only sockets and clocks are simulated.
//! The same seed gives the same run, event by event. The history of all requests is checked, see [`history`],
//! for what the protocol [promises](Promises). After the model of FoundationDB's and TigerBeetle's simulators.
//!
//! ```
//! use memvault::simulator::{Scenario, run};
//!
//! let report = run(&Scenario::calm(7));
//! assert!(report.violations.is_empty(), "{:#?}", report.violations);
//! ```

use crate::time::Duration;

mod catalogue;
mod event;
mod event_queue;
mod faults;
pub mod history;
mod invariants;
mod load;
mod loads;
mod meter;
#[cfg(test)]
mod mutants;
mod network;
mod pipe;
mod process;
mod promises;
mod report;
pub mod scale;
mod scenario;
mod server;
mod trace;
mod traffic;
mod under_load;
mod updates;
mod violation;
mod workload;
mod world;

pub use catalogue::{CATALOGUE, Named};
pub use faults::Faults;
pub use load::{Costs, Load, Phase, Rate};
pub use promises::Promises;
pub use report::{Report, UnderLoad};
pub use scenario::Scenario;
pub use violation::{Promise, Violation};
pub use world::{run, run_checking};

/// How long after the last request and the last fault all replicas of a key have to agree.
pub const CALM: Duration = Duration::from_secs(5);

/// The most lines of a [`Report::trace`].
pub const TRACE_LINES: usize = 60;
