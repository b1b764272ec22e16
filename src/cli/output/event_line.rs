//! Formats an event as one line: `12:00:01 TASK_LOG 0190… the line`.

use std::fmt::Write as _;

use chrono::{DateTime, Local};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::paint::Paint;
use super::print::one_line;

/// An event as the service sends it.
#[derive(Debug, Deserialize)]
pub(crate) struct EventFrame {
    pub(crate) id: i64,
    #[serde(rename = "type")]
    kind: String,
    message: String,
    timestamp: String,
    data: Map<String, Value>,
}

impl EventFrame {
    /// Returns the id of the first event that the service skipped, if this is an `EVENTS_MISSED`.
    pub(crate) fn missed_from(&self) -> Option<i64> {
        let missed = self.kind == "EVENTS_MISSED";
        missed.then(|| self.data.get("from")?.as_i64()).flatten()
    }

    /// Returns true for a message of the service itself, which has no row in the journal.
    pub(crate) fn is_system_log(&self) -> bool {
        self.kind == "SYSTEM_LOG"
    }

    /// Returns true for the present text of an unfinished log line.
    pub(crate) fn is_live_line(&self) -> bool {
        self.kind == "TASK_LIVE_LINE"
    }

    fn text(&self, name: &str) -> &str {
        self.data.get(name).and_then(Value::as_str).unwrap_or("")
    }
}

/// Formats the event like [`plain_line`], with the colours of a log line if stdout shows colours.
pub(crate) fn colored_line(event: &EventFrame, paint: Paint) -> String {
    let has_colors = event.data.contains_key("ansi");
    match event.kind.as_str() {
        "TASK_LOG" | "TASK_LIVE_LINE" if has_colors => {
            let (line, words) = (prefix(event), paint.line(&event.data));
            format!("{} {words}", one_line(&line))
        }
        _ => plain_line(event),
    }
}

/// Formats local time, type, task, and the most important field of an event of this type.
pub(crate) fn plain_line(event: &EventFrame) -> String {
    let words = match event.kind.as_str() {
        "TASK_CREATED" => event.text("content").to_owned(),
        "TASK_LOG" | "TASK_LIVE_LINE" => event.text("line").to_owned(),
        "TASK_FAILED" => format!("{}: {}", event.text("failure"), event.text("error")),
        kind if kind.starts_with("TASK_") => fields(&event.data),
        "SYSTEM_LOG" => event.message.clone(),
        _ => format!("{} {}", event.message, fields(&event.data)),
    };
    let mut line = prefix(event);
    let words = words.trim_end();
    if !words.is_empty() {
        let _ = write!(line, " {words}");
    }
    one_line(&line)
}

/// Formats time, type and task.
fn prefix(event: &EventFrame) -> String {
    let time = match DateTime::parse_from_rfc3339(&event.timestamp) {
        Ok(time) => time.with_timezone(&Local).format("%H:%M:%S").to_string(),
        Err(_) => event.timestamp.clone(),
    };
    let mut line = format!("{time} {}", event.kind);
    let task = event.text("task_id");
    if !task.is_empty() {
        let _ = write!(line, " {task}");
    }
    line
}

/// `attempt=1 run_at=…`
fn fields(data: &Map<String, Value>) -> String {
    let field = |(name, value): (&String, &Value)| match value {
        Value::String(text) => format!("{name}={text}"),
        other => format!("{name}={other}"),
    };
    let fields = data.iter().filter(|(name, _)| *name != "task_id");
    fields.map(field).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the line without its time, which depends on the time zone of the machine.
    fn line_of(kind: &str, message: &str, data: Value) -> String {
        let event = serde_json::json!({
            "id": 7, "type": kind, "agent": null, "message": message,
            "timestamp": "2026-01-31T12:00:01.000000Z", "data": data,
        });
        let line = plain_line(&serde_json::from_value(event).unwrap());
        let (time, rest) = line.split_once(' ').unwrap();
        assert_eq!(time.len(), 8, "{line}");
        rest.to_owned()
    }

    #[test]
    fn each_type_shows_what_matters() {
        use serde_json::json;
        for (kind, message, data, expected) in [
            (
                "TASK_CREATED",
                "Task started: …",
                json!({"task_id": "T", "content": "a\nb"}),
                "TASK_CREATED T a\\nb",
            ),
            (
                "TASK_STARTED",
                "…",
                json!({"task_id": "T", "attempt": 1}),
                "TASK_STARTED T attempt=1",
            ),
            (
                "TASK_LOG",
                "…",
                json!({"task_id": "T", "line": "half"}),
                "TASK_LOG T half",
            ),
            (
                "TASK_FAILED",
                "…",
                json!({"task_id": "T", "error": "no", "failure": "error"}),
                "TASK_FAILED T error: no",
            ),
            (
                "TASK_ABORTED",
                "…",
                json!({"task_id": "T"}),
                "TASK_ABORTED T",
            ),
            (
                "QUEUE_PAUSED",
                "Paused",
                json!({"active_tasks": 2}),
                "QUEUE_PAUSED Paused active_tasks=2",
            ),
            (
                "SYSTEM_LOG",
                "Hello",
                json!({"level": "INFO"}),
                "SYSTEM_LOG Hello",
            ),
        ] {
            assert_eq!(line_of(kind, message, data), expected);
        }
    }
}
