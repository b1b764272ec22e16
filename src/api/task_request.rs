//! From a request's body to a task: every wrong field named, every unknown one kept.

use std::time::Duration;

use serde_json::{Map, Value};

use super::caller::Caller;
use super::error::{ApiError, Problem};
use super::extract::{object, parse_json};
use super::fields::Fields;
use crate::models::{NewTask, Timestamp};
use crate::processors::Registry;

/// Levels of lists and objects in a field that is kept; JSON readers stop at 128 in all.
const NESTING_LIMIT: usize = 100;
/// Ten years, in seconds: the longest delay.
const DELAY_LIMIT: f64 = 10.0 * 366.0 * 86_400.0;

/// Reads `{"content": "…", …}`.
pub(super) fn read_task(
    body: &[u8],
    registry: &Registry,
    caller: &Caller,
) -> Result<NewTask, ApiError> {
    task_of(parse_json(body)?, registry, caller)
}

/// The task that a JSON value describes.
pub(super) fn task_of(
    value: Value,
    registry: &Registry,
    caller: &Caller,
) -> Result<NewTask, ApiError> {
    let mut fields = Fields::new(object(value)?);
    let content = fields.required_text("content");
    let processor = fields.processor(registry, caller);
    let entry = registry.get(processor.as_deref().unwrap_or(&registry.default_name()));
    let (run_at, delay) = start(&mut fields);
    let task = NewTask {
        content,
        processor: processor.unwrap_or_else(|| registry.default_name()),
        priority: fields.whole("priority", -100, 100).unwrap_or(0),
        tags: fields.texts("tags"),
        session_id: fields.text("session_id"),
        max_attempts: fields
            .whole("max_attempts", 1, 1000)
            .unwrap_or_else(|| entry.map_or(1, |entry| entry.max_attempts)),
        run_at,
        delay,
        timeout: timeout(&mut fields),
        concurrency_key: fields.key("concurrency_key"),
        unique_key: fields.key("unique_key"),
        after: fields.ids("after"),
        request: Map::new(),
        trace: None,
    };
    let too_deep = too_deep(fields.left());
    fields.problems(too_deep);
    let request = fields.finish()?;
    Ok(NewTask { request, ..task })
}

/// When it may start: at `run_at`, or `delay` from now; the delay with it.
fn start(fields: &mut Fields) -> (Option<Timestamp>, Option<Duration>) {
    let run_at = fields.time("run_at");
    let msg = "Input should be a number of seconds, 0 or more, at most ten years";
    let delay = fields.read("delay", "float_range", msg, |value| {
        let seconds = value.as_f64()?;
        (0.0..=DELAY_LIMIT).contains(&seconds).then_some(seconds)
    });
    let Some(delay) = delay else {
        return (run_at, None);
    };
    if let Some(run_at) = run_at {
        let msg = "Give either run_at or delay";
        fields.refuse("run_at", "value_error", msg, serde_json::json!(run_at));
    }
    let delay = (delay > 0.0).then(|| Duration::from_secs_f64(delay));
    (delay.map(|delay| Timestamp::now().after(delay)), delay)
}

fn timeout(fields: &mut Fields) -> Option<Duration> {
    let msg = "Input should be a number of seconds, at least 0.001, at most ten years";
    fields.read("timeout", "float_range", msg, |value| {
        let seconds = value.as_f64()?;
        let fits = (0.001..=DELAY_LIMIT).contains(&seconds);
        fits.then(|| Duration::from_secs_f64(seconds))
    })
}

/// What is kept must be readable again where it stands deeper: in `context_history`, in a dump.
fn too_deep(fields: &Map<String, Value>) -> Vec<Problem> {
    let deep = fields
        .iter()
        .filter(|(_, value)| depth(value) > NESTING_LIMIT);
    deep.map(|(name, _)| {
        let msg = format!("Input should be nested at most {NESTING_LIMIT} levels deep");
        Problem::new("recursion_limit", &["body", name], msg, Value::Null)
    })
    .collect()
}

/// Lists and objects within each other. Recursive, as the parser that bounds it was.
fn depth(value: &Value) -> usize {
    let deepest = match value {
        Value::Array(items) => items.iter().map(depth).max(),
        Value::Object(fields) => fields.values().map(depth).max(),
        _ => return 0,
    };
    1 + deepest.unwrap_or(0)
}
