//! `/metrics`: a [`Snapshot`] in the text format of OpenMetrics, which Prometheus reads.

use std::fmt;

use memvault::store::Statistics;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use super::snapshot::{Cluster, Seen, Snapshot};
use crate::driver::Latency;

/// The type of the text.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The text.
pub(super) fn text(snapshot: Snapshot) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Process {
        cpu: snapshot.cpu,
        resident: snapshot.resident,
    }));
    let ours = registry.sub_registry_with_prefix("memvault");
    ours.register_collector(Box::new(snapshot));
    let mut text = String::new();
    // A String takes everything.
    let _ = encode(&mut text, &registry);
    text
}

/// What every process tells, under the names that Prometheus has for it.
#[derive(Debug)]
struct Process {
    /// In seconds, of the system and its own.
    cpu: Option<(f64, f64)>,
    /// In bytes.
    resident: Option<u64>,
}

impl Collector for Process {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut metrics = Metrics(encoder);
        if let Some((system, own)) = self.cpu {
            let help = "Processor time, of the process itself and of the system for it";
            let (unit, kind) = (Unit::Seconds, MetricType::Counter);
            let metric = metrics
                .0
                .encode_descriptor("process_cpu", help, Some(&unit), kind)?;
            ConstCounter::new(system + own).encode(metric)?;
        }
        match self.resident {
            Some(bytes) => metrics.bytes(
                "process_resident_memory",
                "Memory of the process",
                bytes as usize,
            ),
            None => Ok(()),
        }
    }
}

impl Collector for Snapshot {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut metrics = Metrics(encoder);
        self.process(&mut metrics)?;
        self.commands(&mut metrics)?;
        self.store(&mut metrics)?;
        metrics.latency(
            "request_duration",
            "From reading requests of a client to having sent their replies; one read in 16 is measured",
            &self.latency,
        )?;
        match &self.cluster {
            Some(cluster) => {
                cluster.node(&mut metrics)?;
                cluster.members(&mut metrics)
            }
            None => Ok(()),
        }
    }
}

impl Snapshot {
    fn process(&self, metrics: &mut Metrics<'_>) -> fmt::Result {
        metrics.info(
            "build",
            "The release",
            &[("version", env!("CARGO_PKG_VERSION"))],
        )?;
        metrics.seconds("uptime", "Time since the start", self.uptime.as_secs_f64())?;
        metrics.gauge(
            "connected_clients",
            "Clients at present",
            self.clients as u64,
        )?;
        metrics.gauge(
            "max_clients",
            "Clients above which new ones are sent away (--max-clients)",
            self.max_clients as u64,
        )?;
        metrics.counter("connections", "Clients that were let in", self.connections)?;
        let (received, sent) = self.traffic;
        metrics.bytes_counter("network_receive", "Bytes that clients sent", received)?;
        metrics.bytes_counter("network_transmit", "Bytes that clients were sent", sent)
    }

    fn commands(&self, metrics: &mut Metrics<'_>) -> fmt::Result {
        let called = || self.calls.iter().filter(|(_, count)| count.calls > 0);
        let help = "Commands of clients that were carried out, by name";
        let mut family = metrics.family("commands", help, MetricType::Counter)?;
        for (name, count) in called() {
            let labels = [("command", name.spec().name)];
            ConstCounter::new(count.calls).encode(family.encode_family(&labels)?)?;
        }
        let help = "Time that was spent on commands, without waiting for other nodes; those of a pipeline have even parts";
        let unit = Unit::Seconds;
        let kind = MetricType::Counter;
        let mut family =
            metrics
                .0
                .encode_descriptor("command_duration", help, Some(&unit), kind)?;
        for (name, count) in called() {
            let labels = [("command", name.spec().name)];
            let seconds = count.nanos as f64 / 1e9;
            ConstCounter::new(seconds).encode(family.encode_family(&labels)?)?;
        }
        let help = "Replies to clients that were errors, by the first word";
        let mut family = metrics.family("error_replies", help, MetricType::Counter)?;
        for (code, count) in self.calls.errors() {
            let labels = [("code", code.to_string())];
            ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn store(&self, metrics: &mut Metrics<'_>) -> fmt::Result {
        let Statistics {
            hits,
            misses,
            expired,
            evicted,
            ..
        } = self.store_info.statistics;
        metrics.counter("hits", "Reads that found a value", hits)?;
        metrics.counter("misses", "Reads that found none", misses)?;
        metrics.counter("evictions", "Values removed to make room", evicted)?;
        metrics.counter(
            "expirations",
            "Values removed because their time was over",
            expired,
        )?;
        metrics.gauge("entries", "Keys with a value", self.store_info.keys as u64)?;
        metrics.bytes(
            "memory_used",
            "Bytes of keys and values, with all that they need",
            self.store_info.bytes_used,
        )?;
        // Without a limit there is no number to tell.
        if let Some(limit) = self.store_info.max_bytes {
            metrics.bytes(
                "memory_limit",
                "Most bytes for keys and values (--max-memory)",
                limit,
            )?;
        }
        match self.store_info.max_entries {
            Some(limit) => {
                metrics.gauge("max_entries", "Most entries (--max-entries)", limit as u64)
            }
            None => Ok(()),
        }
    }
}

impl Cluster {
    fn node(&self, metrics: &mut Metrics<'_>) -> fmt::Result {
        metrics.info(
            "node",
            "The node that tells all this",
            &[("node", &*self.node)],
        )?;
        metrics.gauge(
            "ready",
            "1 while this node does its part",
            u64::from(self.is_ready),
        )?;
        metrics.gauge(
            "member_list_epoch",
            "Number of the member list in force",
            self.epoch,
        )?;
        metrics.gauge("replicas", "Replicas per key", self.replicas.into())?;
        metrics.gauge(
            "requests_in_flight",
            "Requests under way",
            self.in_flight as u64,
        )?;
        metrics.gauge(
            "tombstones",
            "Deletions that are remembered",
            self.tombstones as u64,
        )?;
        self.count(metrics)?;
        self.count_as_member(metrics)?;
        let help = "What happened to members as this node saw it, such as ejected and rejoined";
        let mut family = metrics.family("events", help, MetricType::Counter)?;
        for (name, count) in &self.events {
            let labels = [("event", *name)];
            ConstCounter::new(*count).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn count(&self, metrics: &mut Metrics<'_>) -> fmt::Result {
        let counted = &self.statistics;
        for (name, help, count) in [
            ("requests", "Requests to the cluster", counted.requests),
            (
                "failed_requests",
                "Requests that failed",
                counted.failed_requests,
            ),
            (
                "failovers",
                "Operations that went on with another replica",
                counted.failovers,
            ),
            (
                "degraded_writes",
                "Writes that fewer than a quorum hold",
                counted.degraded_writes,
            ),
            (
                "read_repairs",
                "Replicas offered a newer version",
                counted.read_repairs,
            ),
            (
                "touches_sent",
                "Keys that followers were told were read",
                counted.touches_sent,
            ),
            (
                "touches_taken",
                "Keys that a leader said were read",
                counted.touches_taken,
            ),
            (
                "clock_skews",
                "Versions from too far in the future",
                counted.clock_skews,
            ),
            (
                "dropped_tombstones",
                "Deletions forgotten early for lack of room (--max-tombstones)",
                counted.dropped_tombstones,
            ),
        ] {
            metrics.counter(name, help, count)?;
        }
        Ok(())
    }

    /// What a member does for anyone who asks; nothing of it is counted by a gateway.
    fn count_as_member(&self, metrics: &mut Metrics<'_>) -> fmt::Result {
        let counted = &self.statistics;
        for (name, help, count) in [
            (
                "replica_hits",
                "Reads that this member answered from its own entries, with a value",
                counted.replica_hits,
            ),
            (
                "replica_misses",
                "Reads that this member answered from its own entries, without a value",
                counted.replica_misses,
            ),
            (
                "led_writes",
                "Writes that this member was asked to lead",
                counted.led_writes,
            ),
        ] {
            metrics.counter(name, help, count)?;
        }
        Ok(())
    }

    fn members(&self, metrics: &mut Metrics<'_>) -> fmt::Result {
        let help = "1 for the state that a member was in when it was last heard of";
        let mut family = metrics.family("member_state", help, MetricType::Gauge)?;
        for Seen { report, .. } in &self.members {
            let labels = [("node", &*report.id), ("state", report.state.name())];
            ConstGauge::new(1_u64).encode(family.encode_family(&labels)?)?;
        }
        let flag = |is: bool| f64::from(u8::from(is));
        self.by_member(
            metrics,
            "member_up",
            "1 if a member can be reached",
            |member| Some(flag(member.report.is_up)),
        )?;
        let help = "1 if a member is silent and not chosen";
        self.by_member(metrics, "member_ejected", help, |member| {
            Some(flag(member.report.is_suspect))
        })?;
        let help = "Part of its keys that a member has fetched, while it fetches them";
        self.by_member(metrics, "member_fetched_ratio", help, |member| {
            let progress = member.report.pending?;
            Some(f64::from(progress.permille) / 1000.0)
        })?;
        let help = "Part of the keys that a member leads";
        self.by_member(metrics, "member_leader_ratio", help, |member| {
            Some(member.leader_share)
        })?;
        let help = "Part of the keys that a member has a replica of, led or not";
        self.by_member(metrics, "member_replica_ratio", help, |member| {
            Some(member.replica_share)
        })
    }

    fn by_member(
        &self,
        metrics: &mut Metrics<'_>,
        name: &str,
        help: &str,
        value: impl Fn(&Seen) -> Option<f64>,
    ) -> fmt::Result {
        let mut family = metrics.family(name, help, MetricType::Gauge)?;
        for member in &self.members {
            if let Some(value) = value(member) {
                let labels = [("node", &*member.report.id)];
                ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

/// Writes metrics of the kinds that there are here.
struct Metrics<'a>(DescriptorEncoder<'a>);

impl Metrics<'_> {
    fn family<'s>(
        &'s mut self,
        name: &'s str,
        help: &str,
        kind: MetricType,
    ) -> Result<MetricEncoder<'s>, fmt::Error> {
        self.0.encode_descriptor(name, help, None, kind)
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        ConstCounter::new(value).encode(self.family(name, help, MetricType::Counter)?)
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        ConstGauge::new(value).encode(self.family(name, help, MetricType::Gauge)?)
    }

    fn seconds(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        let unit = Unit::Seconds;
        let metric = self
            .0
            .encode_descriptor(name, help, Some(&unit), MetricType::Gauge)?;
        ConstGauge::new(value).encode(metric)
    }

    fn bytes(&mut self, name: &str, help: &str, value: usize) -> fmt::Result {
        let unit = Unit::Bytes;
        let metric = self
            .0
            .encode_descriptor(name, help, Some(&unit), MetricType::Gauge)?;
        ConstGauge::new(value as u64).encode(metric)
    }

    fn bytes_counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let (unit, kind) = (Unit::Bytes, MetricType::Counter);
        let metric = self.0.encode_descriptor(name, help, Some(&unit), kind)?;
        ConstCounter::new(value).encode(metric)
    }

    fn info(&mut self, name: &str, help: &str, labels: &[(&str, &str); 1]) -> fmt::Result {
        self.family(name, help, MetricType::Info)?
            .encode_info(labels)
    }

    /// Buckets of 4 µs to 4 s, each twice as wide as the one before.
    fn latency(&mut self, name: &str, help: &str, latency: &Latency) -> fmt::Result {
        let mut below = 0;
        let mut buckets: Vec<(f64, u64)> = (2..=22)
            .map(|power| {
                let before = std::mem::replace(&mut below, latency.below(power));
                (f64::from(1_u32 << power) / 1e6, below - before)
            })
            .collect();
        buckets.push((f64::INFINITY, latency.count() - below));
        let unit = Unit::Seconds;
        let mut metric =
            self.0
                .encode_descriptor(name, help, Some(&unit), MetricType::Histogram)?;
        let (sum, count) = (latency.sum().as_secs_f64(), latency.count());
        metric.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }
}
