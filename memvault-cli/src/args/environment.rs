//! Variables of the environment: each stands in for a flag that was not given.
//!
//! An empty variable counts as unset, and so does `tcp://10.96.0.10:6379`: for a service called `memvault` Kubernetes
//! sets `MEMVAULT_PORT` to that in every container.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::sync::OnceLock;

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, Error};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

/// Where servers listen, and where commands look for one.
pub(crate) const HOST: &str = "MEMVAULT_HOST";
/// The port of both.
pub(crate) const PORT: &str = "MEMVAULT_PORT";

/// The value of a variable, unless it counts as unset.
pub(crate) fn value(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| counts(value))
}

/// Says in the log which variables were set and passed over.
pub(crate) fn tell_ignored() {
    if let Some(value) = env::var_os(PORT).filter(|value| is_service_link(value)) {
        let value = value.to_string_lossy();
        log::debug!(variable = PORT, value = &*value, reason = "a service link of Kubernetes"; "ignored");
    }
}

/// A flag and its value as the user chose it, for a message: `--port 6380`, or `MEMVAULT_PORT=6380` if that was it.
pub(crate) fn said(flag: &str, value: impl Display) -> String {
    let used = USED.get().into_iter().flatten();
    match used.into_iter().find(|(long, _)| long == flag) {
        Some((_, name)) => format!("{name}={value}"),
        None => format!("--{flag} {value}"),
    }
}

/// Flags whose values came from variables, and these; known once the command line is read.
static USED: OnceLock<Vec<(String, String)>> = OnceLock::new();

/// Keeps which flags have their values from the environment.
pub(super) fn remember(command: &Command, matches: &ArgMatches) {
    let mut used = Vec::new();
    let (mut command, mut matches) = (command, matches);
    loop {
        for arg in command.get_arguments() {
            let known = matches.try_contains_id(arg.get_id().as_str()).is_ok();
            let source = known
                .then(|| matches.value_source(arg.get_id().as_str()))
                .flatten();
            if let (Some(ValueSource::EnvVariable), Some(long), Some(name)) =
                (source, arg.get_long(), arg.get_env())
            {
                used.push((long.to_owned(), name.to_string_lossy().into_owned()));
            }
        }
        let next = matches.subcommand();
        let next = next.and_then(|(name, below)| Some((command.find_subcommand(name)?, below)));
        match next {
            Some(below) => (command, matches) = below,
            None => break,
        }
    }
    // A process reads its command line once.
    let _ = USED.set(used);
}

/// The command line without the variables that count as unset.
pub(super) fn without_ignored(command: Command) -> Command {
    without(command, &|name| {
        env::var_os(name).is_some_and(|value| !counts(&value))
    })
}

/// If an error is about a variable and not about the flag that it stands in for, it says so.
pub(super) fn blamed(error: Error, command: &Command, words: &[OsString]) -> Error {
    let about = |error: &Error| {
        let context = error.get(ContextKind::InvalidArg);
        (error.kind(), context.map(ToString::to_string))
    };
    let flag = about(&error);
    for name in variables(command) {
        let other = without(command.clone(), &|candidate| candidate == name);
        let is_the_same = match other.try_get_matches_from(words) {
            Ok(_) => false,
            Err(other) => about(&other) == flag,
        };
        if !is_the_same {
            let name = name.to_string_lossy();
            let mut error = error;
            let text = format!("{name} of the environment");
            error.insert(ContextKind::InvalidArg, ContextValue::String(text));
            return error;
        }
    }
    error
}

/// The variables that stand for flags anywhere below, and are set.
fn variables(command: &Command) -> Vec<OsString> {
    let own = command.get_arguments().filter_map(Arg::get_env);
    let own = own.filter(|name| env::var_os(name).is_some());
    let mut names: Vec<OsString> = own.map(OsStr::to_owned).collect();
    names.extend(command.get_subcommands().flat_map(variables));
    names.sort_unstable();
    names.dedup();
    names
}

fn without(command: Command, is_ignored: &dyn Fn(&OsStr) -> bool) -> Command {
    let command = command.mut_args(|arg| match arg.get_env() {
        Some(name) if is_ignored(name) => arg.env(Resettable::<clap::builder::OsStr>::Reset),
        _ => arg,
    });
    command.mut_subcommands(|command| without(command, is_ignored))
}

fn counts(value: &OsStr) -> bool {
    !value.is_empty() && !is_service_link(value)
}

/// `tcp://10.96.0.10:6379`, as Kubernetes tells containers of services.
fn is_service_link(value: &OsStr) -> bool {
    let text = value.to_string_lossy();
    let rest = ["tcp://", "udp://", "sctp://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    let port = rest.and_then(|rest| rest.rsplit_once(':'));
    port.is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_links_are_known_by_their_form() {
        for (text, is_link) in [
            ("tcp://10.96.0.10:6379", true),
            ("udp://[fd00::1]:53", true),
            ("tcp://10.96.0.10", false),
            ("tcp://:6379", false),
            ("tcp://a:b", false),
            ("6379", false),
            ("http://a:80", false),
        ] {
            assert_eq!(is_service_link(OsStr::new(text)), is_link, "{text}");
        }
    }
}
