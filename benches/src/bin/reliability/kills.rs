//! Many kills: whether a write that was acknowledged is ever lost, and whether anything stale is ever read.
//!
//! Several clusters of three at once, as each member takes a second to come back and only one of a cluster
//! may be away at a time. Half of the members start again within milliseconds. Some keys are written and read
//! at level QUORUM, others at the default level, by several tasks; the histories are judged by the checker
//! of the simulator.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant as StdInstant};

use memvault::replication::{Level, Levels, OnAmbiguous};
use memvault::simulator::history::{Act, Record, check_durability, check_hits};
use memvault::time::Instant;
use memvault_net::client::Client;
use smol::{Task, Timer};

use crate::Args;
use crate::cluster::{Cluster, Starter};
use crate::report::Report;

/// Keys of each group in each cluster.
const KEYS: usize = 50;
/// Tasks for each group in each cluster.
const TASKS: usize = 6;

pub(crate) fn measure(args: &Args, starter: &Starter, report: &mut Report) {
    let killed = AtomicUsize::new(0);
    let began = StdInstant::now();
    let mut total = std::thread::scope(|scope| {
        let one = || judge_one(starter, &killed, args.kills);
        let threads: Vec<_> = (0..args.clusters).map(|_| scope.spawn(one)).collect();
        let counts = threads
            .into_iter()
            .map(|thread| thread.join().expect("it does not panic"));
        counts.fold(Counts::default(), Counts::add)
    });
    let kills = args.kills;
    report.note("kills", kills as f64, "");
    report.note("in", began.elapsed().as_secs_f64().round(), "s");
    let writes = total.writes;
    report.at_most(
        &format!("default level: failed requests ({writes} writes)"),
        0.0,
        total.failed as f64,
        "",
    );
    report.at_most(
        "default level: acknowledged writes lost",
        0.0,
        total.lost as f64,
        "",
    );
    let per_million = total.stale as f64 * 1e6 / total.reads.max(1) as f64;
    report.at_most(
        &format!("default level: stale reads of {}", total.reads),
        1.0,
        per_million,
        "per 10^6",
    );
    report.at_most(
        "QUORUM: acknowledged writes lost",
        0.0,
        total.strict_lost as f64,
        "",
    );
    report.at_most(
        &format!("QUORUM: stale reads of {}", total.strict_reads),
        0.0,
        total.strict_stale as f64,
        "",
    );
    report.note(
        "QUORUM: failed requests (writes of unknown fate)",
        total.strict_failed as f64,
        "",
    );
    total.examples.truncate(5);
    for example in &total.examples {
        eprintln!("{example}");
    }
}

#[derive(Default)]
struct Counts {
    reads: usize,
    writes: usize,
    failed: usize,
    lost: usize,
    stale: usize,
    strict_reads: usize,
    strict_failed: usize,
    strict_lost: usize,
    strict_stale: usize,
    examples: Vec<String>,
}

impl Counts {
    fn add(mut self, other: Self) -> Self {
        self.reads += other.reads;
        self.writes += other.writes;
        self.failed += other.failed;
        self.lost += other.lost;
        self.stale += other.stale;
        self.strict_reads += other.strict_reads;
        self.strict_failed += other.strict_failed;
        self.strict_lost += other.strict_lost;
        self.strict_stale += other.strict_stale;
        self.examples.extend(other.examples);
        self
    }
}

/// One cluster, until all together have been killed often enough.
fn judge_one(starter: &Starter, killed: &AtomicUsize, kills: usize) -> Counts {
    let mut cluster = Cluster::start(starter, 3);
    let history = Arc::new(History::new());
    // An executor for each cluster: the histories are not to wait for each other.
    let executor = smol::LocalExecutor::new();
    smol::block_on(executor.run(async {
        let strict = Client::builder()
            .cluster(cluster.addresses.clone())
            .on_ambiguous(OnAmbiguous::Error);
        let strict = strict.connect().await.expect("the cluster serves");
        let strict = strict.with_levels(Levels {
            write: Level::Quorum,
            read: Level::Quorum,
        });
        let usual = cluster.client().await;
        let tasks: Vec<Task<()>> = (0..2 * TASKS)
            .map(|number| {
                let is_strict = number % 2 == 0;
                let client = if is_strict {
                    strict.clone()
                } else {
                    usual.clone()
                };
                executor.spawn(work(client, is_strict, Arc::clone(&history)))
            })
            .collect();
        while killed.fetch_add(1, Ordering::Relaxed) < kills {
            let victim = fastrand::usize(..3);
            cluster.kill(victim);
            let longest = if fastrand::bool() { 4_000 } else { 300_000 };
            Timer::after(Duration::from_micros(fastrand::u64(..longest))).await;
            cluster.restart(victim);
            // Before the new process has said a word, clients may still see the old one.
            Timer::after(Duration::from_millis(500)).await;
            for number in 0..3 {
                cluster.serves(&usual, number).await;
                cluster.serves(&strict, number).await;
            }
        }
        history.stop.store(true, Ordering::Relaxed);
        for task in tasks {
            task.await;
        }
    }));
    history.judge()
}

struct History {
    start: StdInstant,
    stop: AtomicBool,
    last_value: AtomicU64,
    /// Of each group: the requests, and how many failed.
    groups: [Mutex<(Vec<Record>, usize)>; 2],
}

impl History {
    fn new() -> Self {
        Self {
            start: StdInstant::now(),
            stop: AtomicBool::new(false),
            last_value: AtomicU64::new(0),
            groups: Default::default(),
        }
    }

    fn now(&self) -> Instant {
        Instant::ZERO + self.start.elapsed()
    }

    fn judge(&self) -> Counts {
        let [usual, strict] = &self.groups;
        let (usual, strict) = (
            usual.lock().expect("nobody panics"),
            strict.lock().expect("nobody panics"),
        );
        let (stale, lost) = (check_hits(&usual.0), check_durability(&usual.0));
        let (strict_stale, strict_lost) = (check_hits(&strict.0), check_durability(&strict.0));
        Counts {
            reads: reads(&usual.0),
            writes: usual.0.len() - reads(&usual.0),
            failed: usual.1,
            lost: lost.len(),
            stale: stale.len(),
            strict_reads: reads(&strict.0),
            strict_failed: strict.1,
            strict_lost: strict_lost.len(),
            strict_stale: strict_stale.len(),
            examples: [stale, lost, strict_stale, strict_lost]
                .concat()
                .into_iter()
                .map(|violation| violation.what)
                .collect(),
        }
    }
}

fn reads(records: &[Record]) -> usize {
    records
        .iter()
        .filter(|record| !matches!(record.act, Act::Write(_)))
        .count()
}

async fn work(client: Client, is_strict: bool, history: Arc<History>) {
    while !history.stop.load(Ordering::Relaxed) {
        let key = fastrand::usize(..KEYS);
        let name = format!("{is_strict}:{key}");
        let asked = history.now();
        let (act, is_ok) = if fastrand::u8(..10) < 3 {
            let value = history.last_value.fetch_add(1, Ordering::Relaxed) + 1;
            (
                Act::Write(value),
                client.set(&name, value.to_be_bytes()).await.is_ok(),
            )
        } else {
            match client.get(&name).await {
                Ok(Some(value)) => (Act::Hit(number_of(&value)), true),
                Ok(None) => (Act::Miss, true),
                Err(_) => (Act::Miss, false),
            }
        };
        let answered = is_ok.then(|| history.now());
        {
            let group = &history.groups[usize::from(is_strict)];
            let (records, failed) = &mut *group.lock().expect("nobody panics");
            *failed += usize::from(!is_ok);
            // A read that failed says nothing.
            if is_ok || matches!(act, Act::Write(_)) {
                records.push(Record {
                    key,
                    act,
                    asked,
                    answered,
                });
            }
        }
        Timer::after(Duration::from_micros(fastrand::u64(..2000))).await;
    }
}

/// Values are eight bytes; 0, which nobody writes, is none of ours.
fn number_of(value: &[u8]) -> u64 {
    value.try_into().map_or(0, u64::from_be_bytes)
}
