//! The rules that carry the promises, by name, so that a test can break one and show that it is noticed.
//!
//! Outside the unit tests of this crate none can be broken: [`Rules`] has no size and
//! [`keep`](Rules::keep) is always true, so that nothing of this is left in a program.

#[cfg(test)]
mod by_hand;
#[cfg(test)]
mod load_by_hand;

use super::config::Config;

/// A rule without which a promise does not hold. The name stands where the rule is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// A restarted member serves only after it has fetched what it should hold.
    WarmUp,
    /// It hears so many others that one of every write quorum is among them.
    WarmUpHearsEnough,
    /// It drops what a source may have known better.
    WarmUpDropsUncertain,
    /// It takes over what its sources have forgotten.
    WarmUpTakesFloors,
    /// Where it heard too few, it counts everything up to its start as forgotten.
    DegradedStartForgets,
    /// Those who start at the same time, and hear nobody who serves, have one floor, and serve when it is past.
    ColdStartsHaveOneFloor,
    /// The word of a member that warms up does not count.
    WarmingDoesNotCount,
    /// A member that warms up does not read.
    WarmingDoesNotRead,
    /// A replica refuses a version older than what it holds.
    OlderVersionsAreRefused,
    /// It acknowledges a version again that it once accepted, also when it was overwritten since.
    AcceptedVersionsAreRemembered,
    /// It refuses a version again that it once refused.
    RefusedVersionsAreRemembered,
    /// Eviction raises the floor of the key's bucket.
    EvictionIsRemembered,
    /// So do expiry and the end of a tombstone.
    ExpiryIsRemembered,
    /// A version offered by a reader must be above the floor as well.
    RepairsRespectFloors,
    /// A replica that promised to wait for a version stores nothing older.
    PromisesAreKept,
    /// One that promised to wait for a fill stores no plain write that is older.
    LeasesAreKept,
    /// A fill has the version of its lease, however long it took to load.
    FillsKeepTheirVersion,
    /// A change that may have been stored is looked for, not repeated.
    DoubtIsLookedInto,
    /// Versions from too far in the future are refused.
    FutureIsRefused,
    /// A clock that was wrong stays so until another agrees, even if those who differ are out of reach.
    WrongClocksStayWrong,
    /// A clock that nobody has agreed with since the start, or since it jumped, is wrong as soon as one differs.
    LoneClocksAreDoubted,
    /// As long as clocks differ, the wall clock does not say which versions are recent.
    WallIsDistrusted,
    /// A retry of a write keeps its version.
    RetriesKeepTheirVersion,
    /// A retry that the leader refuses may have been accepted elsewhere: it asks before it says so.
    RefusedRetriesAreAskedAbout,
    /// A level counts as many acknowledgements as its name says.
    QuorumsAreCounted,
    /// A reader puts the newest version on a quorum before it answers.
    ReadsWriteBack,
    /// If that is refused, the answer is a miss.
    RefusedWriteBackIsMiss,
    /// After a change of leader, reads at ONE ask a quorum for a while.
    LeadersSettle,
    /// What a member gained by a change whose end it did not see, it has.
    PendingKeysAreKept,
    /// A change of the members ends only when everyone has what it gains.
    ChangesWaitForGainers,
    /// While the members change, a write is on a quorum of both lists.
    QuorumsAreJoint,
    /// A majority of the members agrees on the next member list.
    MajoritiesAgree,
    /// The time of an attempt begins when its message has left, not when it was queued.
    TimeCountsFromSending,
    /// Repeated attempts that no silent or dead member explains are a small part of the requests.
    RetriesHaveABudget,
    /// What a node itself was late does not count against its peers.
    LatenessIsExcused,
    /// On a link small messages go before the pieces of large ones. Only the simulator's links can break it.
    #[cfg(test)]
    SmallBeforeLarge,
    /// Requests begin only while few keys and bytes are under way; the others wait, or are told that they
    /// cannot be waited for.
    AdmissionIsBounded,
}

/// Which rules a node keeps: all of them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rules {
    #[cfg(test)]
    broken: Option<Rule>,
}

impl Rules {
    /// The rules of a node with this configuration.
    pub(super) const fn of(config: &Config) -> Self {
        #[cfg(not(test))]
        let _ = config;
        Self {
            #[cfg(test)]
            broken: config.broken,
        }
    }

    /// Whether `rule` is kept; always true, but for tests that break it.
    pub(super) fn keep(self, rule: Rule) -> bool {
        #[cfg(test)]
        return self.broken != Some(rule);
        #[cfg(not(test))]
        {
            let _ = rule;
            true
        }
    }
}
