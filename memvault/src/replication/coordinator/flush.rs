//! FLUSHALL: every member forgets everything up to one version. And DBSIZE, as all members are asked for that as well.
//!
//! All that can be reached are told, and those are waited for that are not silent: a silent one reads it when it is
//! back, before anything that is sent to it later. A node that cannot be reached is told by the others, which say with
//! every heartbeat up to which version they have flushed.

use alloc::collections::BTreeSet;
use alloc::string::ToString;
use alloc::vec::Vec;

use hashbrown::HashMap;

use super::job;
use crate::replication::Now;
use crate::replication::context::Context;
use crate::replication::plain::{PlainCommand, PlainRefusal};
use crate::replication::request::{Answer, Failure};
use crate::replication::timers::TimerQueue;
use crate::replication::wire::message::Body;
use crate::ring::NodeIndex;
use crate::time::{Duration, Instant};
use crate::version::Version;

/// One flush or count: the request and the members that have not answered yet.
struct Flush {
    request: u64,
    what: What,
    waiting: BTreeSet<NodeIndex>,
}

/// What all members are asked for.
#[derive(Clone, Copy)]
enum What {
    /// To forget everything up to this version.
    Flush(Version),
    /// How many keys they hold: the sum so far, and of how many members.
    Count { keys: u64, members: u64 },
}

/// The flushes under way.
pub(super) struct Flushes {
    flushes: HashMap<u64, Flush, ahash::RandomState>,
    deadlines: TimerQueue<u64>,
}

impl Flushes {
    pub(super) fn new(op_deadline: Duration, hasher: &ahash::RandomState) -> Self {
        Self {
            flushes: HashMap::with_hasher(hasher.clone()),
            deadlines: TimerQueue::new(op_deadline),
        }
    }

    /// Timers and flushes under way.
    pub(super) fn len(&self) -> usize {
        self.flushes.len() + self.deadlines.len()
    }

    pub(super) fn start(&mut self, cx: &mut Context, now: Now, request: u64, counts: bool) {
        let waiting: BTreeSet<_> = cx
            .peers
            .indices()
            .into_iter()
            .filter(|node| cx.peers.is_live(*node))
            .collect();
        if waiting.is_empty() {
            return job::complete(cx, request, Err(Failure::Unavailable));
        }
        let what = if counts {
            What::Count {
                keys: 0,
                members: 0,
            }
        } else {
            What::Flush(cx.hlc.tick(now.wall))
        };
        let id = cx.fresh_id();
        ask_all(cx, id, what);
        let flush = Flush {
            request,
            what,
            waiting,
        };
        let former = self.flushes.insert(id, flush);
        debug_assert!(former.is_none(), "numbers are fresh");
        self.deadlines.start(now.instant, id);
    }

    pub(super) fn handle_flushed(&mut self, cx: &mut Context, from: NodeIndex, id: u64) {
        let Some(flush) = self.flushes.get_mut(&id) else {
            return;
        };
        flush.waiting.remove(&from);
        if flush.waiting.is_empty() {
            let (request, what) = (flush.request, flush.what);
            self.flushes.remove(&id);
            let answer = match what {
                What::Flush(_) => Answer::Done,
                What::Count { keys, members } => Answer::Count(each_once(cx, keys, members)),
            };
            job::complete(cx, request, Ok(answer));
        }
    }

    /// A member has counted its keys.
    pub(super) fn handle_counted(
        &mut self,
        cx: &mut Context,
        from: NodeIndex,
        id: u64,
        counted: u64,
    ) {
        let flush = self.flushes.get_mut(&id);
        if let Some(flush) = flush.filter(|flush| flush.waiting.contains(&from))
            && let What::Count { keys, members } = &mut flush.what
        {
            *keys = keys.saturating_add(counted);
            *members += 1;
        }
        self.handle_flushed(cx, from, id);
    }

    /// A node that speaks plain Redis answered.
    pub(super) fn handle_answered(
        &mut self,
        cx: &mut Context,
        from: NodeIndex,
        id: u64,
        result: Result<Answer, PlainRefusal>,
    ) {
        let text = match result {
            Ok(Answer::Count(keys)) => {
                let keys = u64::try_from(keys).unwrap_or(0);
                return self.handle_counted(cx, from, id, keys);
            }
            Ok(_) => return self.handle_flushed(cx, from, id),
            Err(PlainRefusal::Loading) => "LOADING the node loads its data".to_string(),
            Err(PlainRefusal::Error(text)) => text,
        };
        if let Some(flush) = self.flushes.remove(&id) {
            let node = cx.peers.id(from);
            job::complete(cx, flush.request, Err(Failure::Refused { node, text }));
        }
    }

    /// The members have changed: everyone is asked again, and new ones as well.
    pub(super) fn handle_change(&mut self, cx: &mut Context) {
        let mut ids: Vec<u64> = self.flushes.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            let Some(flush) = self.flushes.get_mut(&id) else {
                continue;
            };
            let members = cx.peers.indices().into_iter();
            flush.waiting = members.filter(|node| cx.peers.is_live(*node)).collect();
            if let What::Count { keys, members } = &mut flush.what {
                (*keys, *members) = (0, 0);
            }
            ask_all(cx, id, flush.what);
        }
    }

    /// A member that went away has nothing left to forget, or will hear of it when it catches up.
    pub(super) fn handle_lost(&mut self, cx: &mut Context, node: NodeIndex) {
        let mut ids: Vec<u64> = self.flushes.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            self.handle_flushed(cx, node, id);
        }
    }

    pub(super) fn handle_timeout(&mut self, cx: &mut Context, now: Now) {
        while let Some(id) = self.deadlines.pop_due(now.instant) {
            if let Some(flush) = self.flushes.remove(&id) {
                job::complete(cx, flush.request, Err(Failure::Timeout));
            }
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }
}

/// Asks everyone to whom there is a link, silent or not.
fn ask_all(cx: &mut Context, id: u64, what: What) {
    let mut members = cx.peers.indices();
    members.retain(|node| cx.peers.is_up(*node));
    for node in members {
        match (what, cx.config.plain_redis) {
            (What::Flush(_), true) => cx.ask(node, id, PlainCommand::Flush),
            (What::Count { .. }, true) => cx.ask(node, id, PlainCommand::Count),
            (What::Flush(version), false) => cx.send(node, id, Body::Flush { version }),
            (What::Count { .. }, false) => cx.send(node, id, Body::Count),
        }
    }
}

/// The number of different keys, where so many members hold so many in all: each is on as many of those that answered
/// as their part of all members is.
fn each_once(cx: &Context, keys: u64, answered: u64) -> i64 {
    let members = cx.membership.members.len() as u64;
    let replicas = u64::from(cx.membership.replicas).min(members);
    let copies = replicas.saturating_mul(answered);
    // Rounded: of what was just written one replica may not know yet.
    let keys = keys.saturating_mul(members).saturating_add(copies / 2);
    let keys = keys.checked_div(copies);
    i64::try_from(keys.unwrap_or(0)).unwrap_or(i64::MAX)
}
