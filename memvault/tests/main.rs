//! What the library promises, through its public face. One program, so that it is built and linked once and its tests
//! share the processors; `cargo test -p memvault-cache --test all leases` runs the tests of one file.

mod addresses;
mod admission;
mod bad_peers;
mod cache;
mod cache_panics;
mod clients;
mod cluster;
mod expiry;
mod hot_set;
mod leases;
mod node_config;
mod plain_redis;
mod replication_cases;
mod replication_flush;
mod replication_return;
mod replication_ring_change;
mod replication_sim;
mod replication_time;
mod replication_waits;
mod resp_replies;
mod resp_vectors;
mod ring_changes;
mod ring_original;
mod ring_placement;
mod slots;
