//! What the server tells of itself: the process, its clients, its limits.

use std::fmt::Display;

use memvault::connection::{Fields, Host, Section};

use super::admin::{ANSWER_LATENCY, CLIENT_LATENCY};
use super::clients::Clients;

/// The release of Redis whose commands and replies ours are like, for clients that go by it.
const REDIS_VERSION: &str = "7.0.0";

impl Host for Clients {
    fn info(&self, section: Section, fields: &mut Fields<'_>) {
        match section {
            Section::Server => {
                let uptime = self.started_at.elapsed().as_secs();
                fields.field("redis_version", REDIS_VERSION);
                fields.field("memvault_version", env!("CARGO_PKG_VERSION"));
                fields.field("redis_mode", "standalone");
                fields.field("process_id", std::process::id());
                if let Some(address) = self.address {
                    fields.field("tcp_port", address.port());
                }
                fields.field("uptime_in_seconds", uptime);
                fields.field("uptime_in_days", uptime / (24 * 60 * 60));
            }
            Section::Clients => {
                fields.field("connected_clients", self.seats.taken());
                fields.field("maxclients", self.config.max_clients);
                // No command of ours waits for another client; redis-cli --stat asks for it.
                fields.field("blocked_clients", 0);
            }
            Section::Stats => {
                fields.field("total_connections_received", self.seats.total());
                fields.field("instantaneous_ops_per_sec", self.meter.rate());
                // Whole histograms, so that those of several nodes can be added up.
                fields.field(CLIENT_LATENCY, self.meter.latency().to_text());
                if let Some(driver) = self.backend.driver() {
                    fields.field(ANSWER_LATENCY, driver.answer_latency().to_text());
                }
            }
            Section::Memory | Section::Replication | Section::Keyspace => {}
        }
    }

    fn settings(&self, show: &mut dyn FnMut(&str, &dyn Display)) {
        if let Some(address) = self.address {
            show("bind", &address.ip());
            show("port", &address.port());
        }
        let timeout = self.config.idle_timeout.unwrap_or_default();
        show("threads", &self.config.threads);
        show("io", &self.config.io.name());
        show("maxclients", &self.config.max_clients);
        show("timeout", &timeout.as_secs());
        let limits = &self.config.connection.limits;
        show("max-key", &limits.max_key_len);
        show("max-value", &limits.max_bulk_len);
        show("max-arguments", &limits.max_arguments);
        show("max-inline", &limits.max_inline_len);
        show("max-command", &limits.max_command_len);
    }
}
