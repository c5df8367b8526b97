//! From a configuration to the parts of a node.

use alloc::sync::Arc;

use crate::replication::config::{Config, ConfigError, Role};
use crate::replication::context::Context;
use crate::replication::membership::list::Membership;
use crate::replication::membership::placement::{Misplaced, Placement};
use crate::replication::peers::Peers;
use crate::ring::RingError;
use crate::rng::Rng;
use crate::version::Hlc;

/// The membership of a configuration, and everything that follows from it. The placement is that of
/// `sibling`, if that has the same membership.
pub(super) fn build_context(
    config: Config,
    incarnation: u32,
    rng: Rng,
    sibling: Option<&Context>,
) -> Result<Context, ConfigError> {
    let membership = Membership::of_config(&config);
    let mut peers = Peers::new(&config, &membership, rng);
    let placement = match sibling {
        Some(sibling) if sibling.membership == membership => Arc::clone(&sibling.placement),
        _ => Arc::new(place(&membership, &peers)?),
    };
    let me = match &config.role {
        Role::Coordinator(_) => None,
        Role::Member(id) if membership.has_member(id) || config.is_seed_list => {
            Some(peers.set_me(id))
        }
        Role::Member(id) => return Err(ConfigError::NotAMember(id.clone())),
    };
    let hlc = Hlc::new(incarnation);
    Ok(Context::new(config, membership, placement, me, peers, hlc))
}

fn place(membership: &Membership, peers: &Peers) -> Result<Placement, ConfigError> {
    let placement = Placement::new(membership, &peers.numbers(), None);
    placement.map_err(|Misplaced { id, error }| match error {
        RingError::DuplicateNode => ConfigError::DuplicateMember(id),
        error => ConfigError::BadMember(alloc::format!("{id}: {error}")),
    })
}

pub(super) fn hasher(rng: &mut Rng) -> ahash::RandomState {
    let mut seed = || rng.next_u64();
    ahash::RandomState::with_seeds(seed(), seed(), seed(), seed())
}
