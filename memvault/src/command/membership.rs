//! `MEMVAULT.CLUSTER`: the members of a cluster, shown and changed.

use super::error::CommandError;
use super::number::integer;
use crate::resp::Args;

/// What `MEMVAULT.CLUSTER` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MembershipCommand<'a> {
    /// `STATUS`: the members, and how far the change under way has come.
    Status,
    /// `ADD id address [weight]`: begins to make a waiting node a member.
    Add {
        /// The node's id.
        id: &'a str,
        /// Where it is reached: `host:port`.
        address: &'a str,
        /// Its share of the ring, relative to the others.
        weight: u32,
    },
    /// `REMOVE id`: begins to have the others take over a member's keys.
    Remove(&'a str),
}

impl<'a> MembershipCommand<'a> {
    pub(super) fn parse(args: &Args<'a>) -> Result<Self, CommandError<'a>> {
        let name = args.get(1).unwrap_or(&[]);
        let is = |expected: &str| name.eq_ignore_ascii_case(expected.as_bytes());
        match args.len() {
            2 if is("status") => Ok(Self::Status),
            3 if is("remove") => Ok(Self::Remove(text(args, 2)?)),
            4 | 5 if is("add") => Ok(Self::Add {
                id: text(args, 2)?,
                address: text(args, 3)?,
                weight: match args.get(4) {
                    Some(weight) => weight_of(weight)?,
                    None => 1,
                },
            }),
            _ if is("status") || is("remove") || is("add") => Err(CommandError::Syntax),
            _ => Err(CommandError::UnknownChange(name)),
        }
    }
}

fn text<'a>(args: &Args<'a>, at: usize) -> Result<&'a str, CommandError<'a>> {
    let text = core::str::from_utf8(args.get(at).unwrap_or(&[])).ok();
    text.filter(|text| !text.is_empty())
        .ok_or(CommandError::Syntax)
}

fn weight_of<'a>(text: &[u8]) -> Result<u32, CommandError<'a>> {
    let weight = integer(text).and_then(|weight| u32::try_from(weight).ok());
    weight
        .filter(|weight| *weight > 0)
        .ok_or(CommandError::NotAnInteger)
}
