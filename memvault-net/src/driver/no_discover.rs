//! In place of discovery in a server that is built without it: says so where it is asked for.

use std::net::UdpSocket;

use memvault::replication::Role;

use super::{Discover, DiscoverError, Driver};

impl Driver {
    /// Refuses what a member asks for; a coordinator does without, as ever.
    pub(crate) fn discover(&self, _: Discover, _: UdpSocket) -> Result<(), DiscoverError> {
        if self.inspect(|node| matches!(node.config().role, Role::Member(_))) {
            Err(DiscoverError::NotBuilt)
        } else {
            Ok(())
        }
    }
}
