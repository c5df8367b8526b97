//! Keys and values that begin with a dash.
//!
//! `get`, `set` and `del` take any word for a key or a value that is none of their flags. For clap such words are set
//! behind a `--`, in the order in which they came.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use clap::error::ErrorKind;
use clap::{Arg, Command, Error};

/// Subcommands whose words are keys and values.
const OF_DATA: [&str; 3] = ["get", "set", "del"];

/// The words of a command line in an order that clap reads as they are meant.
///
/// # Errors
///
/// `-hello` where no word may stand: clap would read it as `-h`, print the help, and call it done.
pub(super) fn arranged(command: &Command, words: Vec<OsString>) -> Result<Vec<OsString>, Error> {
    let mut known: Vec<&Arg> = command.get_arguments().collect();
    let mut rest = words.into_iter();
    let mut arranged: Vec<OsString> = rest.by_ref().take(1).collect();
    let mut subcommand = command;
    let mut data = Vec::new();
    let mut is_of_data = false;
    while let Some(word) = rest.next() {
        if word == "--" {
            data.extend(rest.by_ref());
            if !is_of_data {
                arranged.push(word);
                arranged.append(&mut data);
            }
        } else if let Some(arg) = flag(&known, &word) {
            let takes_next = takes_next(arg, &word);
            arranged.push(word);
            arranged.extend(rest.by_ref().take(usize::from(takes_next)));
        } else if is_of_data && !is_help(&word, data.is_empty()) {
            data.push(word);
        } else if word.len() > 2
            && (word.as_bytes().starts_with(b"-h") || word.as_bytes().starts_with(b"-V"))
        {
            return Err(unexpected(subcommand, &word));
        } else {
            if let Some(below) = word
                .to_str()
                .and_then(|name| subcommand.find_subcommand(name))
            {
                is_of_data = OF_DATA.contains(&below.get_name());
                known.extend(below.get_arguments());
                subcommand = below;
            }
            arranged.push(word);
        }
    }
    if !data.is_empty() {
        arranged.push("--".into());
        arranged.append(&mut data);
    }
    Ok(arranged)
}

/// The flag that a word is.
fn flag<'a>(known: &[&'a Arg], word: &OsStr) -> Option<&'a Arg> {
    let bytes = word.as_bytes();
    let long = bytes.strip_prefix(b"--").filter(|name| !name.is_empty());
    let short = bytes
        .strip_prefix(b"-")
        .filter(|_| long.is_none() && bytes.len() == 2);
    known.iter().copied().find(|arg| {
        let is_long = |name: &str| {
            let rest = long.and_then(|long| long.strip_prefix(name.as_bytes()));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"="))
        };
        let is_short = |letter: char| short.is_some_and(|short| short == [letter as u8]);
        arg.get_long().is_some_and(is_long) || arg.get_short().is_some_and(is_short)
    })
}

/// Whether the value of this flag is the word behind it.
fn takes_next(arg: &Arg, word: &OsStr) -> bool {
    arg.get_action().takes_values() && !word.as_bytes().contains(&b'=')
}

/// Behind a key, `-h` is a value; `--help` never is.
fn is_help(word: &OsStr, is_first: bool) -> bool {
    word == "--help" || is_first && word == "-h"
}

fn unexpected(command: &Command, word: &OsStr) -> Error {
    let text = format!("unexpected argument '{}' found", word.to_string_lossy());
    command.clone().error(ErrorKind::UnknownArgument, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Cli;
    use clap::CommandFactory;

    fn arrange(words: &str) -> Result<String, Error> {
        let command = Cli::command();
        let words = words.split(' ').map(OsString::from).collect();
        let words = arranged(&command, words)?;
        let arranged: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
        Ok(arranged.join(" "))
    }

    #[test]
    fn what_is_no_flag_is_a_key_or_a_value() {
        for (words, expected) in [
            ("m set k -hello", "m set -- k -hello"),
            ("m set k -h", "m set -- k -h"),
            ("m set -h", "m set -h"),
            ("m set k --help", "m set --help -- k"),
            ("m set --ttl 5s k --x", "m set --ttl 5s -- k --x"),
            ("m set k v --ttl=5s", "m set --ttl=5s -- k v"),
            (
                "m --log-level debug get --json -1",
                "m --log-level debug get --json -- -1",
            ),
            ("m del -a --json b", "m del --json -- -a b"),
            ("m del -- --json b", "m del -- --json b"),
            ("m serve --port -1", "m serve --port -1"),
            ("m bench -n 5 -- x", "m bench -n 5 -- x"),
        ] {
            assert_eq!(arrange(words).expect(words), expected);
        }
    }

    #[test]
    fn help_is_a_word_of_its_own() {
        for words in ["m -hello", "m bench -hello", "m serve -hx"] {
            let error = arrange(words).expect_err(words);
            assert_eq!(error.exit_code(), 2, "{words}");
        }
    }
}
