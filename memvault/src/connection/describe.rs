//! `COMMAND`: the table of commands, for clients that ask for it.

use alloc::format;
use alloc::vec::Vec;

use crate::command::{Describe, Name, Spec, all, lookup, subcommands};
use crate::resp::{Args, Protocol, encode};

pub(super) fn describe(what: &Describe<'_>, protocol: Protocol, out: &mut Vec<u8>) {
    match what {
        Describe::Count => encode::integer(out, all().len() as i64),
        Describe::List => {
            encode::array(out, all().len());
            for spec in all() {
                encode::bulk(out, spec.name.as_bytes());
            }
        }
        Describe::Info(names) if names.is_empty() => {
            encode::array(out, all().len());
            for spec in all() {
                entry(spec, protocol, out);
            }
        }
        Describe::Info(names) => {
            encode::array(out, names.len());
            for name in names.iter() {
                match lookup(name) {
                    Some(spec) => entry(spec, protocol, out),
                    None => encode::null(out, protocol),
                }
            }
        }
        Describe::Docs(names) => docs(names, protocol, out),
    }
}

/// Answers `HELP` of a command that has subcommands, in the lines that Redis has for it.
pub(super) fn help(command: Name, out: &mut Vec<u8>) {
    let parts = subcommands(command);
    let name = command.spec().name.to_ascii_uppercase();
    encode::array(out, 1 + 2 * parts.len());
    let head = "<subcommand> [<arg> [value] [opt] ...]. Subcommands are:";
    encode::simple(out, format!("{name} {head}").as_bytes());
    for part in parts {
        let own = part.name.rsplit('|').next().unwrap_or(part.name);
        let usage = format!("{} {}", own.to_ascii_uppercase(), part.arguments);
        encode::simple(out, usage.trim_end().as_bytes());
        encode::simple(out, format!("    {}.", part.summary).as_bytes());
    }
}

fn entry(spec: &Spec, protocol: Protocol, out: &mut Vec<u8>) {
    encode::array(out, 10);
    encode::bulk(out, spec.name.as_bytes());
    encode::integer(out, i64::from(spec.arity));
    encode::set(out, protocol, spec.flags.names().count());
    for flag in spec.flags.names() {
        encode::simple(out, flag.as_bytes());
    }
    for position in [spec.keys.first, spec.keys.last, spec.keys.step] {
        encode::integer(out, i64::from(position));
    }
    // Access categories, tips, key specifications and subcommands: we have none.
    encode::set(out, protocol, 0);
    encode::array(out, 0);
    encode::array(out, 0);
    encode::array(out, 0);
}

fn docs(names: &Args<'_>, protocol: Protocol, out: &mut Vec<u8>) {
    let known: Vec<&Spec> = if names.is_empty() {
        all().iter().collect()
    } else {
        names.iter().filter_map(lookup).collect()
    };
    encode::map(out, protocol, known.len());
    for spec in known {
        encode::bulk(out, spec.name.as_bytes());
        encode::map(out, protocol, 3);
        for (field, text) in [
            ("summary", spec.summary),
            ("since", spec.since),
            ("group", spec.group.name()),
        ] {
            encode::bulk(out, field.as_bytes());
            encode::bulk(out, text.as_bytes());
        }
    }
}
