//! What the world tells its [`Trace`](super::super::trace::Trace), if there is one.

use alloc::format;
use alloc::string::String;

use super::super::history::Act;
use super::super::process::process_name;
use super::World;
use crate::replication::{Event, Message, Outcome, Request};
use crate::time::Instant;

impl World<'_> {
    /// Notes something that concerns everybody.
    pub(in super::super) fn note(&mut self, what: &str) {
        if let Some(trace) = &mut self.trace {
            trace.note(self.now, what);
        }
    }

    /// Notes what happens to a process: a client, or a replica of the key.
    pub(super) fn note_about(&mut self, number: usize, what: &str) {
        if self.is_of_interest(number) {
            let name = process_name(self.scenario, number);
            self.note(&format!("{name} {what}"));
        }
    }

    fn is_of_interest(&self, number: usize) -> bool {
        let Some(trace) = &self.trace else {
            return false;
        };
        number >= self.scenario.nodes || self.replicas_of(trace.key()).contains(&number)
    }

    pub(super) fn trace_message(&mut self, from: usize, to: usize, message: &Message) {
        if let Some(trace) = &mut self.trace {
            let names = [from, to].map(|number| process_name(self.scenario, number));
            let [sender, receiver] = &names;
            trace.message(
                self.now,
                (from, to),
                (sender, receiver),
                message.id,
                &message.body,
            );
        }
    }

    pub(super) fn trace_event(&mut self, number: usize, event: &Event) {
        let own = |node: &String| *node == process_name(self.scenario, number);
        let tells = match event {
            Event::StateChanged { node, .. } => self.trace.is_some() && own(node),
            Event::DegradedStart { .. } | Event::Paused { .. } | Event::ClockSkew { .. } => true,
            _ => false,
        };
        if tells && self.trace.is_some() {
            self.note_about(number, &format!("tells: {event}"));
        }
    }

    pub(in super::super) fn trace_question(
        &mut self,
        client: usize,
        coordinator: usize,
        key: usize,
        value: u64,
        request: &Request,
    ) {
        let Some(trace) = &mut self.trace else { return };
        let what = match request {
            Request::Delete(_) => format!("asks for a deletion, numbered {value},"),
            Request::Set { expiry, .. } => format!("asks to set {value} ({expiry:?})"),
            _ => return,
        };
        if !trace.concerns(key, Some(value)) {
            return;
        }
        if matches!(request, Request::Delete(_)) {
            trace.deletes(coordinator);
        }
        let through = if client == coordinator {
            String::new()
        } else {
            format!(" through {}", process_name(self.scenario, coordinator))
        };
        let name = process_name(self.scenario, client);
        self.note(&format!("{name} {what}{through}"));
    }

    pub(in super::super) fn trace_answer(
        &mut self,
        client: usize,
        key: usize,
        act: Act,
        asked: Instant,
        outcome: Option<&Outcome>,
    ) {
        let Some(trace) = &self.trace else { return };
        let value = match act {
            Act::Write(value) | Act::Hit(value) => Some(value),
            Act::Miss => None,
        };
        if !trace.concerns(key, value) {
            return;
        }
        let what = match (act, outcome) {
            (Act::Write(value), Some(Ok(_))) => format!("has {value} acknowledged"),
            (Act::Write(value), Some(Err(failure))) => format!("{value} failed: {failure}"),
            (_, None) => String::from("lost the connection to its coordinator"),
            (Act::Hit(value), _) => format!("reads {value}"),
            (Act::Miss, Some(Ok(_))) => String::from("reads nothing"),
            (Act::Miss, Some(Err(failure))) => format!("fails to read: {failure}"),
        };
        let (name, millis) = (
            process_name(self.scenario, client),
            asked.as_micros() / 1000,
        );
        self.note(&format!("{name} {what} (asked at {millis} ms)"));
    }
}
