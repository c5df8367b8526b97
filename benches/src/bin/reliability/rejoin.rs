//! A member that was killed comes back empty: how long until it serves, and what clients notice meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use memvault_net::client::Client;
use smol::Timer;

use crate::Args;
use crate::cluster::{Cluster, Starter};
use crate::report::{Report, histogram, micros, millis_at};

const VALUE: [u8; 100] = [b'v'; 100];

pub(crate) fn measure(args: &Args, starter: &Starter, report: &mut Report) {
    let mut cluster = Cluster::start(starter, 3);
    let entries = args.entries;
    smol::block_on(async {
        let client = cluster.client().await;
        fill(&client, entries).await;
        let (mut before, mut during, mut failed) = (histogram(), histogram(), 0);
        let mut times = Vec::new();
        for victim in 0..3 {
            let load = Load::start(&cluster, entries).await;
            Timer::after(Duration::from_secs(3)).await;
            let (latencies, _) = load.finish().await;
            before.add(latencies).expect("the bounds are the same");
            cluster.kill(victim);
            Timer::after(Duration::from_secs(1)).await;
            // A load that has known from the start that the member is dead: only its return is measured.
            let load = Load::start(&cluster, entries).await;
            let started = Instant::now();
            cluster.restart(victim);
            cluster.serves(&client, victim).await;
            times.push(started.elapsed().as_secs_f64());
            let (latencies, missed) = load.finish().await;
            during.add(latencies).expect("the bounds are the same");
            failed += missed;
        }
        let what = format!("empty node with {entries} entries of 100 bytes serves after");
        report.at_most(&what, 10.0, times.iter().copied().fold(0.0, f64::max), "s");
        let shortest = times.iter().copied().fold(f64::MAX, f64::min);
        report.note("the same, quickest of three", shortest, "s");
        let asked = during.len();
        let what = format!("requests meanwhile, of {asked}, failed or missed");
        report.at_most(&what, 0.0, failed as f64, "");
        for (when, latencies) in [("before", &before), ("meanwhile", &during)] {
            for (part, quantile) in [("p50", 0.5), ("p99", 0.99), ("longest", 1.0)] {
                report.note(
                    &format!("requests {when}, {part}"),
                    millis_at(latencies, quantile),
                    "ms",
                );
            }
        }
        let ratio = millis_at(&during, 0.99) / millis_at(&before, 0.99);
        report.at_most("p99 meanwhile / before", 2.0, ratio, "x");
    });
}

async fn fill(client: &Client, entries: usize) {
    let keys: Vec<_> = (0..entries).collect();
    for keys in keys.chunks(200) {
        let pairs = || keys.iter().map(|key| (format!("key:{key}"), VALUE));
        // On a busy machine one may take longer than a request may.
        while client.mset(pairs()).await.is_err() {}
    }
}

/// Some clients that read and write at a rate that leaves the machine room for other work.
struct Load {
    stop: Arc<AtomicBool>,
    tasks: Vec<smol::Task<Histogram<u64>>>,
    failed: Arc<AtomicUsize>,
}

impl Load {
    async fn start(cluster: &Cluster<'_>, entries: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let client = cluster.client().await;
        let failed = Arc::new(AtomicUsize::new(0));
        let one = |_| {
            smol::spawn(ask(
                client.clone(),
                Arc::clone(&stop),
                Arc::clone(&failed),
                entries,
            ))
        };
        let tasks = (0..8).map(one).collect();
        Self {
            stop,
            tasks,
            failed,
        }
    }

    /// Ends it; returns the latencies, and how many requests failed or missed.
    async fn finish(self) -> (Histogram<u64>, usize) {
        self.stop.store(true, Ordering::Relaxed);
        let mut times = histogram();
        for task in self.tasks {
            times.add(task.await).expect("the bounds are the same");
        }
        (times, self.failed.load(Ordering::Relaxed))
    }
}

async fn ask(
    client: Client,
    stop: Arc<AtomicBool>,
    failed: Arc<AtomicUsize>,
    entries: usize,
) -> Histogram<u64> {
    let mut times = histogram();
    while !stop.load(Ordering::Relaxed) {
        let key = format!("key:{}", fastrand::usize(..entries));
        let asked = Instant::now();
        let is_ok = if fastrand::u8(..10) == 0 {
            client.set(&key, VALUE).await.is_ok()
        } else {
            let value = client.get(&key).await;
            value.is_ok_and(|value| value.is_some())
        };
        failed.fetch_add(usize::from(!is_ok), Ordering::Relaxed);
        times.saturating_record(micros(asked.elapsed()));
        Timer::after(Duration::from_millis(2)).await;
    }
    times
}
