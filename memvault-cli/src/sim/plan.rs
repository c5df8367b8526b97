//! Which runs the flags ask for, and how a single one of them is asked for.

use std::fmt::Display;
use std::time::Duration;

use memvault::replication::{Level, OnAmbiguous};
use memvault::simulator::{Named, Promises, Scenario};

use crate::args::faults::faults;
use crate::args::sim::{Promise, Sim, World};

/// Runs with consecutive seeds.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    world: World,
    duration: Option<Duration>,
    pub(super) first_seed: u64,
    pub(super) runs: u64,
}

/// Where neither `--seeds` nor `--hours` is given.
const DEFAULT_RUNS: u64 = 100;

impl Plan {
    pub(super) fn new(args: &Sim) -> Self {
        let mut plan = Self {
            world: args.world.clone(),
            duration: args.runs.duration,
            first_seed: args.runs.seed,
            runs: args.runs.seeds.unwrap_or(DEFAULT_RUNS),
        };
        if let Some(hours) = args.runs.hours {
            plan.runs = plan.runs_for(Duration::from_secs_f64(hours * 3600.0));
        }
        plan
    }

    /// How many runs last as long as this together.
    fn runs_for(&self, time: Duration) -> u64 {
        let (mut runs, mut sum) = (0, Duration::ZERO);
        while sum < time {
            sum += self.scenario(self.first_seed.wrapping_add(runs)).1.duration;
            runs += 1;
        }
        runs
    }

    /// The scenario of a seed, and its name.
    pub(super) fn scenario(&self, seed: u64) -> (&'static str, Scenario) {
        let world = &self.world;
        let named = Named::find(&world.scenario).unwrap_or_else(|| Named::of_seed(seed));
        let mut scenario = (named.scenario)(seed);
        let replace = |value: &mut usize, flag: Option<usize>| *value = flag.unwrap_or(*value);
        replace(&mut scenario.nodes, world.nodes);
        // One node must be a member from the beginning.
        scenario.spares = scenario.spares.min(scenario.nodes.saturating_sub(1));
        replace(&mut scenario.replicas, world.replicas);
        replace(&mut scenario.clients, world.clients);
        replace(&mut scenario.keys, world.keys);
        scenario.duration = self.duration.unwrap_or(scenario.duration);
        scenario.write_level = world.write_level.unwrap_or(scenario.write_level);
        scenario.read_level = world.read_level.unwrap_or(scenario.read_level);
        scenario.on_ambiguous = world.on_ambiguous.unwrap_or(scenario.on_ambiguous);
        if let Some(words) = &world.faults {
            scenario.faults = faults(words);
        }
        (named.name, scenario)
    }

    /// What must hold in a run of this scenario.
    pub(super) fn promises(&self, scenario: &Scenario) -> Promises {
        let Some(checks) = &self.world.check else {
            return scenario.promises();
        };
        Promises {
            linearizable: checks.contains(&Promise::Linearizable),
            current: checks.contains(&Promise::Current),
            durable: checks.contains(&Promise::Durable),
            atomic: checks.contains(&Promise::Atomic),
            fresh: checks.contains(&Promise::Fresh),
            available: checks.contains(&Promise::Available),
            responsive: checks.contains(&Promise::Responsive),
        }
    }

    /// The name of the scenario, or of the mixture.
    pub(super) fn name(&self) -> &str {
        &self.world.scenario
    }

    /// The command that repeats everything.
    pub(super) fn command(&self) -> String {
        self.command_of(self.name(), self.first_seed, self.runs)
    }

    /// The command that repeats the run of one seed alone.
    pub(super) fn command_for(&self, seed: u64) -> String {
        let (name, _) = self.scenario(seed);
        self.command_of(name, seed, 1)
    }

    fn command_of(&self, scenario: &str, seed: u64, runs: u64) -> String {
        let mut command =
            format!("memvault sim --scenario {scenario} --seed {seed} --seeds {runs}");
        for (flag, value) in self.flags() {
            if let Some(value) = value {
                command += &format!(" --{flag} {value}");
            }
        }
        command
    }

    /// The flags that change the scenario or what is checked.
    fn flags(&self) -> [(&'static str, Option<String>); 10] {
        let world = &self.world;
        let checks = world.check.as_deref();
        let on_ambiguous = world.on_ambiguous.map(|what| match what {
            OnAmbiguous::Rewrite => "rewrite",
            OnAmbiguous::Error => "error",
        });
        let duration = self.duration.map(|time| format!("{}ms", time.as_millis()));
        [
            ("duration", duration),
            ("faults", world.faults.as_deref().map(joined)),
            ("nodes", world.nodes.map(text)),
            ("replicas", world.replicas.map(text)),
            ("clients", world.clients.map(text)),
            ("keys", world.keys.map(text)),
            ("write-level", world.write_level.map(Level::name).map(text)),
            ("read-level", world.read_level.map(Level::name).map(text)),
            ("on-ambiguous", on_ambiguous.map(text)),
            ("check", checks.map(joined)),
        ]
    }
}

fn text(value: impl Display) -> String {
    value.to_string()
}

fn joined<T: Display>(words: &[T]) -> String {
    words.iter().map(text).collect::<Vec<_>>().join(",")
}
