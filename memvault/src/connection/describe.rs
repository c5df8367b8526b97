//! `COMMAND`: the table of commands, for clients that ask for it.

use alloc::vec::Vec;

use crate::command::{Describe, Spec, all, lookup};
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
