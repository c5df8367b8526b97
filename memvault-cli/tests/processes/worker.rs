//! A client that writes and reads its own keys without a pause and knows what each must hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use crate::redis::{Redis, bulk, ok};
use crate::support::eventually;

/// A client in a thread of its own.
///
/// Invariant of its keys: nobody else writes them, so each read must give what it wrote last.
pub(crate) struct Worker {
    state: Arc<State>,
    thread: JoinHandle<Vec<u32>>,
    prefix: &'static str,
}

#[derive(Default)]
struct State {
    stop: AtomicBool,
    /// Keys written so far, each once per round.
    written: AtomicUsize,
}

/// Commands under way at the same time.
const WINDOW: usize = 50;

impl Worker {
    /// Begins to write `keys` keys round by round through the server on `port`.
    ///
    /// The thread panics at the first request that fails or is answered wrongly.
    pub(crate) fn start(port: u16, prefix: &'static str, keys: usize) -> Self {
        let state = Arc::new(State::default());
        let of_thread = Arc::clone(&state);
        let thread = std::thread::spawn(move || work(&of_thread, port, prefix, keys));
        Self {
            state,
            thread,
            prefix,
        }
    }

    /// Waits until it has written `more` keys from now on.
    ///
    /// # Panics
    /// If it failed, or stands still.
    pub(crate) fn wait_for(&self, more: usize) {
        let goal = self.written() + more;
        while self.written() < goal {
            let before = self.written();
            eventually("the client writes another key", || {
                self.written() > before || self.thread.is_finished()
            });
            assert!(
                !self.thread.is_finished(),
                "the client {} failed",
                self.prefix
            );
        }
    }

    fn written(&self) -> usize {
        self.state.written.load(Ordering::Relaxed)
    }

    /// Lets it finish its round of keys, and returns what each key holds.
    ///
    /// # Panics
    /// If a request failed.
    pub(crate) fn finish(self) -> Written {
        self.state.stop.store(true, Ordering::Relaxed);
        let rounds = self.thread.join();
        let rounds = rounds.unwrap_or_else(|_| panic!("the client {} failed", self.prefix));
        Written {
            prefix: self.prefix,
            rounds,
        }
    }
}

/// What a worker has written: the round in which each key was written last.
pub(crate) struct Written {
    prefix: &'static str,
    rounds: Vec<u32>,
}

impl Written {
    /// Reads all keys through the server on `port`.
    ///
    /// # Panics
    /// If one is missing or holds something else.
    pub(crate) fn check(&self, port: u16) {
        let mut redis = Redis::connect(port).expect("the server runs");
        let keys: Vec<usize> = (0..self.rounds.len()).collect();
        for window in keys.chunks(WINDOW) {
            check_window(&mut redis, self.prefix, window, &self.rounds);
        }
    }
}

fn work(state: &State, port: u16, prefix: &str, keys: usize) -> Vec<u32> {
    let mut redis = Redis::connect(port).expect("the server runs");
    let mut rounds = vec![0; keys];
    let order: Vec<usize> = (0..keys).collect();
    for round in 1.. {
        for window in order.chunks(WINDOW) {
            let sets: Vec<_> = window.iter().map(|&key| set(prefix, key, round)).collect();
            let replies = redis.pipeline(&sets).expect("the connection holds");
            for (&key, reply) in window.iter().zip(replies) {
                assert_eq!(reply, ok(), "SET {prefix}:{key}");
                rounds[key] = round;
            }
            check_window(&mut redis, prefix, window, &rounds);
            state.written.fetch_add(window.len(), Ordering::Relaxed);
            if round > 1 && state.stop.load(Ordering::Relaxed) {
                return rounds;
            }
        }
    }
    rounds
}

fn check_window(redis: &mut Redis, prefix: &str, window: &[usize], rounds: &[u32]) {
    let gets: Vec<_> = window
        .iter()
        .map(|key| vec!["GET".to_owned(), format!("{prefix}:{key}")])
        .collect();
    let replies = redis.pipeline(&gets).expect("the connection holds");
    for (&key, reply) in window.iter().zip(replies) {
        assert_eq!(reply, bulk(&value(key, rounds[key])), "GET {prefix}:{key}");
    }
}

fn set(prefix: &str, key: usize, round: u32) -> Vec<String> {
    vec![
        "SET".to_owned(),
        format!("{prefix}:{key}"),
        value(key, round),
    ]
}

fn value(key: usize, round: u32) -> String {
    format!("value of {key} in round {round}")
}
