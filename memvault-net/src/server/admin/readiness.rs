//! `/readyz`: whether this server does its part.

use memvault::replication::{NodeState, Role};

use crate::server::backend::Backend;
use crate::server::clients::Clients;

/// Whether this server does its part, and why it does or not.
pub(super) fn readiness(clients: &Clients) -> Result<String, String> {
    if clients.is_stopping() {
        return Err("stopping".to_owned());
    }
    let Backend::Cluster { driver, .. } = &clients.backend else {
        return Ok("serving".to_owned());
    };
    driver.inspect(|node| {
        if node.is_clock_wrong() {
            let text = "requests are refused with -CLOCKSKEW: the clock of this machine differs from that of the others";
            return Err(text.to_owned());
        }
        let (state, mut members) = (node.state(), node.membership().members.iter());
        match &node.config().role {
            Role::Coordinator(_) if node.is_ready() => Ok("serving".to_owned()),
            Role::Coordinator(_) => Err("no member that serves is in view".to_owned()),
            Role::Member(id) if !members.any(|member| member.id == *id) => Err(format!(
                "{id} is no member of the cluster yet (memvault cluster add)"
            )),
            Role::Member(_) if state == NodeState::Serving => Ok(state.name().to_owned()),
            Role::Member(id) => {
                let mut peers = node.peers().filter(|peer| peer.id == *id);
                let progress = peers.find_map(|peer| peer.pending);
                let percent = progress.map(|progress| progress.permille / 10);
                let percent = percent.map(|percent| format!(", {percent} % fetched"));
                Err(format!("{}{}", state.name(), percent.unwrap_or_default()))
            }
        }
    })
}
