//! `/api/events`: what has happened since the last question.

use serde_json::{Value, json};

use super::history::{History, Noted};

/// The document, for the query that came with it; `None` if that is none of ours. `started_ms` is when this process
/// began, in Unix milliseconds: numbers of events begin with it.
pub(super) fn events(query: &str, history: &History, started_ms: u64) -> Option<Value> {
    let since = match query {
        "" => 0,
        query => query.strip_prefix("since=")?.parse().ok()?,
    };
    Some(json!({
        "started_ms": started_ms,
        "last": history.last_number(),
        "kept": history.max_events,
        "events": history.since(since).map(event).collect::<Vec<_>>(),
    }))
}

/// One of them.
pub(super) fn event(event: &Noted) -> Value {
    json!({
        "number": event.number,
        "time_ms": event.at.as_millis(),
        "event": event.name,
        "node": event.node,
        "text": event.text,
    })
}
