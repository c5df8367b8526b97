//! What a plain node tells of its store.

use core::fmt::Display;
use core::hash::BuildHasher;

use super::info::{Fields, Section};
use crate::command::{SettingError, memory};
use crate::store::{Entries, Statistics, Store};
use crate::time::Timestamp;

/// The state of a store in numbers. Those of several, such as one per thread, can be added up.
///
/// It writes the sections of `INFO` and shows the settings of `CONFIG` that depend on nothing else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreInfo {
    /// Counters.
    pub statistics: Statistics,
    /// Entries that have a value.
    pub keys: usize,
    /// Entries that have an expiry.
    pub expiring: usize,
    /// The sum of these expiries, in Unix milliseconds.
    pub expiry_sum: u128,
    /// Bytes in use, as the limit counts them.
    pub bytes_used: usize,
    /// Most bytes that were in use at a time; of several stores the sum, which they may have had at different times.
    pub most_bytes_used: usize,
    /// The limit of bytes; `None` means no limit.
    pub max_bytes: Option<usize>,
    /// Bytes of the limit that may not be used at present, as the process takes too much memory.
    pub withheld: usize,
    /// The limit of entries; `None` means no limit.
    pub max_entries: Option<usize>,
    /// Whether the keys that belong here are still being fetched.
    pub is_loading: bool,
}

impl StoreInfo {
    /// The state of a store.
    pub fn of_store<S: BuildHasher>(store: &Store<S>) -> Self {
        Self::of_entries(store.entries(), *store.statistics())
    }

    /// The state of entries that somebody else keeps the counters of.
    pub fn of_entries<S: BuildHasher>(entries: &Entries<S>, statistics: Statistics) -> Self {
        let (expiring, expiry_sum) = entries.expiring();
        Self {
            statistics,
            keys: entries.len() - entries.tombstones(),
            expiring,
            expiry_sum,
            bytes_used: entries.bytes_used(),
            most_bytes_used: entries.most_bytes_used(),
            max_bytes: entries.config().max_bytes,
            withheld: entries.withheld(),
            max_entries: entries.config().max_entries,
            is_loading: false,
        }
    }

    /// Adds the state of another store, its limits included.
    pub fn add(&mut self, other: &Self) {
        let sum = |a: Option<usize>, b: Option<usize>| a.zip(b).map(|(a, b)| a + b);
        self.statistics.add(&other.statistics);
        self.keys += other.keys;
        self.expiring += other.expiring;
        self.expiry_sum += other.expiry_sum;
        self.bytes_used += other.bytes_used;
        self.most_bytes_used += other.most_bytes_used;
        self.withheld += other.withheld;
        self.max_bytes = sum(self.max_bytes, other.max_bytes);
        self.max_entries = sum(self.max_entries, other.max_entries);
        self.is_loading |= other.is_loading;
    }

    /// Writes the lines of a section of `INFO`; none for a section that it knows nothing of.
    pub fn write(&self, now: Timestamp, section: Section, fields: &mut Fields<'_>) {
        match section {
            Section::Memory => {
                fields.bytes("used_memory", self.bytes_used as u64);
                fields.bytes("used_memory_peak", self.most_bytes_used as u64);
                fields.bytes("maxmemory", self.max_bytes.unwrap_or(0) as u64);
                fields.field("maxmemory_withheld", self.withheld);
                if let Some(resident) = fields.number("used_memory_rss") {
                    let used = self.bytes_used.max(1) as f64;
                    let ratio = format_args!("{:.2}", resident as f64 / used);
                    fields.field("mem_fragmentation_ratio", ratio);
                }
                fields.field("maxmemory_policy", POLICY);
                fields.field("max_entries", self.max_entries.unwrap_or(0));
            }
            Section::Stats => {
                let Statistics {
                    hits,
                    misses,
                    expired,
                    evicted,
                    commands,
                } = self.statistics;
                fields.field("total_commands_processed", commands);
                fields.field("expired_keys", expired);
                fields.field("evicted_keys", evicted);
                fields.field("keyspace_hits", hits);
                fields.field("keyspace_misses", misses);
            }
            Section::Replication => {
                fields.field("role", "master");
                fields.field("connected_slaves", 0);
            }
            Section::Persistence => {
                fields.field("loading", u8::from(self.is_loading));
                for (name, value) in PERSISTENCE {
                    fields.field(name, value);
                }
            }
            Section::Cluster => fields.field("cluster_enabled", 0),
            Section::Keyspace if self.keys > 0 => fields.field("db0", self.keyspace(now)),
            _ => {}
        }
    }

    fn keyspace(&self, now: Timestamp) -> impl Display {
        let mean = self
            .expiry_sum
            .checked_div(self.expiring as u128)
            .unwrap_or(0);
        let left = mean.saturating_sub(u128::from(now.as_millis()));
        alloc::format!(
            "keys={},expires={},avg_ttl={left}",
            self.keys,
            self.expiring
        )
    }

    /// Shows the settings of a store, for `CONFIG GET`.
    ///
    /// Those that clients look for although they cannot be changed here are among them: nothing is ever
    /// saved, and there is one database.
    pub fn settings(&self, show: &mut dyn FnMut(&str, &dyn Display)) {
        show("maxmemory", &self.max_bytes.unwrap_or(0));
        show("max-entries", &self.max_entries.unwrap_or(0));
        show("maxmemory-policy", &POLICY);
        show("save", &"");
        show("appendonly", &"no");
        show("databases", &1);
    }

    /// The limits of bytes and of entries after the setting `name` was changed, for `CONFIG SET`.
    ///
    /// # Errors
    /// If the setting is none of the two limits, or the value is no number.
    pub fn changed_limits(
        &self,
        name: &str,
        value: &[u8],
    ) -> Result<(Option<usize>, Option<usize>), SettingError> {
        let number = |problem| {
            let number = memory(value).and_then(|number| usize::try_from(number).ok());
            // Zero says that there is no limit.
            number
                .map(|number| (number > 0).then_some(number))
                .ok_or(problem)
        };
        match name {
            "maxmemory" => Ok((number(SettingError::NotMemory)?, self.max_entries)),
            "max-entries" => Ok((self.max_bytes, number(SettingError::NotANumber)?)),
            _ => Err(SettingError::Immutable),
        }
    }
}

/// As Redis tells it where nothing is saved.
const PERSISTENCE: [(&str, &str); 8] = [
    ("async_loading", "0"),
    ("rdb_bgsave_in_progress", "0"),
    ("rdb_last_bgsave_status", "ok"),
    ("aof_enabled", "0"),
    ("aof_rewrite_in_progress", "0"),
    ("aof_rewrite_scheduled", "0"),
    ("aof_last_bgrewrite_status", "ok"),
    ("aof_last_write_status", "ok"),
];

/// The policy of Redis that an exact LRU order comes closest to.
const POLICY: &str = "allkeys-lru";
