//! The short ways of GET and SET beside the decision that says what they mean.

use alloc::format;
use alloc::vec::Vec;
use std::string::ToString;

use quickcheck::{Gen, QuickCheck};

use super::{Config, Statistics, Store};
use crate::command::{Data, Read, Set, Update};
use crate::resp::Protocol;
use crate::time::Timestamp;

/// What each gives after the other: replies, counters, and the entries in the order of their use.
struct Pair {
    short: Store,
    long: Store,
}

impl Pair {
    /// Stores that are full with a few entries.
    fn new() -> Self {
        let store = || {
            let config = Config {
                max_bytes: Some(1_500),
                ..Config::default()
            };
            Store::new(config, ahash::RandomState::with_seeds(1, 2, 3, 4))
        };
        Self {
            short: store(),
            long: store(),
        }
    }

    fn execute(&mut self, now: u64, short: &Data<'_>, long: &Data<'_>) {
        let now = Timestamp::from_millis(now);
        let protocol = Protocol::Resp3;
        let (mut left, mut right) = (Vec::new(), Vec::new());
        self.short.execute(now, protocol, short, &mut left);
        self.long.execute(now, protocol, long, &mut right);
        let shown = |out: &[u8]| out.escape_ascii().to_string();
        assert_eq!(shown(&left), shown(&right), "{short:?}");
        assert_eq!(state(&self.short), state(&self.long), "{short:?}");
        self.short.entries().check_invariants();
    }
}

fn state(store: &Store) -> (Statistics, usize, Vec<alloc::string::String>) {
    let (mut entries, mut cursor) = (Vec::new(), 0);
    while let Some((entry, next)) = store.entries().scan(cursor) {
        entries.push(format!("{entry:?}"));
        cursor = next;
    }
    let oldest = store.entries().oldest();
    entries.push(format!("{oldest:?}"));
    (*store.statistics(), store.entries().bytes_used(), entries)
}

/// Three bytes choose a command: which and of which key, its value, its expiry; time goes on between them.
fn run(program: &[u8]) {
    let (mut pair, mut now) = (Pair::new(), 1_000);
    for step in program.chunks_exact(3) {
        now += u64::from(step[2] % 3);
        let key = [step[0] % 16];
        let value = alloc::vec![step[1]; usize::from(step[1]) * 8];
        if step[0] >= 128 {
            let read = Read::Value;
            let long = Data::Read { key: &key, read };
            pair.execute(now, &Data::Get(&key), &long);
            continue;
        }
        let ttl = u64::from(step[2] / 3);
        let expire_at = step[2]
            .is_multiple_of(2)
            .then(|| Timestamp::from_millis(now + ttl - ttl % 2));
        let short = Data::Set {
            key: &key,
            value: &value,
            expire_at,
        };
        let update = Update::Set(Set::expiring(&*value, expire_at));
        pair.execute(now, &short, &Data::Update { key: &key, update });
    }
}

#[test]
fn the_short_ways_of_get_and_set_do_what_the_decision_says() {
    QuickCheck::new()
        .rng(Gen::from_size_and_seed(600, 1))
        .tests(300)
        .quickcheck(run_owned as fn(Vec<u8>));
}

#[expect(clippy::needless_pass_by_value, reason = "as quickcheck gives it")]
fn run_owned(program: Vec<u8>) {
    run(&program);
}
