//! `serve` and `gateway`: from flags to a running server.
//!
//! ```text
//! Host accepts --> Client: socket --> Connection --> Backend: a store, or a node of a cluster --> Driver
//! ```

mod backend;
mod client;
mod host;
mod identity;
mod listen;
mod shutdown;

use std::net::TcpListener;
use std::rc::Rc;

use async_executor::LocalExecutor;
use log::{info, warn};
use memvault::connection::Config;
use memvault::replication::Role;
use memvault::store;
use memvault_net::driver::NodeAddress;

use crate::args::cluster::word;
use crate::args::serve::{Capacity, ClientLimits, Gateway, Serve};
use crate::args::size;
use crate::error::{Error, Outcome};
use crate::size_class::size_class;
use backend::Backend;
use host::HostLimits;

/// Runs `serve`.
pub(crate) fn serve(args: &Serve) -> Outcome {
    let place = Place::of(args)?;
    let listener = listen::listen(&place.host, place.port)?;
    let shutdown = shutdown::watch(args.lifeline.end_with_stdin)?;
    let executor = Rc::new(LocalExecutor::new());
    let backend = match (&args.member.cluster, &place.own) {
        (Some(members), Some(own)) => Backend::node(
            &executor,
            &members.0,
            Role::Member(own.id.clone()),
            args.member.replicas.replicas,
            entries(&args.capacity),
            args.limits.resp(),
        )?,
        _ => Backend::alone(entries(&args.capacity)),
    };
    announce(&listener, &what(args, &place));
    host::run(
        &executor,
        listener,
        backend,
        host_limits(&args.limits),
        &shutdown,
    )
}

/// Runs `gateway`.
pub(crate) fn gateway(args: &Gateway) -> Outcome {
    let host = args.listen.bind.as_deref().unwrap_or(HOST);
    let listener = listen::listen(host, args.listen.port.unwrap_or(PORT))?;
    let shutdown = shutdown::watch(args.lifeline.end_with_stdin)?;
    let executor = Rc::new(LocalExecutor::new());
    let members = &args.cluster.cluster;
    let replicas = args.cluster.replicas.replicas;
    let backend = Backend::node(
        &executor,
        &members.0,
        Role::Coordinator(format!("gateway-{:08x}", fastrand::u32(..))),
        replicas,
        store::Config::default(),
        args.limits.resp(),
    )?;
    let members = members.to_words().join(",");
    announce(
        &listener,
        &format!("gateway cluster={members} replicas={replicas}"),
    );
    host::run(
        &executor,
        listener,
        backend,
        host_limits(&args.limits),
        &shutdown,
    )
}

/// Where a node listens, and which member it is.
struct Place {
    host: String,
    port: u16,
    own: Option<NodeAddress>,
}

impl Place {
    fn of(args: &Serve) -> Result<Self, Error> {
        let (bind, port) = (args.listen.bind.clone(), args.listen.port);
        let Some(members) = &args.member.cluster else {
            return Ok(Self {
                host: bind.unwrap_or_else(|| HOST.to_owned()),
                port: port.unwrap_or(PORT),
                own: None,
            });
        };
        let node_id = args.member.node_id.as_deref();
        let own = identity::own_entry(&members.0, node_id, port.unwrap_or(PORT))?;
        Ok(Self {
            host: bind.unwrap_or_else(|| identity::host_of(own).to_owned()),
            port: port.or_else(|| identity::port_of(own)).unwrap_or(PORT),
            own: Some(own.clone()),
        })
    }
}

fn entries(capacity: &Capacity) -> store::Config {
    store::Config {
        max_bytes: capacity.max_memory,
        max_entries: capacity.max_entries,
        size_class,
    }
}

fn host_limits(limits: &ClientLimits) -> HostLimits {
    HostLimits {
        connection: Config {
            limits: limits.resp(),
            ..Config::default()
        },
        max_clients: limits.max_clients,
        idle_timeout: limits.idle_timeout,
    }
}

/// What is being started, for the log.
fn what(args: &Serve, place: &Place) -> String {
    let memory = args.capacity.max_memory;
    let memory = memory.map_or_else(|| "none".to_owned(), |bytes| size::human(bytes as u64));
    let entries = args.capacity.max_entries;
    let entries = entries.map_or_else(|| "none".to_owned(), |entries| entries.to_string());
    let limits = format!("max-memory=\"{memory}\" max-entries={entries}");
    match (&args.member.cluster, &place.own) {
        (Some(members), Some(own)) => format!(
            "member node={} cluster={} replicas={} {limits}",
            word(own),
            members.to_words().join(","),
            args.member.replicas.replicas
        ),
        _ => format!("node alone {limits}"),
    }
}

fn announce(listener: &TcpListener, what: &str) {
    let Ok(address) = listener.local_addr() else {
        return;
    };
    info!(
        "listening on {address} version={} pid={} {what}",
        env!("CARGO_PKG_VERSION"),
        std::process::id()
    );
    if !address.ip().is_loopback() {
        warn!(
            "{address} can be reached from other machines, and there is no password: keep it behind a firewall"
        );
    }
}

/// Where servers listen unless told otherwise: this machine alone.
const HOST: &str = "127.0.0.1";
/// Redis's port.
const PORT: u16 = 6379;
