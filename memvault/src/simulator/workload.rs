//! The clients: each asks, waits, thinks, and asks again.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::history::{Act, Record};
use super::process::levels;
use super::violation::{Promise, Violation};
use super::world::World;
use crate::command::{Condition, Expiry};
use crate::replication::{Answer, Bytes, Outcome, Request};
use crate::time::Instant;

/// A request under way.
pub(super) struct Question {
    pub(super) client: usize,
    pub(super) key: usize,
    pub(super) act: Act,
    pub(super) asked: Instant,
}

impl World<'_> {
    pub(super) fn ask(&mut self, client: usize) {
        if self.now > Instant::ZERO + self.scenario.duration {
            return;
        }
        if self.scenario.updates > 0 && self.chance.one_in_thousand(self.scenario.updates) {
            return self.ask_update(client);
        }
        let key = self.chance.below(self.scenario.keys as u64) as usize;
        let bytes: Bytes = key_name(key).into();
        self.next_value += 1;
        let value = self.next_value;
        let (act, request) = if self.chance.one_in_thousand(self.scenario.writes) {
            let deletes = self.chance.one_in_thousand(self.scenario.deletes);
            (
                Act::Write(value),
                if deletes {
                    Request::Delete([bytes].into())
                } else {
                    set(bytes, value)
                },
            )
        } else {
            (Act::Miss, Request::Get(bytes))
        };
        self.questions.insert(
            value,
            Question {
                client,
                key,
                act,
                asked: self.now,
            },
        );
        let levels = levels(self.scenario);
        let boot = self.boot_of(client);
        self.input(client, boot, |node, now| {
            node.handle_request(now, value, request, levels)
        });
    }

    pub(super) fn complete(&mut self, id: u64, outcome: Outcome) {
        if self.complete_update(id, &outcome) {
            return;
        }
        let Some(question) = self.questions.remove(&id) else {
            return;
        };
        let Question {
            client,
            key,
            mut act,
            asked,
        } = question;
        let answered = outcome.is_ok().then_some(self.now);
        match (&outcome, act) {
            (Ok(_), Act::Write(_)) => {
                self.report.writes += 1;
                self.crash_after_write(key);
            }
            (Ok(Answer::Value(Some(value))), _) => {
                act = Act::Hit(number_of(value));
                self.report.hits += 1;
            }
            (Ok(_), _) => self.report.misses += 1,
            (Err(failure), _) => {
                self.report.failures += 1;
                if self.promises.available {
                    self.violate(Promise::Availability, Some(key), format!("{failure}"));
                }
            }
        }
        if answered.is_some() || matches!(act, Act::Write(_)) {
            self.records.push(Record {
                key,
                act,
                asked,
                answered,
            });
        }
        self.think(client);
    }
}

impl World<'_> {
    /// Notes that a promise is broken now.
    pub(super) fn violate(&mut self, promise: Promise, key: Option<usize>, what: String) {
        self.audit.violations.push(Violation {
            promise,
            key,
            at: self.now,
            values: Vec::new(),
            what,
        });
    }
}

fn set(key: Bytes, value: u64) -> Request {
    Request::Set {
        key,
        value: Arc::from(value.to_be_bytes()),
        expiry: Expiry::None,
        condition: Condition::Always,
        return_old: false,
    }
}

pub(super) fn number_of(value: &[u8]) -> u64 {
    value.try_into().map_or(0, u64::from_be_bytes)
}

/// The name of a key.
pub(super) fn key_name(key: usize) -> Vec<u8> {
    format!("key-{key}").into_bytes()
}
