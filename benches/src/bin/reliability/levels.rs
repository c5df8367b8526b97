//! What level QUORUM costs writes: rounds at QUORUM and at ONE in turn, three members on this machine.

use std::time::{Duration, Instant};

use memvault::replication::{Level, Levels};
use memvault_benches::spread::Spread;
use memvault_net::client::Client;

use crate::Args;
use crate::cluster::{Cluster, Starter};
use crate::report::{Report, histogram, micros, millis_at};

const ROUND: Duration = Duration::from_secs(2);

pub(crate) fn measure(args: &Args, starter: &Starter, report: &mut Report) {
    let cluster = Cluster::start(starter, 3);
    let (mut latencies, mut rates, mut quorums, mut ones) = (vec![], vec![], vec![], vec![]);
    smol::block_on(async {
        let client = cluster.client().await;
        round(&client, Level::Quorum, args.tasks).await;
        for turn in 0..args.turns {
            let quorum_first = turn % 2 == 0;
            let levels = if quorum_first {
                [Level::Quorum, Level::One]
            } else {
                [Level::One, Level::Quorum]
            };
            let first = round(&client, levels[0], args.tasks).await;
            let second = round(&client, levels[1], args.tasks).await;
            let (quorum, one) = if quorum_first {
                (first, second)
            } else {
                (second, first)
            };
            latencies.push(quorum.p50 / one.p50);
            rates.push(quorum.rate / one.rate);
            quorums.push(quorum.rate);
            ones.push(one.rate);
        }
    });
    let (latency, rate) = (Spread::of(latencies), Spread::of(rates));
    report.at_most(
        "write QUORUM / ONE: median latency",
        2.0,
        latency.median,
        "x",
    );
    report.note("the same, upper quartile of the rounds", latency.high, "x");
    report.at_least("write QUORUM / ONE: throughput", 0.5, rate.median, "x");
    report.note("the same, lower quartile of the rounds", rate.low, "x");
    report.note("writes at QUORUM", Spread::of(quorums).median.round(), "/s");
    report.note("writes at ONE", Spread::of(ones).median.round(), "/s");
}

struct Round {
    /// Milliseconds.
    p50: f64,
    /// Writes per second.
    rate: f64,
}

async fn round(client: &Client, level: Level, tasks: usize) -> Round {
    let client = client.with_levels(Levels {
        write: level,
        read: Level::Auto,
    });
    let began = Instant::now();
    let writers = (0..tasks).map(|number| {
        let client = client.clone();
        smol::spawn(async move {
            let (mut times, value) = (histogram(), [b'v'; 100]);
            let mut asked = Instant::now();
            for write in 0_usize.. {
                let key = format!("key:{number}:{}", write % 1000);
                client.set(&key, value).await.expect("no node fails");
                let now = Instant::now();
                times.saturating_record(micros(now - asked));
                asked = now;
                if began.elapsed() >= ROUND {
                    break;
                }
            }
            times
        })
    });
    let writers: Vec<_> = writers.collect();
    let mut times = histogram();
    for writer in writers {
        times.add(writer.await).expect("the bounds are the same");
    }
    Round {
        p50: millis_at(&times, 0.5),
        rate: times.len() as f64 / began.elapsed().as_secs_f64(),
    }
}
