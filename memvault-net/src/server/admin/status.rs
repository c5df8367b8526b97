//! `/api/status`: a [`Snapshot`] as JSON, for scripts.

use serde_json::{Value, json};

use super::events::event;
use super::history::{History, Recent};
use super::snapshot::{Cluster, Seen, Snapshot, role};
use crate::driver::Latency;

/// Events that are told, the last ones.
const EVENTS: usize = 100;

/// The document of `/api/status`.
pub(super) fn status(
    snapshot: &Snapshot,
    readiness: &Result<String, String>,
    history: &History,
) -> Value {
    let (store_info, counted) = (&snapshot.store_info, &snapshot.store_info.statistics);
    let cluster = snapshot.cluster.as_ref();
    let (Ok(state) | Err(state)) = readiness;
    let recent = history.recent(counted.commands, &snapshot.latency);
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": snapshot.uptime.as_secs_f64(),
        "role": role(cluster),
        "node": cluster.map(|cluster| &cluster.node),
        "ready": readiness.is_ok(),
        "state": state,
        "clients": {
            "connected": snapshot.clients,
            "max": snapshot.max_clients,
            "total": snapshot.connections,
        },
        "commands": counted.commands,
        "hits": counted.hits,
        "misses": counted.misses,
        "hit_ratio": ratio(counted.hits, counted.misses),
        "evictions": counted.evicted,
        "expirations": counted.expired,
        "entries": store_info.keys,
        "max_entries": store_info.max_entries,
        "memory_used_bytes": store_info.bytes_used,
        "memory_limit_bytes": store_info.max_bytes,
        "latency": latency(&snapshot.latency),
        "recent": recent.map(|Recent { seconds, commands, latency: took }| json!({
            "seconds": seconds,
            "commands_per_second": commands as f64 / seconds,
            "latency": latency(&took),
        })),
        "cluster": cluster.map(of_cluster),
        "events": history.latest(EVENTS).map(event).collect::<Vec<_>>(),
    })
}

fn of_cluster(cluster: &Cluster) -> Value {
    let counted = &cluster.statistics;
    json!({
        "epoch": cluster.epoch,
        "replicas": cluster.replicas,
        "change": cluster.change,
        "requests": counted.requests,
        "failed_requests": counted.failed_requests,
        "requests_in_flight": cluster.in_flight,
        "failovers": counted.failovers,
        "degraded_writes": counted.degraded_writes,
        "read_repairs": counted.read_repairs,
        "tombstones": cluster.tombstones,
        "members": cluster.members.iter().map(member).collect::<Vec<_>>(),
    })
}

fn member(seen: &Seen) -> Value {
    let report = &seen.report;
    let fetched = report
        .pending
        .map(|pending| f64::from(pending.permille) / 1000.0);
    json!({
        "node": report.id,
        "address": report.address,
        "up": report.is_up,
        "ejected": report.is_suspect,
        "state": report.state.name(),
        "fetched_ratio": fetched,
        "leader_ratio": seen.leader_share,
        "replica_ratio": seen.replica_share,
        "requests": report.requests,
        "requests_in_flight": report.in_flight,
        "failures": report.failures,
        "latency": latency(&report.latency),
        "last_failure": report.last_failure,
    })
}

pub(super) fn latency(latency: &Latency) -> Value {
    let at = |percent| latency.percentile(percent).as_secs_f64();
    json!({
        "samples": latency.count(),
        "p50_seconds": at(50.0),
        "p99_seconds": at(99.0),
        "max_seconds": latency.max().as_secs_f64(),
    })
}

pub(super) fn ratio(hits: u64, misses: u64) -> Option<f64> {
    let reads = hits + misses;
    (reads > 0).then(|| hits as f64 / reads as f64)
}
