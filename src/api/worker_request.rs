//! What outside workers send, field by field. Their texts are kept without NUL, like those of the other
//! kinds of processors.

use std::time::Duration;

use serde_json::{Value, json};

use super::error::{ApiError, Problem};
use super::extract::parse_object;
use super::fields::Fields;
use crate::processors::worker::Call;
use crate::processors::{Next, Registry, RunError, without_nul};

/// Seconds that a claim may wait for tasks.
const WAIT_LIMIT: f64 = 60.0;

/// Lines that one call may add to a task's log; each is a row of the journal.
const LINES_LIMIT: usize = 1000;

/// What a worker asks for.
pub(super) struct Claim {
    pub processors: Vec<String>,
    pub limit: usize,
    pub wait: Duration,
    pub worker: Option<String>,
}

/// Reads `{"processors": […], "limit", "wait", "worker"}`.
pub(super) fn claim(body: &[u8], registry: &Registry) -> Result<Claim, ApiError> {
    let mut fields = Fields::new(parse_object(body)?);
    let claim = Claim {
        processors: processors(&mut fields, registry),
        limit: fields.whole("limit", 1, 100).unwrap_or(1) as usize,
        wait: wait(&mut fields),
        worker: fields.key("worker").map(|name| without_nul(&name)),
    };
    fields.refuse_others(&["processors", "limit", "wait", "worker"])?;
    Ok(claim)
}

fn processors(fields: &mut Fields, registry: &Registry) -> Vec<String> {
    let msg = "Input should be a list of one or more names of processors";
    let names = fields.required("processors", |fields, name| {
        fields.read(name, "list_type", msg, |value| {
            let names: Vec<String> = serde_json::from_value(value.clone()).ok()?;
            (!names.is_empty()).then_some(names)
        })
    });
    let names = names.unwrap_or_default();
    let others = names.iter().enumerate();
    let others = others.filter(|(_, name)| !registry.is_worker(name));
    fields.problems(others.map(|(index, name)| no_worker(index, name, registry)));
    names
}

fn no_worker(index: usize, name: &str, registry: &Registry) -> Problem {
    let workers = registry.names();
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
pub(super) fn heartbeat(body: &[u8]) -> Result<(i64, Call), ApiError> {
    call(body, &["attempt"], |_| Some(Call::Heartbeat))
}

/// Reads `{"attempt", "line"}` or `{"attempt", "lines": […]}`.
pub(super) fn log(body: &[u8]) -> Result<(i64, Call), ApiError> {
    call(body, &["attempt", "line", "lines"], |fields| {
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
        Some(Call::Log(lines.map(without_nul).collect()))
    })
}

/// Reads `{"attempt", "progress"}`.
pub(super) fn progress(body: &[u8]) -> Result<(i64, Call), ApiError> {
    call(body, &["attempt", "progress"], |fields| {
        let msg = "Input should be a number from 0 to 1";
        let progress = fields.required("progress", |fields, name| {
            fields.read(name, "float_range", msg, |value| {
                value.as_f64().filter(|number| (0.0..=1.0).contains(number))
            })
        });
        progress.map(Call::Progress)
    })
}

/// Reads `{"attempt", "result"}`.
pub(super) fn complete(body: &[u8]) -> Result<(i64, String), ApiError> {
    call(body, &["attempt", "result"], |fields| {
        if !fields.left().contains_key("result") {
            return fields.required("result", |_, _| None);
        }
        Some(match fields.take("result").unwrap_or_default() {
            Value::String(text) => without_nul(&text),
            other => other.to_string(),
        })
    })
}

/// Reads `{"attempt", "error", "retry"}`.
pub(super) fn fail(body: &[u8]) -> Result<(i64, Call), ApiError> {
    call(body, &["attempt", "error", "retry"], |fields| {
        let error = fields.required_text("error");
        let msg = "Input should be true or false";
        let retry = fields.read("retry", "bool_type", msg, Value::as_bool);
        let next = match retry.unwrap_or(true) {
            true => Next::Retry,
            false => Next::GiveUp,
        };
        Some(Call::Fail(RunError::with(without_nul(&error), next)))
    })
}

/// The number of the attempt, and what `read` finds besides it. `read` answers nothing only where it has
/// noted a mistake.
fn call<T>(
    body: &[u8],
    known: &[&str],
    read: impl FnOnce(&mut Fields) -> Option<T>,
) -> Result<(i64, T), ApiError> {
    let mut fields = Fields::new(parse_object(body)?);
    let attempt = fields.required("attempt", |fields, name| fields.whole(name, 1, i64::MAX));
    let call = read(&mut fields);
    fields.refuse_others(known)?;
    let both = attempt.zip(call);
    both.ok_or_else(|| ApiError::Internal("a mistake in a request was not noted".to_owned()))
}
