//! Clusters on this machine: which ports, which command lines, and when they are ready.

mod ports;
mod start;

use log::LevelFilter;

use crate::args::admin::{AdminAddress, AdminFlags};
use crate::args::cluster::Coordination;
use crate::logging::Wanted;

pub(crate) use ports::{check_free, pick_free, unusable};
pub(crate) use start::Startup;

/// A cluster whose nodes are processes on this machine.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Port of each node.
    pub(crate) ports: Vec<u16>,
    pub(crate) replicas: usize,
    /// How nodes and gateway carry out requests; `None` for the defaults.
    pub(crate) coordination: Option<Coordination>,
    /// Memory of each node in bytes.
    pub(crate) max_memory: Option<usize>,
    /// Where the gateway tells of itself; the nodes do on the ports that follow.
    pub(crate) admin: Option<AdminAddress>,
    /// The limits there.
    pub(crate) admin_flags: Option<AdminFlags>,
    /// What of the logs was asked for; their levels follow.
    pub(crate) log: Wanted,
    /// What the nodes log.
    pub(crate) node_log: LevelFilter,
    /// What a gateway logs.
    pub(crate) gateway_log: LevelFilter,
}

impl Plan {
    /// Address of the node with this number, which is its id too.
    pub(crate) fn address(&self, number: usize) -> String {
        format!("{HOST}:{}", self.ports[number])
    }

    /// Addresses of all nodes.
    pub(crate) fn addresses(&self) -> Vec<String> {
        (0..self.ports.len())
            .map(|number| self.address(number))
            .collect()
    }

    /// What `--cluster` takes.
    pub(crate) fn list(&self) -> String {
        self.addresses().join(",")
    }

    /// Arguments that start the node with this number.
    pub(crate) fn node_args(&self, number: usize) -> Vec<String> {
        let mut args = self.server_args("serve", self.ports[number], self.node_log);
        args.extend(["--node-id".to_owned(), self.address(number)]);
        if let Some(bytes) = self.max_memory {
            args.extend(["--max-memory".to_owned(), bytes.to_string()]);
        }
        args.extend(self.admin_args(number + 1));
        args
    }

    /// Where the gateway, with offset 0, or the node after it with this offset tells of itself.
    pub(crate) fn admin_of(&self, offset: usize) -> Option<AdminAddress> {
        self.admin.as_ref()?.plus(offset)
    }

    fn admin_args(&self, offset: usize) -> impl Iterator<Item = String> + use<> {
        let address = self.admin_of(offset);
        let words = address.map(|address| ["--admin".to_owned(), address.to_string()]);
        let limits = self.admin_flags.as_ref().filter(|_| words.is_some());
        let limits = limits.map(AdminFlags::words).unwrap_or_default();
        words.into_iter().flatten().chain(limits)
    }

    /// Arguments that start a gateway.
    pub(crate) fn gateway_args(&self, port: u16) -> Vec<String> {
        let mut args = self.server_args("gateway", port, self.gateway_log);
        args.extend(self.admin_args(0));
        args
    }

    fn server_args(&self, subcommand: &str, port: u16, log: LevelFilter) -> Vec<String> {
        let level = log.as_str().to_ascii_lowercase();
        let mut args: Vec<String> = [
            subcommand,
            "--bind",
            HOST,
            "--port",
            &port.to_string(),
            "--cluster",
            &self.list(),
            "--replicas",
            &self.replicas.to_string(),
            "--log-level",
            &level,
            "--log-format",
            self.log.format.name(),
            "--log-repeats",
            &self.log.repeats.to_string(),
            "--log-buffer",
            &self.log.buffer.to_string(),
        ]
        .map(str::to_owned)
        .into();
        if let Some(coordination) = self.coordination {
            args.extend(coordination.to_args());
        }
        args
    }
}

/// Where all nodes listen: nobody else is to reach them.
pub(crate) const HOST: &str = "127.0.0.1";
