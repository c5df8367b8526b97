//! `COMMAND`: the table of commands, for clients that ask for it.

use alloc::format;
use alloc::vec::Vec;

use crate::command::{
    Access, CommandError, Describe, Filter, Name, Spec, all, lookup, matches, subcommands,
};
use crate::resp::{Args, Protocol, encode};

pub(super) fn describe(what: &Describe<'_>, protocol: Protocol, out: &mut Vec<u8>) {
    match what {
        Describe::Count => encode::integer(out, all().len() as i64),
        Describe::List(filter) => list(filter, out),
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
        Describe::Keys(args) => keys(args, out, |out, key, _| encode::bulk(out, key)),
        Describe::KeysAndFlags(args) => keys(args, out, |out, key, access| {
            encode::array(out, 2);
            encode::bulk(out, key);
            flags(access.names(), protocol, out);
        }),
    }
}

fn list(filter: &Filter<'_>, out: &mut Vec<u8>) {
    let is_listed = |spec: &&Spec| match *filter {
        Filter::All => true,
        Filter::None => false,
        Filter::Pattern(pattern) => matches(pattern, spec.name.as_bytes()),
        Filter::Category(name) => {
            let mut names = spec.categories().names();
            names.any(|of| of.as_bytes()[1..].eq_ignore_ascii_case(name))
        }
    };
    let listed = || all().iter().filter(is_listed);
    encode::array(out, listed().count());
    for spec in listed() {
        encode::bulk(out, spec.name.as_bytes());
    }
}

/// Answers with the keys among the arguments of a command.
fn keys(args: &Args<'_>, out: &mut Vec<u8>, write: impl Fn(&mut Vec<u8>, &[u8], Access)) {
    let Some(spec) = args.get(0).and_then(lookup) else {
        return CommandError::NoSuchCommand.encode(out);
    };
    if !spec.takes(args.len()) {
        return CommandError::ArityOfOther.encode(out);
    }
    let positions = || spec.keys.of(args.len());
    if positions().count() == 0 {
        return CommandError::NoKeys.encode(out);
    }
    let access = access(spec, args);
    encode::array(out, positions().count());
    for key in positions().filter_map(|at| args.get(at)) {
        write(out, key, access);
    }
}

/// What a command does to its keys. A `SET` without `GET` tells nothing of what was there.
fn access(spec: &Spec, args: &Args<'_>) -> Access {
    let mut options = args.from(3).iter();
    if spec.id == Name::Set && !options.any(|option| option.eq_ignore_ascii_case(b"get")) {
        return Access::OW.and(Access::UPDATE);
    }
    spec.keys.access
}

fn flags(names: impl Iterator<Item = &'static str>, protocol: Protocol, out: &mut Vec<u8>) {
    let names: Vec<_> = names.collect();
    encode::set(out, protocol, names.len());
    for name in names {
        encode::simple(out, name.as_bytes());
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
    flags(spec.flags.names(), protocol, out);
    for position in [spec.keys.first, spec.keys.last, spec.keys.step] {
        encode::integer(out, i64::from(position));
    }
    flags(spec.categories().names(), protocol, out);
    // Tips: we have none.
    encode::array(out, 0);
    key_specifications(spec, protocol, out);
    // What a subcommand does is told by `HELP`.
    encode::array(out, 0);
}

/// Where the keys are, as clients of a cluster read it: none, or one range.
fn key_specifications(spec: &Spec, protocol: Protocol, out: &mut Vec<u8>) {
    let keys = spec.keys;
    if keys.first == 0 {
        return encode::array(out, 0);
    }
    let field = |out: &mut Vec<u8>, name: &str, number: i8| {
        encode::bulk(out, name.as_bytes());
        encode::integer(out, i64::from(number));
    };
    let kind = |out: &mut Vec<u8>, name: &str, kind: &str| {
        encode::bulk(out, name.as_bytes());
        encode::map(out, protocol, 2);
        encode::bulk(out, b"type");
        encode::bulk(out, kind.as_bytes());
        encode::bulk(out, b"spec");
    };
    encode::array(out, 1);
    encode::map(out, protocol, 3);
    encode::bulk(out, b"flags");
    let is_set = spec.id == Name::Set;
    let variable = is_set.then_some("variable_flags");
    flags(keys.access.names().chain(variable), protocol, out);
    kind(out, "begin_search", "index");
    encode::map(out, protocol, 1);
    field(out, "index", keys.first);
    kind(out, "find_keys", "range");
    encode::map(out, protocol, 3);
    // Counted from the first key.
    let last = if keys.last < 0 {
        keys.last
    } else {
        keys.last - keys.first
    };
    field(out, "lastkey", last);
    field(out, "keystep", keys.step);
    field(out, "limit", 0);
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
        encode::map(out, protocol, 4);
        for (field, text) in [
            ("summary", spec.summary),
            ("since", spec.since),
            ("group", spec.group.name()),
            ("complexity", spec.complexity),
        ] {
            encode::bulk(out, field.as_bytes());
            encode::bulk(out, text.as_bytes());
        }
    }
}
