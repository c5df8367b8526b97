//! `/api/cluster`: every node of the cluster in one document, and the sum of them.

use serde_json::{Value, json};

use super::cluster_poll::{ClusterPoll, Rates, Record};
use super::node_stats::NodeStats;
use super::snapshot::{Cluster, Seen, Snapshot, role};
use super::status::{latency, ratio};
use crate::driver::Latency;

/// The document. `started_ms` is when this process began, in Unix milliseconds.
pub(super) fn overview(
    snapshot: &Snapshot,
    readiness: &Result<String, String>,
    cluster_poll: &ClusterPoll,
    started_ms: u64,
) -> Value {
    let cluster = snapshot.cluster.as_ref();
    let (Ok(state) | Err(state)) = readiness;
    let mut sum = Sum::default();
    let nodes = match cluster {
        Some(cluster) => cluster
            .members
            .iter()
            .map(|seen| {
                cluster_poll.with_member(&seen.report.id, |record| {
                    sum.add(record);
                    member(seen, cluster, record)
                })
            })
            .collect(),
        None => vec![cluster_poll.with_self(|record| {
            sum.add(record);
            alone(record)
        })],
    };
    let gateway = cluster.filter(|cluster| !cluster.is_member).map(|_| {
        cluster_poll.with_self(|record| {
            // What its clients do, its members do as well; only the times are its own.
            sum.add_clients(record);
            counted(record)
        })
    });
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "started_ms": started_ms,
        "round": cluster_poll.rounds(),
        "role": role(cluster),
        "node": cluster.map(|cluster| &cluster.node),
        "ready": readiness.is_ok(),
        "state": state,
        "epoch": cluster.map(|cluster| cluster.epoch),
        "replicas": cluster.map(|cluster| cluster.replicas),
        "change": cluster.map(|cluster| &cluster.change),
        "failovers": cluster.map(|cluster| cluster.statistics.failovers),
        "failed_requests": cluster.map(|cluster| cluster.statistics.failed_requests),
        "nodes": nodes,
        "gateway": gateway,
        "total": sum.to_json(),
    })
}

fn member(seen: &Seen, cluster: &Cluster, record: &Record) -> Value {
    let report = &seen.report;
    let fetched = report
        .pending
        .map(|pending| f64::from(pending.permille) / 1000.0);
    let mut value = json!({
        "node": report.id,
        "address": report.address,
        "is_here": cluster.is_member && cluster.node == report.id,
        "health": health(seen),
        "fetched_ratio": fetched,
        "leader_ratio": seen.leader_share,
        "replica_ratio": seen.replica_share,
        "last_failure": report.last_failure,
    });
    join(
        &mut value,
        if report.is_up {
            counted(record)
        } else {
            counted(&Record::default())
        },
    );
    value
}

/// The state of a member, in a word that says most.
fn health(seen: &Seen) -> &'static str {
    let report = &seen.report;
    match (report.is_up, report.is_suspect) {
        (false, _) => "down",
        (true, true) => "suspected",
        (true, false) => report.state.name(),
    }
}

fn alone(record: &Record) -> Value {
    let mut value = json!({
        "node": "this node",
        "address": null,
        "is_here": true,
        "health": "serving",
        "fetched_ratio": null,
        "leader_ratio": 1.0,
        "replica_ratio": 1.0,
        "last_failure": null,
    });
    join(&mut value, counted(record));
    value
}

/// What a node tells of itself, and why it does not.
fn counted(record: &Record) -> Value {
    json!({
        "told": record.told().map(told),
        "problem": record.problem,
        "recent": record.rates().as_ref().map(recent),
    })
}

fn told(told: &NodeStats) -> Value {
    json!({
        "uptime_seconds": told.uptime_seconds,
        "clients": told.clients,
        "operations": told.operations,
        "hits": told.hits,
        "misses": told.misses,
        "evictions": told.evictions,
        "expirations": told.expirations,
        "keys": told.keys,
        "memory_used_bytes": told.memory_used,
        "memory_limit_bytes": told.memory_limit,
    })
}

fn recent(rates: &Rates) -> Value {
    let per_second = |count: u64| count as f64 / rates.seconds;
    json!({
        "seconds": rates.seconds,
        "operations_per_second": per_second(rates.operations),
        "hit_ratio": ratio(rates.hits, rates.misses),
        "evictions_per_second": per_second(rates.evictions),
        "expirations_per_second": per_second(rates.expirations),
        "client_latency": latency(&rates.client_latency),
        "answer_latency": latency(&rates.answer_latency),
    })
}

/// Adds the fields of one document to another.
fn join(value: &mut Value, more: Value) {
    if let (Value::Object(fields), Value::Object(more)) = (value, more) {
        fields.extend(more);
    }
}

/// All nodes together.
#[derive(Default)]
struct Sum {
    keys: u64,
    memory_used: u64,
    memory_limit: u64,
    is_unlimited: bool,
    hits: u64,
    misses: u64,
    operations_per_second: f64,
    evictions_per_second: f64,
    expirations_per_second: f64,
    client_latency: Latency,
    answer_latency: Latency,
}

impl Sum {
    fn add(&mut self, record: &Record) {
        if let Some(told) = record.told() {
            self.keys = self.keys.saturating_add(told.keys);
            self.memory_used = self.memory_used.saturating_add(told.memory_used);
            match told.memory_limit {
                Some(limit) => self.memory_limit = self.memory_limit.saturating_add(limit),
                None => self.is_unlimited = true,
            }
        }
        if let Some(rates) = record.rates() {
            let per_second = |count: u64| count as f64 / rates.seconds;
            self.hits = self.hits.saturating_add(rates.hits);
            self.misses = self.misses.saturating_add(rates.misses);
            self.operations_per_second += per_second(rates.operations);
            self.evictions_per_second += per_second(rates.evictions);
            self.expirations_per_second += per_second(rates.expirations);
            self.answer_latency.add(&rates.answer_latency);
        }
        self.add_clients(record);
    }

    fn add_clients(&mut self, record: &Record) {
        if let Some(rates) = record.rates() {
            self.client_latency.add(&rates.client_latency);
        }
    }

    fn to_json(&self) -> Value {
        json!({
            "keys": self.keys,
            "memory_used_bytes": self.memory_used,
            "memory_limit_bytes": (!self.is_unlimited).then_some(self.memory_limit),
            "operations_per_second": self.operations_per_second,
            "hit_ratio": ratio(self.hits, self.misses),
            "evictions_per_second": self.evictions_per_second,
            "expirations_per_second": self.expirations_per_second,
            "client_latency": latency(&self.client_latency),
            "answer_latency": latency(&self.answer_latency),
        })
    }
}
