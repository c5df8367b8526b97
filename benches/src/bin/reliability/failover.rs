//! Requests while their node dies or stands still.
//!
//! Each round has a victim. It is stopped (SIGSTOP), so that it can answer nothing more; then requests for
//! keys that it leads are sent to it; then it is killed. What is measured is the time from the kill to the
//! answer, which can only come from another node. For freezes it is the time from the request on. Meanwhile
//! others write and read all keys, and each of their requests that fails is counted.

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use memvault::replication::{Level, Levels};
use memvault_net::client::Client;
use rustix::process::Signal;
use smol::{Task, Timer};

use crate::Args;
use crate::cluster::{Cluster, Starter};
use crate::hiccups::Hiccups;
use crate::report::{Report, histogram, micros, millis_at};

/// Requests for the victim's keys in each round; half of them write.
const REQUESTS: usize = 32;
const MEMBERS: usize = 5;

pub(crate) fn measure(args: &Args, starter: &Starter, report: &mut Report) {
    let mut cluster = Cluster::start(starter, MEMBERS as u16);
    smol::block_on(async {
        for level in [Level::Quorum, Level::One] {
            kills(args.rounds, &mut cluster, level, report).await;
        }
        freezes(args.rounds, &cluster, report).await;
    });
}

async fn kills(rounds: usize, cluster: &mut Cluster<'_>, level: Level, report: &mut Report) {
    let hiccups = Hiccups::start();
    let mut run = Run::start(cluster, level).await;
    let mut times = histogram();
    for round in 0..rounds {
        run.kill(cluster, round % MEMBERS, &mut times).await;
    }
    let (asked, failed) = run.finish().await;
    let name = level.name().to_uppercase();
    let failures = format!("{name}: failed requests of {asked}, {rounds} kills");
    report.at_most(&failures, 0.0, failed as f64, "");
    let what = format!("{name}: kill to answer by another node");
    for (part, quantile, target) in [
        ("p50", 0.5, 5.0),
        ("p99", 0.99, 20.0),
        ("longest", 1.0, 250.0),
    ] {
        report.at_most(
            &format!("{what}, {part}"),
            target,
            millis_at(&times, quantile),
            "ms",
        );
    }
    hiccups.finish(&name, report);
}

async fn freezes(rounds: usize, cluster: &Cluster<'_>, report: &mut Report) {
    let hiccups = Hiccups::start();
    let mut run = Run::start(cluster, Level::Quorum).await;
    let mut times = histogram();
    for round in 0..rounds {
        run.freeze(cluster, round % MEMBERS, &mut times).await;
    }
    let (asked, failed) = run.finish().await;
    let failures = format!("QUORUM: failed requests of {asked}, {rounds} freezes");
    report.at_most(&failures, 0.0, failed as f64, "");
    let what = "QUORUM: request to a frozen node";
    report.note(&format!("{what}, p50"), millis_at(&times, 0.5), "ms");
    report.at_most(
        &format!("{what}, p99"),
        600.0,
        millis_at(&times, 0.99),
        "ms",
    );
    report.note(&format!("{what}, longest"), millis_at(&times, 1.0), "ms");
    hiccups.finish("QUORUM, freezes", report);
}

/// Kills and freezes at the default level, while somebody else asks for more than the cluster can do.
pub(crate) async fn under_load(rounds: usize, cluster: &mut Cluster<'_>, report: &mut Report) {
    let mut run = Run::start(cluster, Level::Auto).await;
    let (mut kills, mut freezes) = (histogram(), histogram());
    for round in 0..rounds {
        run.kill(cluster, round % MEMBERS, &mut kills).await;
        run.freeze(cluster, (round + 1) % MEMBERS, &mut freezes)
            .await;
    }
    let (asked, failed) = run.finish().await;
    let failures = format!("under load: failed requests of {asked}, {rounds} kills and freezes");
    report.at_most(&failures, 0.0, failed as f64, "");
    for (what, times) in [
        ("kill to answer", &kills),
        ("request to a frozen node", &freezes),
    ] {
        let p99 = millis_at(times, 0.99);
        report.at_most(&format!("under load: {what}, p99"), 1000.0, p99, "ms");
        report.note(
            &format!("under load: {what}, longest"),
            millis_at(times, 1.0),
            "ms",
        );
    }
}

/// A level, with its client and those who write and read all the time.
struct Run {
    client: Client,
    others: Arc<Others>,
    tasks: Vec<Task<()>>,
}

#[derive(Default)]
struct Others {
    stop: AtomicBool,
    asked: AtomicU64,
    failed: AtomicU64,
}

impl Run {
    async fn start(cluster: &Cluster<'_>, level: Level) -> Self {
        let levels = Levels {
            write: level,
            read: level,
        };
        let client = cluster.client().await.with_levels(levels);
        let others = Arc::new(Others::default());
        let mut tasks = Vec::new();
        for number in 0..8 {
            let client = cluster.client().await.with_levels(levels);
            tasks.push(smol::spawn(go_on(client, Arc::clone(&others), number)));
        }
        Self {
            client,
            others,
            tasks,
        }
    }

    /// Ends the others; returns how many requests were made, and how many of them failed.
    async fn finish(self) -> (u64, u64) {
        self.others.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await;
        }
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (count(&self.others.asked), count(&self.others.failed))
    }

    async fn kill(&mut self, cluster: &mut Cluster<'_>, victim: usize, times: &mut Histogram<u64>) {
        let keys = cluster.keys_led_by(victim, REQUESTS);
        self.write(&keys).await;
        cluster.signal(victim, Signal::STOP);
        let requests = self.ask(&keys);
        // They have to be on their way, and nobody may have lost patience yet.
        Timer::after(Duration::from_millis(3)).await;
        let killed = cluster.kill(victim);
        self.collect(requests, Some(killed), times).await;
        Timer::after(Duration::from_millis(200)).await;
        cluster.restart(victim);
        cluster.serves(&self.client, victim).await;
    }

    async fn freeze(&mut self, cluster: &Cluster<'_>, victim: usize, times: &mut Histogram<u64>) {
        let keys = cluster.keys_led_by(victim, REQUESTS);
        self.write(&keys).await;
        cluster.signal(victim, Signal::STOP);
        // Before it is suspected, and afterwards.
        for _ in 0..4 {
            let requests = self.ask(&keys);
            self.collect(requests, None, times).await;
            Timer::after(Duration::from_millis(150)).await;
        }
        cluster.signal(victim, Signal::CONT);
        Timer::after(Duration::from_millis(500)).await;
        cluster.serves(&self.client, victim).await;
    }

    async fn write(&self, keys: &[String]) {
        for key in keys {
            self.count(&told(self.client.set(key, "before").await, |_| true));
        }
    }

    fn ask(&self, keys: &[String]) -> Vec<Task<Request>> {
        let ask = |(number, key): (usize, &String)| {
            let (client, key) = (self.client.clone(), key.clone());
            smol::spawn(async move {
                let asked = Instant::now();
                let outcome = if number % 2 == 0 {
                    told(client.set(&key, "after").await, |_| true)
                } else {
                    told(client.get(&key).await, Option::is_some)
                };
                Request {
                    asked,
                    answered: Instant::now(),
                    outcome,
                }
            })
        };
        keys.iter().enumerate().map(ask).collect()
    }

    async fn collect(
        &self,
        requests: Vec<Task<Request>>,
        since: Option<Instant>,
        times: &mut Histogram<u64>,
    ) {
        for request in requests {
            let request = request.await;
            self.count(&request.outcome);
            let time = request
                .answered
                .duration_since(since.unwrap_or(request.asked));
            times.saturating_record(micros(time));
        }
    }

    fn count(&self, outcome: &Result<(), String>) {
        self.others.count(outcome);
    }
}

impl Others {
    /// Counts a request, and tells why it failed.
    fn count(&self, outcome: &Result<(), String>) {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if let Err(reason) = outcome {
            eprintln!("a request failed: {reason}");
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

struct Request {
    asked: Instant,
    answered: Instant,
    outcome: Result<(), String>,
}

/// What speaks against a write, or a read: a miss is a failure.
fn told<T, E: Display>(result: Result<T, E>, is_found: impl Fn(&T) -> bool) -> Result<(), String> {
    match result {
        Ok(value) if is_found(&value) => Ok(()),
        Ok(_) => Err("not found".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Writes and reads keys of its own.
async fn go_on(client: Client, others: Arc<Others>, number: usize) {
    for round in 0_u32.. {
        let key = format!("other:{number}:{}", round % 500);
        others.count(&told(client.set(&key, "x").await, |_| true));
        others.count(&told(client.get(&key).await, Option::is_some));
        if others.stop.load(Ordering::Relaxed) {
            return;
        }
        Timer::after(Duration::from_millis(2)).await;
    }
}
