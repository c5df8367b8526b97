//! `serve` and `gateway`: from flags to a running [`Server`].

mod announce;
mod discover;
mod identity;
mod listen;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::Arc;

use log::info;
use memvault::replication::{self, Member};
use memvault::store;
use memvault_net::driver::{Discover, NodeAddress, Settings};
use memvault_net::server::{Config, Io, Role, Server};
use smol::channel::Receiver;

use crate::args::admin::{Admin, AdminFlags};
use crate::args::cluster::{Members, Seeds};
use crate::args::limits::ClientLimits;
use crate::args::serve::{Capacity, Gateway, Listen, Serve};
use crate::error::{Error, OK, Outcome};
use crate::shutdown::{self, OnHangUp};
use crate::size_class::size_class;

/// Runs `serve`.
pub(crate) fn serve(args: &Serve) -> Outcome {
    let threads = args.capacity.threads;
    let is_member = args.member.cluster.is_some() || args.member.discover.is_some();
    if threads > 1 && is_member {
        return Err(Error::usage(format_args!(
            "--threads {threads} is for a node alone: a member of a cluster (--cluster, --discover) has 1 thread; run \
             more members instead"
        )));
    }
    if args.capacity.io == Io::Epoll && is_member {
        return Err(Error::usage(
            "--io epoll is for a node alone: a member of a cluster (--cluster, --discover) waits for its links with smol \
             (--io auto or smol)",
        ));
    }
    let mut place = Place::of(args)?;
    let listener = listen::listen(&place.host, place.port)?;
    let admin = listen::listen_for_admin(args.admin.admin.as_ref())?;
    let shutdown = shutdown::watch(args.lifeline.end_with_stdin, OnHangUp::GoOn)?;
    let member = &args.member;
    let discover = member.discover.as_ref();
    let discover = discover
        .map(|seeds| discover::settings(seeds, member.advertise.as_deref(), &listener))
        .transpose()?;
    if let (None, Some(discover)) = (&place.own, &discover) {
        place.own = Some(discovered(discover, member.node_id.as_deref()));
    }
    let role = match &place.own {
        Some(own) => Role::Cluster(Box::new(member_settings(args, own, discover))),
        None => Role::Single(entries(&args.capacity)),
    };
    announce::server(
        &listener,
        &announce::What::of_server(args, place.own.as_ref()),
        args.listen.protected_mode,
    );
    if let (true, Some(own), Some(cluster)) = (member.join, &place.own, &member.cluster) {
        announce::joining(own, cluster);
    }
    let mut config = config(
        role,
        &args.listen,
        &args.limits,
        (admin, &args.admin, &args.admin_flags),
    );
    config.threads = threads;
    config.io = args.capacity.io;
    run(listener, config, shutdown)
}

/// A node that knows its address only now that it listens.
fn discovered(discover: &Discover, node_id: Option<&str>) -> NodeAddress {
    let address = discover.address.to_string();
    NodeAddress {
        id: node_id.map_or_else(|| address.clone(), str::to_owned),
        address,
    }
}

fn member_settings(args: &Serve, own: &NodeAddress, discover: Option<Discover>) -> Settings {
    let member = &args.member;
    let members = known_members(member.cluster.as_ref(), member.discover.as_ref());
    let role = replication::Role::Member(own.id.clone());
    let mut settings = settings(&members, role, member.replicas.replicas);
    args.coordination.apply(&mut settings.node);
    settings.entries = entries(&args.capacity);
    settings.limits = args.limits.resp();
    args.link_limits.apply(&mut settings);
    settings.discover = discover;
    let node = &mut settings.node;
    node.is_seed_list = member.join || member.cluster.is_none();
    if let Some(rate) = member.fetch_rate {
        node.fetch_rate = rate as u64;
    }
    if let Some(touches) = member.max_touches {
        node.max_touches = touches;
    }
    if let Some(percent) = member.max_tombstones {
        node.max_tombstones = percent;
    }
    if let Some(tags) = member.max_versions {
        node.max_versions = tags;
    }
    if let Some(patience) = member.join_patience {
        node.join_patience = patience;
    }
    settings
}

/// The member list; if there is none, those who can tell it.
fn known_members(cluster: Option<&Members>, seeds: Option<&Seeds>) -> Members {
    if let Some(members) = cluster {
        return members.clone();
    }
    let seeds = seeds.into_iter().flat_map(|seeds| &seeds.0);
    let seeds = seeds.map(|seed| NodeAddress {
        id: seed.clone(),
        address: seed.clone(),
    });
    Members(seeds.collect())
}

/// Runs `gateway`.
pub(crate) fn gateway(args: &Gateway) -> Outcome {
    let host = args.listen.bind.as_deref().unwrap_or(HOST);
    let listener = listen::listen(host, args.listen.port.unwrap_or(PORT))?;
    let admin = listen::listen_for_admin(args.admin.admin.as_ref())?;
    let shutdown = shutdown::watch(args.lifeline.end_with_stdin, OnHangUp::GoOn)?;
    let served = &args.cluster;
    let members = &known_members(served.cluster.as_ref(), served.discover.as_ref());
    let replicas = served.replicas.replicas;
    let name = format!("gateway-{:08x}", fastrand::u32(..));
    let mut settings = settings(members, replication::Role::Coordinator(name), replicas);
    settings.limits = args.limits.resp();
    args.link_limits.apply(&mut settings);
    args.coordination.apply(&mut settings.node);
    settings.node.plain_redis = args.kind.plain_redis;
    settings.node.is_seed_list = served.cluster.is_none();
    announce::server(
        &listener,
        &announce::What::of_gateway(args),
        args.listen.protected_mode,
    );
    let role = Role::Cluster(Box::new(settings));
    run(
        listener,
        config(
            role,
            &args.listen,
            &args.limits,
            (admin, &args.admin, &args.admin_flags),
        ),
        shutdown,
    )
}

fn config(
    role: Role,
    listen: &Listen,
    limits: &ClientLimits,
    admin: (Option<Arc<TcpListener>>, &Admin, &AdminFlags),
) -> Config {
    let mut config = Config::new(role);
    config.protected = listen.protected_mode;
    config.connection = limits.connection();
    config.max_clients = limits.max_clients;
    config.max_clients_memory = limits.max_clients_memory;
    config.idle_timeout = limits.idle_timeout;
    let silence = limits.tcp_keepalive;
    config.tcp_keepalive = (!silence.is_zero()).then_some(silence);
    let (listener, at, flags) = admin;
    config.admin = listener;
    config.admin_hosts = flags.hosts(at.admin.as_ref());
    config.admin_limits = flags.limits();
    config
}

/// Serves until `shutdown` gives a reason to end.
fn run(listener: TcpListener, config: Config, shutdown: Receiver<&'static str>) -> Outcome {
    if let Some(admin) = &config.admin {
        announce::admin(admin);
    }
    let told_to_stop = async move {
        let reason = shutdown.recv().await;
        info!(reason = reason.unwrap_or("no more signals"); "stopping");
    };
    Server::run(listener, config, told_to_stop).map_err(Error::failed)?;
    info!("stopped");
    Ok(OK)
}

fn settings(members: &Members, role: replication::Role, replicas: usize) -> Settings {
    let list = members.0.iter().map(|node| Member::new(&node.id)).collect();
    let mut config = replication::Config::new(list, role);
    config.replicas = replicas;
    let addresses = members.0.iter();
    let addresses = addresses.map(|node| (node.id.clone(), node.address.clone()));
    let mut settings = Settings::new(config);
    settings.addresses = addresses.collect::<BTreeMap<_, _>>();
    settings
}

/// Where a node listens, and which member it is.
struct Place {
    host: String,
    port: u16,
    own: Option<NodeAddress>,
}

impl Place {
    /// A node that is in no member list yet.
    fn of_joining(bind: Option<String>, port: Option<u16>, node_id: Option<&str>) -> Self {
        let host = bind.unwrap_or_else(|| HOST.to_owned());
        let port = port.unwrap_or(PORT);
        let address = if host.contains(':') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        };
        let id = node_id.map_or_else(|| address.clone(), str::to_owned);
        Self {
            host,
            port,
            own: Some(NodeAddress { id, address }),
        }
    }

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
        if args.member.join {
            return Ok(Self::of_joining(bind, port, node_id));
        }
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

/// Where servers listen unless told otherwise: this machine alone.
const HOST: &str = "127.0.0.1";
/// Redis's port.
const PORT: u16 = 6379;
