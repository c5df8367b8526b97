//! Threads that take one seed after another.

use std::any::Any;
use std::panic;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use memvault::simulator::{self, Report};

use super::plan::Plan;
use super::tally::{Finished, Tally};

/// All runs of a plan.
pub(super) struct Runner<'a> {
    plan: &'a Plan,
    /// Runs begun.
    begun: AtomicU64,
    stop: AtomicBool,
    tally: Mutex<Tally>,
}

/// How often the summary so far is shown.
const TICK: Duration = Duration::from_millis(50);

impl<'a> Runner<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        Self {
            plan,
            begun: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            tally: Mutex::default(),
        }
    }

    /// Runs everything. `watch` sees the sums again and again; once it says no, no more runs begin.
    pub(super) fn run(&self, threads: usize, watch: impl Fn(&Tally) -> bool) {
        thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| self.work())).collect();
            while !workers.iter().all(ScopedJoinHandle::is_finished) {
                thread::sleep(TICK);
                if !watch(&self.so_far()) {
                    self.stop.store(true, Ordering::Relaxed);
                }
            }
        });
    }

    pub(super) fn into_tally(self) -> Tally {
        self.tally
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn so_far(&self) -> Tally {
        self.tally
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn work(&self) {
        while !self.stop.load(Ordering::Relaxed) {
            let number = self.begun.fetch_add(1, Ordering::Relaxed);
            if number >= self.plan.runs {
                return;
            }
            let finished = self.simulate(self.plan.first_seed.wrapping_add(number));
            let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
            tally.add(finished);
        }
    }

    fn simulate(&self, seed: u64) -> Finished {
        let (name, scenario) = self.plan.scenario(seed);
        let promises = self.plan.promises(&scenario);
        let run = panic::catch_unwind(|| simulator::run_checking(&scenario, promises));
        let (report, panic) = match run {
            Ok(report) => (report, None),
            Err(panic) => (Report::default(), Some(describe(&*panic))),
        };
        Finished {
            seed,
            scenario: name,
            simulated: scenario.duration,
            report,
            panic,
        }
    }
}

fn describe(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!(
        "a panic: {}",
        text.unwrap_or_else(|| "without words".to_owned())
    )
}
