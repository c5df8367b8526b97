//! [`NodeStats`]: what one node counts, as it tells others by `INFO` and as this one knows it of itself.

use memvault::connection::StoreInfo;
use memvault::replication::{NodeStatistics, Role};

use crate::driver::Latency;
use crate::server::backend::Backend;
use crate::server::clients::Clients;
use crate::server::host::{ANSWER_LATENCY, CLIENT_LATENCY};

/// The counters of a node since its start, and its present state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeStats {
    /// Since its start.
    pub uptime_seconds: u64,
    /// Connections of clients, without the one that asks.
    pub clients: u64,
    /// Of a member: reads answered from its own entries and writes led, for any asker; of a gateway the requests
    /// of its clients; of others all commands.
    pub operations: u64,
    /// Reads among the operations that found a value.
    pub hits: u64,
    /// Reads among the operations that found none.
    pub misses: u64,
    /// Values removed to make room.
    pub evictions: u64,
    /// Values removed because their time was over.
    pub expirations: u64,
    /// Keys with a value.
    pub keys: u64,
    /// Bytes of keys and values, with all that they need.
    pub memory_used: u64,
    /// Most such bytes; `None` means no limit.
    pub memory_limit: Option<u64>,
    /// From reading requests of a client of its own to having sent their replies; a sample.
    pub client_latency: Latency,
    /// From reading a question of another node or a client of the cluster to having its answer; a sample.
    pub answer_latency: Latency,
}

impl NodeStats {
    /// Reads the text of `INFO`, ours or that of Redis; what is not there is zero.
    #[must_use]
    pub fn from_info(text: &str) -> Self {
        let find = |name: &str| {
            let mut lines = text.lines().filter_map(|line| line.split_once(':'));
            lines.find_map(|(field, value)| (field == name).then_some(value))
        };
        let number = |name: &str| find(name)?.parse::<u64>().ok();
        let or_zero = |name: &str| number(name).unwrap_or(0);
        let keys = find("db0").and_then(|db| db.strip_prefix("keys=")?.split(',').next());
        let mut told = Self {
            uptime_seconds: or_zero("uptime_in_seconds"),
            clients: or_zero("connected_clients").saturating_sub(1),
            operations: or_zero("total_commands_processed"),
            hits: or_zero("keyspace_hits"),
            misses: or_zero("keyspace_misses"),
            evictions: or_zero("evicted_keys"),
            expirations: or_zero("expired_keys"),
            keys: keys.and_then(|keys| keys.parse().ok()).unwrap_or(0),
            memory_used: or_zero("used_memory"),
            memory_limit: number("maxmemory").filter(|limit| *limit > 0),
            client_latency: find(CLIENT_LATENCY).map_or_else(Latency::default, Latency::from_text),
            answer_latency: find(ANSWER_LATENCY).map_or_else(Latency::default, Latency::from_text),
        };
        if let Some(hits) = number("replica_hits") {
            told.count_as_member(hits, or_zero("replica_misses"), or_zero("led_writes"));
        }
        told
    }

    /// What this server itself counts.
    pub(super) fn of_self(clients: &Clients) -> Self {
        let store_info: StoreInfo = clients.backend.store_info();
        let counted = store_info.statistics;
        let mut told = Self {
            uptime_seconds: clients.started_at.elapsed().as_secs(),
            clients: clients.connection_limit.taken() as u64,
            operations: counted.commands,
            hits: counted.hits,
            misses: counted.misses,
            evictions: counted.evicted,
            expirations: counted.expired,
            keys: store_info.keys as u64,
            memory_used: store_info.bytes_used as u64,
            memory_limit: store_info.max_bytes.map(|limit| limit as u64),
            client_latency: clients.meter.latency(),
            answer_latency: Latency::default(),
        };
        if let Backend::Cluster { driver, .. } = &clients.backend {
            told.answer_latency = driver.answer_latency();
            let counted: NodeStatistics = driver.statistics();
            match driver.inspect(|node| node.config().role.clone()) {
                Role::Member(_) => told.count_as_member(
                    counted.replica_hits,
                    counted.replica_misses,
                    counted.led_writes,
                ),
                Role::Coordinator(_) => told.operations = counted.requests,
            }
        }
        told
    }

    /// A member's clients may be those of any other node: what counts is what it does with its own entries.
    const fn count_as_member(&mut self, hits: u64, misses: u64, writes: u64) {
        (self.hits, self.misses) = (hits, misses);
        self.operations = hits.saturating_add(misses).saturating_add(writes);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn info_of_redis_is_understood() {
        let text = "# Server\r\nuptime_in_seconds:7\r\n# Clients\r\nconnected_clients:2\r\n# Memory\r\nused_memory:1000\r\n\
                    maxmemory:0\r\n# Stats\r\ntotal_commands_processed:50\r\nexpired_keys:3\r\nevicted_keys:4\r\n\
                    keyspace_hits:5\r\nkeyspace_misses:6\r\n# Keyspace\r\ndb0:keys=8,expires=1,avg_ttl=0\r\n";
        let expected = NodeStats {
            uptime_seconds: 7,
            clients: 1,
            operations: 50,
            hits: 5,
            misses: 6,
            evictions: 4,
            expirations: 3,
            keys: 8,
            memory_used: 1000,
            ..NodeStats::default()
        };
        assert_eq!(NodeStats::from_info(text), expected);
    }

    #[test]
    fn members_count_what_they_do_for_others() {
        let mut latency = Latency::default();
        latency.record(Duration::from_micros(70));
        let text = format!(
            "total_commands_processed:1\r\nkeyspace_hits:1\r\nmaxmemory:4096\r\nreplica_hits:20\r\nreplica_misses:3\r\n\
             led_writes:100\r\nclient_latency_usec:{}\r\n",
            latency.to_text()
        );
        let told = NodeStats::from_info(&text);
        assert_eq!((told.operations, told.hits, told.misses), (123, 20, 3));
        assert_eq!(told.memory_limit, Some(4096));
        assert_eq!(told.client_latency, latency);
        assert_eq!(told.answer_latency, Latency::default());
    }

    #[test]
    fn nonsense_is_nothing() {
        let text = "replica_hits:18446744073709551615\r\nled_writes:9\r\nused_memory:-1\r\ndb0:x\r\n:::\r\n\r\n";
        let told = NodeStats::from_info(text);
        assert_eq!(
            (told.operations, told.memory_used, told.keys),
            (u64::MAX, 0, 0)
        );
        assert_eq!(NodeStats::from_info(""), NodeStats::default());
    }
}
