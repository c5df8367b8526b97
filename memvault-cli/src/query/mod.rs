//! `get`, `set`, `del` and `ping`: one question to one server, or to a cluster as its own coordinator.

mod backend;
mod ping;

use std::env;

use serde_json::json;

use crate::args::query::{Del, Get, Set};
use crate::error::{NOT_FOUND, OK, Outcome};
use crate::output;
use backend::Backend;

pub(crate) use ping::{Health, ping, probe_all};

/// Runs `get`.
pub(crate) fn get(args: &Get) -> Outcome {
    let mut backend = Backend::connect(&args.careful)?;
    let value = backend.get(args.key.as_bytes())?;
    let code = if value.is_some() { OK } else { NOT_FOUND };
    if args.careful.json {
        output::json(&match &value {
            Some(value) => found(&args.key, value),
            None => json!({"key": args.key, "found": false}),
        });
    } else if let Some(mut value) = value {
        value.push(b'\n');
        output::write(&value);
    } else {
        output::note(format_args!("no such key: {}", args.key));
    }
    Ok(code)
}

/// A value that is no text is given as its bytes: JSON has no strings of bytes.
fn found(key: &str, value: &[u8]) -> serde_json::Value {
    match str::from_utf8(value) {
        Ok(text) => json!({"key": key, "found": true, "value": text}),
        Err(_) => json!({"key": key, "found": true, "value_bytes": value}),
    }
}

/// Runs `set`.
pub(crate) fn set(args: &Set) -> Outcome {
    let mut backend = Backend::connect(&args.careful)?;
    backend.set(args.key.as_bytes(), args.value.as_bytes(), args.ttl)?;
    if args.careful.json {
        let ttl = args.ttl.map(|ttl| ttl.as_millis() as u64);
        output::json(&json!({"key": args.key, "set": true, "ttl_ms": ttl}));
    } else {
        output::line("OK");
    }
    Ok(OK)
}

/// Runs `del`.
pub(crate) fn del(args: &Del) -> Outcome {
    let mut backend = Backend::connect(&args.careful)?;
    let keys: Vec<&[u8]> = args.keys.iter().map(String::as_bytes).collect();
    let deleted = backend.del(&keys)?;
    if args.careful.json {
        output::json(&json!({"keys": args.keys, "deleted": deleted}));
    } else {
        output::line(deleted);
    }
    Ok(if deleted > 0 { OK } else { NOT_FOUND })
}

/// The server to ask: the flag, else the environment, else the default.
pub(crate) fn server_address(flag: Option<&str>) -> String {
    if let Some(address) = flag {
        return address.to_owned();
    }
    let variable = |name| env::var(name).ok().filter(|value| !value.is_empty());
    let host = variable("MEMVAULT_HOST").unwrap_or_else(|| "127.0.0.1".to_owned());
    let port = variable("MEMVAULT_PORT").unwrap_or_else(|| "6379".to_owned());
    if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}
