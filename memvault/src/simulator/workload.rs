//! The clients: each asks, waits, thinks, and asks again.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::event::Event;
use super::history::{Act, Record};
use super::process::{EPOCH_MS, levels};
use super::violation::{Promise, Violation};
use super::world::World;
use crate::command::{Condition, Expiry};
use crate::replication::{Answer, Bytes, Outcome, Request};
use crate::time::{Duration, Instant, Timestamp};

/// A request under way.
pub(super) struct Question {
    pub(super) client: usize,
    /// The process that coordinates it: the client itself, or a member.
    pub(super) coordinator: usize,
    pub(super) key: usize,
    pub(super) act: Act,
    pub(super) asked: Instant,
    /// When its coordinator heard of it.
    pub(super) begun: Instant,
    /// Until it has arrived at the member that is to coordinate it.
    pub(super) request: Option<Request>,
}

/// The requests, and what is known of the values in them.
#[derive(Default)]
pub(super) struct Workload {
    pub(super) questions: BTreeMap<u64, Question>,
    pub(super) records: Vec<Record>,
    /// When values expire that were written by a clock that was right.
    expiries: BTreeMap<u64, Instant>,
    pub(super) next_value: u64,
}

/// What a request or an answer takes between a client and the member that coordinates for it.
const CLIENT_LINK: Duration = Duration::from_millis(1);
/// How long a process may stand still without dropping what clients sent meanwhile.
pub(super) const LONGEST_UNNOTICED: Duration = Duration::from_millis(525);
/// How late after its deadline a request may be answered: an answer's way to the client.
const SLACK: Duration = Duration::from_millis(5);

impl World<'_> {
    pub(super) fn ask(&mut self, client: usize) {
        if self.now >= self.end_of_faults() {
            return;
        }
        if self.scenario.loads > 0 && self.rng.one_in_thousand(self.scenario.loads) {
            return self.ask_load(client);
        }
        if self.scenario.updates > 0 && self.rng.one_in_thousand(self.scenario.updates) {
            return self.ask_update(client);
        }
        if self.scenario.updates > 0 && self.rng.one_in_thousand(self.scenario.updates) {
            return self.ask_update(client);
        }
        let key = self.rng.below(self.scenario.keys as u64) as usize;
        self.workload.next_value += 1;
        let value = self.workload.next_value;
        let coordinator = if self.rng.one_in_thousand(self.scenario.through_members) {
            self.rng.below(self.scenario.nodes as u64) as usize
        } else {
            client
        };
        let (act, request) = self.draw_request(coordinator, key, value);
        self.trace_question(client, coordinator, key, value, &request);
        let is_own = coordinator == client && self.scenario.load.is_none();
        let (now, request) = if is_own {
            (Some(request), None)
        } else {
            (None, Some(request))
        };
        self.workload.questions.insert(
            value,
            Question {
                client,
                coordinator,
                key,
                act,
                asked: self.now,
                begun: self.now,
                request,
            },
        );
        let incarnation = self.incarnation_of(coordinator);
        let Some(request) = now else {
            let after = if coordinator == client {
                Duration::ZERO
            } else {
                self.rng.duration_below(CLIENT_LINK)
            };
            let question = value;
            return self.schedule(
                after,
                Event::Request {
                    question,
                    incarnation,
                },
            );
        };
        let levels = levels(self.scenario);
        self.input_about(Some(key), client, incarnation, |node, now| {
            node.handle_request(now, value, request, levels);
        });
    }

    fn draw_request(&mut self, coordinator: usize, key: usize, value: u64) -> (Act, Request) {
        let bytes: Bytes = self.scenario.key_name(key).into();
        if !self.rng.one_in_thousand(self.scenario.writes) {
            return (Act::Miss, Request::Get(bytes));
        }
        self.invariants.asked(self.now, value);
        if self.rng.one_in_thousand(self.scenario.deletes) {
            return (Act::Write(value), Request::Delete([bytes].into()));
        }
        let expiry = if self.rng.one_in_thousand(self.scenario.expiring) {
            Expiry::At(self.draw_expiry(coordinator, value))
        } else {
            Expiry::None
        };
        (
            Act::Write(value),
            set(bytes, Arc::from(value.to_be_bytes()), expiry),
        )
    }

    /// When a value is to expire, by the clock of its coordinator.
    fn draw_expiry(&mut self, coordinator: usize, value: u64) -> Timestamp {
        let lasts = self.rng.duration_below(self.scenario.ttl_max).as_millis();
        let wall = self
            .processes
            .get(coordinator)
            .map_or_else(Timestamp::default, |process| process.now(self.now).wall);
        let at = wall.as_millis() + u64::try_from(lasts).unwrap_or(0) + 1;
        let since_start = at.saturating_sub(EPOCH_MS);
        self.invariants.expires(value);
        if !self.was_wrong_since(coordinator, self.now) {
            let expires = Instant::from_millis(since_start);
            self.workload.expiries.insert(value, expires);
        }
        Timestamp::from_millis(at)
    }

    /// A request arrives at a member. One that has restarted meanwhile never sees it.
    pub(super) fn request(&mut self, question: u64, incarnation: u32) {
        let Some(asked) = self.workload.questions.get_mut(&question) else {
            self.take_bulk(question);
            return;
        };
        let (coordinator, key) = (asked.coordinator, asked.key);
        let process = self.processes.get(coordinator);
        let is_there = process
            .is_some_and(|process| process.node.is_some() && process.incarnation == incarnation);
        if !is_there {
            return self.end_question(question, None);
        }
        let paused_until = process.map_or(Instant::ZERO, |process| process.paused_until);
        if paused_until > self.now {
            let after = paused_until - self.now;
            return self.schedule(
                after,
                Event::Request {
                    question,
                    incarnation,
                },
            );
        }
        let Some(request) = asked.request.take() else {
            return;
        };
        // Without a load nobody waits for anybody's turn.
        let caller = self.scenario.load.map_or(0, |_| asked.client as u64);
        asked.begun = self.now;
        self.spend(coordinator, 1, 0);
        let levels = levels(self.scenario);
        self.input_about(Some(key), coordinator, incarnation, |node, now| {
            node.handle_request_of(now, (question, caller), request, levels);
        });
    }

    /// A member is gone, and all connections to it.
    pub(super) fn fail_questions_to(&mut self, member: usize) {
        let lost = |question: &Question| question.coordinator == member;
        self.fail_questions(lost);
        self.fail_bulks(member, false);
    }

    /// A member stood still: it does not read what clients sent meanwhile, and closes their connections.
    pub(super) fn fail_unread_questions_to(&mut self, member: usize) {
        let unread =
            |question: &Question| question.coordinator == member && question.request.is_some();
        self.fail_questions(unread);
        self.fail_bulks(member, true);
    }

    fn fail_questions(&mut self, is_lost: impl Fn(&Question) -> bool) {
        let questions = self.workload.questions.iter();
        let lost: Vec<u64> = questions
            .filter(|(_, question)| is_lost(question))
            .map(|(id, _)| *id)
            .collect();
        for id in lost {
            self.end_question(id, None);
        }
    }

    pub(super) fn complete(&mut self, id: u64, outcome: Outcome) {
        if self.complete_update(id, &outcome)
            || self.complete_load(id, &outcome)
            || self.complete_bulk(id, &outcome)
        {
            return;
        }
        self.check_in_time(id, outcome.is_ok());
        self.end_question(id, Some(outcome));
    }

    /// Notes what became of a question; `None` if the connection broke. The client goes on.
    fn end_question(&mut self, id: u64, outcome: Option<Outcome>) {
        let Some(question) = self.workload.questions.remove(&id) else {
            return;
        };
        let Question {
            client,
            coordinator,
            key,
            mut act,
            asked,
            ..
        } = question;
        let answered = matches!(outcome, Some(Ok(_))).then_some(self.now);
        match (&outcome, act) {
            (Some(Ok(_)), Act::Write(_)) => {
                self.report.writes += 1;
                self.crash_after_write(key);
            }
            (Some(Ok(Answer::Value(Some(value)))), _) => {
                act = Act::Hit(number_of(value));
                self.report.hits += 1;
                self.check_expiry(key, asked, number_of(value));
            }
            (Some(Ok(_)), _) => self.report.misses += 1,
            (Some(Err(_)) | None, _) => self.report.failures += 1,
        }
        if self.promises.available && answered.is_none() {
            let what = format!("a request was answered with {outcome:?}");
            self.violate(Promise::Availability, Some(key), what);
        }
        self.note_wait((coordinator, asked), outcome.as_ref());
        self.trace_answer(client, key, act, asked, outcome.as_ref());
        if answered.is_some() || matches!(act, Act::Write(_)) {
            self.workload.records.push(Record {
                key,
                act,
                asked,
                answered,
            });
        }
        self.think(client);
    }

    fn was_wrong_since(&self, process: usize, then: Instant) -> bool {
        let process = self.processes.get(process);
        process.is_some_and(|process| process.was_wrong_since(then))
    }

    /// No value is read that had expired, by every clock, when it was asked for. A member that is left alone with a
    /// clock gone wrong cannot know.
    fn check_expiry(&mut self, key: usize, asked: Instant, value: u64) {
        if (0..self.scenario.nodes).any(|member| self.was_wrong_since(member, asked)) {
            return;
        }
        let expired = self.workload.expiries.get(&value).copied();
        if let Some(at) = expired.filter(|at| asked > *at + self.scenario.faults.skew * 2) {
            let what = format!(
                "value {value} was read {} ms after its time",
                (asked - at).as_millis()
            );
            let mut violation = self.violation(Promise::Expiry, Some(key), what);
            violation.values.push(value);
            self.invariants.violations.push(violation);
        }
    }

    /// Every request is answered by its deadline, unless its coordinator itself stood still.
    fn check_in_time(&mut self, id: u64, is_done: bool) {
        let question = self.workload.questions.get(&id);
        // A process that is busy looks at the time when it comes to it.
        let Some(question) = question.filter(|_| self.scenario.load.is_none()) else {
            return;
        };
        let (key, asked, begun) = (question.key, question.asked, question.begun);
        let process = self.processes.get(question.coordinator);
        let deadline = process
            .and_then(|process| process.node.as_ref())
            .map_or(Duration::ZERO, |node| node.config().op_deadline);
        let ran_again = process.map_or(Instant::ZERO, |process| process.paused_until);
        let latest = (begun + deadline).max(ran_again) + SLACK;
        let begun_late = begun > asked + CLIENT_LINK + LONGEST_UNNOTICED;
        if is_done && begun_late || self.now > latest {
            let millis = [asked, begun, latest].map(|at| at.as_micros() / 1000);
            let what = format!("asked, begun and due at {millis:?} ms");
            self.violate(Promise::Deadline, Some(key), what);
        }
    }

    /// The process that is to coordinate a request.
    pub(super) fn coordinator_of(&self, id: u64) -> usize {
        let question = self.workload.questions.get(&id);
        let bulk = || self.bulk_coordinator(id);
        question
            .map(|question| question.coordinator)
            .or_else(bulk)
            .unwrap_or(usize::MAX)
    }

    pub(super) fn violation(
        &self,
        promise: Promise,
        key: Option<usize>,
        what: String,
    ) -> Violation {
        Violation {
            promise,
            key,
            at: self.now,
            values: Vec::new(),
            what,
        }
    }

    /// Notes that a promise is broken now.
    pub(super) fn violate(&mut self, promise: Promise, key: Option<usize>, what: String) {
        let violation = self.violation(promise, key, what);
        self.invariants.violations.push(violation);
    }
}

pub(super) fn set(key: Bytes, value: Bytes, expiry: Expiry) -> Request {
    Request::Set {
        key,
        value,
        expiry,
        condition: Condition::Always,
        return_old: false,
    }
}

pub(super) fn number_of(value: &[u8]) -> u64 {
    value
        .first_chunk()
        .map_or(0, |number| u64::from_be_bytes(*number))
}

/// The number of a key.
pub(super) fn number_of_key(name: &[u8]) -> Option<usize> {
    let name = core::str::from_utf8(name).ok()?;
    let (_, number) = name.split_once("key-")?;
    number.parse().ok()
}
