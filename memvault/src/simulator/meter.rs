//! How requests fare under load: what was answered when, and how long the bystanders waited.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::load::{Phase, Rate};
use super::report::UnderLoad;
use crate::time::{Duration, Instant};

/// Measures the phases of a load.
pub(super) struct Meter {
    phases: &'static [Phase],
    /// When each phase began, as far as they have.
    began: Vec<Instant>,
    /// What was answered in time, by half second since the start.
    windows: BTreeMap<u64, u64>,
    /// How long the bystanders waited, by the phase in which they asked; in microseconds.
    waits: Vec<Vec<u64>>,
    /// Requests of the phases, and those that were answered in time.
    asked: Vec<u64>,
    in_time: Vec<u64>,
    /// Of those the ones that were answered after the first second of the phase, and in it.
    settled: Vec<u64>,
    /// Who could answer those that came after that second.
    able: Vec<Able>,
}

/// The share of the members that can answer, on average over requests.
#[derive(Clone, Copy, Debug, Default)]
struct Able {
    /// Sum of it, in percent.
    percents: u64,
    requests: u64,
}

impl Able {
    const fn add(&mut self, percent: u64) {
        self.percents += percent;
        self.requests += 1;
    }

    /// The part of `all` that falls to this share of the members.
    const fn part_of(self, all: u64) -> u64 {
        if self.requests == 0 {
            return all;
        }
        all * self.percents / (self.requests * 100)
    }
}

/// Half a second, in microseconds: the capacity is measured in such windows.
const WINDOW: u64 = 500_000;
/// An answer after this is no good to anyone.
const IN_TIME: Duration = Duration::from_secs(1);
/// How long after a load everything is as before.
const SETTLED: Duration = Duration::from_secs(1);

impl Meter {
    pub(super) fn new(phases: &'static [Phase]) -> Self {
        Self {
            phases,
            began: Vec::new(),
            windows: BTreeMap::new(),
            waits: vec![Vec::new(); phases.len()],
            asked: vec![0; phases.len()],
            in_time: vec![0; phases.len()],
            settled: vec![0; phases.len()],
            able: vec![Able::default(); phases.len()],
        }
    }

    pub(super) fn begin(&mut self, now: Instant, phase: usize) {
        debug_assert_eq!(self.began.len(), phase, "one phase after the other");
        self.began.push(now);
    }

    /// How long a phase has lasted.
    pub(super) fn since(&self, now: Instant, phase: usize) -> Duration {
        self.began
            .get(phase)
            .map_or(Duration::ZERO, |began| now - *began)
    }

    /// The phase at that time; `None` before the first and after the last.
    fn phase_at(&self, at: Instant) -> Option<usize> {
        let phase = self.began.iter().rposition(|began| *began <= at)?;
        (phase < self.phases.len()).then_some(phase)
    }

    /// A request of the present phase comes in, while so many percent of the members can answer.
    pub(super) fn asked(&mut self, now: Instant, able: u64) {
        let Some(phase) = self.began.len().checked_sub(1) else {
            return;
        };
        let is_settled = self.since(now, phase) >= SETTLED;
        if let Some(asked) = self.asked.get_mut(phase) {
            *asked += 1;
        }
        if let Some(sum) = self.able.get_mut(phase).filter(|_| is_settled) {
            sum.add(able);
        }
    }

    /// What those members could answer per second that could answer at all.
    fn bearable(&self, phase: usize) -> u64 {
        let able = self.able.get(phase).copied().unwrap_or_default();
        able.part_of(self.capacity())
    }

    /// A request of a phase is over. Returns what is wrong with that, if it failed and should not have.
    pub(super) fn answered(
        &mut self,
        asked: Instant,
        answered: Instant,
        is_done: bool,
    ) -> Option<String> {
        let phase = self.phase_at(asked)?;
        if is_done && answered - asked <= IN_TIME {
            *self
                .windows
                .entry(answered.as_micros() / WINDOW)
                .or_default() += 1;
            if let Some(in_time) = self.in_time.get_mut(phase) {
                *in_time += 1;
            }
            let is_settled = {
                let since = self.since(answered, phase);
                let lasts = self.phases.get(phase).map(|phase| phase.lasts);
                since >= SETTLED && lasts.is_some_and(|lasts| since < lasts)
            };
            if let Some(settled) = self.settled.get_mut(phase).filter(|_| is_settled) {
                *settled += 1;
            }
        }
        (!is_done).then(|| self.reproach(asked)).flatten()
    }

    /// A bystander has waited. Returns what is wrong with that, if its request failed and should not have.
    pub(super) fn waited(
        &mut self,
        asked: Instant,
        answered: Instant,
        is_done: bool,
    ) -> Option<String> {
        let phase = self.phase_at(asked)?;
        let micros = (answered - asked).as_micros();
        if let Some(waits) = self.waits.get_mut(phase) {
            waits.push(u64::try_from(micros).unwrap_or(u64::MAX));
        }
        (!is_done).then(|| self.reproach(asked)).flatten()
    }

    /// Why no request that was asked then may fail.
    fn reproach(&self, asked: Instant) -> Option<String> {
        let number = self.phase_at(asked)?;
        let phase = self.phases.get(number)?;
        let settles = number
            .checked_sub(1)
            .and_then(|before| self.phases.get(before))
            .is_some_and(|before| !before.is_bearable);
        let since = self.since(asked, number);
        if !phase.is_bearable || settles && since < SETTLED {
            return None;
        }
        let millis = since.as_millis();
        Some(format!(
            "{millis} ms after the beginning of the phase {:?}, which can be borne",
            phase.name
        ))
    }

    /// The most requests that were answered in time in one second, by the best half of one.
    pub(super) fn capacity(&self) -> u64 {
        let rising = self
            .phases
            .iter()
            .position(|phase| matches!(phase.rate, Rate::RisingTo(_)));
        let Some(began) = rising.and_then(|phase| self.began.get(phase)) else {
            return 0;
        };
        let until = rising.and_then(|phase| self.began.get(phase + 1));
        let last = until.map_or(u64::MAX, |until| until.as_micros() / WINDOW);
        let windows = self.windows.range(began.as_micros() / WINDOW..last);
        windows
            .map(|(_, answered)| answered * 1_000_000 / WINDOW)
            .max()
            .unwrap_or(0)
    }

    /// What was answered in time per second in a phase, but for its first second.
    fn goodput(&self, phase: usize) -> u64 {
        let settled = self.settled.get(phase).copied().unwrap_or(0);
        let lasts = self
            .phases
            .get(phase)
            .map(|phase| phase.lasts.saturating_sub(SETTLED));
        let millis = lasts.map_or(0, |lasts| lasts.as_millis());
        settled * 1000 / u64::try_from(millis).unwrap_or(u64::MAX).max(1)
    }

    /// What is wrong with the whole: goodput below so many percent of what the members that serve can bear, bystanders
    /// that wait for too long.
    pub(super) fn judge(&mut self, least: u64, longest: Duration) -> Vec<(Instant, String)> {
        let mut wrongs = Vec::new();
        for waits in &mut self.waits {
            waits.sort_unstable();
        }
        let longest = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX);
        for (number, phase) in self.phases.iter().enumerate() {
            let at = self.began.get(number).copied().unwrap_or_default();
            let (goodput, bearable) = (self.goodput(number), self.bearable(number));
            if matches!(phase.rate, Rate::OfCapacity(percent) if percent > 100)
                && goodput * 100 < bearable * least
            {
                wrongs.push((at, format!(
                    "in the phase {:?} {goodput} requests a second were answered in time, of {bearable} that could be",
                    phase.name
                )));
            }
            let worst = self
                .waits
                .get(number)
                .and_then(|waits| waits.last())
                .copied()
                .unwrap_or(0);
            if worst > longest {
                wrongs.push((
                    at,
                    format!(
                        "in the phase {:?} a bystander waited for {} ms, and {} ms are the most",
                        phase.name,
                        worst / 1000,
                        longest / 1000
                    ),
                ));
            }
        }
        wrongs
    }

    /// The numbers, for people. To be called after [`judge`](Self::judge).
    pub(super) fn numbers(&self) -> Vec<UnderLoad> {
        let numbered = self.phases.iter().enumerate();
        numbered
            .map(|(number, phase)| {
                let waits = self.waits.get(number).map_or(&[][..], |waits| waits);
                UnderLoad {
                    phase: phase.name,
                    asked: self.asked.get(number).copied().unwrap_or(0),
                    in_time: self.in_time.get(number).copied().unwrap_or(0),
                    bystanders: waits.len(),
                    p50_us: part(waits, 50),
                    p99_us: part(waits, 99),
                    longest_us: waits.last().copied().unwrap_or(0),
                }
            })
            .collect()
    }
}

/// The wait that so many percent do not exceed.
fn part(waits: &[u64], percent: usize) -> u64 {
    let at = (waits.len() * percent).div_ceil(100).saturating_sub(1);
    waits.get(at).copied().unwrap_or(0)
}
