//! The commands that the shell knows by name, for completion, hints and help: those of the table that the
//! server reads as well, and a few of the shell's own.

use std::fmt::Write;
use std::sync::LazyLock;

use memvault::command::{self, Spec, Subcommand};

/// A command, its arguments and what it does.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) arguments: &'static str,
    summary: &'static str,
}

/// All commands, by name.
pub(super) static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let mut entries: Vec<Entry> = command::all().iter().flat_map(entries_of).collect();
    for (name, arguments, summary) in [
        ("exit", "", "Leaves the shell"),
        ("help", "[command]", "Shows this list, or one command"),
    ] {
        entries.push(entry(name.to_owned(), arguments, summary));
    }
    entries
});

/// A command, or each of its parts where it has any.
fn entries_of(spec: &'static Spec) -> Vec<Entry> {
    let name = spec.name.to_ascii_uppercase();
    let whole = entry(name, spec.arguments, spec.summary);
    let parts = command::subcommands(spec.id).iter().map(entry_of);
    let mut parts: Vec<_> = parts.collect();
    parts.sort_by(|a, b| a.name.cmp(&b.name));
    // One that cannot stand alone is not offered alone.
    if parts.is_empty() || spec.takes(1) {
        parts.insert(0, whole);
    }
    parts
}

fn entry_of(part: &'static Subcommand) -> Entry {
    let name = part.name.replace('|', " ").to_ascii_uppercase();
    entry(name, part.arguments, part.summary)
}

const fn entry(name: String, arguments: &'static str, summary: &'static str) -> Entry {
    Entry {
        name,
        arguments,
        summary,
    }
}

/// The list of commands, or those that begin with `name`.
pub(super) fn help(name: Option<&[u8]>) -> String {
    let wanted = String::from_utf8_lossy(name.unwrap_or_default()).to_ascii_lowercase();
    let found = ENTRIES
        .iter()
        .filter(|entry| entry.name.to_ascii_lowercase().starts_with(&wanted));
    let mut text = String::new();
    for entry in found {
        let usage = format!("{} {}", entry.name, entry.arguments);
        let _ = writeln!(text, "  {usage:<66} {}", entry.summary);
    }
    if text.is_empty() {
        return format!("no command begins with {wanted:?}; help lists them");
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_finds_commands_in_any_case() {
        assert!(help(None).lines().count() == ENTRIES.len());
        assert!(help(Some(b"PEXP")).contains("milliseconds"));
        assert!(help(Some(b"client")).lines().count() == 8);
        assert!(help(Some(b"hgetall")).starts_with("no command"));
    }

    #[test]
    fn every_command_of_the_server_is_known() {
        for spec in command::all() {
            let name = spec.name.to_ascii_uppercase();
            let knows = |entry: &Entry| entry.name.split(' ').next() == Some(&name);
            assert!(ENTRIES.iter().any(knows), "{name}");
        }
    }
}
