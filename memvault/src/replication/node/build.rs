//! From a configuration to the parts of a node.

use alloc::vec::Vec;

use super::super::config::{Config, ConfigError};
use crate::chance::Chance;
use crate::ring::{Ring, RingError};

pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    if config.members.is_empty() {
        return Err(ConfigError::NoMembers);
    }
    if config.replicas == 0 || config.replicas > Config::MAX_REPLICAS {
        return Err(ConfigError::Replicas(config.replicas));
    }
    if !config.floor_buckets.is_power_of_two() {
        return Err(ConfigError::FloorBuckets(config.floor_buckets));
    }
    Ok(())
}

pub(super) fn build_ring(config: &Config) -> Result<Ring, ConfigError> {
    let mut members: Vec<_> = config.members.iter().collect();
    members.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    let mut ring = Ring::new();
    for member in members {
        ring.add(&member.id, member.weight)
            .map_err(|error| match error {
                RingError::DuplicateNode => ConfigError::DuplicateMember(member.id.clone()),
                error => ConfigError::BadMember(alloc::format!("{}: {error}", member.id)),
            })?;
    }
    Ok(ring)
}

pub(super) fn hasher(chance: &mut Chance) -> ahash::RandomState {
    let mut seed = || chance.next_u64();
    ahash::RandomState::with_seeds(seed(), seed(), seed(), seed())
}
