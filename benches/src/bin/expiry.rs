//! What expiry costs a store: processor time per command with and without TTLs, the longest pause, and memory.
//!
//! `cargo run --release -p memvault-benches --bin expiry`. Each line is the median of 3 runs of a million commands on
//! a store of a million keys of 15 bytes with values of 64; the pause is the longest of a million more, and the dead are
//! those past their time at the end. All times are those of the thread on a processor, whatever else runs.
#![forbid(unsafe_code)]

use memvault::command::Data;
use memvault::resp::Protocol;
use memvault::store::{Config, Store};
use memvault::time::Timestamp;
use rustix::time::{ClockId, clock_gettime};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const KEYS: u64 = 1_000_000;
const RUNS: usize = 3;
const VALUE: [u8; 64] = [b'v'; 64];
/// Milliseconds; a command takes a tenth of one.
const START: u64 = 1_790_000_000_000;
const LONG: u64 = 1 << 40;

fn main() {
    let mut store = filled(None, |_| None);
    measure("GET", &mut store, |i| {
        (Command::Get(random(i) % KEYS), START)
    });
    measure("SET over", &mut store, |i| {
        (Command::Set(random(i) % KEYS, None), START)
    });
    let mut store = filled(None, |_| Some(LONG));
    measure("GET, all have a TTL", &mut store, |i| {
        (Command::Get(random(i) % KEYS), START)
    });
    measure("SET EX over", &mut store, |i| {
        (Command::Set(random(i) % KEYS, Some(LONG)), START)
    });
    let budget = Some(150 << 20);
    let mut store = filled(budget, |_| None);
    measure("SET new, evicting", &mut store, |i| {
        (Command::Set(KEYS + i, None), START)
    });
    let mut store = filled(budget, |_| Some(LONG));
    measure("SET EX new, evicting the living", &mut store, |i| {
        (Command::Set(KEYS + i, Some(LONG)), START)
    });
    // A million live at any time: each new one comes when another expires.
    let mut store = filled(budget, |i| Some(i / 10));
    measure("SET EX new, sessions of one length", &mut store, |i| {
        (Command::Set(KEYS + i, Some(KEYS / 10)), START + i / 10)
    });
    let mut store = filled(budget, |i| Some(random(i) % (KEYS / 10)));
    measure("SET EX new, sessions of any length", &mut store, |i| {
        let ttl = random(i) % (KEYS / 5);
        (Command::Set(KEYS + i, Some(ttl)), START + i / 10)
    });
    purge();
}

enum Command {
    Get(u64),
    Set(u64, Option<u64>),
}

/// Runs a million commands, some times, and tells what one took.
fn measure(name: &str, store: &mut Store, command: impl Fn(u64) -> (Command, u64)) {
    let (mut out, mut times, mut longest) = (Vec::new(), Vec::new(), 0);
    for run in 0..RUNS as u64 {
        let begun = cpu_nanos();
        for i in run * KEYS..(run + 1) * KEYS {
            let (command, now) = command(i);
            execute(store, &command, now, &mut out);
        }
        times.push((cpu_nanos() - begun) / KEYS);
    }
    let mut end = 0;
    for i in RUNS as u64 * KEYS..(RUNS as u64 + 1) * KEYS {
        let (command, now) = command(i);
        let begun = cpu_nanos();
        execute(store, &command, now, &mut out);
        (longest, end) = (longest.max(cpu_nanos() - begun), now);
    }
    times.sort_unstable();
    let (counted, entries) = (store.statistics(), store.entries());
    println!(
        "{name:36} {:5} ns, longest {:6} us, {:8} entries, {:4.1} % dead, {:4} MiB, {:8} expired, {:8} evicted",
        times[RUNS / 2],
        longest / 1000,
        entries.len(),
        dead(store, Timestamp::from_millis(end)) as f64 * 100.0 / entries.len() as f64,
        entries.bytes_used() >> 20,
        counted.expired,
        counted.evicted,
    );
}

/// Entries past their time.
fn dead(store: &Store, now: Timestamp) -> usize {
    let (mut cursor, mut count) = (0, 0);
    while let Some((entry, next)) = store.entries().scan(cursor) {
        (cursor, count) = (next, count + usize::from(entry.meta.is_expired(now)));
    }
    count
}

/// Time of this thread on a processor.
fn cpu_nanos() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// A million that nobody asks for again.
fn purge() {
    let mut store = filled(None, |i| Some(random(i) % 1_000));
    let now = Timestamp::from_millis(START + 1_000);
    let (begun, mut longest, mut steps) = (cpu_nanos(), 0, 0_u64);
    while store.next_expiry().is_some_and(|at| at <= now) {
        let begun = cpu_nanos();
        store.purge_expired(now, 1_000);
        longest = longest.max(cpu_nanos() - begun);
        steps += 1;
    }
    println!(
        "purge of {KEYS} dead: {} ns each, {steps} steps, longest {} us, {} entries left",
        (cpu_nanos() - begun) / KEYS,
        longest / 1000,
        store.entries().len(),
    );
}

fn filled(max_bytes: Option<usize>, ttl: impl Fn(u64) -> Option<u64>) -> Store {
    let config = Config {
        max_bytes,
        ..Config::default()
    };
    let mut store = Store::new(config, ahash::RandomState::with_seeds(1, 2, 3, 4));
    let mut out = Vec::new();
    for number in 0..KEYS {
        execute(
            &mut store,
            &Command::Set(number, ttl(number)),
            START,
            &mut out,
        );
    }
    store
}

fn execute(store: &mut Store, command: &Command, now: u64, out: &mut Vec<u8>) {
    out.clear();
    let (Command::Get(number) | Command::Set(number, _)) = command;
    let key = key(*number);
    let data = match command {
        Command::Get(_) => Data::Get(&key),
        Command::Set(_, ttl) => Data::Set {
            key: &key,
            value: &VALUE,
            expire_at: ttl.map(|ttl| Timestamp::from_millis(now + 1 + ttl)),
        },
    };
    store.execute(Timestamp::from_millis(now), Protocol::Resp2, &data, out);
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

/// Spreads a number over all others (SplitMix64).
const fn random(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
