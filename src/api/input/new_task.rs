//! From a request's body to a task: every wrong field named, every unknown one kept.

use std::time::Duration;

use serde_json::Value;

use crate::api::auth::caller::Caller;
use crate::api::error::ApiError;
use crate::api::input::body::{object, parse_json};
use crate::api::input::fields::Fields;
use crate::models::json::RawJson;
use crate::models::task_limits::{KEY_CHARS, NAME_CHARS};
use crate::models::{NewTask, Timestamp};
use crate::processors::Registry;

/// Ten years, in seconds: the longest delay.
const DELAY_LIMIT: f64 = 10.0 * 366.0 * 86_400.0;

/// Reads `{"content": "…", …}`.
pub(crate) fn read_task(
    body: &[u8],
    registry: &Registry,
    caller: &Caller,
) -> Result<NewTask, ApiError> {
    task_of(parse_json(body)?, registry, caller)
}

/// The task that a JSON value describes.
pub(crate) fn task_of(
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
        tags: fields.tags(),
        session_id: fields.short_text("session_id", NAME_CHARS),
        max_attempts: fields
            .whole("max_attempts", 1, 1000)
            .unwrap_or_else(|| entry.map_or(1, |entry| entry.max_attempts)),
        run_at,
        delay,
        timeout: timeout(&mut fields),
        concurrency_key: fields.key("concurrency_key", KEY_CHARS),
        unique_key: fields.key("unique_key", KEY_CHARS),
        after: fields.ids("after"),
        request: RawJson::default(),
        trace: None,
    };
    let request = fields.finish()?.into();
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
