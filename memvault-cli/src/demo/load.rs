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
    /// What was acknowledged last for each of its keys; `None` after a write of unknown fate.
    values: Vec<Option<u64>>,
    rng: fastrand::Rng,
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
            values: vec![None; owned],
            rng: fastrand::Rng::with_seed(remainder as u64),
        }
    }

    /// Writes each of its keys once.
    pub(super) async fn write_all(&mut self) {
        for position in 0..self.values.len() {
            self.write(position, 0).await;
        }
    }

    /// Reads and writes its keys by chance, half and half, until the load stops.
    pub(super) async fn run(&mut self) {
        while !self.load.stop.load(Ordering::Relaxed) && !self.values.is_empty() {
            let position = self.rng.usize(..self.values.len());
            if self.rng.bool() {
                self.read(position).await;
            } else {
                let next =
                    self.values[position].map_or_else(|| self.rng.u64(..), |value| value + 1);
                self.write(position, next).await;
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

    async fn write(&mut self, position: usize, value: u64) {
        let number = self.number(position);
        let key = key(number);
        let began = Instant::now();
        match self.load.client.set(&key, value.to_string()).await {
            Ok(()) => {
                self.values[position] = Some(value);
                self.load.counters.answered(began);
                if self.load.victims_keys.contains(&number) {
                    self.load.counters.wrote_to_victims_key(&key, began);
                }
            }
            Err(error) => {
                self.values[position] = None;
                self.load.counters.fail(format!("SET {key}: {error}"));
            }
        }
    }

    /// Reads a key; returns whether the answer is what it must be.
    async fn read(&mut self, position: usize) -> bool {
        let key = key(self.number(position));
        let began = Instant::now();
        match self.load.client.get(&key).await {
            Ok(found) => {
                self.load.counters.answered(began);
                let Some(expected) = self.values[position] else {
                    return true;
                };
                let found = found.map(|value| String::from_utf8_lossy(&value).into_owned());
                let is_right = found.as_deref() == Some(expected.to_string().as_str());
                if !is_right {
                    let found = found.unwrap_or_else(|| "nothing".to_owned());
                    let problem = format!("GET {key}: {found} instead of {expected}");
                    self.load.counters.wrong(problem);
                }
                is_right
            }
            Err(error) => {
                self.load.counters.fail(format!("GET {key}: {error}"));
                false
            }
        }
    }

    const fn number(&self, position: usize) -> usize {
        position * self.workers + self.remainder
    }
}
