//! What the phases of a load ask for: requests that come in whether the earlier ones were answered or not.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use super::event::Event;
use super::history::{Act, Record};
use super::load::{Load, Phase, Rate};
use super::meter::Meter;
use super::process::{Process, config, levels};
use super::workload::{number_of, set};
use super::world::World;
use crate::command::Expiry;
use crate::replication::{Answer, Bytes, Failure, NodeState, Outcome, Request};
use crate::rng::Rng;
use crate::time::{Duration, Instant};

/// A request under way.
struct Bulk {
    coordinator: usize,
    /// Its keys are consecutive, from this one on.
    first_key: usize,
    /// And so are the values that they are to have; 0 for a request that reads.
    first_value: u64,
    keys: usize,
    asked: Instant,
    /// Until its coordinator has read it.
    request: Option<Request>,
}

/// The requests of the phases, and how they fare.
pub(super) struct Traffic {
    /// Of its own, so that a scenario without a load draws the same lots as ever.
    rng: Rng,
    bulks: BTreeMap<u64, Bulk>,
    pub(super) meter: Meter,
    /// Members that served when the last request came, and since when there are so many.
    serving: usize,
    changed_at: Instant,
}

impl Traffic {
    pub(super) fn new(seed: u64, load: Option<&Load>) -> Self {
        Self {
            rng: Rng::new(!seed.rotate_left(17)),
            bulks: BTreeMap::new(),
            meter: Meter::new(load.map_or(&[], |load| load.phases)),
            serving: 0,
            changed_at: Instant::ZERO,
        }
    }
}

impl World<'_> {
    /// Schedules the first phase.
    pub(super) fn schedule_load(&mut self) {
        if self.scenario.load.is_some() {
            self.schedule(self.scenario.first_request, Event::Phase { number: 0 });
        }
    }

    fn phase(&self, number: usize) -> Option<Phase> {
        self.scenario.load?.phases.get(number).copied()
    }

    /// A phase begins.
    pub(super) fn begin_phase(&mut self, number: usize) {
        let now = self.now;
        self.traffic.meter.begin(now, number);
        if let Some(phase) = self.phase(number) {
            self.note(&format!("the load is {:?} now", phase.name));
            self.schedule(phase.lasts, Event::Phase { number: number + 1 });
            self.schedule_arrival(number);
        }
    }

    /// Schedules the next request of a phase.
    fn schedule_arrival(&mut self, number: usize) {
        let Some(phase) = self.phase(number) else {
            return;
        };
        if self.now >= self.end_of_faults() {
            return;
        }
        let since = self.traffic.meter.since(self.now, number);
        let per_second =
            |rate: u64| Some(Duration::from_secs(1) / u32::try_from(rate.max(1)).ok()?);
        let mean = match phase.rate {
            Rate::None => None,
            Rate::Every(mean) => Some(mean),
            Rate::RisingTo(most) => {
                let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
                per_second((most * micros(since) / micros(phase.lasts).max(1)).max(LEAST_RATE))
            }
            Rate::OfCapacity(percent) => per_second(self.traffic.meter.capacity() * percent / 100),
        };
        let Some(mean) = mean else { return };
        let after = exponential(&mut self.traffic.rng, mean);
        if since + after < phase.lasts {
            self.schedule(after, Event::Arrival { phase: number });
        }
    }

    /// A request comes in.
    pub(super) fn arrival(&mut self, number: usize) {
        let (Some(load), Some(phase)) = (self.scenario.load, self.phase(number)) else {
            return;
        };
        self.schedule_arrival(number);
        let coordinator = self.draw_coordinator(&load);
        let keys = phase.keys.min(load.keys);
        let first_key = self.traffic.rng.below(load.keys as u64) as usize;
        let id = self.workload.next_value + 1;
        self.workload.next_value += keys as u64;
        let (request, is_write) = self.draw_bulk(first_key..first_key + keys, id, &phase);
        let bulk = Bulk {
            coordinator,
            first_key,
            first_value: if is_write { id } else { 0 },
            keys,
            asked: self.now,
            request: Some(request),
        };
        let able = self.able();
        self.traffic.meter.asked(self.now, able);
        self.traffic.bulks.insert(id, bulk);
        let incarnation = self.incarnation_of(coordinator);
        if self.node(coordinator).is_none() {
            return self.end_bulk(id, None);
        }
        self.queue(
            coordinator,
            Event::Request {
                question: id,
                incarnation,
            },
        );
    }

    /// The share of the members that can answer, in percent: those that serve, less one for a while after their number
    /// has changed, as reads ask several of them for a second after everybody has seen it.
    pub(super) fn able(&mut self) -> u64 {
        let serves = |process: &Process| {
            let node = process.node.as_ref();
            process.paused_until <= self.now
                && node.is_some_and(|node| node.state() == NodeState::Serving)
        };
        let members = self.processes.iter().take(self.scenario.nodes);
        let serving = members.filter(|process| serves(process)).count();
        let config = config(self.scenario, 0);
        let (now, settle) = (self.now, config.settle + config.suspect_after);
        let traffic = &mut self.traffic;
        if serving != traffic.serving {
            (traffic.serving, traffic.changed_at) = (serving, now);
        }
        let settles = now - traffic.changed_at < settle;
        let able = serving.min(self.scenario.nodes - usize::from(settles));
        (able * 100 / self.scenario.nodes) as u64
    }

    /// A source, a member, or a bystander where there are no sources.
    fn draw_coordinator(&mut self, load: &Load) -> usize {
        let rng = &mut self.traffic.rng;
        let (nodes, clients) = (self.scenario.nodes, self.scenario.clients);
        if rng.one_in_thousand(load.through_members) {
            rng.below(nodes as u64) as usize
        } else if load.sources > 0 {
            nodes + clients + rng.below(load.sources as u64) as usize
        } else {
            nodes + rng.below(clients as u64) as usize
        }
    }

    /// The number of a key of the phases' requests: they follow those of the clients, and after the last comes the
    /// first.
    fn bulk_key(&self, key: usize) -> usize {
        let all = self.scenario.load.map_or(1, |load| load.keys.max(1));
        self.scenario.keys + key % all
    }

    /// A request for these keys, and whether it writes. Its values are numbered from `first` on.
    fn draw_bulk(&mut self, keys: Range<usize>, first: u64, phase: &Phase) -> (Request, bool) {
        let names: Vec<Bytes> = keys
            .map(|key| Bytes::from(self.scenario.key_name(self.bulk_key(key))))
            .collect();
        let rng = &mut self.traffic.rng;
        if !rng.one_in_thousand(self.scenario.writes) {
            return match <[Bytes; 1]>::try_from(names) {
                Ok([name]) => (Request::Get(name), false),
                Err(names) => (Request::GetMany(names), false),
            };
        }
        if rng.one_in_thousand(self.scenario.deletes) {
            return (Request::Delete(names), true);
        }
        let pairs = (first..)
            .zip(names)
            .map(|(value, name)| (name, padded(value, phase.bytes)));
        let pairs: Vec<(Bytes, Bytes)> = pairs.collect();
        match <[(Bytes, Bytes); 1]>::try_from(pairs) {
            Ok([(name, value)]) => (set(name, value, Expiry::None), true),
            Err(pairs) => (Request::SetMany(pairs), true),
        }
    }

    /// A coordinator reads a request. Returns whether it was one of these.
    pub(super) fn take_bulk(&mut self, id: u64) -> bool {
        let Some(bulk) = self.traffic.bulks.get_mut(&id) else {
            return false;
        };
        let Some(request) = bulk.request.take() else {
            return true;
        };
        let (coordinator, keys, first_value) = (bulk.coordinator, bulk.keys, bulk.first_value);
        if first_value > 0 {
            for value in first_value..first_value + keys as u64 {
                self.invariants.asked(self.now, value);
            }
        }
        self.spend(coordinator, keys, bytes_of(&request));
        let (incarnation, levels) = (self.incarnation_of(coordinator), levels(self.scenario));
        // Each comes from a client of its own.
        let caller = FIRST_CALLER + id;
        self.input(coordinator, incarnation, |node, now| {
            node.handle_request_of(now, (id, caller), request, levels);
        });
        true
    }

    /// Takes the outcome of a request. Returns whether it was one of these.
    pub(super) fn complete_bulk(&mut self, id: u64, outcome: &Outcome) -> bool {
        let is_one = self.traffic.bulks.contains_key(&id);
        if is_one {
            self.end_bulk(id, Some(outcome));
        }
        is_one
    }

    /// Notes what became of a request; `None` if the connection broke.
    fn end_bulk(&mut self, id: u64, outcome: Option<&Outcome>) {
        let Some(bulk) = self.traffic.bulks.remove(&id) else {
            return;
        };
        let answered = self.now + self.spent(bulk.coordinator);
        let answer = outcome.and_then(|outcome| outcome.as_ref().ok());
        self.note_records(&bulk, answer);
        let is_told = matches!(outcome, Some(Err(Failure::Overloaded)));
        self.report.refused += u64::from(is_told);
        self.report.failures += u64::from(answer.is_none());
        let since = self
            .traffic
            .meter
            .answered(bulk.asked, answered, answer.is_some());
        let is_explained = super::world::is_explained(outcome) || self.is_refused_for_want(outcome);
        if let (Some(what), true) = (since, self.promises.responsive && !is_explained) {
            let how = outcome.map_or_else(
                || String::from("a broken connection"),
                |outcome| format!("{:?}", outcome.as_ref().err()),
            );
            let what = format!(
                "{what}: a request of {} keys was answered with {how}",
                bulk.keys
            );
            self.violate(super::violation::Promise::Responsiveness, None, what);
        }
    }

    fn note_records(&mut self, bulk: &Bulk, answer: Option<&Answer>) {
        let values: Vec<Option<u64>> = match answer {
            Some(Answer::Values(values)) => values
                .iter()
                .map(|value| value.as_deref().map(number_of))
                .collect(),
            Some(Answer::Value(value)) => vec![value.as_deref().map(number_of)],
            _ => Vec::new(),
        };
        let answered = answer.map(|_| self.now);
        for slot in 0..bulk.keys {
            let act = if bulk.first_value > 0 {
                self.report.writes += u64::from(answer.is_some());
                Act::Write(bulk.first_value + slot as u64)
            } else if answer.is_none() {
                break;
            } else if let Some(value) = values.get(slot).copied().flatten() {
                self.report.hits += 1;
                Act::Hit(value)
            } else {
                self.report.misses += 1;
                Act::Miss
            };
            self.workload.records.push(Record {
                key: self.bulk_key(bulk.first_key + slot),
                act,
                asked: bulk.asked,
                answered,
            });
        }
    }

    /// A member is gone, or does not read what came while it stood still.
    pub(super) fn fail_bulks(&mut self, coordinator: usize, unread_alone: bool) {
        let lost = |bulk: &Bulk| {
            bulk.coordinator == coordinator && !(unread_alone && bulk.request.is_none())
        };
        let bulks = self.traffic.bulks.iter();
        let lost: Vec<u64> = bulks
            .filter(|(_, bulk)| lost(bulk))
            .map(|(id, _)| *id)
            .collect();
        for id in lost {
            self.end_bulk(id, None);
        }
    }

    pub(super) fn bulk_coordinator(&self, id: u64) -> Option<usize> {
        Some(self.traffic.bulks.get(&id)?.coordinator)
    }

    /// Requests that have not been answered.
    pub(super) fn unanswered_bulks(&self) -> usize {
        self.traffic.bulks.len()
    }
}

/// Bystanders have smaller numbers as callers.
const FIRST_CALLER: u64 = 1 << 32;
/// A rate that rises begins at so many requests in a second.
const LEAST_RATE: u64 = 20;

/// A time with this mean, as between two events that know nothing of each other. By comparisons alone (von Neumann,
/// 1951), as there is no logarithm here.
fn exponential(rng: &mut Rng, mean: Duration) -> Duration {
    let mut draw = || rng.next_u64() >> 32;
    let mut whole = 0_u64;
    let fraction = loop {
        let first = draw();
        let (mut last, mut is_odd) = (first, true);
        loop {
            let next = draw();
            if next >= last {
                break;
            }
            last = next;
            is_odd = !is_odd;
        }
        if is_odd {
            break first;
        }
        whole += 1;
    };
    let mean = mean.as_nanos();
    let nanos = mean * u128::from(whole) + ((mean * u128::from(fraction)) >> 32);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// A value with this number that is as long as that.
fn padded(value: u64, bytes: usize) -> Bytes {
    let mut padded = vec![0; bytes.max(8)];
    if let Some(number) = padded.first_chunk_mut() {
        *number = value.to_be_bytes();
    }
    Arc::from(padded)
}

/// Bytes of the values of a request.
fn bytes_of(request: &Request) -> usize {
    match request {
        Request::Set { value, .. } => value.len(),
        Request::SetMany(pairs) => pairs.iter().map(|(_, value)| value.len()).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_between_arrivals_have_the_mean_and_the_spread_of_a_poisson_process() {
        let mut rng = Rng::new(1);
        let mean = Duration::from_millis(10);
        let times: Vec<f64> = (0..100_000)
            .map(|_| exponential(&mut rng, mean).as_secs_f64() * 100.0)
            .collect();
        let average = times.iter().sum::<f64>() / 1e5;
        let variance = times
            .iter()
            .map(|time| (time - average) * (time - average))
            .sum::<f64>()
            / 1e5;
        assert!((average - 1.0).abs() < 0.02, "{average}");
        assert!((variance - 1.0).abs() < 0.05, "{variance}");
    }
}
