//! What a member may have missed, and how it gets it: after a start, after it stood still or was cut off, and after
//! the loss of a member that led.

use super::{Node, TICK, TOLERANCE};
use crate::replication::Now;
use crate::replication::event::Event;
use crate::replication::member::warm_up::WarmUp;
use crate::replication::rules::Rule;
use crate::replication::wire::message::NodeState;
use crate::ring::NodeIndex;
use crate::time::Duration;
use crate::version::Version;

/// A gap between two ticks of which more than this was no work means that the process stood still.
pub(super) const PAUSE_FENCE: Duration = Duration::from_millis(500);
/// How much further back than the moment of silence a member fetches when it catches up, in milliseconds.
const CATCH_UP_MARGIN_MS: u64 = 5_000;

impl Node {
    /// Whether this process stood still, so that what it has not read yet may be old.
    pub(super) fn notice_pause(&mut self, now: Now) -> bool {
        let gap = now.instant - self.last_tick;
        if gap > self.cx.config.read_attempt + TICK {
            self.cx.peers.note_absence(now.instant);
        }
        if gap.saturating_sub(self.worked) <= PAUSE_FENCE {
            return false;
        }
        self.note_tick(now);
        self.handle_pause(now, gap);
        true
    }

    /// From now on time and work are counted anew.
    pub(super) fn note_tick(&mut self, now: Now) {
        self.last_tick = now.instant;
        self.worked = Duration::ZERO;
    }

    /// A time-out comes late: for as long this node looked at nothing, and what came meanwhile waits to be read. So
    /// much longer the others may take.
    pub(super) fn excuse_lateness(&mut self, now: Now) {
        let lateness = now.instant - self.due();
        if lateness > TOLERANCE && self.cx.rules.keep(Rule::LatenessIsExcused) {
            self.cx.peers.excuse_lateness(now.instant, lateness);
            self.coordinator.postpone(lateness);
        }
    }

    /// This process stood still: others may have taken over meanwhile, and a member must not lead before it
    /// has fetched what it missed.
    fn handle_pause(&mut self, now: Now, gap: Duration) {
        let millis = u64::try_from(gap.as_millis()).unwrap_or(u64::MAX);
        self.cx.event(Event::Paused { millis });
        self.cx.peers.excuse_silence(now.instant);
        self.catch_up(now, millis);
    }

    /// Fetches what was written in the last `millis` milliseconds.
    pub(super) fn catch_up(&mut self, now: Now, millis: u64) {
        let Some(member) = &mut self.member else {
            return;
        };
        let since = long_before(now, millis);
        let state = member.replica.state;
        // Taking keys over starts anew afterwards: what a serving member missed comes first.
        match &mut member.warm_up {
            Some(warm_up) if warm_up.catches_up() => warm_up.extend(now, since),
            warm_up if state == NodeState::Serving => {
                *warm_up = Some(WarmUp::catch_up(&self.cx, now, since));
            }
            _ => {}
        }
        if state == NodeState::Serving {
            self.change_state(now, NodeState::CatchingUp);
        }
    }

    /// The version of the latest flush that this node knows of.
    pub(super) fn flushed(&self) -> Version {
        let member = self.member.as_ref();
        member.map_or(Version::ZERO, |member| member.replica.flushed())
    }

    /// Up to where this node may have forgotten what it acknowledged in a former life, as long as it warms up.
    pub(super) fn start_floor(&self) -> Version {
        let warm_up = self
            .member
            .as_ref()
            .and_then(|member| member.warm_up.as_ref());
        warm_up.map_or(Version::ZERO, WarmUp::start_floor)
    }

    /// A member has flushed up to this version. A node that asked for it did not reach this node, or did so while it
    /// was away.
    pub(super) fn flush_too(&mut self, now: Now, flushed: Version) {
        if let Some(member) = &mut self.member
            && flushed > member.replica.flushed()
            && self.cx.observe(now, flushed)
        {
            member.replica.flush(now, flushed);
        }
    }

    /// A member is lost: who warms up now may have been told by it what nobody else knows, and is asked when it is
    /// done.
    pub(super) fn note_lost(&mut self, now: Now, peer: NodeIndex) {
        let silence = self.cx.peers.silence(now.instant, peer);
        self.note_bereft(now, silence);
        let peers = &self.cx.peers;
        if let Some(member) = &mut self.member
            && let Some(since) = member.missed_since
        {
            let warms_up = |node: &NodeIndex| {
                peers.is_up(*node) && peers.state(*node) == Some(NodeState::Warming)
            };
            for node in peers.indices().into_iter().filter(warms_up) {
                let known = member.unasked.entry(node).or_insert(since);
                *known = since.min(*known);
            }
        }
    }

    /// A member is gone that was heard last `silence` ago, and with it what it knew of who has confirmed its
    /// writes.
    pub(super) fn note_bereft(&mut self, now: Now, silence: Duration) {
        let millis = u64::try_from(silence.as_millis()).unwrap_or(u64::MAX);
        if let Some(member) = &mut self.member {
            member.note_bereft(long_before(now, millis));
        }
    }

    /// Fetches from those who are left what a member that is gone may have led, and goes on serving meanwhile. Those
    /// who warm up are not waited for: they are asked when they are done.
    fn fetch_from_survivors(&mut self, now: Now) {
        let Some(member) = &mut self.member else {
            return;
        };
        let is_busy = member.warm_up.as_ref().is_some_and(WarmUp::catches_up);
        if member.replica.state != NodeState::Serving || is_busy {
            return;
        }
        if let Some(since) = member.missed_since.take() {
            member.warm_up = Some(WarmUp::catch_up(&self.cx, now, since));
        } else if let Some((node, since)) = member.next_unasked(&self.cx.peers) {
            member.warm_up = Some(WarmUp::catch_up_from(&self.cx, now, since, node));
        }
    }

    /// `source` holds versions newer than `since` that this member has not confirmed.
    pub(super) fn fetch_missed(&mut self, now: Now, source: NodeIndex, since: u64) {
        // One that has no part in the cluster any more, or warms up itself, is not fetched from.
        let is_source = self.cx.peers.is_active(source) && self.cx.peers.counts(source);
        let Some(member) = self.member.as_mut().filter(|_| is_source) else {
            return;
        };
        match (&mut member.warm_up, member.replica.state) {
            (Some(warm_up), _) => warm_up.fetch_from(source, since),
            (None, NodeState::Serving) => {
                member.warm_up = Some(WarmUp::catch_up_from(&self.cx, now, since, source));
                self.change_state(now, NodeState::CatchingUp);
                // Nobody should have to do without a leader until the next tick.
                self.drive_warm_up(now);
            }
            _ => {}
        }
    }

    /// Goes on with whatever is being fetched, and serves when that is done.
    pub(super) fn drive_warm_up(&mut self, now: Now) {
        self.fetch_from_survivors(now);
        let Some(member) = &mut self.member else {
            return;
        };
        let Some(warm_up) = &mut member.warm_up else {
            return;
        };
        if self.cx.peers.is_own_clock_wrong() {
            return;
        }
        let is_done = warm_up.drive(&mut self.cx, &mut member.replica, now);
        let serves = is_done || warm_up.may_lead_meanwhile(now);
        if is_done {
            self.end_warm_up();
        }
        if serves && !matches!(self.state(), NodeState::Serving | NodeState::Leaving) {
            self.change_state(now, NodeState::Serving);
        }
        if is_done {
            self.resume_gain(now);
        }
    }

    /// All has been fetched that can be.
    fn end_warm_up(&mut self) {
        let Some(member) = &mut self.member else {
            return;
        };
        let Some(warm_up) = member.warm_up.take() else {
            return;
        };
        if !warm_up.catches_up() {
            member.pending_floors = None;
        }
        if let Some(since) = warm_up.lacks_since() {
            member.note_bereft(since);
        }
    }
}

/// The hybrid logical time `millis` milliseconds and a margin ago.
const fn long_before(now: Now, millis: u64) -> u64 {
    let back = millis.saturating_add(CATCH_UP_MARGIN_MS);
    now.wall.as_millis().saturating_sub(back) << 16
}
