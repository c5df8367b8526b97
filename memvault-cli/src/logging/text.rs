//! The log for people.

use std::fmt;
use std::io::{self, Write};

use env_logger::fmt::Formatter;
use log::Record;
use log::kv::{Error, Key, Value, VisitSource, VisitValue};
use memvault::replication::FieldValue;

use super::is_event;

/// `2026-11-24T09:30:00.123Z INFO  name key=value key="some words"`; nothing in it breaks the line.
pub(super) fn write(out: &mut Formatter, record: &Record<'_>) -> io::Result<()> {
    let level = record.level();
    let style = out.default_level_style(level);
    let time = out.timestamp_millis();
    write!(out, "{time} {style}{level:<5}{style:#} ")?;
    let message = record.args().to_string();
    if is_event(record) {
        write!(out, "{message}")?;
    } else {
        let text = FieldValue::Text(&message);
        write!(out, "library target={} text={text}", record.target())?;
    }
    let mut fields = Fields(out);
    record
        .key_values()
        .visit(&mut fields)
        .map_err(io::Error::other)?;
    writeln!(out)
}

/// Writes field after field.
struct Fields<'a>(&'a mut Formatter);

impl<'kvs> VisitSource<'kvs> for Fields<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
        let mut writer = Field {
            out: self.0,
            name: key.as_str(),
        };
        value.visit(&mut writer)
    }
}

/// Writes one field.
struct Field<'a> {
    out: &'a mut Formatter,
    name: &'a str,
}

impl Field<'_> {
    fn write(&mut self, value: impl fmt::Display) -> Result<(), Error> {
        Ok(write!(self.out, " {}={value}", self.name)?)
    }
}

impl<'v> VisitValue<'v> for Field<'_> {
    fn visit_any(&mut self, value: Value<'_>) -> Result<(), Error> {
        self.visit_str(&value.to_string())
    }

    fn visit_str(&mut self, value: &str) -> Result<(), Error> {
        self.write(FieldValue::Text(value))
    }

    fn visit_null(&mut self) -> Result<(), Error> {
        // What is not known is not told.
        Ok(())
    }
}
