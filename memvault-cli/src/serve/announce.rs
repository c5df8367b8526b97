//! What a server logs of itself when it starts.

use std::net::TcpListener;

use log::{info, warn};
use memvault_net::driver::NodeAddress;

use crate::args::cluster::{Members, Seeds, word};
use crate::args::serve::{Capacity, Gateway, Serve};

/// What is being started; whatever does not apply is `None`.
#[derive(Debug, Default)]
pub(super) struct What {
    role: &'static str,
    /// Which member it is.
    node: Option<String>,
    cluster: Option<String>,
    discover: Option<String>,
    replicas: Option<usize>,
    threads: Option<usize>,
    /// In bytes.
    max_memory: Option<usize>,
    max_entries: Option<usize>,
    plain_redis: Option<bool>,
}

impl What {
    /// A node alone, or the member `own`.
    pub(super) fn of_server(args: &Serve, own: Option<&NodeAddress>) -> Self {
        let Capacity {
            max_memory,
            max_entries,
            threads,
            ..
        } = args.capacity;
        let what = Self {
            max_memory,
            max_entries,
            ..Self::default()
        };
        let member = &args.member;
        match own {
            Some(own) => Self {
                role: "member",
                node: Some(word(own)),
                replicas: Some(member.replicas.replicas),
                ..what.of_cluster(member.cluster.as_ref(), member.discover.as_ref())
            },
            None => Self {
                role: "alone",
                threads: Some(threads),
                ..what
            },
        }
    }

    /// A gateway.
    pub(super) fn of_gateway(args: &Gateway) -> Self {
        let served = &args.cluster;
        Self {
            role: "gateway",
            replicas: Some(served.replicas.replicas),
            plain_redis: args.kind.plain_redis.then_some(true),
            ..Self::default().of_cluster(served.cluster.as_ref(), served.discover.as_ref())
        }
    }

    /// With the cluster that it was told of.
    fn of_cluster(self, cluster: Option<&Members>, seeds: Option<&Seeds>) -> Self {
        Self {
            cluster: cluster.map(|members| members.to_words().join(",")),
            discover: seeds.map(|seeds| seeds.0.join(",")),
            ..self
        }
    }
}

/// Tells that clients are listened for, and who may be one.
pub(super) fn server(listener: &TcpListener, what: &What, is_protected: bool) {
    let Ok(address) = listener.local_addr() else {
        return;
    };
    info!(
        address:%,
        version = env!("CARGO_PKG_VERSION"),
        pid = std::process::id(),
        role = what.role,
        node = what.node,
        cluster = what.cluster,
        discover = what.discover,
        replicas = what.replicas,
        threads = what.threads,
        max_memory = what.max_memory,
        max_entries = what.max_entries,
        plain_redis = what.plain_redis;
        "listening"
    );
    if address.ip().is_loopback() {
        return;
    }
    if is_protected {
        info!(
            address:%,
            hint = "clients from other machines are refused; where only those can reach it who may use it, that is not \
                    needed: --protected-mode no";
            "protected-mode"
        );
    } else {
        warn!(
            address:%,
            hint = "it can be reached from other machines, and there is no password: keep it behind a firewall";
            "open-to-others"
        );
    }
}

/// Tells an operator what a node waits for that has started in order to join a cluster.
pub(super) fn joining(own: &NodeAddress, cluster: &Members) {
    let Some(member) = cluster.0.first() else {
        return;
    };
    let (node, server) = (word(own), &member.address);
    info!(
        node,
        hint = format!("unless it is a member already, it waits for: memvault cluster add {node} --server {server}");
        "joining"
    );
}

/// Tells that the admin port is open.
pub(super) fn admin(listener: &TcpListener) {
    let Ok(address) = listener.local_addr() else {
        return;
    };
    let paths =
        "/,/metrics,/healthz,/readyz,/api/status,/api/cluster,/api/ring,/api/events,/api/where";
    info!(address:%, paths; "admin-port");
    if !address.ip().is_loopback() {
        warn!(
            address:%,
            hint = "it can be reached from other machines, and there is no password: anyone who does sees the members \
                    and the counters (--admin)";
            "open-to-others"
        );
    }
}
