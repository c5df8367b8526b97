//! Prints how evenly 16 384 slots are spread over 3 to 1000 nodes, how many of them move when one more joins, and how
//! long a table of them takes to make.
//!
//! Run: `cargo run --release -p memvault-cache --example slots`

use std::time::Instant;

use memvault::ring::{NodeIndex, Ring, RingError};
use memvault::slot::{Slot, SlotTable};

fn main() -> Result<(), RingError> {
    println!(
        "average and worst of {RINGS} rings, r = {REPLICAS}; as multiples of the mean, and of the fair share"
    );
    println!(
        "| nodes | weights | fullest leader | fullest holder | emptiest leader | moved by a join | table made in |"
    );
    for nodes in [3, 10, 30, 100, 300, 1000] {
        for weights in [&[1][..], &[1, 2, 4]] {
            // The weights of all members together have a limit.
            if nodes <= 100 || weights.len() == 1 {
                row(nodes, weights)?;
            }
        }
    }
    Ok(())
}

const RINGS: u32 = 20;
const REPLICAS: usize = 3;

fn row(nodes: u32, weights: &[u32]) -> Result<(), RingError> {
    let mut columns: [Vec<f64>; 5] = Default::default();
    for series in 0..RINGS {
        let mut ring = build(series, nodes, weights)?;
        let started = Instant::now();
        let table = SlotTable::new(&ring, REPLICAS);
        let took = started.elapsed();
        let [leaders, holders] = loads(&ring, &table);
        let newcomer = add(&mut ring, series, nodes, 1)?;
        let grown = SlotTable::new(&ring, REPLICAS);
        columns[0].push(leaders.iter().copied().fold(0.0, f64::max));
        columns[1].push(holders.into_iter().fold(0.0, f64::max));
        columns[2].push(leaders.into_iter().fold(f64::INFINITY, f64::min));
        columns[3].push(moved(&ring, &grown, newcomer));
        columns[4].push(took.as_secs_f64() * 1000.0);
    }
    print!("| {nodes} | {weights:?} |");
    for (column, unit) in columns.iter().zip(["", "", "", "", " ms"]) {
        let mean = column.iter().sum::<f64>() / f64::from(RINGS);
        let far = |a: f64, b: f64| {
            if (b - 1.0).abs() > (a - 1.0).abs() {
                b
            } else {
                a
            }
        };
        let worst = column.iter().copied().fold(mean, far);
        print!(" {mean:.2}, {worst:.2}{unit} |");
    }
    println!();
    Ok(())
}

/// A ring whose addresses differ from series to series.
fn build(series: u32, nodes: u32, weights: &[u32]) -> Result<Ring, RingError> {
    let mut ring = Ring::new();
    for node in 0..nodes {
        add(
            &mut ring,
            series,
            node,
            weights[node as usize % weights.len()],
        )?;
    }
    Ok(ring)
}

fn add(ring: &mut Ring, series: u32, node: u32, weight: u32) -> Result<NodeIndex, RingError> {
    ring.add(
        &format!("10.{series}.{}.{}:7001", node / 256, node % 256),
        weight,
    )
}

/// What each node leads and holds, as multiples of its fair share by weight.
fn loads(ring: &Ring, table: &SlotTable) -> [Vec<f64>; 2] {
    let shares = table.shares(ring);
    let weight = |node| f64::from(ring.weight(node).unwrap_or(1));
    let weights: f64 = shares.iter().map(|share| weight(share.node)).sum();
    let copies: f64 = shares.iter().map(|share| share.replica).sum();
    let fair = |node| weight(node) / weights;
    let leads = shares.iter().map(|share| share.leader / fair(share.node));
    let holds = shares
        .iter()
        .map(|share| share.replica / copies / fair(share.node));
    [leads.collect(), holds.collect()]
}

/// Copies of slots that a newcomer takes, as a multiple of its fair share.
fn moved(ring: &Ring, grown: &SlotTable, newcomer: NodeIndex) -> f64 {
    let slots = Slot::all().filter(|slot| grown.replicas(*slot).contains(&newcomer));
    let weights: u32 = ring.nodes().filter_map(|node| ring.weight(node)).sum();
    let copies = Slot::all().len() * REPLICAS.min(ring.len());
    slots.count() as f64 * f64::from(weights) / copies as f64
}
