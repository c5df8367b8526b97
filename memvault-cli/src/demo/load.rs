//! Requests without a pause: every worker owns some of the keys, writes and reads them, and knows what each
//! must hold.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use memvault_net::client::Client;

use super::counters::Counters;

/// What all workers share.
pub(super) struct Load {
    pub(super) client: Client,
    pub(super) counters: Counters,
    pub(super) stop: AtomicBool,
    pub(super) keys: usize,
    /// Numbers of the keys that the victim leads.
    pub(super) victims_keys: HashSet<usize>,
}

/// One worker and its keys.
pub(super) struct Worker {
    load: Arc<Load>,
    /// Its keys are those whose number leaves this remainder.
    remainder: usize,
    workers: usize,
    /// What each of its keys may hold.
    values: Vec<Held>,
    rng: fastrand::Rng,
}

/// The values that a key may hold: they are written in ascending order.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    /// The last one that was acknowledged.
    acknowledged: Option<u64>,
    /// The last one that was tried: writes since then had an unknown fate.
    tried: u64,
}

impl Held {
    /// Whether reading this value, or none, is right.
    fn allows(self, found: Option<u64>) -> bool {
        match found {
            None => self.acknowledged.is_none(),
            Some(value) => (self.acknowledged.unwrap_or(0)..=self.tried).contains(&value),
        }
    }
}

/// Name of the key with this number.
pub(super) fn key(number: usize) -> String {
    format!("key:{number}")
}

impl Worker {
    pub(super) fn new(load: Arc<Load>, remainder: usize, workers: usize) -> Self {
        let owned = load.keys.saturating_sub(remainder).div_ceil(workers);
        Self {
            load,
            remainder,
            workers,
            values: vec![Held::default(); owned],
            rng: fastrand::Rng::with_seed(remainder as u64),
        }
    }

    /// Writes each of its keys once.
    pub(super) async fn write_all(&mut self) {
        for position in 0..self.values.len() {
            self.write(position).await;
        }
    }

    /// Reads and writes its keys by chance, half and half, until the load stops.
    pub(super) async fn run(&mut self) {
        while !self.load.stop.load(Ordering::Relaxed) && !self.values.is_empty() {
            let position = self.rng.usize(..self.values.len());
            if self.rng.bool() {
                self.read(position).await;
            } else {
                self.write(position).await;
            }
        }
    }

    /// Reads each of its keys once; returns how many are missing or hold something old.
    pub(super) async fn check_all(&mut self) -> usize {
        let mut lost = 0;
        for position in 0..self.values.len() {
            lost += usize::from(!self.read(position).await);
        }
        lost
    }

    async fn write(&mut self, position: usize) {
        let number = self.number(position);
        let key = key(number);
        let held = &mut self.values[position];
        held.tried += 1;
        let began = Instant::now();
        match self.load.client.set(&key, held.tried.to_string()).await {
            Ok(()) => {
                held.acknowledged = Some(held.tried);
                self.load.counters.answered(began);
                if self.load.victims_keys.contains(&number) {
                    self.load.counters.wrote_to_victims_key(&key, began);
                }
            }
            Err(error) => self.load.counters.fail(&format!("SET {key}: {error}")),
        }
    }

    /// Reads a key; returns whether the answer is what it may be.
    async fn read(&self, position: usize) -> bool {
        let key = key(self.number(position));
        let began = Instant::now();
        match self.load.client.get(&key).await {
            Ok(found) => {
                self.load.counters.answered(began);
                let held = self.values[position];
                let text = found.as_deref().map(String::from_utf8_lossy);
                let number = text.as_deref().map(|text| text.parse().unwrap_or(u64::MAX));
                let is_right = held.allows(number);
                if !is_right {
                    let text = text.as_deref().unwrap_or("nothing");
                    let problem = format!("GET {key}: {text}, but the key holds {held:?}");
                    self.load.counters.wrong(&problem);
                }
                is_right
            }
            Err(error) => {
                self.load.counters.fail(&format!("GET {key}: {error}"));
                false
            }
        }
    }

    const fn number(&self, position: usize) -> usize {
        position * self.workers + self.remainder
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_holds_what_was_acknowledged_last_or_tried_since() {
        let fresh = Held::default();
        assert!(fresh.allows(None));
        let tried = Held {
            acknowledged: None,
            tried: 1,
        };
        assert!(tried.allows(None) && tried.allows(Some(1)));
        let held = Held {
            acknowledged: Some(3),
            tried: 5,
        };
        assert!(held.allows(Some(3)) && held.allows(Some(5)));
        assert!(!held.allows(None) && !held.allows(Some(2)) && !held.allows(Some(6)));
    }
}
