//! In place of the admin port in a server that is built without it: says so where it is asked for.

use std::io;
use std::rc::Rc;

use async_executor::Task;

use super::clients::Clients;

/// As the one that answers.
///
/// # Errors
/// If there is to be an admin port.
pub(super) fn start(clients: &Rc<Clients>) -> io::Result<Option<Task<()>>> {
    match clients.config.admin {
        None => Ok(None),
        Some(_) => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "this program was built without the feature `admin` of memvault-net",
        )),
    }
}
