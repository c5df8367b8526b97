//! From a configuration to the parts of a node.

use alloc::sync::Arc;

use crate::chance::Chance;
use crate::replication::config::{Config, ConfigError, Role, WEIGHTS};
use crate::replication::context::Context;
use crate::replication::membership::document::Document;
use crate::replication::membership::placement::{Misplaced, Placement};
use crate::replication::peers::Peers;
use crate::ring::RingError;
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

/// The document of a configuration, and everything that follows from it. The placement is that of
/// `sibling`, if that has the same document.
pub(super) fn build_context(
    config: Config,
    boot: u32,
    chance: Chance,
    sibling: Option<&Context>,
) -> Result<Context, ConfigError> {
    let document = Document::of_config(&config);
    let mut peers = Peers::new(&config, &document, chance);
    let placement = match sibling {
        Some(sibling) if sibling.document == document => Arc::clone(&sibling.placement),
        _ => Arc::new(place(&document, &peers)?),
    };
    let me = match &config.role {
        Role::Coordinator(_) => None,
        Role::Member(id) if document.has_member(id) || config.is_seed_list => {
            Some(peers.set_me(id))
        }
        Role::Member(id) => return Err(ConfigError::NotAMember(id.clone())),
    };
    let hlc = Hlc::new(boot);
    Ok(Context::new(config, document, placement, me, peers, hlc))
}

fn place(document: &Document, peers: &Peers) -> Result<Placement, ConfigError> {
    let placement = Placement::new(document, &peers.numbers(), None);
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

pub(super) fn hasher(chance: &mut Chance) -> ahash::RandomState {
    let mut seed = || chance.next_u64();
    ahash::RandomState::with_seeds(seed(), seed(), seed(), seed())
}
