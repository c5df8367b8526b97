//! How many clients there is room for: each needs a file descriptor.

use std::net::{SocketAddr, TcpListener};

use super::protected_mode::MAX_STRANGERS;
use super::{Config, Error, Role};
use crate::open_files;

/// Files for what is no client: the reactor, three of each thread, `/proc`, names that are looked up, one to spare.
const OWN: u64 = 32;
/// Files for each member: a link to it, one from it, and one to look at it from the admin port.
const PER_MEMBER: u64 = 3;

/// Has the system allow as many open files as these settings need; if it does not, lowers [`Config::max_clients`], and
/// says so.
///
/// # Errors
/// If there is room for no client at all.
pub(super) fn apply(config: &mut Config, listener: &TcpListener) -> Result<(), Error> {
    let own = open_files::open_now() + OWN + 3 * config.threads as u64;
    let is_from_here = |address: SocketAddr| address.ip().is_loopback();
    let is_closed = listener.local_addr().is_ok_and(is_from_here);
    let strangers = if config.protected && !is_closed {
        MAX_STRANGERS
    } else {
        0
    };
    let others = others(config) + strangers as u64;
    let wanted = own + others + config.max_clients as u64;
    let Some(allowed) = open_files::raise_to(wanted).filter(|allowed| *allowed < wanted) else {
        return Ok(());
    };
    let clients =
        clients_within(allowed, own, others, config.max_clients).ok_or(Error::OpenFiles {
            allowed,
            least: own + 1,
        })?;
    log::warn!(
        allowed,
        wanted,
        asked = config.max_clients,
        max_clients = clients,
        hint = "fewer clients than --max-clients says: the system allows too few open files. Raise the limit: ulimit -Hn, \
                LimitNOFILE= of systemd, ulimits of a container";
        "too-few-open-files"
    );
    config.max_clients = clients;
    Ok(())
}

/// Files for those who are neither clients nor this server's own.
fn others(config: &Config) -> u64 {
    let admin = config.admin.as_ref();
    let admin = admin.map_or(0, |_| config.admin_limits.most_connections() as u64);
    let members = match &config.role {
        Role::Single(_) => 0,
        // Some may be added.
        Role::Cluster(settings) => settings.node.members.len().max(16) as u64,
    };
    admin + PER_MEMBER * members
}

/// How many of `wanted` clients there is room for beside the rest: all of what is left, or if that is little, their
/// share of it.
fn clients_within(allowed: u64, own: u64, others: u64, wanted: usize) -> Option<usize> {
    let left = allowed.checked_sub(own).filter(|left| *left > 0)?;
    let clients = left.saturating_sub(others).max(left / 2).max(1);
    Some(usize::try_from(clients).map_or(wanted, |clients| clients.min(wanted)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_get_what_is_left_or_half_of_it() {
        assert_eq!(clients_within(1024, 40, 84, 10_000), Some(900));
        assert_eq!(clients_within(64, 40, 0, 10_000), Some(24));
        assert_eq!(clients_within(64, 40, 84, 10_000), Some(12));
        assert_eq!(clients_within(41, 40, 84, 10_000), Some(1));
        assert_eq!(clients_within(2000, 40, 84, 10), Some(10));
        assert_eq!(clients_within(40, 40, 0, 10), None);
    }
}
