//! What a replicated request costs: one client and three members, each on a thread of its own, over
//! loopback sockets.
//!
//! ```text
//! cargo bench -p memvault-net --bench client
//! ```
//!
//! Prints requests per second and CPU time per request, by thread (Linux only). Callers, client and members
//! share the machine, so the rate depends on its cores; the CPU times do less.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::rc::Rc;
use std::time::{Duration, Instant};
use std::{fs, thread};

use async_executor::LocalExecutor;
use futures_lite::future;
use memvault::replication::{Config, Level, Levels, Member, Role};
use memvault_net::client::Client;
use memvault_net::driver::{Driver, Settings};

const KEYS: usize = 10_000;
const VALUE: [u8; 64] = [b'v'; 64];
const REQUESTS: usize = 200_000;

fn main() {
    // `cargo test --benches` only wants to know that it runs.
    let requests = if std::env::args().any(|argument| argument == "--bench") {
        REQUESTS
    } else {
        1_000
    };
    let addresses = start_members(3);
    let client = Client::builder().cluster(addresses).connect();
    let client = future::block_on(client).expect("the members come up");
    println!(
        "{:>8} {:>8} {:>12} {:>12} {:>12} {:>12}",
        "request", "callers", "requests/s", "callers us", "client us", "members us"
    );
    let quorum = Levels {
        write: Level::Quorum,
        read: Level::Quorum,
    };
    for callers in [1, 50, 500] {
        let requests = if callers == 1 {
            requests / 10
        } else {
            requests
        };
        run("SET", &client, callers, requests);
        run("GET", &client, callers, requests);
        run("GET q", &client.with_levels(quorum), callers, requests);
    }
}

/// Members, each on a thread of its own, until the process ends.
fn start_members(count: usize) -> Vec<String> {
    let bind = |_| TcpListener::bind("127.0.0.1:0").expect("a free port");
    let listeners: Vec<TcpListener> = (0..count).map(bind).collect();
    let addresses: Vec<String> = listeners
        .iter()
        .map(|listener| listener.local_addr().expect("it is bound").to_string())
        .collect();
    for (listener, id) in listeners.into_iter().zip(&addresses) {
        let members = addresses.iter().map(Member::new).collect();
        let config = Config::new(members, Role::Member(id.clone()));
        let builder = thread::Builder::new().name("member".into());
        let started = builder.spawn(move || serve(listener, config));
        started.expect("a thread");
    }
    addresses
}

fn serve(listener: TcpListener, config: Config) {
    let executor = Rc::new(LocalExecutor::new());
    let driver = Driver::new(&executor, Settings::new(config)).expect("the settings agree");
    let accepting = executor.spawn(async move {
        let listener = async_net::TcpListener::try_from(listener).expect("a listener");
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).expect("it is open");
            driver.accept_peer(stream, Vec::new());
        }
    });
    async_io::block_on(executor.run(accepting));
}

/// Has `callers` tasks make `requests` requests, and prints what they cost.
fn run(what: &str, client: &Client, callers: usize, requests: usize) {
    let (before, start) = (cpu_by_thread(), Instant::now());
    let executor = LocalExecutor::new();
    let tasks: Vec<_> = (0..callers)
        .map(|caller| executor.spawn(call(what, client, caller, requests / callers)))
        .collect();
    future::block_on(executor.run(async {
        for task in tasks {
            task.await;
        }
    }));
    let elapsed = start.elapsed();
    let cpu = cpu_by_thread();
    let spent = |name: &str| {
        let of = |all: &BTreeMap<String, Duration>| all.get(name).copied().unwrap_or_default();
        (of(&cpu) - of(&before)).as_secs_f64() * 1e6 / requests as f64
    };
    println!(
        "{what:>8} {callers:>8} {:>12.0} {:>12.2} {:>12.2} {:>12.2}",
        requests as f64 / elapsed.as_secs_f64(),
        spent("callers"),
        spent("memvault-client"),
        spent("member"),
    );
}

async fn call(what: &str, client: &Client, caller: usize, requests: usize) {
    for number in 0..requests {
        let key = format!("key:{}", (caller * 7_919 + number) % KEYS);
        let failed = if what == "SET" {
            client.set(key, VALUE).await.err()
        } else {
            client.get(key).await.err()
        };
        assert!(failed.is_none(), "{what}: {failed:?}");
    }
}

/// CPU time of this process's threads, added up by name; empty where the system does not tell.
fn cpu_by_thread() -> BTreeMap<String, Duration> {
    let mut sums = BTreeMap::new();
    let Ok(threads) = fs::read_dir("/proc/self/task") else {
        return sums;
    };
    for thread in threads.flatten() {
        let read = |file: &str| fs::read_to_string(thread.path().join(file)).unwrap_or_default();
        let mut name = read("comm").trim().to_owned();
        if thread.file_name().to_str() == Some(&std::process::id().to_string()) {
            name = "callers".to_owned();
        }
        let times = read("schedstat");
        let nanos = times.split(' ').next().and_then(|word| word.parse().ok());
        *sums.entry(name).or_default() += Duration::from_nanos(nanos.unwrap_or(0));
    }
    sums
}
