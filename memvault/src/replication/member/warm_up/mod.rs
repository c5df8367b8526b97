//! The way back: a restarted member fetches what it should hold before it serves; one that was cut off or
//! paused fetches what it missed.
//!
//! A restarted member has forgotten what it once acknowledged, and everything acknowledged with its help is
//! now one replica short. It therefore asks *every* other replica within reach, at least so many that one
//! of every write quorum is among them, and takes over a version only if none of them can have forgotten a
//! newer one. Only then does its word count again.
//!
//! A node that takes keys over while the members change does the same, for those keys only.

mod fetch;
mod finish;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use ahash::RandomState;
use hashbrown::HashMap;

use super::floors::Floors;
use super::replica::Replica;
use super::throttle::Throttle;
use crate::hash::{Token, token};
use crate::replication::Now;
use crate::replication::context::Context;
use crate::replication::membership::preference::{Preference, ReplicaSet};
use crate::replication::rules::Rule;
use crate::replication::wire::message::{NodeState, Progress};
use crate::ring::NodeIndex;
use crate::slot::Slot;
use crate::store::EntryRef;
use crate::time::{Duration, Instant, Timestamp};
use crate::version::{Hlc, Version};

/// What a member is after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// Everything: it has just started.
    WarmUp,
    /// What is newer than this hybrid logical time.
    CatchUp { since: u64 },
    /// The keys that this node will hold after the change of members, and does not yet.
    Pending,
}

impl Purpose {
    /// Whether the keys with this preference list are fetched.
    fn concerns(self, cx: &Context, list: &Preference) -> bool {
        cx.me.is_some_and(|me| match self {
            Self::Pending => list.is_pending(me),
            Self::WarmUp | Self::CatchUp { .. } => list.contains(me),
        })
    }
}

/// One warm-up or catching-up.
pub(in crate::replication) struct WarmUp {
    purpose: Purpose,
    started: Instant,
    /// Asks nobody before this.
    pull_from: Instant,
    last_progress: Instant,
    /// What this node cannot rule out having acknowledged in a former life.
    start_floor: Version,
    sources: BTreeMap<NodeIndex, Source>,
    /// Who holds what, by token, as long as a source may have something newer: up to one for each entry.
    staged: HashMap<Token, Staged, RandomState>,
    /// Tokens of keys that were written meanwhile, before the sources agreed on them.
    written: BTreeSet<Token>,
    /// The distinct preference lists that this node is on.
    lists: Vec<Preference>,
    /// Those who take keys of these lists over.
    gainers: BTreeSet<NodeIndex>,
    /// While keys are taken over: the floors from before. What was forgotten then is nobody's business now.
    floors_before: Option<Floors>,
    throttle: Throttle,
    entries: u64,
    /// Whether it ended with too few sources.
    is_degraded: bool,
}

/// One member as a source.
#[derive(Debug, Default)]
struct Source {
    cursor: u32,
    done: bool,
    /// When it was asked for the first piece, by this node's wall clock.
    began: Timestamp,
    /// The question that is under way, and since when.
    asked: Option<(u64, Instant)>,
    last_asked: Instant,
    retry_at: Instant,
    floors: BTreeMap<Slot, Version>,
    /// Of how many entries it has looked at how many.
    looked_at: u64,
    total: u64,
}

/// What the sources said of one key.
#[derive(Clone, Copy, Debug, Default)]
struct Staged {
    slot: Slot,
    holders: ReplicaSet,
    /// A source held it without being certain of it.
    doubtful: bool,
    /// The newest version that any source holds, and which of them do.
    newest: Version,
    current: ReplicaSet,
}

/// How far one preference list has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Waiting,
    Complete,
    /// Too few sources are left to be certain.
    Degraded,
}

/// A member that catches up leads again after this, complete or not.
const CATCH_UP_MAX: Duration = Duration::from_secs(2);

impl WarmUp {
    /// The warm-up after a start.
    pub(in crate::replication) fn after_start(cx: &Context, now: Now) -> Self {
        let skew = 2 * Hlc::MAX_SKEW_MS;
        let start_floor = Version::at(Timestamp::from_millis(now.wall.as_millis() + skew));
        let delay = cx.config.warm_delay();
        let mut warm_up = Self::new(cx, now, Purpose::WarmUp, delay, start_floor);
        if !cx.rules.keep(Rule::DegradedStartForgets) {
            warm_up.start_floor = Version::ZERO;
        }
        warm_up
    }

    /// Fetches what was written since `since`, a hybrid logical time.
    pub(in crate::replication) fn catch_up(cx: &Context, now: Now, since: u64) -> Self {
        Self::new(
            cx,
            now,
            Purpose::CatchUp { since },
            Duration::ZERO,
            Version::ZERO,
        )
    }

    /// Takes over the keys that this node gains; `floors` are its floors at the beginning of the change.
    pub(in crate::replication) fn of_pending(cx: &Context, now: Now, floors: Floors) -> Self {
        let delay = cx.config.warm_delay();
        Self {
            floors_before: Some(floors),
            ..Self::new(cx, now, Purpose::Pending, delay, Version::ZERO)
        }
    }

    fn new(
        cx: &Context,
        now: Now,
        purpose: Purpose,
        delay: Duration,
        start_floor: Version,
    ) -> Self {
        let pull_from = now.instant + delay;
        let lists = own_lists(cx, purpose);
        Self {
            purpose,
            started: now.instant,
            pull_from,
            last_progress: pull_from,
            start_floor,
            sources: BTreeMap::new(),
            staged: HashMap::with_hasher(hasher(now)),
            written: BTreeSet::new(),
            gainers: lists.iter().flat_map(Preference::gainers).collect(),
            lists,
            floors_before: None,
            throttle: Throttle::new(cx.config.fetch_rate),
            entries: 0,
            is_degraded: false,
        }
    }

    /// Where it ended with too few sources: the hybrid logical time from which on those out of reach may
    /// hold what this node would accept.
    pub(in crate::replication) fn lacks_since(&self) -> Option<u64> {
        self.is_degraded.then(|| self.start_floor.hlc())
    }

    pub(in crate::replication) const fn start_floor(&self) -> Version {
        self.start_floor
    }

    pub(in crate::replication) fn takes_over(&self) -> bool {
        self.purpose == Purpose::Pending
    }

    pub(in crate::replication) const fn catches_up(&self) -> bool {
        matches!(self.purpose, Purpose::CatchUp { .. })
    }

    /// How far it has come.
    pub(in crate::replication) fn report(&self) -> Progress {
        let sources = || self.sources.values();
        let looked_at: u64 = sources().map(|source| source.looked_at).sum();
        let total: u64 = sources().map(|source| source.total).sum();
        let permille = looked_at.saturating_mul(1000) / total.max(looked_at).max(1);
        Progress {
            entries: self.entries,
            permille: u16::try_from(permille).unwrap_or(1000),
        }
    }

    /// Goes back further, if `since` is earlier than what is being fetched.
    pub(in crate::replication) fn extend(&mut self, now: Now, since: u64) {
        if let Purpose::CatchUp { since: from } = &mut self.purpose {
            *from = since.min(*from);
            self.started = now.instant;
            self.sources.clear();
            self.staged.clear();
        }
    }

    /// As [`catch_up`](Self::catch_up), but only from `source`, as far as is known now.
    pub(in crate::replication) fn catch_up_from(
        cx: &Context,
        now: Now,
        since: u64,
        source: NodeIndex,
    ) -> Self {
        let mut warm_up = Self::catch_up(cx, now, since);
        for node in cx.peers.indices() {
            warm_up.sources.entry(node).or_default().done = node != source;
        }
        warm_up
    }

    /// Fetches from `source` once more, if it has been fetched from already.
    pub(in crate::replication) fn fetch_from(&mut self, source: NodeIndex, since: u64) {
        if let Some(source) = self.sources.get_mut(&source)
            && source.done
        {
            *source = Source::default();
            if let Purpose::CatchUp { since: from } = &mut self.purpose {
                *from = since.min(*from);
            }
        }
    }

    /// Whether it has caught up for so long that it leads all the same: quorum reads repair the rest.
    pub(in crate::replication) fn may_lead_meanwhile(&self, now: Now) -> bool {
        self.catches_up() && now.instant - self.started > CATCH_UP_MAX
    }

    /// Asks sources for more and, when all is there, finishes. Returns whether it is finished.
    pub(in crate::replication) fn drive(
        &mut self,
        cx: &mut Context,
        replica: &mut Replica,
        now: Now,
    ) -> bool {
        if self.purpose == Purpose::WarmUp && !cx.rules.keep(Rule::WarmUp) {
            return true;
        }
        if self.purpose == Purpose::Pending && !self.is_agreed_on(cx) {
            // Whatever was still begun under the former membership is over a delay after this.
            self.pull_from = now.instant + cx.config.warm_delay();
            self.last_progress = self.pull_from;
        }
        if now.instant < self.pull_from {
            return false;
        }
        self.pull(cx, now);
        match self.purpose {
            Purpose::CatchUp { .. } => {
                let is_done = self.is_caught_up(cx);
                if is_done {
                    self.drop_forgotten(cx, replica, now);
                }
                is_done
            }
            Purpose::WarmUp | Purpose::Pending => {
                let Some(progress) = self.progress(cx, now) else {
                    return false;
                };
                self.is_degraded = progress.contains(&Stage::Degraded);
                self.finish(cx, replica, now, &progress);
                true
            }
        }
    }

    /// How each list ends, unless one of them has to wait. Most calls end with the first list.
    fn progress(&self, cx: &Context, now: Now) -> Option<Vec<Stage>> {
        let stages = self.lists.iter().map(|list| self.stage(cx, now, list));
        stages
            .map(|stage| (stage != Stage::Waiting).then_some(stage))
            .collect()
    }

    /// Whether so many members go by the present membership that nothing can be done under the former one.
    fn is_agreed_on(&self, cx: &Context) -> bool {
        let follows = |node| cx.peers.follows(node);
        let mut lists = self.lists.iter();
        lists.all(|list| list.is_quorum_of_present(list.filter(follows)))
    }

    /// An entry is about to be stored by a write: whether it stays is decided at the end, unless it replaces
    /// one that all sources knew.
    pub(in crate::replication) fn handle_write(&mut self, replica: &Replica, key: &[u8]) {
        if !self.catches_up() && !self.is_settled(replica.entries.peek(key)) {
            self.written.insert(token(key));
        }
    }

    /// Whether nothing is left to decide about an entry.
    fn is_settled(&self, held: Option<EntryRef<'_>>) -> bool {
        held.is_some_and(|held| !held.meta.unconfirmed && !self.written.contains(&token(held.key)))
    }

    /// A member went away: if it comes back, it starts from the beginning as a source.
    pub(in crate::replication) fn handle_lost(&mut self, node: NodeIndex) {
        self.sources.remove(&node);
    }

    fn is_done(&self, node: NodeIndex) -> bool {
        self.sources.get(&node).is_some_and(|source| source.done)
    }

    fn is_caught_up(&self, cx: &Context) -> bool {
        let others = cx.peers.indices().into_iter();
        let others = others.filter(|node| cx.me != Some(*node));
        // One that is merely silent may come back without a word of what was missed: it is waited for until it is down.
        let is_warming = |node| cx.peers.state(node) == Some(NodeState::Warming);
        let mut sources = others.filter(|node| cx.peers.is_up(*node) && !is_warming(*node));
        sources.all(|node| self.is_done(node))
    }

    fn stage(&self, cx: &Context, now: Now, list: &Preference) -> Stage {
        let others = list.filter(|node| cx.me != Some(node));
        let done = list.filter(|node| self.is_done(node)).and(others);
        let missing = others.without(done);
        let counting = list.filter(|node| cx.acknowledges(list, node)).and(missing);
        let counting = if self.purpose == Purpose::Pending {
            counting.and(list.current())
        } else {
            counting
        };
        let unreachable = list.filter(|node| !cx.peers.is_in_view(node)).and(missing);
        let patience_over = now.instant - self.last_progress > cx.config.warm_max;
        if !counting.is_empty() && !patience_over {
            return Stage::Waiting;
        }
        if self.suffices(cx, list, done) {
            return Stage::Complete;
        }
        // Nobody relies on this node yet: it can wait for as long as it takes.
        if self.purpose == Purpose::Pending {
            return Stage::Waiting;
        }
        // Those that are warming up themselves have forgotten as much: there is nothing to wait for.
        let others_may_forget = Version::at(now.wall) <= self.common_floor(cx, now, list);
        if unreachable.is_empty() && !others_may_forget || patience_over {
            Stage::Degraded
        } else {
            Stage::Waiting
        }
    }

    /// Up to where this node and those on a list who start at the same time may have forgotten things. A node that
    /// serves first waits until this is past, and accepts nothing older: else the others, once they are done, would
    /// take for forgotten what it alone has acknowledged.
    fn common_floor(&self, cx: &Context, now: Now, list: &Preference) -> Version {
        if !cx.rules.keep(Rule::ColdStartsHaveOneFloor) {
            return self.start_floor;
        }
        // That of a clock which is wrong would be waited for in vain.
        let latest = Timestamp::from_millis(now.wall.as_millis() + 3 * Hlc::MAX_SKEW_MS);
        let warms_up = |node| cx.peers.state(node) == Some(NodeState::Warming);
        let starting = list.filter(|node| cx.peers.is_in_view(node) && warms_up(node));
        let floors = list
            .members(starting)
            .map(|node| cx.peers.start_floor(node));
        let believable = floors.filter(|floor| *floor <= Version::at(latest));
        believable.fold(self.start_floor, Version::max)
    }

    /// Whether one of every quorum that acknowledged a write is among these. Before a change of members is
    /// done there are no quorums of the next list alone that this node could have been part of; a restarted
    /// member cannot know that and hears both lists.
    fn suffices(&self, cx: &Context, list: &Preference, done: ReplicaSet) -> bool {
        let enough = if self.purpose == Purpose::Pending {
            list.is_read_quorum_of_present(done)
        } else {
            list.is_read_quorum(done)
        };
        enough || !cx.rules.keep(Rule::WarmUpHearsEnough) && !done.is_empty()
    }
}

/// Clients choose keys, and shall not know how their tokens are hashed.
fn hasher(now: Now) -> RandomState {
    let (started, wall) = (now.instant.as_micros(), now.wall.as_millis());
    RandomState::with_seeds(started, wall, 3, 4)
}

/// The distinct preference lists that this node is on, or for which it takes keys over.
fn own_lists(cx: &Context, purpose: Purpose) -> Vec<Preference> {
    let lists = cx.placement.lists().iter().copied();
    lists.filter(|list| purpose.concerns(cx, list)).collect()
}
