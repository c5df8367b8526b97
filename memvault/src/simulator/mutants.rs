//! The checker must be able to fail: each rule of the protocol is broken once, and it is noticed.
//!
//! `cargo test -p memvault-cache --lib mutants -- --nocapture` prints after how many seeds, and by which check.

use alloc::collections::BTreeMap;
use alloc::format;
use std::println;

use super::catalogue::Named;
use super::{Promise, Report, Scenario, run};
use crate::replication::Rule;
use crate::time::Duration;

/// A rule, where it shows that it is broken, and as what.
struct Mutant {
    rule: Rule,
    scenario: &'static str,
    shows: Promise,
    /// These seeds do not show it: they would only take time.
    after: u64,
    /// It must be noticed in one of so many seeds after those: a few times as many as it takes.
    within: u64,
}

impl Mutant {
    /// The scenario with this seed, with or without the rule.
    fn run(&self, seed: u64, broken: Option<Rule>) -> Report {
        let named = Named::find(self.scenario).expect("it is in the catalogue");
        run(&Scenario {
            broken,
            ..(named.scenario)(seed)
        })
    }

    /// The first seed with which the broken promise shows.
    fn noticed_with(&self) -> Option<u64> {
        let first = self.after + 1;
        (first..first + self.within).find(|seed| {
            let report = self.run(*seed, Some(self.rule));
            let mut promises = report.violations.iter().map(|violation| violation.promise);
            promises.any(|promise| promise == self.shows)
        })
    }

    /// That it is the rule which matters: with it, the seed breaks nothing.
    fn assert_kept(&self, seed: u64) {
        let alarm = self.run(seed, None).violations.into_iter().next();
        assert!(
            alarm.is_none(),
            "seed {seed} breaks with all rules kept: {alarm:?}"
        );
    }

    fn must_be_noticed(&self) {
        let Self {
            rule,
            scenario,
            shows,
            after,
            within,
        } = self;
        let last = after + within;
        let Some(seed) = self.noticed_with() else {
            panic!("{rule:?} is broken, and {last} seeds do not show it: is it a rule?");
        };
        self.assert_kept(seed);
        println!(
            "| {:26} | {scenario:10} | {seed:3} of {last:3} | {} |",
            format!("{rule:?}"),
            shows.name()
        );
    }
}

/// One test for each rule that a scenario shows as it is, and all of these in `MUTANTS`.
macro_rules! mutants {
    ($($test:ident: $rule:ident in $scenario:ident, shows $shows:ident within $within:literal $(after $after:literal)?;)*) => {
        const MUTANTS: &[Mutant] = &[$(Mutant {
            rule: Rule::$rule,
            scenario: stringify!($scenario),
            shows: Promise::$shows,
            after: 0 $(+ $after)?,
            within: $within,
        }),*];

        $(#[test]
        fn $test() {
            let mutant = MUTANTS.iter().find(|mutant| mutant.rule == Rule::$rule);
            mutant.expect("it is listed").must_be_noticed();
        })*
    };
}

/// Seeds of each scenario that run with all rules kept; `memvault sim` runs many more.
const CONTROL: u64 = 20;

#[test]
fn unbroken_rules_raise_no_alarm() {
    let mut most: BTreeMap<&str, &Mutant> = BTreeMap::new();
    for mutant in MUTANTS {
        let known = most.entry(mutant.scenario).or_insert(mutant);
        if known.within < mutant.within {
            *known = mutant;
        }
    }
    for mutant in most.into_values() {
        for seed in 1..=mutant.within.min(CONTROL) {
            let report = mutant.run(seed, None);
            let alarm = report.violations.first();
            assert!(
                alarm.is_none(),
                "{}, seed {seed}: {alarm:?}",
                mutant.scenario
            );
        }
    }
}

/// Reads at the default level that were stale, over a few runs in which leaders crash.
fn stale_reads(broken: Option<Rule>) -> u64 {
    let stale = |seed| {
        let mut scenario = (Named::find("kills")
            .expect("it is in the catalogue")
            .scenario)(seed);
        scenario.nodes = 3;
        scenario.faults.straggle = 20;
        scenario.faults.crash_after_write = 10;
        run(&Scenario { broken, ..scenario }).stale
    };
    (1..=30).map(stale).sum()
}

#[test]
fn reads_trust_a_new_leader_at_once() {
    let (kept, broken) = (stale_reads(None), stale_reads(Some(Rule::LeadersSettle)));
    println!(
        "| {:26} | kills      | {kept} stale reads become {broken} in 30 seeds | counted |",
        "LeadersSettle"
    );
    assert!(
        broken > 4 * kept.max(2),
        "{kept} stale reads, {broken} when broken"
    );
}

/// Whether replicas disagree in the end, in a cluster of two members whose clocks jump.
fn two_disagree(seed: u64, broken: Option<Rule>) -> bool {
    let named = Named::find("clocks").expect("it is in the catalogue");
    let mut scenario = (named.scenario)(seed);
    scenario.nodes = 2;
    scenario.faults.jump_every = Some(Duration::from_secs(5));
    let report = run(&Scenario { broken, ..scenario });
    let mut promises = report.violations.iter().map(|violation| violation.promise);
    promises.any(|promise| promise == Promise::Convergence)
}

#[test]
fn lone_clocks_are_trusted() {
    // One in a hundred shows it: those before would only take time.
    let mut seeds = 86..=120;
    let broken = Some(Rule::LoneClocksAreDoubted);
    let seed = seeds.find(|seed| two_disagree(*seed, broken));
    let seed = seed.expect("it shows");
    assert!(!two_disagree(seed, None));
    println!(
        "| {:26} | clocks     | seed {seed}, two members | convergence |",
        "LoneClocksAreDoubted"
    );
}

mutants! {
    restarted_member_serves_at_once: WarmUp in ambush, shows LinearizableHits within 20;
    warm_up_from_one_source: WarmUpHearsEnough in abandoned, shows LinearizableHits within 60;
    warm_up_keeps_what_is_uncertain: WarmUpDropsUncertain in abandoned, shows LinearizableHits within 200 after 290;
    warm_up_leaves_floors_behind: WarmUpTakesFloors in abandoned, shows Convergence within 20;
    degraded_start_forgets_nothing: DegradedStartForgets in abandoned, shows LinearizableHits within 150 after 40;
    members_of_a_cold_start_have_floors_of_their_own: ColdStartsHaveOneFloor in cold, shows Durability within 10;
    warming_member_is_counted: WarmingDoesNotCount in hasty, shows WarmingIsSilent within 5;
    warming_member_reads: WarmingDoesNotRead in abandoned, shows LinearizableHits within 60 after 140;
    older_versions_are_accepted: OlderVersionsAreRefused in hasty, shows LinearizableHits within 10;
    accepted_versions_are_forgotten: AcceptedVersionsAreRemembered in hasty, shows LinearizableHits within 10;
    evictions_leave_no_floor: EvictionIsRemembered in evicting, shows LinearizableHits within 10;
    deletions_leave_no_floor: ExpiryIsRemembered in graves, shows LinearizableHits within 10;
    repairs_bypass_floors: RepairsRespectFloors in stragglers, shows LinearizableHits within 40 after 180;
    retries_have_new_versions: RetriesKeepTheirVersion in hasty, shows LinearizableHits within 10;
    refused_retries_are_taken_for_undone: RefusedRetriesAreAskedAbout in hasty, shows LinearizableHits within 60;
    one_acknowledgement_is_a_quorum: QuorumsAreCounted in hasty, shows LinearizableHits within 20;
    changes_end_before_keys_are_taken_over: ChangesWaitForGainers in changing, shows Durability within 5;
    writes_during_a_change_are_on_the_present_list_only: QuorumsAreJoint in quarrel, shows LinearizableHits within 60 after 350;
    what_was_gained_is_fetched_anew: PendingKeysAreKept in quarrel, shows Durability within 20;
    two_member_lists_for_one_epoch: MajoritiesAgree in quarrel, shows Rest within 60 after 30;
    promises_are_broken: PromisesAreKept in counting, shows AtomicUpdates within 60;
    leases_are_broken: LeasesAreKept in loading, shows FreshLoads within 60;
    fills_have_new_versions: FillsKeepTheirVersion in loading, shows FreshLoads within 20;
    changes_in_doubt_are_repeated: DoubtIsLookedInto in counting, shows AtomicUpdates within 20;
    clocks_are_right_once_nobody_differs: WrongClocksStayWrong in clocks, shows Monotonicity within 100;
    versions_are_old_by_a_wrong_clock: WallIsDistrusted in clocks, shows LinearizableHits within 60;
    reads_do_not_write_back: ReadsWriteBack in hasty, shows LinearizableHits within 60;
    there_is_no_retry_budget: RetriesHaveABudget in overload, shows Responsiveness within 4;
    small_messages_wait_for_large_ones: SmallBeforeLarge in large, shows Responsiveness within 8 after 12;
    refused_write_back_is_returned: RefusedWriteBackIsMiss in stragglers, shows LinearizableHits within 320 after 350;
}
