//! The store. Dimensions: 64-byte values, 1 000 000 keys of 15 bytes, uniform. Operations: GET of a key
//! that is there, SET over a key that is there, and SET of a new key into a store at its byte budget.

use criterion::{Criterion, Throughput};
use fastrand::Rng;
use memvault::command::Data;
use memvault::resp::Protocol;
use memvault::store::{Config, Store};
use memvault::time::Timestamp;

const KEYS: u64 = 1_000_000;
const VALUE: [u8; 64] = [b'v'; 64];

pub(crate) fn register_benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("store");
    group.throughput(Throughput::Elements(1));
    let (mut store, mut out, mut rng) = (filled(None), Vec::new(), Rng::with_seed(42));
    group.bench_function("get", |bencher| {
        bencher.iter(|| execute(&mut store, &Data::Get(&key(rng.u64(..KEYS))), &mut out));
    });
    group.bench_function("set_over", |bencher| {
        bencher.iter(|| execute(&mut store, &set(&key(rng.u64(..KEYS))), &mut out));
    });
    let mut full = filled(Some(100 << 20));
    let mut number = KEYS;
    group.bench_function("set_evicting", |bencher| {
        bencher.iter(|| {
            number += 1;
            execute(&mut full, &set(&key(number)), &mut out);
        });
    });
    group.finish();
}

fn filled(max_bytes: Option<usize>) -> Store {
    let config = Config {
        max_bytes,
        ..Config::default()
    };
    let mut store = Store::new(config, ahash::RandomState::with_seeds(1, 2, 3, 4));
    let mut out = Vec::new();
    for number in 0..KEYS {
        execute(&mut store, &set(&key(number)), &mut out);
    }
    store
}

fn execute(store: &mut Store, command: &Data<'_>, out: &mut Vec<u8>) {
    out.clear();
    store.execute(Timestamp::from_millis(1), Protocol::Resp2, command, out);
}

const fn set(key: &[u8]) -> Data<'_> {
    Data::Set {
        key,
        value: &VALUE,
        expire_at: None,
    }
}

/// `key:` and eleven digits.
fn key(number: u64) -> [u8; 15] {
    let mut key = *b"key:00000000000";
    let mut rest = number;
    for digit in key[4..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    key
}
