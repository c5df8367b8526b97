//! Prints the preference lists of some keys, then how evenly rings of 3, 10 and 100 nodes share the load.
//!
//! Run: `cargo run --release -p memvault-cache --example ring`

use memvault::ring::{Ring, RingError};

fn main() -> Result<(), RingError> {
    let ring = build(0, 5, 256)?;
    for key in ["user:1", "user:2", "user:3"] {
        let list: Vec<_> = ring
            .replicas(key.as_bytes(), 3)
            .filter_map(|node| ring.node_id(node))
            .collect();
        println!("{key} -> {}", list.join(", "));
    }
    println!("\nfullest node as a multiple of the mean: average and worst of {RINGS} rings; r = 3");
    println!(
        "| virtual nodes | 3 nodes: leader | replica | 10 nodes: leader | replica | 100 nodes: leader | replica |"
    );
    for virtual_nodes in [64, 128, 256, 512] {
        print!("| {virtual_nodes} |");
        for count in [3, 10, 100] {
            let loads = (0..RINGS).map(|series| Ok(load(&build(series, count, virtual_nodes)?)));
            let loads = loads.collect::<Result<Vec<_>, RingError>>()?;
            for side in [0, 1] {
                let mean = loads.iter().map(|load| load[side]).sum::<f64>() / f64::from(RINGS);
                let worst = loads.iter().map(|load| load[side]).fold(0.0, f64::max);
                print!(" {mean:.2}, {worst:.2} |");
            }
        }
        println!();
    }
    Ok(())
}

const RINGS: u32 = 50;

/// A ring of `count` nodes whose addresses differ from series to series.
fn build(series: u32, count: u32, virtual_nodes: u32) -> Result<Ring, RingError> {
    let mut ring = Ring::with_virtual_nodes(virtual_nodes);
    for node in 0..count {
        ring.add(&format!("10.{series}.0.{node}:7001"), 1)?;
    }
    Ok(ring)
}

/// Fullest node as a multiple of the mean, as leader and as replica.
fn load(ring: &Ring) -> [f64; 2] {
    let shares = ring.shares(3);
    let ratio = |loads: Vec<f64>| {
        loads.iter().copied().fold(0.0, f64::max) * loads.len() as f64 / loads.iter().sum::<f64>()
    };
    [
        ratio(shares.iter().map(|share| share.leader).collect()),
        ratio(shares.iter().map(|share| share.replica).collect()),
    ]
}
