//! What outside workers send. Their texts are kept without NUL, like those of the other kinds of processors.
//!
//! A worker cannot choose what its program printed. So a text that a submission would be refused for is kept, with U+FFFD
//! in place of each invalid character, and a line of the task's log says so.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::body_schema::{RequestBody, body, optional, required};
use super::json::{parse_object, parse_part};
use super::json_check::{OBJECT, check};
use super::kinds::{Flag, KeptText, Key, Number, Text, Texts, Whole};
use crate::api::auth::caller::Caller;
use crate::api::error::{ApiError, Problem};
use crate::models::json::{self, Limits, compact, with_whole_characters};
use crate::models::task_limits::NAME_CHARS;
use crate::processors::worker::WorkerCall;
use crate::processors::{Next, Registry, RunError, without_nul};

/// Seconds that a claim may wait for tasks.
const WAIT_LIMIT: f64 = 60.0;

/// Lines that one call may add to a task's log; each is a row of the journal.
const LINES_LIMIT: usize = 1000;

/// The attempt of a call: any number from 1.
const ATTEMPT: Whole = Whole(1, i64::MAX);

body! {
    /// Which tasks a worker asks for.
    pub(crate) struct ClaimBody as "ClaimRequest" {
        /// Names of processors of kind `worker`.
        processors: Vec<String> = required(Texts(1)),
        /// Most tasks in the answer.
        limit: Option<i64> = optional(Whole(1, 100)).default_to(1),
        /// Seconds to wait for a task if none is ready.
        wait: Option<f64> = optional(Number::seconds(0.0, WAIT_LIMIT)).default_to(0),
        /// Name of the worker, for the logs of its tasks.
        worker: Option<String> = optional(Key(NAME_CHARS)),
    }
    example: { "processors": ["outside"], "limit": 2, "wait": 0, "worker": "printer-1" }
}

body! {
    /// The worker is still running the attempt.
    pub(crate) struct HeartbeatBody as "HeartbeatRequest" {
        /// The task's `attempt`, as the claim returned it.
        attempt: i64 = required(ATTEMPT),
    }
    example: { "attempt": 1 }
}

body! {
    /// Lines for the task's log: `line` or `lines`, together at most 1000 lines.
    pub(crate) struct LogBody as "WorkerLogRequest" {
        /// The task's `attempt`, as the claim returned it.
        attempt: i64 = required(ATTEMPT),
        /// One text; each of its lines becomes a line of the log. Required unless `lines` is given.
        line: Option<String> = optional(Text),
        /// Several texts. Not together with `line`.
        lines: Option<Vec<String>> = optional(Texts(0)),
    }
    example: { "attempt": 1, "line": "page 3 of 7" }
}

body! {
    /// The progress of an attempt.
    pub(crate) struct ProgressBody as "ProgressRequest" {
        /// The task's `attempt`, as the claim returned it.
        attempt: i64 = required(ATTEMPT),
        /// The completed part, from 0 to 1.
        progress: f64 = required(Number { from: 0.0, to: 1.0, unit: "" }),
    }
    example: { "attempt": 1, "progress": 0.4 }
}

body! {
    /// The result of an attempt.
    pub(crate) struct CompleteBody as "CompleteRequest" {
        /// The task's `attempt`, as the claim returned it.
        attempt: i64 = required(ATTEMPT),
        /// A text is kept as it is, null as an empty text, any other value as JSON.
        result: String = required(KeptText),
    }
    example: { "attempt": 1, "result": "printed" }
}

body! {
    /// Why an attempt failed.
    pub(crate) struct FailBody as "FailRequest" {
        /// The task's `attempt`, as the claim returned it.
        attempt: i64 = required(ATTEMPT),
        /// What went wrong, for whoever reads the task.
        error: String = required(Text),
        /// Whether another attempt may follow.
        retry: Option<bool> = optional(Flag).default_to(true),
    }
    example: { "attempt": 1, "error": "out of paper", "retry": false }
}

/// What a worker asks for.
pub(crate) struct Claim {
    pub(crate) processors: Vec<String>,
    pub(crate) limit: usize,
    pub(crate) wait: Duration,
    pub(crate) worker: Option<String>,
}

/// Reads a [`ClaimBody`].
pub(crate) fn claim(body: &[u8], registry: &Registry, caller: &Caller) -> Result<Claim, ApiError> {
    let body = ClaimBody::read(body, |body, fields| {
        let others = body.processors.iter().enumerate();
        // Processors that the caller may not see are refused later, all alike, whether they exist or not.
        let others = others.filter(|(_, name)| caller.covers(name) && !registry.is_worker(name));
        fields.problems(others.map(|(index, name)| no_worker(index, name, registry, caller)));
    })?;
    Ok(Claim {
        processors: body.processors,
        limit: body.limit.unwrap_or(1) as usize,
        wait: Duration::from_secs_f64(body.wait.unwrap_or(0.0)),
        worker: body.worker.map(|name| without_nul(&name)),
    })
}

fn no_worker(index: usize, name: &str, registry: &Registry, caller: &Caller) -> Problem {
    let workers = caller.names(registry);
    let workers: Vec<_> = (workers.iter().map(String::as_str))
        .filter(|name| registry.is_worker(name))
        .collect();
    let msg = match workers.is_empty() {
        true => "No processor of kind worker is configured".to_owned(),
        false => {
            let workers = workers.join(", ");
            format!("Input should be the name of a processor of kind worker: {workers}")
        }
    };
    let mut problem = Problem::new("enum", &["body", "processors"], msg, json!(name));
    problem.loc.push(json!(index));
    problem
}

/// Reads a [`HeartbeatBody`].
pub(crate) fn heartbeat(body: &[u8]) -> Result<(i64, WorkerCall), ApiError> {
    let body = HeartbeatBody::read(body, |_, _| {})?;
    Ok((body.attempt, WorkerCall::Heartbeat))
}

/// Reads a [`LogBody`].
pub(crate) fn log(body: &[u8]) -> Result<(i64, WorkerCall), ApiError> {
    let (body, note) = whole_text(body);
    let fields = parse_object(&body)?;
    let is_given = |name: &str| fields.get(name).is_some_and(|value| !value.is_null());
    let (has_line, has_lines) = (is_given("line"), is_given("lines"));
    let is_null = fields.contains_key("line");
    let body = LogBody::from_fields(fields, |body, fields| {
        match (has_line, has_lines) {
            (true, true) => {
                let line = json!(body.line);
                fields.refuse("line", "value_error", "Give either line or lines", line);
            }
            (false, false) if is_null => {
                let msg = "Input should be a valid string";
                fields.refuse("line", "string_type", msg, Value::Null);
            }
            (false, false) => fields.refuse_missing("line"),
            _ => {}
        }
        let count = body.all_lines().count();
        if count > LINES_LIMIT {
            let name = if has_lines { "lines" } else { "line" };
            let msg = format!("Input should be at most {LINES_LIMIT} lines");
            // The count, and not the text itself, which is long.
            fields.refuse(name, "too_long", &msg, json!(count));
        }
    })?;
    let lines = body.all_lines().map(without_nul).chain(note).collect();
    Ok((body.attempt, WorkerCall::Log(lines)))
}

impl LogBody {
    /// Returns the lines of all texts.
    fn all_lines(&self) -> impl Iterator<Item = &str> {
        let texts = self.lines.iter().flatten().chain(&self.line);
        texts.flat_map(|text| text.lines())
    }
}

/// Reads a [`ProgressBody`].
pub(crate) fn progress(body: &[u8]) -> Result<(i64, WorkerCall), ApiError> {
    let body = ProgressBody::read(body, |_, _| {})?;
    Ok((body.attempt, WorkerCall::Progress(body.progress)))
}

/// The end of an attempt.
pub(crate) struct AttemptEnd<T> {
    pub(crate) attempt: i64,
    pub(crate) end: T,
    /// A line for the task's log that says what was replaced.
    pub(crate) note: Option<String>,
}

/// Reads a [`CompleteBody`]. A result that is no text is kept as the JSON that it is, and never becomes a tree of values.
pub(crate) fn complete(body: &[u8]) -> Result<AttemptEnd<String>, ApiError> {
    let (body, note) = whole_text(body);
    if !body.trim_ascii_start().starts_with(b"{") {
        parse_object(&body)?;
    }
    check(&body, RESULT)?;
    let raw: BTreeMap<String, &RawValue> = parse_part(&body, 0, 1)?;
    let fields: Map<String, Value> = raw
        .into_iter()
        .map(|(name, value)| {
            let value = match name.as_str() {
                "result" => Value::String(text_of(value.get())),
                _ => json::parse(value.get().as_bytes()).unwrap_or_default(),
            };
            (name, value)
        })
        .collect();
    let body = CompleteBody::from_fields(fields, |_, _| {})?;
    Ok(AttemptEnd {
        attempt: body.attempt,
        end: body.result,
        note,
    })
}

/// Limits of a body with a result. The values inside the result are not counted, because it is kept as text.
const RESULT: Limits = Limits {
    uncounted: Some("result"),
    ..OBJECT
};

/// Returns the text of a result to keep: a text as it is, null as an empty text, anything else as JSON.
fn text_of(json: &str) -> String {
    match json {
        "null" => String::new(),
        _ => match serde_json::from_str::<String>(json) {
            Ok(text) => without_nul(&text),
            Err(_) => compact(json),
        },
    }
}

/// Reads a [`FailBody`].
pub(crate) fn fail(body: &[u8]) -> Result<AttemptEnd<WorkerCall>, ApiError> {
    let (body, note) = whole_text(body);
    let body = FailBody::read(&body, |_, _| {})?;
    let next = match body.retry.unwrap_or(true) {
        true => Next::Retry,
        false => Next::GiveUp,
    };
    Ok(AttemptEnd {
        attempt: body.attempt,
        end: WorkerCall::Fail(RunError::with(without_nul(&body.error), next)),
        note,
    })
}

/// Replaces invalid characters by U+FFFD. Returns the body, and a line for the task's log if any was replaced.
fn whole_text(body: &[u8]) -> (Cow<'_, [u8]>, Option<String>) {
    let is_utf8 = std::str::from_utf8(body).is_ok();
    let text = match String::from_utf8_lossy(body) {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    };
    let (text, halves) = match with_whole_characters(&text) {
        Some((whole, halves)) => (Cow::Owned(whole), halves),
        None => (text, 0),
    };
    let note = match (is_utf8, halves) {
        (true, 0) => None,
        (true, halves) => Some(format!(
            "The worker sent {halves} escapes such as \\ud83d without their other half; they are U+FFFD here"
        )),
        (false, _) => {
            Some("The worker sent bytes that are no UTF-8; they are U+FFFD here".to_owned())
        }
    };
    (text, note)
}
