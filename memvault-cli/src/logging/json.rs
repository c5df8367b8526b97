//! The log for programs.

use std::io::{self, Write};

use env_logger::fmt::Formatter;
use log::Record;
use log::kv::{self, Key, VisitSource, VisitValue};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::Value;

use super::is_event;

/// One object a line: `ts` (UTC, RFC 3339 with milliseconds), `level`, `event`, and the event's fields.
pub(super) fn write(out: &mut Formatter, record: &Record<'_>) -> io::Result<()> {
    let message = record.args().to_string();
    let mut fields = Vec::new();
    let event = if is_event(record) {
        &message
    } else {
        fields.push(("target".to_owned(), record.target().into()));
        fields.push(("text".to_owned(), message.as_str().into()));
        "library"
    };
    record
        .key_values()
        .visit(&mut Fields(&mut fields))
        .map_err(io::Error::other)?;
    let line = Line {
        ts: out.timestamp_millis().to_string(),
        level: record.level().as_str().to_ascii_lowercase(),
        event,
        fields: &fields,
    };
    serde_json::to_writer(&mut *out, &line)?;
    writeln!(out)
}

/// A line of the log, in the order in which it is written.
struct Line<'a> {
    ts: String,
    level: String,
    event: &'a str,
    fields: &'a [(String, Value)],
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("ts", &self.ts)?;
        map.serialize_entry("level", &self.level)?;
        map.serialize_entry("event", self.event)?;
        for (name, value) in self.fields {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// Collects fields.
struct Fields<'a>(&'a mut Vec<(String, Value)>);

impl<'kvs> VisitSource<'kvs> for Fields<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: kv::Value<'kvs>) -> Result<(), kv::Error> {
        let mut converted = Converted(Value::Null);
        value.visit(&mut converted)?;
        // What is not known is not told.
        if !converted.0.is_null() {
            self.0.push((key.as_str().to_owned(), converted.0));
        }
        Ok(())
    }
}

/// A value in JSON: a number, true, false, or a text.
struct Converted(Value);

impl<'v> VisitValue<'v> for Converted {
    fn visit_any(&mut self, value: kv::Value<'_>) -> Result<(), kv::Error> {
        self.0 = value.to_string().into();
        Ok(())
    }

    fn visit_null(&mut self) -> Result<(), kv::Error> {
        self.0 = Value::Null;
        Ok(())
    }

    fn visit_u64(&mut self, value: u64) -> Result<(), kv::Error> {
        self.0 = value.into();
        Ok(())
    }

    fn visit_i64(&mut self, value: i64) -> Result<(), kv::Error> {
        self.0 = value.into();
        Ok(())
    }

    fn visit_f64(&mut self, value: f64) -> Result<(), kv::Error> {
        self.0 = value.into();
        Ok(())
    }

    fn visit_bool(&mut self, value: bool) -> Result<(), kv::Error> {
        self.0 = value.into();
        Ok(())
    }

    fn visit_str(&mut self, value: &str) -> Result<(), kv::Error> {
        self.0 = value.into();
        Ok(())
    }
}
