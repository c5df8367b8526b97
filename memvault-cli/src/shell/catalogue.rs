//! The commands that the shell knows by name: for completion, hints and help.

use std::fmt::Write;

/// A command, its arguments and what it does.
pub(super) struct Entry {
    pub(super) name: &'static str,
    pub(super) arguments: &'static str,
    summary: &'static str,
}

/// All commands, by name.
pub(super) const ENTRIES: &[Entry] = &[
    entry("CLIENT GETNAME", "", "Name of this connection"),
    entry("CLIENT ID", "", "Number of this connection"),
    entry(
        "CLIENT SETINFO",
        "LIB-NAME|LIB-VER value",
        "Names the client library",
    ),
    entry("CLIENT SETNAME", "name", "Names this connection"),
    entry("COMMAND", "", "Lists the commands of the server"),
    entry("COMMAND COUNT", "", "Counts the commands of the server"),
    entry("COMMAND DOCS", "[name ...]", "Describes commands"),
    entry("CONFIG GET", "pattern [pattern ...]", "Shows settings"),
    entry(
        "CONFIG SET",
        "setting value [setting value ...]",
        "Changes settings",
    ),
    entry("DBSIZE", "", "Counts the keys"),
    entry("DEL", "key [key ...]", "Deletes keys"),
    entry("ECHO", "text", "Gives the text back"),
    entry("EXISTS", "key [key ...]", "Counts those that exist"),
    entry(
        "EXPIRE",
        "key seconds [NX|XX|GT|LT]",
        "Sets the time to live",
    ),
    entry("FLUSHALL", "[ASYNC|SYNC]", "Deletes all keys"),
    entry("FLUSHDB", "[ASYNC|SYNC]", "Deletes all keys"),
    entry("GET", "key", "Gives the value of a key"),
    entry(
        "HELLO",
        "[2|3] [SETNAME name]",
        "Chooses the version of the protocol",
    ),
    entry("INFO", "[section ...]", "Tells about the server"),
    entry("MGET", "key [key ...]", "Gives the values of keys"),
    entry("MSET", "key value [key value ...]", "Sets keys"),
    entry("PERSIST", "key", "Removes the time to live"),
    entry(
        "PEXPIRE",
        "key milliseconds [NX|XX|GT|LT]",
        "Sets the time to live",
    ),
    entry("PING", "[text]", "Asks whether the server answers"),
    entry("PTTL", "key", "Gives the time to live in milliseconds"),
    entry("SELECT", "0", "Chooses the database; there is one"),
    entry(
        "SET",
        "key value [NX|XX] [GET] [EX s|PX ms|EXAT s|PXAT ms|KEEPTTL]",
        "Sets a key",
    ),
    entry("TTL", "key", "Gives the time to live in seconds"),
    entry("TYPE", "key", "Gives the type of a value"),
    entry("UNLINK", "key [key ...]", "Deletes keys"),
    entry("exit", "", "Leaves the shell"),
    entry("help", "[command]", "Shows this list, or one command"),
];

const fn entry(name: &'static str, arguments: &'static str, summary: &'static str) -> Entry {
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
        assert!(help(Some(b"client")).lines().count() == 4);
        assert!(help(Some(b"hgetall")).starts_with("no command"));
    }
}
