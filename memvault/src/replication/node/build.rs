//! From a configuration to the parts of a node.

use alloc::sync::Arc;

use crate::replication::config::{Config, ConfigError, Role, WEIGHTS};
use crate::replication::context::Context;
use crate::replication::membership::list::Membership;
use crate::replication::membership::placement::{Misplaced, Placement};
use crate::replication::peers::Peers;
use crate::ring::RingError;
use crate::rng::Rng;
use crate::version::Hlc;

pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    if config.members.is_empty() {
        return Err(ConfigError::NoMembers);
    }
    if config.replicas == 0 || config.replicas > Config::MAX_REPLICAS {
        return Err(ConfigError::Replicas(config.replicas));
    }
    if Config::bad_weights(config.members.iter()) {
        return Err(ConfigError::BadMember(WEIGHTS.into()));
    }
    if config.plain_redis {
        check_plain(config)?;
    }
    Ok(())
}

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

fn check_plain(config: &Config) -> Result<(), ConfigError> {
    if let Role::Member(id) = &config.role {
        return Err(ConfigError::PlainMember(id.clone()));
    }
    if config.is_seed_list {
        return Err(ConfigError::PlainSeeds);
    }
    let levels = [config.write_level, config.read_level];
    let refused = levels.into_iter().find(|level| level.needs_versions());
    refused.map_or(Ok(()), |level| Err(ConfigError::PlainLevel(level)))
}

pub(super) fn hasher(rng: &mut Rng) -> ahash::RandomState {
    let mut seed = || rng.next_u64();
    ahash::RandomState::with_seeds(seed(), seed(), seed(), seed())
}
