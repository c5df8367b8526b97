//! `INFO`: sections of names and values, one a line.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{Display, Write};

use crate::resp::Args;

/// A section of `INFO`, named as in Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Section {
    /// The process and its release.
    Server,
    /// Connections.
    Clients,
    /// Memory in use, and its limit.
    Memory,
    /// What is saved to disk: nothing. Whether the node has its keys yet.
    Persistence,
    /// Counters.
    Stats,
    /// The cluster, if there is one.
    Replication,
    /// Processor time.
    Cpu,
    /// Extensions: there are none.
    Modules,
    /// Calls of each command. Only told if it is asked for.
    Commandstats,
    /// Error replies, by their code.
    Errorstats,
    /// Whether clients have to know the cluster: never.
    Cluster,
    /// How many keys there are.
    Keyspace,
}

impl Section {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 12] = [
        Self::Server,
        Self::Clients,
        Self::Memory,
        Self::Persistence,
        Self::Stats,
        Self::Replication,
        Self::Cpu,
        Self::Modules,
        Self::Commandstats,
        Self::Errorstats,
        Self::Cluster,
        Self::Keyspace,
    ];

    /// The name, as the heading of the section has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Server => "Server",
            Self::Clients => "Clients",
            Self::Memory => "Memory",
            Self::Persistence => "Persistence",
            Self::Stats => "Stats",
            Self::Replication => "Replication",
            Self::Cpu => "CPU",
            Self::Modules => "Modules",
            Self::Commandstats => "Commandstats",
            Self::Errorstats => "Errorstats",
            Self::Cluster => "Cluster",
            Self::Keyspace => "Keyspace",
        }
    }

    /// Whether `INFO` with these arguments asks for it.
    pub(super) fn is_asked_for(self, names: &Args<'_>) -> bool {
        let is_usual = self != Self::Commandstats;
        let asks = |name: &[u8]| {
            let is = |expected: &str| name.eq_ignore_ascii_case(expected.as_bytes());
            is(self.name())
                || is("all")
                || is("everything")
                || is_usual && is("default")
                || self == Self::Modules && is("module_list")
        };
        if names.is_empty() {
            is_usual
        } else {
            names.iter().any(asks)
        }
    }
}

/// Takes the lines of a section.
#[derive(Debug)]
pub struct Fields<'a>(&'a mut String);

impl<'a> Fields<'a> {
    /// Appends the lines to `text`.
    pub const fn new(text: &'a mut String) -> Self {
        Self(text)
    }

    /// Adds a line.
    pub fn field(&mut self, name: &str, value: impl Display) {
        // A String takes everything.
        let _ = write!(self.0, "{name}:{value}\r\n");
    }

    /// Adds a line with a number of bytes, and one with `_human` behind the name, as in Redis: `1.50M`.
    pub fn bytes(&mut self, name: &str, bytes: u64) {
        self.field(name, bytes);
        let mut value = bytes as f64;
        let mut unit = "B";
        for next in ["K", "M", "G", "T", "P"] {
            if value < 1024.0 {
                break;
            }
            value /= 1024.0;
            unit = next;
        }
        let decimals = if unit == "B" { 0 } else { 2 };
        let name = alloc::format!("{name}_human");
        self.field(&name, format_args!("{value:.decimals$}{unit}"));
    }

    /// The number that was told last under this name; `None` if there is none.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        let mut lines = self.0.rsplit("\r\n");
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value?.parse().ok()
    }
}

/// The text of the sections that are asked for; `tell` adds the lines of each.
pub(super) fn text(names: &Args<'_>, mut tell: impl FnMut(Section, &mut Fields<'_>)) -> Vec<u8> {
    let mut text = String::new();
    for section in Section::ALL {
        if section.is_asked_for(names) {
            if !text.is_empty() {
                text.push_str("\r\n");
            }
            // A String takes everything.
            let _ = write!(text, "# {}\r\n", section.name());
            tell(section, &mut Fields::new(&mut text));
        }
    }
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_told_twice_as_in_redis() {
        let mut text = String::new();
        let mut fields = Fields::new(&mut text);
        fields.bytes("a", 1023);
        fields.bytes("b", 1 << 20);
        fields.bytes("c", 1_062_744);
        assert_eq!(
            (fields.number("b"), fields.number("b_human")),
            (Some(1 << 20), None)
        );
        let expected = "a:1023\r\na_human:1023B\r\nb:1048576\r\nb_human:1.00M\r\nc:1062744\r\nc_human:1.01M\r\n";
        assert_eq!(text, expected);
    }
}
