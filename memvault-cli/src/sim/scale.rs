//! `sim scale`: what grows with the number of members, and how fast.

use std::fmt::Write;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use memvault::simulator::scale::{Growth, Load, Noticed, Scale, Shares, measure, share_keys};
use serde_json::{Value, json};

use crate::args::sim::ScaleArgs;
use crate::args::{duration, size};
use crate::error::{Error, OK, Outcome};
use crate::output::{self, Style, grouped};

/// What was found for one number of members.
struct Row {
    nodes: usize,
    keys: u64,
    replicas: usize,
    shares: Shares,
    growth: Growth,
    wall: Duration,
}

/// Runs the subcommand.
pub(super) fn run(args: &ScaleArgs) -> Outcome {
    let live = if args.json {
        ProgressBar::hidden()
    } else {
        ProgressBar::new_spinner()
    };
    let mut rows = Vec::new();
    for nodes in sizes(args.nodes) {
        live.set_message(format!("{} nodes", grouped(nodes as u64)));
        live.tick();
        rows.push(Row::new(args, nodes)?);
    }
    live.finish_and_clear();
    if args.json {
        output::json(&to_json(args, &rows));
    } else {
        output::write(to_text(args, &rows, Style::of_stdout()).as_bytes());
    }
    Ok(OK)
}

/// The usual sizes below the one that was asked for, and that one.
fn sizes(most: usize) -> Vec<usize> {
    let usual = [10, 30, 100, 300, 1000, 3000].into_iter();
    usual.filter(|nodes| *nodes < most).chain([most]).collect()
}

impl Row {
    fn new(args: &ScaleArgs, nodes: usize) -> Result<Self, Error> {
        let began = Instant::now();
        let scale = Scale {
            members: nodes,
            clients: args.clients,
            replicas: args.replicas,
            seed: args.seed,
        };
        let growth = measure(&scale)
            .map_err(|error| Error::failed(format_args!("{nodes} nodes: {error}")))?;
        let shares = share_keys(nodes, args.replicas, args.keys)
            .map_err(|error| Error::failed(format_args!("{nodes} nodes: {error}")))?;
        Ok(Self {
            nodes,
            keys: args.keys,
            replicas: args.replicas,
            shares,
            growth,
            wall: began.elapsed(),
        })
    }

    fn keys_line(&self) -> String {
        let shares = &self.shares;
        let ideal = 1.0 / (self.nodes + 1) as f64;
        let moved = shares.leaders_moved as f64 / self.keys as f64 / ideal;
        let copies = shares.copies_moved as f64 / self.keys as f64 / ideal / self.replicas as f64;
        cells([
            grouped(self.nodes as u64),
            grouped(shares.leads.mean as u64),
            ratio(shares.leads.max as f64 / shares.leads.mean),
            ratio(shares.leads.p95 as f64 / shares.leads.mean),
            ratio(shares.holds.max as f64 / shares.holds.mean),
            ratio(shares.holds.p95 as f64 / shares.holds.mean),
            grouped(shares.leaders_moved),
            ratio(moved),
            grouped(shares.copies_moved),
            ratio(copies),
        ])
    }

    fn time_line(&self) -> String {
        let Growth {
            killed,
            suspected,
            down,
            ..
        } = &self.growth;
        cells([
            grouped(self.nodes as u64),
            time(killed.by_members(50)),
            time(killed.by_members(99)),
            time(killed.by_clients(99)),
            time(suspected.by_members(50)),
            time(suspected.by_members(99)),
            time(suspected.by_clients(99)),
            time(down.by_members(50)),
            time(down.by_members(99)),
            time(Some(self.growth.ready)),
        ])
    }

    fn cost_line(&self) -> String {
        let growth = &self.growth;
        cells([
            grouped(self.nodes as u64),
            grouped(growth.messages),
            format!("{}/s", size::human(growth.bytes)),
            grouped(growth.connections),
            size::human(growth.ring_bytes),
            size::human(growth.view_bytes),
            grouped(growth.events),
            duration::human(self.wall),
        ])
    }

    fn to_json(&self) -> Value {
        let growth = &self.growth;
        json!({
            "nodes": self.nodes,
            "leads": load(&self.shares.leads),
            "holds": load(&self.shares.holds),
            "leaders_moved_by_a_join": self.shares.leaders_moved,
            "copies_moved_by_a_join": self.shares.copies_moved,
            "killed_noticed_ms": noticed(&growth.killed),
            "unplugged_suspected_ms": noticed(&growth.suspected),
            "unplugged_down_ms": noticed(&growth.down),
            "ready_ms": millis(growth.ready),
            "messages_per_second": growth.messages,
            "bytes_per_second": growth.bytes,
            "connections": growth.connections,
            "ring_bytes": growth.ring_bytes,
            "view_bytes": growth.view_bytes,
            "events": growth.events,
            "wall_seconds": self.wall.as_secs_f64(),
        })
    }
}

const KEYS: [&str; 10] = [
    "nodes",
    "leads",
    "max/mean",
    "p95/mean",
    "holds max",
    "p95/mean",
    "leaders",
    "of ideal",
    "copies",
    "of ideal",
];
const TIMES: [&str; 10] = [
    "nodes",
    "killed p50",
    "p99",
    "clients",
    "suspect p50",
    "p99",
    "clients",
    "down p50",
    "p99",
    "ready",
];
const COSTS: [&str; 8] = [
    "nodes",
    "messages/s",
    "bytes",
    "links",
    "ring",
    "view",
    "events",
    "measured in",
];

fn to_text(args: &ScaleArgs, rows: &[Row], style: Style) -> String {
    let keys = format!(
        "Shares of {} keys with {} replicas; what one more node takes over, as a multiple of its fair share",
        grouped(args.keys),
        args.replicas
    );
    let times =
        "Time until a member's death is noticed: killed (connections reset), unplugged (silence)";
    let costs = "Of each member at rest: messages and bytes sent, connections; memory for the ring and the view";
    let mut text = String::new();
    let mut table = |title: &str, head: String, line: fn(&Row) -> String| {
        let _ = writeln!(text, "{}\n\n{}", style.bold(title), style.dim(head));
        for row in rows {
            let _ = writeln!(text, "{}", line(row));
        }
        text.push('\n');
    };
    table(&keys, cells(KEYS), Row::keys_line);
    table(times, cells(TIMES), Row::time_line);
    table(costs, cells(COSTS), Row::cost_line);
    text
}

fn to_json(args: &ScaleArgs, rows: &[Row]) -> Value {
    json!({
        "keys": args.keys,
        "clients": args.clients,
        "replicas": args.replicas,
        "seed": args.seed,
        "sizes": rows.iter().map(Row::to_json).collect::<Vec<_>>(),
    })
}

fn cells<const N: usize>(cells: [impl AsRef<str>; N]) -> String {
    cells
        .iter()
        .map(|cell| format!("{:>12}", cell.as_ref()))
        .collect()
}

fn ratio(ratio: f64) -> String {
    format!("{ratio:.2}")
}

fn time(time: Option<Duration>) -> String {
    time.map_or_else(|| "-".to_owned(), duration::human)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn load(load: &Load) -> Value {
    json!({"mean": load.mean, "p95": load.p95, "max": load.max})
}

fn noticed(noticed: &Noticed) -> Value {
    let at = |time: Option<Duration>| time.map(millis);
    json!({
        "members": noticed.members.len(),
        "members_p50": at(noticed.by_members(50)),
        "members_p99": at(noticed.by_members(99)),
        "members_max": at(noticed.by_members(100)),
        "clients": noticed.clients.len(),
        "clients_p50": at(noticed.by_clients(50)),
        "clients_p99": at(noticed.by_clients(99)),
        "clients_max": at(noticed.by_clients(100)),
    })
}
