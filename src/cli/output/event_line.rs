//! An event on one line for a person: `12:00:01 TASK_LOG 0190… the line`.

use std::fmt::Write as _;

use chrono::{DateTime, Local};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::paint::Paint;
use super::print::one_line;

/// An event as it arrives.
#[derive(Debug, Deserialize)]
pub(crate) struct Frame {
    pub(crate) id: i64,
    #[serde(rename = "type")]
    kind: String,
    message: String,
    timestamp: String,
    data: Map<String, Value>,
}

impl Frame {
    /// The first of the events that the service has left out, if that is what it says.
    pub(crate) fn missed_from(&self) -> Option<i64> {
        let missed = self.kind == "EVENTS_MISSED";
        missed.then(|| self.data.get("from")?.as_i64()).flatten()
    }

    /// Whether these are the service's own words, which are in no journal.
    pub(crate) fn is_system_log(&self) -> bool {
        self.kind == "SYSTEM_LOG"
    }

    /// Whether it says how a line stands that has not ended.
    pub(crate) fn is_live_line(&self) -> bool {
        self.kind == "TASK_LIVE_LINE"
    }

    fn text(&self, name: &str) -> &str {
        self.data.get(name).and_then(Value::as_str).unwrap_or("")
    }
}

/// The same in the colours of a log line, where stdout has them.
pub(crate) fn painted(frame: &Frame, paint: Paint) -> String {
    let has_colors = frame.data.contains_key("ansi");
    match frame.kind.as_str() {
        "TASK_LOG" | "TASK_LIVE_LINE" if has_colors => {
            let (line, words) = (before_words(frame), paint.line(&frame.data));
            format!("{} {words}", one_line(&line))
        }
        _ => line(frame),
    }
}

/// Time (by the clock on the wall), type, task, and what matters most in an event of its type.
pub(crate) fn line(frame: &Frame) -> String {
    let words = match frame.kind.as_str() {
        "TASK_CREATED" => frame.text("content").to_owned(),
        "TASK_LOG" | "TASK_LIVE_LINE" => frame.text("line").to_owned(),
        "TASK_FAILED" => format!("{}: {}", frame.text("failure"), frame.text("error")),
        kind if kind.starts_with("TASK_") => fields(&frame.data),
        "SYSTEM_LOG" => frame.message.clone(),
        _ => format!("{} {}", frame.message, fields(&frame.data)),
    };
    let mut line = before_words(frame);
    let words = words.trim_end();
    if !words.is_empty() {
        let _ = write!(line, " {words}");
    }
    one_line(&line)
}

/// Time, type and task.
fn before_words(frame: &Frame) -> String {
    let time = match DateTime::parse_from_rfc3339(&frame.timestamp) {
        Ok(time) => time.with_timezone(&Local).format("%H:%M:%S").to_string(),
        Err(_) => frame.timestamp.clone(),
    };
    let mut line = format!("{time} {}", frame.kind);
    let task = frame.text("task_id");
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

    /// The line without its time, which depends on where the clock hangs.
    fn line_of(kind: &str, message: &str, data: Value) -> String {
        let frame = serde_json::json!({
            "id": 7, "type": kind, "agent": null, "message": message,
            "timestamp": "2026-01-31T12:00:01.000000Z", "data": data,
        });
        let line = line(&serde_json::from_value(frame).unwrap());
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
