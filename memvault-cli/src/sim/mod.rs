//! `sim`: simulated clusters, many seeds at a time, checked for what the protocol promises.
//!
//! ```text
//! Plan --scenario of a seed--> simulator::run, on threads --> Tally --> summary, JSON
//! ```

mod display;
mod plan;
mod report;
mod runner;
mod scale;
mod tally;

use std::time::Instant;

use crate::args::sim::{Kind, Sim};
use crate::error::{NOT_FOUND, OK, Outcome};
use crate::output::{self, Style};
use crate::shutdown::{self, OnHangUp};
use display::Display;
use plan::Plan;
use report::Summary;
use runner::Runner;

/// Runs the subcommand. The exit code is 1 if a promise was broken, else 130 if it was interrupted.
pub(crate) fn run(args: &Sim) -> Outcome {
    if let Some(Kind::Scale(args)) = &args.kind {
        return scale::run(args);
    }
    let plan = Plan::new(args);
    let interrupt = shutdown::watch(false, OnHangUp::End)?;
    let runner = Runner::new(&plan);
    let display = Display::new(args.json, plan.runs);
    let began = Instant::now();
    runner.run(args.runs.threads, |tally| {
        display.update(tally, began.elapsed());
        interrupt.try_recv().is_err()
    });
    display.finish();
    let summary = Summary {
        plan: &plan,
        tally: &runner.into_tally(),
        wall: began.elapsed(),
        threads: args.runs.threads,
    };
    if args.json {
        output::json(&summary.to_json());
    } else {
        output::write(summary.to_text(Style::of_stdout()).as_bytes());
    }
    Ok(match summary.tally.all {
        ref sums if sums.broken > 0 => NOT_FOUND,
        ref sums if sums.runs < plan.runs => INTERRUPTED,
        _ => OK,
    })
}

/// What a shell reports of a process that SIGINT has ended.
const INTERRUPTED: u8 = 130;
