//! Events of the node in the log, with the same name and the same fields as elsewhere.

use log::kv::{Key, Source, Value, VisitSource};
use log::{Level, Record};
use memvault::replication::{Event, Field, FieldValue};

use crate::flapping::{PERIOD, Summary};

/// Writes an event into the log.
pub(super) fn write(event: &Event) {
    let level = level(event);
    if level > log::max_level() {
        return;
    }
    let fields = Fields(event.fields());
    log::logger().log(
        &Record::builder()
            .level(level)
            .target(module_path!())
            .module_path_static(Some(module_path!()))
            .key_values(&fields)
            .args(format_args!("{}", event.name()))
            .build(),
    );
}

/// Writes what a member did all the time into the log.
pub(super) fn write_summary(summary: &Summary) {
    let Summary {
        node,
        ejected,
        rejoined,
    } = summary;
    let seconds = PERIOD.as_secs();
    log::warn!(node, ejected, rejoined, seconds; "flapping");
}

/// What is as it should be informs, the rest warns.
const fn level(event: &Event) -> Level {
    match event {
        Event::Up { .. }
        | Event::Rejoined { .. }
        | Event::StateChanged { .. }
        | Event::Moved { .. }
        | Event::MembersChanged { .. } => Level::Info,
        _ => Level::Warn,
    }
}

/// The fields of an event, as loggers ask for them.
struct Fields<'a>(Vec<Field<'a>>);

impl Source for Fields<'_> {
    fn visit<'kvs>(&'kvs self, visitor: &mut dyn VisitSource<'kvs>) -> Result<(), log::kv::Error> {
        self.0.iter().try_for_each(|field| {
            let value = match field.value {
                FieldValue::Text(text) => Value::from(text),
                FieldValue::Number(number) => Value::from(number),
                FieldValue::Flag(is_so) => Value::from(is_so),
                ref other => Value::from_display(other),
            };
            visitor.visit_pair(Key::from_str(field.name), value)
        })
    }
}
