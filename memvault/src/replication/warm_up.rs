//! The way back: a restarted member fetches what it should hold before it serves; one that was cut off or
//! paused fetches what it missed.
//!
//! A restarted member has forgotten what it once acknowledged, and everything acknowledged with its help is
//! now one replica short. It therefore asks *every* other replica within reach, at least so many that one
//! of every write quorum is among them, and takes over a version only if none of them can have forgotten a
//! newer one. Only then does its word count again.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::Now;
use super::action::Event;
use super::context::Context;
use super::entry::Bytes;
use super::message::{Body, OfferKind, PullReply, PulledEntry};
use super::preference::{Preference, ReplicaSet};
use super::replica::Replica;
use super::rules::Rule;
use crate::hash::{Token, token};
use crate::ring::NodeIndex;
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
}

/// One warm-up or catching-up.
pub(super) struct WarmUp {
    purpose: Purpose,
    started: Instant,
    /// Asks nobody before this.
    pull_from: Instant,
    last_progress: Instant,
    /// What this node cannot rule out having acknowledged in a former life.
    boot_floor: Version,
    sources: BTreeMap<NodeIndex, Source>,
    /// Who holds what, by token, as long as a source may have something newer.
    staged: BTreeMap<Token, Staged>,
    /// Tokens of keys that were written meanwhile, before the sources agreed on them.
    written: BTreeSet<Token>,
    /// The distinct preference lists that this node is on. Invariant: sorted.
    lists: Vec<Preference>,
}

/// One member as a source.
#[derive(Debug, Default)]
struct Source {
    cursor: u32,
    done: bool,
    asked: Option<(u64, Instant)>,
    retry_at: Instant,
    floors: BTreeMap<u32, Version>,
}

/// What the sources said of one key.
#[derive(Clone, Copy, Debug, Default)]
struct Staged {
    holders: ReplicaSet,
    /// A source held it without being certain of it.
    doubtful: bool,
}

/// How far one preference list has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Waiting,
    Complete,
    /// Too few sources are left to be certain.
    Degraded,
}

/// What becomes of an entry at the end.
enum Judgement {
    Keep,
    Doubt,
    Drop,
}

/// A source that does not answer is asked again after this.
const PULL_TIMEOUT: Duration = Duration::from_millis(300);
/// A source that is not ready is asked again after this.
const RETRY_AFTER: Duration = Duration::from_millis(50);
/// Catching up ends after this, complete or not: quorum reads repair the rest.
const CATCH_UP_MAX: Duration = Duration::from_secs(2);

impl WarmUp {
    /// The warm-up after a start.
    pub(super) fn after_start(cx: &Context, now: Now) -> Self {
        let skew = 2 * Hlc::MAX_SKEW_MS;
        let boot_floor = Version::at(Timestamp::from_millis(now.wall.as_millis() + skew));
        let delay = cx.config.warm_delay();
        let mut warm_up = Self::new(cx, now, Purpose::WarmUp, delay, boot_floor);
        if !cx.rules.keep(Rule::WarmUpWaits) {
            warm_up.pull_from = now.instant;
        }
        if !cx.rules.keep(Rule::DegradedStartForgets) {
            warm_up.boot_floor = Version::ZERO;
        }
        warm_up
    }

    /// Fetches what was written since `since`, a hybrid logical time.
    pub(super) fn catch_up(cx: &Context, now: Now, since: u64) -> Self {
        Self::new(
            cx,
            now,
            Purpose::CatchUp { since },
            Duration::ZERO,
            Version::ZERO,
        )
    }

    fn new(cx: &Context, now: Now, purpose: Purpose, delay: Duration, boot_floor: Version) -> Self {
        let pull_from = now.instant + delay;
        Self {
            purpose,
            started: now.instant,
            pull_from,
            last_progress: pull_from,
            boot_floor,
            sources: BTreeMap::new(),
            staged: BTreeMap::new(),
            written: BTreeSet::new(),
            lists: own_lists(cx),
        }
    }

    /// Goes back further, if `since` is earlier than what is being fetched.
    pub(super) fn extend(&mut self, now: Now, since: u64) {
        if let Purpose::CatchUp { since: from } = &mut self.purpose {
            *from = since.min(*from);
            self.started = now.instant;
            self.sources.clear();
        }
    }

    /// Asks sources for more and, when all is there, finishes. Returns whether it is finished.
    pub(super) fn drive(&mut self, cx: &mut Context, replica: &mut Replica, now: Now) -> bool {
        if self.purpose == Purpose::WarmUp && !cx.rules.keep(Rule::WarmUp) {
            return true;
        }
        if now.instant < self.pull_from {
            return false;
        }
        self.pull(cx, now);
        match self.purpose {
            Purpose::CatchUp { .. } => self.is_caught_up(cx, now),
            Purpose::WarmUp => {
                let progress: Vec<_> = self
                    .lists
                    .iter()
                    .map(|list| self.progress(cx, now, list))
                    .collect();
                if progress.contains(&Progress::Waiting) {
                    return false;
                }
                self.finish(cx, replica, now, &progress);
                true
            }
        }
    }

    fn pull(&mut self, cx: &mut Context, now: Now) {
        let since = match self.purpose {
            Purpose::WarmUp => 0,
            Purpose::CatchUp { since } => since,
        };
        for node in cx.peers.indices() {
            let source = self.sources.entry(node).or_default();
            let silent = source
                .asked
                .is_none_or(|(_, at)| now.instant - at > PULL_TIMEOUT);
            let is_source = cx.me != Some(node) && cx.peers.counts(node);
            if !is_source || source.done || !silent || source.retry_at > now.instant {
                continue;
            }
            let id = cx.fresh_id();
            source.asked = Some((id, now.instant));
            cx.send(
                node,
                id,
                Body::Pull {
                    cursor: source.cursor,
                    since,
                },
            );
        }
    }

    /// Takes in one answer.
    pub(super) fn handle_pulled(
        &mut self,
        cx: &mut Context,
        replica: &mut Replica,
        now: Now,
        from: NodeIndex,
        id: u64,
        reply: PullReply,
    ) {
        let Some(source) = self.sources.get_mut(&from) else {
            return;
        };
        if source.asked.is_none_or(|(asked, _)| asked != id) {
            return;
        }
        source.asked = None;
        let PullReply::Chunk {
            entries,
            next,
            floors,
        } = reply
        else {
            source.retry_at = now.instant + RETRY_AFTER;
            return;
        };
        match next {
            Some(next) => source.cursor = next,
            None => source.done = true,
        }
        source.floors.extend(floors);
        self.last_progress = now.instant;
        for pulled in entries {
            self.merge(cx, replica, now, from, &pulled);
        }
    }

    fn merge(
        &mut self,
        cx: &mut Context,
        replica: &mut Replica,
        now: Now,
        from: NodeIndex,
        pulled: &PulledEntry,
    ) {
        let replicas = cx.preference(&pulled.key);
        if !cx.me.is_some_and(|me| replicas.contains(me)) || !cx.observe(now, pulled.entry.version)
        {
            return;
        }
        if self.purpose != Purpose::WarmUp {
            if !pulled.unconfirmed {
                replica.offer(now, &pulled.key, &pulled.entry, OfferKind::Hint, None);
            }
            return;
        }
        let staged = self.staged.entry(token(&pulled.key)).or_default();
        if pulled.unconfirmed {
            staged.doubtful = true;
        } else {
            staged.holders = staged.holders.or(replicas.set_of(from));
        }
        let held = replica
            .entries
            .peek(&pulled.key)
            .and_then(|held| held.meta.version);
        if held.is_none_or(|held| held < pulled.entry.version) {
            // An entry that does not fit is one that this node would not have kept either.
            let _ = replica.store(now, &pulled.key, &pulled.entry, true);
        }
        self.settle(cx, replica, &pulled.key, &replicas);
    }

    /// Takes an entry over for good if all sources there are have told what they hold: that leaves little to
    /// decide at the end, when everybody waits.
    fn settle(&mut self, cx: &Context, replica: &mut Replica, key: &[u8], replicas: &Preference) {
        let token = token(key);
        let others = replicas.filter(|node| cx.me != Some(node));
        let all_hold =
            |staged: &Staged| !staged.doubtful && others.without(staged.holders).is_empty();
        if !self.staged.get(&token).is_some_and(all_hold) {
            return;
        }
        let held = replica.entries.peek(key).map(|held| held.meta);
        let version = held.and_then(|meta| meta.version).unwrap_or(Version::ZERO);
        if held.is_some() && replica.floors.at(token) <= version {
            replica.mark(key, false);
            self.staged.remove(&token);
            self.written.remove(&token);
        }
    }

    /// An entry is about to be stored by a write: whether it stays is decided at the end, unless it replaces
    /// one that all sources knew.
    pub(super) fn handle_write(&mut self, replica: &Replica, key: &[u8]) {
        if self.purpose == Purpose::WarmUp && !self.is_settled(replica.entries.peek(key)) {
            self.written.insert(token(key));
        }
    }

    /// Whether nothing is left to decide about an entry.
    fn is_settled(&self, held: Option<EntryRef<'_>>) -> bool {
        held.is_some_and(|held| !held.meta.unconfirmed && !self.written.contains(&token(held.key)))
    }

    /// A member went away: if it comes back, it starts from the beginning as a source.
    pub(super) fn handle_lost(&mut self, node: NodeIndex) {
        self.sources.remove(&node);
    }

    fn is_done(&self, node: NodeIndex) -> bool {
        self.sources.get(&node).is_some_and(|source| source.done)
    }

    fn is_caught_up(&self, cx: &Context, now: Now) -> bool {
        let others = cx.peers.indices().into_iter();
        let others = others.filter(|node| cx.me != Some(*node));
        let mut counting = others.filter(|node| cx.peers.counts(*node));
        now.instant - self.started > CATCH_UP_MAX || counting.all(|node| self.is_done(node))
    }

    fn progress(&self, cx: &Context, now: Now, list: &Preference) -> Progress {
        let others = list.filter(|node| cx.me != Some(node));
        let done = list.filter(|node| self.is_done(node)).and(others);
        let missing = others.without(done);
        let counting = list.filter(|node| cx.peers.counts(node)).and(missing);
        let unreachable = list.filter(|node| !cx.peers.is_live(node)).and(missing);
        let patience_over = now.instant - self.last_progress > cx.config.warm_max;
        if !counting.is_empty() && !patience_over {
            return Progress::Waiting;
        }
        if heard_enough(cx, list, done) {
            return Progress::Complete;
        }
        // Those that are warming up themselves have forgotten as much: there is nothing to wait for.
        if unreachable.is_empty() || patience_over {
            Progress::Degraded
        } else {
            Progress::Waiting
        }
    }

    /// Decides on every entry, takes over what the sources have forgotten, and begins to serve.
    fn finish(&self, cx: &mut Context, replica: &mut Replica, now: Now, progress: &[Progress]) {
        let (mut cursor, mut unconfirmed) = (0, 0);
        while let Some((held, next)) = replica.entries.scan(cursor) {
            cursor = next;
            if self.is_settled(Some(held)) {
                continue;
            }
            let judgement = self.judge(cx, replica, &held);
            let key = Bytes::from(held.key);
            match judgement {
                Judgement::Keep => replica.mark(&key, false),
                Judgement::Drop => replica.forget(now, &key),
                Judgement::Doubt => {
                    replica.mark(&key, true);
                    unconfirmed += 1;
                }
            }
        }
        if cx.rules.keep(Rule::WarmUpTakesFloors) {
            for (bucket, floor) in self.sources.values().flat_map(|source| &source.floors) {
                replica.floors.raise_bucket(*bucket as usize, *floor);
            }
        }
        if progress.contains(&Progress::Degraded) {
            self.raise_floors_of_degraded(cx, replica, progress);
            cx.event(Event::DegradedStart { unconfirmed });
        }
    }

    fn judge(&self, cx: &Context, replica: &Replica, held: &EntryRef<'_>) -> Judgement {
        let version = held.meta.version.unwrap_or(Version::ZERO);
        let (token, replicas) = (token(held.key), cx.preference(held.key));
        let others = replicas.filter(|node| cx.me != Some(node));
        let done = replicas.filter(|node| self.is_done(node)).and(others);
        if !heard_enough(cx, &replicas, done) {
            return if version <= self.boot_floor {
                Judgement::Doubt
            } else {
                Judgement::Keep
            };
        }
        let staged = self.staged.get(&token).copied().unwrap_or_default();
        let bucket = u32::try_from(replica.floors.bucket(token)).unwrap_or(u32::MAX);
        let own_floor_allows = !held.meta.unconfirmed || replica.floors.at(token) <= version;
        let certain = replicas.members(done.without(staged.holders)).all(|node| {
            let source = self.sources.get(&node);
            source
                .and_then(|source| source.floors.get(&bucket))
                .is_none_or(|floor| *floor <= version)
        });
        let certain = certain || !cx.rules.keep(Rule::WarmUpDropsUncertain);
        if certain && own_floor_allows {
            Judgement::Keep
        } else if staged.doubtful {
            Judgement::Doubt
        } else {
            Judgement::Drop
        }
    }

    /// Where it started with too few sources, this node may have forgotten anything up to its start.
    fn raise_floors_of_degraded(&self, cx: &Context, replica: &mut Replica, progress: &[Progress]) {
        let degraded: Vec<_> = self
            .lists
            .iter()
            .zip(progress)
            .filter(|(_, progress)| **progress == Progress::Degraded)
            .map(|(list, _)| *list)
            .collect();
        // The first segment begins behind the last token and goes round through zero.
        let (mut from, mut wraps) = (0, false);
        for (end, list) in cx.placement.segments() {
            let to = replica.floors.bucket(end);
            if degraded.binary_search(&list).is_ok() {
                wraps |= from == 0;
                replica.floors.raise_buckets(from..=to, self.boot_floor);
            }
            from = to;
        }
        if wraps {
            replica
                .floors
                .raise_buckets(from..=replica.floors.last_bucket(), self.boot_floor);
        }
    }
}

/// Whether one of every write quorum is among the sources that were heard.
fn heard_enough(cx: &Context, list: &Preference, heard: ReplicaSet) -> bool {
    list.is_read_quorum(heard) || !cx.rules.keep(Rule::WarmUpHearsEnough) && !heard.is_empty()
}

/// The distinct preference lists that this node is on, sorted.
fn own_lists(cx: &Context) -> Vec<Preference> {
    let Some(me) = cx.me else { return Vec::new() };
    let mut lists: Vec<_> = cx
        .placement
        .segments()
        .map(|(_, list)| list)
        .filter(|list| list.contains(me))
        .collect();
    lists.sort_unstable();
    lists.dedup();
    lists
}
