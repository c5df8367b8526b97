//! Networks that can be broken.

mod namespaces;
mod proxies;

use std::process::Command;
use std::time::Duration;

pub(crate) use namespaces::Namespaces;
pub(crate) use proxies::Proxies;

/// Members; they are the processes 0 to 4.
pub(crate) const MEMBERS: usize = 5;
/// The process that plain Redis clients ask.
pub(crate) const GATEWAY: usize = MEMBERS;
/// This process, with its clients.
pub(crate) const CLIENTS: usize = GATEWAY + 1;

/// What becomes of bytes on their way from one process to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Wire {
    /// Nothing bad.
    Open,
    /// They get lost, and nobody is told.
    Cut,
    /// They take longer: `delay`, give or take up to `jitter`.
    Slow { delay: Duration, jitter: Duration },
    /// Some get lost and have to be sent again.
    Lossy { percent: u8 },
}

/// Connects the processes, and breaks on demand.
pub(crate) trait Network {
    /// The member list as this process has to take it: the ids are the same for all, the addresses are not.
    fn list(&self, process: usize) -> Vec<String>;

    /// Address and port at which a process listens, and where plain clients reach it.
    fn address(&self, process: usize) -> (String, u16);

    /// The command that runs as this process.
    fn command(&self, process: usize, args: &[&str]) -> Command;

    /// Makes the ways from the first to the second of each pair this good or bad.
    fn set(&self, wires: &[(usize, usize)], wire: Wire);
}

/// The id of a member.
pub(crate) fn id(member: usize) -> String {
    format!("n{member}")
}
