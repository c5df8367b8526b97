//! `serve --max-entries` against a naive LRU: hit for hit the same, as a client sees it.

use memvault::rng::Rng;

use crate::process::{Process, free_ports};
use crate::redis::{Redis, ok};

/// Least recently used in the simplest way there is.
struct Naive {
    /// Newest last.
    keys: Vec<u64>,
    max: usize,
}

impl Naive {
    /// Uses a key, which is stored if it was not there, and returns whether it was.
    fn hits(&mut self, key: u64) -> bool {
        let at = self.keys.iter().position(|&other| other == key);
        match at {
            Some(at) => drop(self.keys.remove(at)),
            None if self.keys.len() == self.max => drop(self.keys.remove(0)),
            None => {}
        }
        self.keys.push(key);
        at.is_some()
    }
}

#[test]
fn a_trace_of_keys_hits_exactly_when_a_naive_lru_does() {
    for max in [1, 100, 1000] {
        let [port] = free_ports(1)[..] else {
            panic!("one port was asked for")
        };
        let _server = Process::start(&["serve", "--max-entries", &max.to_string()], port);
        let mut redis = Redis::connect(port).expect("the server runs");
        let mut naive = Naive {
            keys: Vec::new(),
            max,
        };
        let mut rng = Rng::new(max as u64);
        let mut hits = 0;
        for step in 0..5_000 {
            // Half of the requests go to few keys: both hits and evictions are frequent.
            let space = if rng.one_in_thousand(500) { 50 } else { 3000 };
            let number = rng.below(space);
            let key = format!("key:{number}");
            let found = !redis.ask(&["GET", &key]).is_null();
            if !found {
                assert_eq!(redis.ask(&["SET", &key, "value"]), ok());
            }
            assert_eq!(
                found,
                naive.hits(number),
                "step {step}, {key}, {max} entries"
            );
            hits += u64::from(found);
        }
        assert_eq!(redis.info("keyspace_hits"), Some(hits.to_string()));
    }
}
