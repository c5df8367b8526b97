//! Completion and hints while a person types.

use std::borrow::Cow;

use rustyline::completion::{Completer, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};

use super::catalogue::{ENTRIES, Entry};
use crate::output::Style;

/// Helps with the names of commands and, in pale letters, with what may follow.
pub(super) struct Assistant {
    style: Style,
}

impl Assistant {
    pub(super) fn new() -> Self {
        Self {
            style: Style::of_stdout(),
        }
    }
}

/// The entries whose names begin with `typed`, in any case.
fn matching(typed: &str) -> impl Iterator<Item = &'static Entry> {
    ENTRIES.iter().filter(move |entry| {
        let head = entry.name.get(..typed.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(typed))
    })
}

/// Completes in the letters that the person began with.
fn in_the_case_of(typed: &str, name: &str) -> String {
    let lower = typed.chars().any(|letter| letter.is_ascii_lowercase());
    if lower {
        name.to_ascii_lowercase()
    } else {
        name.to_owned()
    }
}

/// What may follow `line`, if it names a command and ends in a blank.
fn arguments_after(line: &str) -> Option<String> {
    let mut entries = ENTRIES.iter().filter(|entry| {
        let head = line.get(..entry.name.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(&entry.name))
            && line[entry.name.len()..].starts_with(' ')
    });
    // `COMMAND DOCS x` is more exact than `COMMAND`.
    let entry = entries.by_ref().max_by_key(|entry| entry.name.len())?;
    let given = line[entry.name.len()..].split_ascii_whitespace().count();
    let ends_in_blank = line.ends_with(' ');
    let rest: Vec<_> = entry
        .arguments
        .split(' ')
        .skip(given)
        .filter(|word| !word.is_empty())
        .collect();
    (ends_in_blank && !rest.is_empty()).then(|| rest.join(" "))
}

impl Completer for Assistant {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let typed = line[..position].trim_start();
        let start = position - typed.len();
        let pairs = matching(typed).map(|entry| Pair {
            display: entry.name.clone(),
            replacement: in_the_case_of(typed, &entry.name) + " ",
        });
        Ok((start, pairs.collect()))
    }
}

impl Hinter for Assistant {
    type Hint = String;

    fn hint(&self, line: &str, position: usize, _: &Context<'_>) -> Option<String> {
        if position < line.len() {
            return None;
        }
        arguments_after(line.trim_start())
    }
}

impl Highlighter for Assistant {
    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        self.style.dim(hint).into()
    }
}

impl Validator for Assistant {}
impl Helper for Assistant {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_completed_in_the_letters_typed() {
        let names = |typed| {
            matching(typed)
                .map(|entry| entry.name.as_str())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            names("pe"),
            ["PERSIST", "PEXPIRE", "PEXPIREAT", "PEXPIRETIME"]
        );
        assert_eq!(names("client set"), ["CLIENT SETINFO", "CLIENT SETNAME"]);
        assert_eq!(names("ü"), [""; 0]);
        assert_eq!(in_the_case_of("ge", "GET"), "get");
        assert_eq!(in_the_case_of("GE", "GET"), "GET");
    }

    #[test]
    fn hints_tell_what_is_missing() {
        for (line, hint) in [
            ("get ", Some("key")),
            ("get", None),
            ("get k", None),
            ("get k ", None),
            ("expire k ", Some("seconds [NX|XX|GT|LT]")),
            ("config get ", Some("pattern [pattern ...]")),
            ("command docs ", Some("[name ...]")),
            ("nonsense ", None),
            ("", None),
        ] {
            assert_eq!(arguments_after(line).as_deref(), hint, "{line:?}");
        }
    }
}
