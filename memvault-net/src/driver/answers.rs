//! How long this node takes to answer what other nodes and clients of the cluster ask it: a sample.

use memvault::replication::{Body, Link, Message};
use memvault::time::Instant;

use super::latency::Latency;
use crate::clock::Clock;

/// One question in so many is timed.
const SAMPLING: u64 = 16;

/// From having read a question that another process asked, to having the answer ready to be sent.
#[derive(Default)]
pub(super) struct Answers {
    asked: u64,
    /// The question that is being timed.
    probe: Option<(Link, u64, Instant)>,
    latency: Latency,
}

impl Answers {
    /// Notes a message that came in at `now`.
    pub(super) fn received(&mut self, now: Instant, from: Link, message: &Message) {
        if !matches!(from, Link::Inbound(_)) || !is_question(&message.body) {
            return;
        }
        self.asked += 1;
        // One that never gets an answer gives way to the next sample.
        if self.asked.is_multiple_of(SAMPLING) {
            self.probe = Some((from, message.id, now));
        }
    }

    /// Notes a message that goes out.
    pub(super) fn sent(&mut self, clock: Clock, to: Link, message: &Message) {
        if let Some((link, id, since)) = self.probe
            && (link, id) == (to, message.id)
            && is_answer(&message.body)
        {
            self.probe = None;
            self.latency.record(clock.now().instant - since);
        }
    }

    pub(super) const fn latency(&self) -> &Latency {
        &self.latency
    }
}

/// Whether it is one of those that requests of clients consist of.
const fn is_question(body: &Body) -> bool {
    matches!(
        body,
        Body::Write(_) | Body::Offer { .. } | Body::Read { .. }
    )
}

const fn is_answer(body: &Body) -> bool {
    matches!(body, Body::Wrote(_) | Body::Offered(_) | Body::Held(_))
}

#[cfg(test)]
mod tests {
    use memvault::replication::ReadReply;

    use super::*;

    fn message(id: u64, body: Body) -> Message {
        Message { id, epoch: 1, body }
    }

    fn read(id: u64) -> Message {
        let (key, promise) = (b"k".as_slice().into(), None);
        message(id, Body::Read { key, promise })
    }

    #[test]
    fn one_question_in_sixteen_is_timed_until_its_answer() {
        let (mut answers, clock) = (Answers::default(), Clock::start());
        let (caller, other) = (Link::Inbound(1), Link::Inbound(2));
        for id in 1..=160 {
            answers.received(Instant::ZERO, caller, &read(id));
            let answer = message(id, Body::Held(ReadReply::Loading));
            answers.sent(clock, other, &answer);
            answers.sent(clock, caller, &read(id));
            assert_eq!(answers.latency().count(), (id - 1) / SAMPLING);
            answers.sent(clock, caller, &answer);
            answers.sent(clock, caller, &answer);
            assert_eq!(answers.latency().count(), id / SAMPLING);
        }
    }

    #[test]
    fn heartbeats_are_no_questions_and_lost_ones_are_given_up() {
        let (mut answers, clock) = (Answers::default(), Clock::start());
        for id in 1..=64 {
            answers.received(Instant::ZERO, Link::Inbound(1), &message(id, Body::Ping));
        }
        for id in 1..=32 {
            answers.received(Instant::ZERO, Link::Inbound(1), &read(id));
        }
        for id in [16, 32] {
            let answer = message(id, Body::Held(ReadReply::Loading));
            answers.sent(clock, Link::Inbound(1), &answer);
        }
        assert_eq!(answers.latency().count(), 1);
    }
}
