//! FLUSHALL: every member forgets everything up to one tag.
//!
//! All that can be reached are told, and those are waited for that are not silent: a silent one reads it when it is
//! back, before anything that is sent to it later. Whoever cannot be reached is told by the others, who say with every
//! heartbeat up to which tag they have flushed.

use alloc::collections::BTreeSet;
use alloc::string::ToString;
use alloc::vec::Vec;

use hashbrown::HashMap;

use super::super::Now;
use super::super::context::Context;
use super::super::message::Body;
use super::super::plain::{PlainCommand, PlainRefusal};
use super::super::request::{Answer, Failure};
use super::super::timers::TimerQueue;
use super::job;
use crate::ring::NodeIndex;
use crate::time::{Duration, Instant};
use crate::version::Version;

/// One flush: the request and the members that have not answered yet.
struct Flush {
    request: u64,
    version: Version,
    waiting: BTreeSet<NodeIndex>,
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

    pub(super) fn start(&mut self, cx: &mut Context, now: Now, request: u64) {
        let waiting: BTreeSet<_> = cx
            .peers
            .indices()
            .into_iter()
            .filter(|node| cx.peers.is_live(*node))
            .collect();
        if waiting.is_empty() {
            return job::complete(cx, request, Err(Failure::Unavailable));
        }
        let version = cx.hlc.tick(now.wall);
        let id = cx.fresh_id();
        for node in all_within_reach(cx) {
            if cx.config.plain_redis {
                cx.ask(node, id, PlainCommand::Flush);
            } else {
                cx.send(node, id, Body::Flush { version });
            }
        }
        self.flushes.insert(
            id,
            Flush {
                request,
                version,
                waiting,
            },
        );
        self.deadlines.start(now.instant, id);
    }

    pub(super) fn handle_flushed(&mut self, cx: &mut Context, from: NodeIndex, id: u64) {
        let Some(flush) = self.flushes.get_mut(&id) else {
            return;
        };
        flush.waiting.remove(&from);
        if flush.waiting.is_empty() {
            let request = flush.request;
            self.flushes.remove(&id);
            job::complete(cx, request, Ok(Answer::Done));
        }
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
            let version = flush.version;
            for node in all_within_reach(cx) {
                cx.send(node, id, Body::Flush { version });
            }
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

/// Everyone to whom there is a link, silent or not.
fn all_within_reach(cx: &Context) -> Vec<NodeIndex> {
    let mut members = cx.peers.indices();
    members.retain(|node| cx.peers.is_up(*node));
    members
}
