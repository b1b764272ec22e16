//! What outside workers send, field by field. Their texts are kept without NUL, like those of the other
//! kinds of processors.
//!
//! A worker cannot choose what its program printed: a text that a submission would be refused for is kept
//! with U+FFFD for what is no character, and a line of the task's log says so.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::api::auth::caller::Caller;
use crate::api::error::{ApiError, Problem};
use crate::api::input::body::{parse_object, parse_part};
use crate::api::input::fields::Fields;
use crate::api::input::json_check::{OBJECT, check};
use crate::models::json;
use crate::models::json::{Limits, compact, with_whole_characters};
use crate::models::task_limits::NAME_CHARS;
use crate::processors::worker::WorkerCall;
use crate::processors::{Next, Registry, RunError, without_nul};

/// Seconds that a claim may wait for tasks.
const WAIT_LIMIT: f64 = 60.0;

/// Lines that one call may add to a task's log; each is a row of the journal.
const LINES_LIMIT: usize = 1000;

/// What a worker asks for.
pub(crate) struct Claim {
    pub(crate) processors: Vec<String>,
    pub(crate) limit: usize,
    pub(crate) wait: Duration,
    pub(crate) worker: Option<String>,
}

/// Reads `{"processors": […], "limit", "wait", "worker"}`.
pub(crate) fn claim(body: &[u8], registry: &Registry, caller: &Caller) -> Result<Claim, ApiError> {
    let mut fields = Fields::new(parse_object(body)?);
    let claim = Claim {
        processors: processors(&mut fields, registry, caller),
        limit: fields.whole("limit", 1, 100).unwrap_or(1) as usize,
        wait: wait(&mut fields),
        worker: fields
            .key("worker", NAME_CHARS)
            .map(|name| without_nul(&name)),
    };
    fields.refuse_others(&["processors", "limit", "wait", "worker"])?;
    Ok(claim)
}

fn processors(fields: &mut Fields, registry: &Registry, caller: &Caller) -> Vec<String> {
    let msg = "Input should be a list of one or more names of processors";
    let names = fields.required("processors", |fields, name| {
        fields.read(name, "list_type", msg, |value| {
            let names = value.as_array()?.iter();
            let names: Option<Vec<_>> =
                names.map(|name| name.as_str().map(str::to_owned)).collect();
            names.filter(|names| !names.is_empty())
        })
    });
    let names = names.unwrap_or_default();
    let others = names.iter().enumerate();
    // Those that are none of the caller's business are refused all alike, whether they are there or not.
    let others = others.filter(|(_, name)| caller.covers(name) && !registry.is_worker(name));
    fields.problems(others.map(|(index, name)| no_worker(index, name, registry, caller)));
    names
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

fn wait(fields: &mut Fields) -> Duration {
    let msg = "Input should be a number of seconds from 0 to 60";
    let wait = fields.read("wait", "float_range", msg, |value| {
        let seconds = value.as_f64()?;
        let fits = (0.0..=WAIT_LIMIT).contains(&seconds);
        fits.then(|| Duration::from_secs_f64(seconds))
    });
    wait.unwrap_or_default()
}

/// Reads `{"attempt"}`.
pub(crate) fn heartbeat(body: &[u8]) -> Result<(i64, WorkerCall), ApiError> {
    call(body, &["attempt"], |_| Some(WorkerCall::Heartbeat))
}

/// Reads `{"attempt", "line"}` or `{"attempt", "lines": […]}`.
pub(crate) fn log(body: &[u8]) -> Result<(i64, WorkerCall), ApiError> {
    let (body, note) = whole_text(body);
    call(&body, &["attempt", "line", "lines"], |fields| {
        let (name, texts) = match fields.take("lines") {
            Some(lines) => {
                if let Some(line) = fields.take("line") {
                    fields.refuse("line", "value_error", "Give either line or lines", line);
                }
                ("lines", fields.texts_of("lines", lines))
            }
            None => ("line", vec![fields.required_text("line")]),
        };
        let lines = texts.iter().flat_map(|text| text.lines());
        let count = lines.clone().count();
        if count > LINES_LIMIT {
            let msg = format!("Input should be at most {LINES_LIMIT} lines");
            // Not the text itself, which is long.
            fields.refuse(name, "too_long", &msg, json!(count));
        }
        Some(WorkerCall::Log(
            lines.map(without_nul).chain(note).collect(),
        ))
    })
}

/// Reads `{"attempt", "progress"}`.
pub(crate) fn progress(body: &[u8]) -> Result<(i64, WorkerCall), ApiError> {
    call(body, &["attempt", "progress"], |fields| {
        let msg = "Input should be a number from 0 to 1";
        let progress = fields.required("progress", |fields, name| {
            fields.read(name, "float_range", msg, |value| {
                value.as_f64().filter(|number| (0.0..=1.0).contains(number))
            })
        });
        progress.map(WorkerCall::Progress)
    })
}

/// The end of an attempt.
pub(crate) struct End<T> {
    pub(crate) attempt: i64,
    pub(crate) end: T,
    /// A line for the task's log: what had to be replaced.
    pub(crate) note: Option<String>,
}

/// Reads `{"attempt", "result"}`. A result that is no text is kept as the JSON that it is, and never becomes
/// a tree of values.
pub(crate) fn complete(body: &[u8]) -> Result<End<String>, ApiError> {
    let (body, note) = whole_text(body);
    if !body.trim_ascii_start().starts_with(b"{") {
        return parse_object(&body).and_then(|_| Err(unnoted()));
    }
    check(&body, RESULT)?;
    let fields: BTreeMap<String, &RawValue> = parse_part(&body, 0, 1)?;
    let mut others = Map::new();
    let mut result = None;
    for (name, value) in fields {
        if name == "result" {
            result = Some(value);
        } else {
            let value = json::parse(value.get().as_bytes());
            others.insert(name, value.unwrap_or_default());
        }
    }
    let (attempt, end) = call_of(others, &["attempt", "result"], |fields| match result {
        None => fields.required("result", |_, _| None),
        Some(json) => Some(text_of(json.get())),
    })?;
    Ok(End { attempt, end, note })
}

/// The values of a result are not counted: it is kept as text.
const RESULT: Limits = Limits {
    uncounted: Some("result"),
    ..OBJECT
};

/// A result as it is kept: a text as it is, null as an empty one, anything else as JSON.
fn text_of(json: &str) -> String {
    match json {
        "null" => String::new(),
        _ => match serde_json::from_str::<String>(json) {
            Ok(text) => without_nul(&text),
            Err(_) => compact(json),
        },
    }
}

/// Reads `{"attempt", "error", "retry"}`.
pub(crate) fn fail(body: &[u8]) -> Result<End<WorkerCall>, ApiError> {
    let (body, note) = whole_text(body);
    let (attempt, end) = call(&body, &["attempt", "error", "retry"], |fields| {
        let error = fields.required_text("error");
        let msg = "Input should be true or false";
        let retry = fields.read("retry", "bool_type", msg, Value::as_bool);
        let next = match retry.unwrap_or(true) {
            true => Next::Retry,
            false => Next::GiveUp,
        };
        Some(WorkerCall::Fail(RunError::with(without_nul(&error), next)))
    })?;
    Ok(End { attempt, end, note })
}

/// The body with U+FFFD for what is no character, and a line for the task's log if there was such.
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

/// The number of the attempt, and what `read` finds besides it. `read` answers nothing only where it has
/// noted a mistake.
fn call<T>(
    body: &[u8],
    known: &[&str],
    read: impl FnOnce(&mut Fields) -> Option<T>,
) -> Result<(i64, T), ApiError> {
    call_of(parse_object(body)?, known, read)
}

fn call_of<T>(
    fields: Map<String, Value>,
    known: &[&str],
    read: impl FnOnce(&mut Fields) -> Option<T>,
) -> Result<(i64, T), ApiError> {
    let mut fields = Fields::new(fields);
    let attempt = fields.required("attempt", |fields, name| fields.whole(name, 1, i64::MAX));
    let call = read(&mut fields);
    fields.refuse_others(known)?;
    let both = attempt.zip(call);
    both.ok_or_else(unnoted)
}

fn unnoted() -> ApiError {
    ApiError::Internal("a mistake in a request was not noted".to_owned())
}
