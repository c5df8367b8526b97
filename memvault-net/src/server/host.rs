//! What the server tells of itself: the process, its clients, its limits.

use std::fmt::Display;
use std::time::UNIX_EPOCH;

use memvault::command::Name;
use memvault::connection::{ErrorCode, Fault, Fields, Host, Section};

use super::clients::Clients;
use super::process;
use crate::tcp;

/// The release of Redis whose commands and replies ours are like, for clients that go by it.
const REDIS_VERSION: &str = "7.0.0";

/// The fields of `INFO` that have a [`Latency`](crate::driver::Latency) each, as its `to_text` writes it.
pub(super) const CLIENT_LATENCY: &str = "client_latency_usec";
pub(super) const ANSWER_LATENCY: &str = "answer_latency_usec";

impl Host for Clients {
    fn info(&self, section: Section, fields: &mut Fields<'_>) {
        match section {
            Section::Server => self.server(fields),
            Section::Clients => {
                fields.field("connected_clients", self.connection_limit.taken());
                fields.field("maxclients", self.config.max_clients);
                // No command of ours waits for another client; redis-cli --stat asks for it.
                fields.field("blocked_clients", 0);
            }
            Section::Memory => {
                fields.field("mem_clients_normal", self.connection_limit.ledger().used());
                if let Some(driver) = self.backend.driver() {
                    fields.field("mem_cluster_links", driver.held_for_links().0);
                }
                if let Some((now, most)) = process::resident() {
                    fields.bytes("used_memory_rss", now);
                    fields.bytes("used_memory_peak_rss", most);
                }
                if let Some(machine) = crate::memory_limit::machine_memory() {
                    fields.bytes("total_system_memory", machine);
                }
            }
            Section::Stats => {
                let (received, sent) = self.counters.all().traffic();
                fields.field("total_connections_received", self.connection_limit.total());
                fields.field("instantaneous_ops_per_sec", self.meter.rate());
                fields.field("total_net_input_bytes", received);
                fields.field("total_net_output_bytes", sent);
                fields.field("rejected_connections", self.connection_limit.refused());
                let ledger = self.connection_limit.ledger();
                let (input, output) = ledger.closed();
                fields.field("evicted_clients", ledger.evicted());
                if let Some(driver) = self.backend.driver() {
                    fields.field("evicted_links", driver.held_for_links().1);
                }
                fields.field("client_query_buffer_limit_disconnections", input);
                fields.field("client_output_buffer_limit_disconnections", output);
                self.counters.all().statistics().write(section, fields);
                // Whole histograms, so that those of several nodes can be added up.
                fields.field(CLIENT_LATENCY, self.meter.latency().to_text());
                if let Some(driver) = self.backend.driver() {
                    fields.field(ANSWER_LATENCY, driver.answer_latency().to_text());
                }
            }
            Section::Cpu => {
                if let Some((system, user)) = process::cpu() {
                    fields.field("used_cpu_sys", format_args!("{system:.6}"));
                    fields.field("used_cpu_user", format_args!("{user:.6}"));
                    // There are no child processes.
                    fields.field("used_cpu_sys_children", format_args!("{:.6}", 0));
                    fields.field("used_cpu_user_children", format_args!("{:.6}", 0));
                }
            }
            Section::Commandstats | Section::Errorstats => {
                self.counters.all().statistics().write(section, fields);
            }
            _ => {}
        }
    }

    fn settings(&self, show: &mut dyn FnMut(&str, &dyn Display)) {
        if let Some(address) = self.address {
            show("bind", &address.ip());
            show("port", &address.port());
        }
        let protected = if self.config.protected { "yes" } else { "no" };
        show("protected-mode", &protected);
        let timeout = self.config.idle_timeout.unwrap_or_default();
        show("threads", &self.config.threads);
        show("io", &self.config.io.name());
        show("maxclients", &self.config.max_clients);
        show("maxmemory-clients", &self.connection_limit.ledger().max());
        show("timeout", &timeout.as_secs());
        let silence = self.config.tcp_keepalive.unwrap_or_default();
        show("tcp-keepalive", &silence.as_secs());
        show("tcp-backlog", &tcp::BACKLOG);
        let limits = &self.config.connection.limits;
        show("max-key", &limits.max_key_len);
        show("max-value", &limits.max_bulk_len);
        show("max-arguments", &limits.max_arguments);
        show("max-inline", &limits.max_inline_len);
        show("max-command", &limits.max_command_len);
        show("max-output", &self.config.connection.max_output_len);
    }

    fn memory_limit(&self) -> Option<u64> {
        crate::memory_limit::memory_limit()
    }

    fn reset_statistics(&self) {
        self.counters.all().reset();
    }

    #[inline]
    fn count_call(&self, name: Name) {
        self.counters.count(name);
    }

    fn count_error(&self, name: Option<Name>, fault: Fault, code: ErrorCode) {
        self.counters.count_error(name, fault, code);
    }

    fn notice_web_page(&self, address: &str) {
        log::warn!(
            address,
            hint = "POST or Host: as a command, as browsers send them: a web page may be trying to have commands executed. \
                    The connection was closed, and nothing of what followed was executed";
            "web-page-closed"
        );
    }
}

impl Clients {
    fn server(&self, fields: &mut Fields<'_>) {
        let uptime = self.started_at.elapsed().as_secs();
        let now = UNIX_EPOCH.elapsed().unwrap_or_default();
        fields.field("redis_version", REDIS_VERSION);
        fields.field("memvault_version", env!("CARGO_PKG_VERSION"));
        fields.field("redis_mode", "standalone");
        fields.field("os", process::system());
        fields.field("arch_bits", usize::BITS);
        fields.field("multiplexing_api", self.config.io.name());
        fields.field("process_id", std::process::id());
        fields.field("run_id", self.counters.all().run_id());
        if let Some(address) = self.address {
            fields.field("tcp_port", address.port());
        }
        fields.field("server_time_usec", now.as_micros());
        fields.field("uptime_in_seconds", uptime);
        fields.field("uptime_in_days", uptime / (24 * 60 * 60));
    }
}
