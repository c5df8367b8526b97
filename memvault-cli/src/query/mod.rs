//! `get`, `set`, `del` and `ping`: one question to one server, or to a cluster as its own coordinator.

mod backend;
mod ping;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use serde_json::{Map, Value, json};

use crate::args::environment;
use crate::args::query::{Del, Get, Set};
use crate::error::{Error, NOT_FOUND, OK, Outcome};
use crate::output;
use backend::Backend;

pub(crate) use ping::{Health, ping, probe_all};

/// Runs `get`.
pub(crate) fn get(args: &Get) -> Outcome {
    let mut backend = Backend::connect(&args.careful)?;
    let value = backend.get(args.key.as_bytes())?;
    let code = if value.is_some() { OK } else { NOT_FOUND };
    if args.careful.json {
        let mut entry = named("key", &args.key);
        entry.insert("found".to_owned(), value.is_some().into());
        entry.extend(value.map(|value| bytes("value", &value)));
        output::json(&entry);
    } else if let Some(mut value) = value {
        value.push(b'\n');
        output::write(&value);
    } else {
        output::note(format_args!("no such key: {}", args.key.display()));
    }
    Ok(code)
}

/// Runs `set`.
pub(crate) fn set(args: &Set) -> Outcome {
    let mut backend = Backend::connect(&args.careful)?;
    backend.set(args.key.as_bytes(), args.value.as_bytes(), args.ttl)?;
    if args.careful.json {
        let ttl = args.ttl.map(|ttl| ttl.as_millis() as u64);
        let mut entry = named("key", &args.key);
        entry.insert("set".to_owned(), true.into());
        entry.insert("ttl_ms".to_owned(), json!(ttl));
        output::json(&entry);
    } else {
        output::line("OK");
    }
    Ok(OK)
}

/// Runs `del`.
pub(crate) fn del(args: &Del) -> Outcome {
    let mut backend = Backend::connect(&args.careful)?;
    let keys: Vec<&[u8]> = args.keys.iter().map(|key| key.as_bytes()).collect();
    let deleted = backend.del(&keys)?;
    if args.careful.json {
        let keys: Vec<_> = keys.into_iter().map(text_or_bytes).collect();
        output::json(&json!({"keys": keys, "deleted": deleted}));
    } else {
        output::line(deleted);
    }
    Ok(if deleted > 0 { OK } else { NOT_FOUND })
}

/// An object with one field, as [`bytes`] makes it.
pub(crate) fn named(name: &str, value: &OsStr) -> Map<String, Value> {
    Map::from_iter([bytes(name, value.as_bytes())])
}

/// What is no text is given as its bytes, under a name that says so: JSON has no strings of bytes.
fn bytes(name: &str, value: &[u8]) -> (String, Value) {
    match text_or_bytes(value) {
        Value::Array(bytes) => (format!("{name}_bytes"), bytes.into()),
        text => (name.to_owned(), text),
    }
}

fn text_or_bytes(value: &[u8]) -> Value {
    str::from_utf8(value).map_or_else(|_| value.into(), Value::from)
}

/// The server to ask: the flag, else the environment, else the default.
///
/// # Errors
///
/// A variable is neither a host nor a port.
pub(crate) fn server_address(flag: Option<&str>) -> Result<String, Error> {
    if let Some(address) = flag {
        return Ok(address.to_owned());
    }
    let host = variable(
        environment::HOST,
        "127.0.0.1",
        "a host or an address",
        |host| !host.contains(|c: char| c.is_whitespace() || "/,=@".contains(c)),
    )?;
    let port = variable(environment::PORT, "6379", "a port, 1 to 65535", |port| {
        port.parse::<u16>().is_ok_and(|port| port > 0)
    })?;
    Ok(if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    })
}

fn variable(
    name: &str,
    default: &str,
    expected: &str,
    is_good: impl Fn(&str) -> bool,
) -> Result<String, Error> {
    let Some(value) = environment::value(name) else {
        return Ok(default.to_owned());
    };
    match value.to_str().filter(|value| is_good(value)) {
        Some(value) => Ok(value.to_owned()),
        None => Err(Error::usage(format_args!(
            "{name} of the environment is {value:?}: expected {expected}; change it, or give --server"
        ))),
    }
}
