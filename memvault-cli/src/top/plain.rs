//! `--once` and `--json`: what is shown of a [`State`], as text and as a document.

use std::fmt::Write;

use serde_json::{Value, json};

use super::state::{Condition, Row, State, Total};
#[cfg(feature = "tui")]
use super::table::time;
use super::table::{Column, percent, rate};
use crate::args::size;
use crate::output::{Style, grouped, wrap};

/// A table with a line for each node, and their sums, for a terminal of so many columns.
pub(super) fn text(state: &State, style: Style, columns: Option<usize>) -> String {
    let rows = state.rows();
    let width = columns.unwrap_or(usize::MAX);
    let mut text = String::new();
    for part in [headline(state, &rows), sums(state, &rows)] {
        wrap(&mut text, "", &part, width);
    }
    text.push('\n');
    let shown = match columns {
        Some(columns) => Column::fitting(u16::try_from(columns).unwrap_or(u16::MAX)),
        None => Column::ALL.to_vec(),
    };
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| shown.iter().map(|column| column.text(row)).collect())
        .collect();
    let widths: Vec<usize> = shown
        .iter()
        .enumerate()
        .map(|(number, column)| {
            let cells = cells.iter().map(|cells| cells[number].chars().count());
            cells.chain([column.title().len()]).max().unwrap_or(0)
        })
        .collect();
    let line = |cells: &[String]| {
        let mut line = String::new();
        for ((column, width), cell) in shown.iter().zip(&widths).zip(cells) {
            // A String takes everything.
            let _ = match column.is_number() {
                true => write!(line, "{cell:>width$}  "),
                false => write!(line, "{cell:<width$}  "),
            };
        }
        line.trim_end().to_owned()
    };
    let titles: Vec<_> = shown
        .iter()
        .map(|column| column.title().to_owned())
        .collect();
    let _ = writeln!(text, "{}", style.dim(line(&titles)));
    for (row, cells) in rows.iter().zip(&cells) {
        let line = line(cells);
        let _ = match &row.condition {
            Condition::Up => writeln!(text, "{line}"),
            Condition::Partly(_) => writeln!(text, "{}", style.bold(line)),
            Condition::Down(_) => writeln!(text, "{}", style.red(line)),
            Condition::Unreached { .. } => writeln!(text, "{line}"),
        };
        if let Some(why) = why(&row.condition) {
            wrap(&mut text, "  ", &why, width);
        }
    }
    text
}

/// Why a node has told nothing.
fn why(condition: &Condition) -> Option<String> {
    match condition {
        Condition::Up | Condition::Partly(_) => None,
        Condition::Down(reason) => Some(reason.clone()),
        Condition::Unreached { state, reason } => Some(format!(
            "{state}, as others say; not reached from here: {reason}"
        )),
    }
}

/// How many nodes there are, and which cluster they make.
pub(super) fn headline(state: &State, rows: &[Row]) -> String {
    let total = Total::of(rows);
    let s = if rows.len() == 1 { "" } else { "s" };
    let mut text = format!("{} node{s}: {} up", rows.len(), total.up);
    if total.partly > 0 {
        let _ = write!(text, ", {} partly", total.partly);
    }
    if total.down > 0 {
        let _ = write!(text, ", {} down", total.down);
    }
    if total.unreached > 0 {
        let _ = write!(text, ", {} not reached from here", total.unreached);
    }
    if let Some(cluster) = &state.cluster {
        let _ = write!(text, "; {} replicas per key", cluster.replicas);
        if !cluster.change.is_empty() {
            let _ = write!(text, ", {}", cluster.change.replace('=', " "));
        }
    }
    text
}

/// The sums over all nodes.
pub(super) fn sums(state: &State, rows: &[Row]) -> String {
    let total = Total::of(rows);
    if total.unreached > 0 && total.up + total.partly == 0 {
        return "What they hold and do is not known here: ask where the nodes can be reached"
            .to_owned();
    }
    let hits = total.hit_ratio().map_or_else(|| "-".to_owned(), percent);
    let limit = total.memory_limit;
    let limit = limit.map_or_else(String::new, |limit| format!(" of {}", size::human(limit)));
    let copies = match &state.cluster {
        Some(cluster) if cluster.replicas > 1 => "copies of keys",
        _ => "keys",
    };
    format!(
        "{} ops/s, hits {hits}, {} {copies}, {}{limit}, {} evictions/s",
        rate(total.operations),
        grouped(total.keys),
        size::human(total.memory),
        rate(total.evictions),
    )
}

/// All of it, with full names and in plain units.
pub(super) fn document(state: &State) -> Value {
    let rows = state.rows();
    let total = Total::of(&rows);
    let micros = |latency: Option<std::time::Duration>| latency.map(|time| time.as_micros() as u64);
    let nodes = rows.iter().map(|row| {
        let rates = row.rates.as_ref();
        let reason = match &row.condition {
            Condition::Down(reason) | Condition::Unreached { reason, .. } => Some(reason),
            _ => None,
        };
        let seen = match &row.condition {
            Condition::Unreached { state, .. } => Some(state),
            _ => None,
        };
        json!({
            "node": row.id,
            "address": row.address,
            "state": row.condition.word(),
            "reason": reason,
            "state_seen_by_others": seen,
            "leader_ratio": row.share,
            "keys": row.keys,
            "memory_used_bytes": row.memory,
            "memory_limit_bytes": row.memory_limit,
            "operations_per_second": rates.map(|rates| rates.operations),
            "hit_ratio": rates.and_then(|rates| rates.hit_ratio()),
            "evictions_per_second": rates.map(|rates| rates.evictions),
            "p50_us": micros(row.latency(50.0)),
            "p99_us": micros(row.latency(99.0)),
            "ping_us": micros(row.ping),
        })
    });
    json!({
        "nodes": nodes.collect::<Vec<_>>(),
        "replicas": state.cluster.as_ref().map(|cluster| cluster.replicas),
        "epoch": state.cluster.as_ref().map(|cluster| cluster.epoch),
        "change": state.cluster.as_ref().map(|cluster| &cluster.change),
        "total": {
            "up": total.up,
            "partly": total.partly,
            "down": total.down,
            "unreached": total.unreached,
            "keys": total.keys,
            "memory_used_bytes": total.memory,
            "memory_limit_bytes": total.memory_limit,
            "operations_per_second": total.operations,
            "hit_ratio": total.hit_ratio(),
            "evictions_per_second": total.evictions,
        },
    })
}

/// How long answers of all nodes took; empty if none measures that.
#[cfg(feature = "tui")]
pub(super) fn latencies(rows: &[Row]) -> String {
    let latency = Total::of(rows).latency;
    if latency.count() == 0 {
        return String::new();
    }
    let [p50, p99] = [50.0, 99.0].map(|percent| time(latency.percentile(percent)));
    format!("p50 {p50}, p99 {p99}")
}
