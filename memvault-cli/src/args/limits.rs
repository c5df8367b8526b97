//! Flags of what clients and links may hold.

use std::time::Duration;

use clap::Args;
use memvault::connection;
use memvault::resp::Limits;
use memvault_net::driver::Settings;

use super::count;
use super::duration::{duration, positive_duration};
use super::size::{memory_share, positive_size};

/// What a client may send and hold.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Limits for clients")]
pub(crate) struct ClientLimits {
    /// Most clients at a time; further ones are turned away with an error
    #[arg(long, value_name = "N", default_value = "10000", value_parser = count)]
    pub(crate) max_clients: usize,
    /// Close the connection of a client that is silent for this long: 30s, 5m [default: never]
    #[arg(long, value_name = "TIME", value_parser = positive_duration)]
    pub(crate) idle_timeout: Option<Duration>,
    /// Have the system ask after this silence of a client whether it is still there; 0s for never
    #[arg(long, value_name = "TIME", default_value = "300s", value_parser = duration)]
    pub(crate) tcp_keepalive: Duration,
    /// Longest value, or any other argument [default: 64mb]
    #[arg(long, value_name = "SIZE", value_parser = positive_size)]
    max_value: Option<usize>,
    /// Longest key [default: 64kb]
    #[arg(long, value_name = "SIZE", value_parser = positive_size)]
    max_key: Option<usize>,
    /// Longest command as a whole [default: 1gb]
    #[arg(long, value_name = "SIZE", value_parser = positive_size)]
    max_command: Option<usize>,
    /// Longest inline command [default: 64kb]
    #[arg(long, value_name = "SIZE", value_parser = positive_size)]
    max_inline: Option<usize>,
    /// Replies that wait for a client, above which nothing more of its commands is executed; a
    /// client that then takes nothing for a second is closed [default: 256mb]
    #[arg(long, value_name = "SIZE", value_parser = positive_size)]
    max_output: Option<usize>,
    /// What all clients together have sent that is not executed yet, and not taken of their
    /// replies: 128mb, or a share of what the container or else the machine has: 10%. Beyond it
    /// the largest are closed [default: 25%]
    #[arg(long, value_name = "SIZE", value_parser = memory_share)]
    pub(crate) max_clients_memory: Option<usize>,
    /// Most arguments of a command [default: 1048576]
    #[arg(long, value_name = "N", value_parser = count)]
    max_arguments: Option<usize>,
}

/// What the connections between nodes may hold.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Limits for links between nodes")]
pub(crate) struct LinkLimits {
    /// Most connections that members, gateways and Rust clients of a cluster may open to this
    /// node; beyond it a silent one makes room, or the new one is closed
    #[arg(long, value_name = "N", default_value = "1024", value_parser = count)]
    max_links: usize,
    /// What all those connections together have sent that is incomplete, and not taken of their
    /// answers: 128mb, or a share of what the container or else the machine has: 10%. Beyond it
    /// the largest are closed [default: 25%]
    #[arg(long, value_name = "SIZE", value_parser = memory_share)]
    max_links_memory: Option<usize>,
    /// Answers that wait on one of those connections while nothing else is read from it
    #[arg(long, value_name = "SIZE", default_value = "128mb", value_parser = positive_size)]
    max_link_answers: usize,
    /// Bytes that wait to be sent to one other node before the connection to it is closed
    #[arg(long, value_name = "SIZE", default_value = "1gb", value_parser = positive_size)]
    max_link_buffer: usize,
    /// How long another node may take nothing of what waits to be sent before its connection is
    /// closed
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = positive_duration)]
    link_stall_timeout: Duration,
    /// Bytes that the system is asked to hold of what another node has not acknowledged
    #[arg(long, value_name = "SIZE", default_value = "1mb", value_parser = positive_size)]
    link_send_buffer: usize,
}

impl LinkLimits {
    /// Sets up the links of a node.
    pub(crate) const fn apply(&self, settings: &mut Settings) {
        settings.max_inbound = self.max_links;
        settings.max_inbound_memory = self.max_links_memory;
        settings.max_link_answers = self.max_link_answers;
        settings.max_link_buffer = self.max_link_buffer;
        settings.stall_timeout = self.link_stall_timeout;
        settings.link_send_buffer = self.link_send_buffer;
    }
}

impl ClientLimits {
    /// What one client may send and hold.
    pub(crate) fn connection(&self) -> connection::Config {
        let default = connection::Config::default();
        connection::Config {
            limits: self.resp(),
            max_output_len: self.max_output.unwrap_or(default.max_output_len),
            ..default
        }
    }

    /// The limits of the protocol.
    pub(crate) fn resp(&self) -> Limits {
        let default = Limits::default();
        Limits {
            max_bulk_len: self.max_value.unwrap_or(default.max_bulk_len),
            max_key_len: self.max_key.unwrap_or(default.max_key_len),
            max_command_len: self.max_command.unwrap_or(default.max_command_len),
            max_inline_len: self.max_inline.unwrap_or(default.max_inline_len),
            max_arguments: self.max_arguments.unwrap_or(default.max_arguments),
            ..default
        }
    }
}
