//! A member that was killed comes back empty: how long until it serves, and what clients notice meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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
        let mut before = histogram();
        for _ in 0..3 {
            let load = Load::start(&cluster, entries).await;
            Timer::after(Duration::from_secs(3)).await;
            before
                .add(load.finish().await)
                .expect("the bounds are the same");
        }
        let (mut during, mut longest, mut shortest) = (histogram(), Duration::ZERO, Duration::MAX);
        for victim in 0..3 {
            cluster.kill(victim);
            Timer::after(Duration::from_secs(1)).await;
            // A load that has known from the start that the member is dead: only its return is measured.
            let load = Load::start(&cluster, entries).await;
            let started = Instant::now();
            cluster.restart(victim);
            cluster.serves(&client, victim).await;
            let took = started.elapsed();
            during
                .add(load.finish().await)
                .expect("the bounds are the same");
            (longest, shortest) = (longest.max(took), shortest.min(took));
        }
        let what = format!("empty node with {entries} entries of 100 bytes serves after");
        report.at_most(&what, 10.0, longest.as_secs_f64(), "s");
        report.note("the same, quickest of three", shortest.as_secs_f64(), "s");
        report.note("requests before: p50", millis_at(&before, 0.5), "ms");
        report.note("requests before: p99", millis_at(&before, 0.99), "ms");
        report.note("requests during: p50", millis_at(&during, 0.5), "ms");
        report.note("requests during: p99", millis_at(&during, 0.99), "ms");
        report.note("requests during: longest", millis_at(&during, 1.0), "ms");
        let ratio = millis_at(&during, 0.99) / millis_at(&before, 0.99);
        report.at_most("p99 during / before", 2.0, ratio, "x");
    });
}

async fn fill(client: &Client, entries: usize) {
    let keys: Vec<_> = (0..entries).collect();
    for keys in keys.chunks(1000) {
        let pairs = keys.iter().map(|key| (format!("key:{key}"), VALUE));
        client.mset(pairs).await.expect("the cluster serves");
    }
}

/// Some clients that read and write at a rate that leaves the machine room for other work.
struct Load {
    stop: Arc<AtomicBool>,
    tasks: Vec<smol::Task<Histogram<u64>>>,
}

impl Load {
    async fn start(cluster: &Cluster<'_>, entries: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let client = cluster.client().await;
        let tasks = (0..8).map(|_| smol::spawn(ask(client.clone(), Arc::clone(&stop), entries)));
        let tasks = tasks.collect();
        Self { stop, tasks }
    }

    async fn finish(self) -> Histogram<u64> {
        self.stop.store(true, Ordering::Relaxed);
        let mut times = histogram();
        for task in self.tasks {
            times.add(task.await).expect("the bounds are the same");
        }
        times
    }
}

async fn ask(client: Client, stop: Arc<AtomicBool>, entries: usize) -> Histogram<u64> {
    let mut times = histogram();
    while !stop.load(Ordering::Relaxed) {
        let key = format!("key:{}", fastrand::usize(..entries));
        let asked = Instant::now();
        if fastrand::u8(..10) == 0 {
            client.set(&key, VALUE).await.expect("others have the key");
        } else {
            let value = client.get(&key).await.expect("others have the key");
            assert!(value.is_some(), "{key} is lost");
        }
        times.saturating_record(micros(asked.elapsed()));
        Timer::after(Duration::from_millis(2)).await;
    }
    times
}
