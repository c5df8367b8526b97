//! `/api/status` and `/api/where`: a [`Snapshot`] and a preference list as JSON, for dashboards and scripts.

use memvault::replication::Node;
use percent_encoding::percent_decode;
use serde_json::{Value, json};

use super::history::{History, Recent};
use super::snapshot::{Cluster, Seen, Snapshot};
use crate::driver::Latency;

/// The document of `/api/status`.
pub(super) fn status(
    snapshot: &Snapshot,
    readiness: &Result<String, String>,
    history: &History,
) -> Value {
    let (facts, counted) = (&snapshot.facts, &snapshot.facts.statistics);
    let cluster = snapshot.cluster.as_ref();
    let (Ok(state) | Err(state)) = readiness;
    let recent = history.recent(counted.commands, &snapshot.latency);
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": snapshot.uptime.as_secs_f64(),
        "role": cluster.map_or("alone", |cluster| if cluster.is_member { "member" } else { "gateway" }),
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
        "entries": facts.keys,
        "max_entries": facts.max_entries,
        "memory_used_bytes": facts.bytes_used,
        "memory_limit_bytes": facts.max_bytes,
        "latency": latency(&snapshot.latency),
        "recent": recent.map(|Recent { seconds, commands, latency: took }| json!({
            "seconds": seconds,
            "commands_per_second": commands as f64 / seconds,
            "latency": latency(&took),
        })),
        "cluster": cluster.map(of_cluster),
        "events": history.events().map(|event| json!({
            "time_ms": event.at.as_millis(),
            "event": event.name,
            "text": event.text,
        })).collect::<Vec<_>>(),
    })
}

/// The document of `/api/where`, for the query that came with it; `None` if that names no key.
///
/// `node` is `None` for one that is alone.
pub(super) fn place(query: &str, node: Option<&Node>) -> Option<Value> {
    let mut pairs = query.split('&');
    let text = pairs.find_map(|pair| pair.strip_prefix("key="))?;
    let text = text.replace('+', " ");
    let key: Vec<u8> = percent_decode(text.as_bytes()).collect();
    let nodes = node.map_or_else(Vec::new, |node| {
        let (ring, replicas) = (node.ring(), node.document().replicas);
        let list = ring.replicas(&key, replicas.into());
        list.filter_map(|node| ring.node_id(node)).collect()
    });
    Some(json!({"key": String::from_utf8_lossy(&key), "nodes": nodes}))
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
        .gaining
        .map(|gaining| f64::from(gaining.permille) / 1000.0);
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

fn latency(latency: &Latency) -> Value {
    let at = |percent| latency.percentile(percent).as_secs_f64();
    json!({
        "samples": latency.count(),
        "p50_seconds": at(50.0),
        "p99_seconds": at(99.0),
        "max_seconds": latency.max().as_secs_f64(),
    })
}

fn ratio(hits: u64, misses: u64) -> Option<f64> {
    let reads = hits + misses;
    (reads > 0).then(|| hits as f64 / reads as f64)
}
