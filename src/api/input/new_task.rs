//! From a request's body to a task. Every wrong field is reported, every unknown one is kept.

use std::time::Duration;

use serde_json::{Value, json};

use super::body_schema::{RequestBody, body, optional, required};
use super::fields::Fields;
use super::json::{object, parse_json};
use super::kinds::{Key, Number, ShortText, Tags, TaskIds, Text, Time, Whole};
use super::processor::check_processor;
use crate::api::auth::caller::Caller;
use crate::api::error::ApiError;
use crate::models::json::RawJson;
use crate::models::task_limits::{KEY_CHARS, NAME_CHARS};
use crate::models::{NewTask, TaskId, Timestamp};
use crate::processors::Registry;

/// Ten years, in seconds: the longest delay.
const DELAY_LIMIT: f64 = 10.0 * 366.0 * 86_400.0;

/// Tasks that one task may depend on.
const AFTER_LIMIT: usize = 1000;

body! {
    /// A task to run. Unknown fields are kept under `context_history.request`.
    pub(crate) struct NewTaskBody as "TaskRequest" {
        /// The input of the processor.
        content: String = required(Text),
        /// Name of a configured processor. Default: the setting `default_processor`.
        processor: Option<String> = optional(Text),
        /// Tasks with a higher priority start first.
        priority: Option<i64> = optional(Whole(-100, 100)).default_to(0),
        /// Seconds until the task may start; at most ten years. Not together with `run_at`.
        delay: Option<f64> = optional(Number::seconds(0.0, DELAY_LIMIT)),
        /// Earliest time at which the task may start. Not together with `delay`.
        run_at: Option<Timestamp> = optional(Time),
        /// Attempts until the task is FAILED. Default: that of the processor.
        max_attempts: Option<i64> = optional(Whole(1, 1000)),
        /// Seconds that one attempt may take. Default: that of the processor.
        timeout: Option<f64> = optional(Number::seconds(0.001, DELAY_LIMIT)),
        /// Labels by which tasks are found; each at most 200 characters.
        tags: Option<Vec<String>> = optional(Tags),
        /// Groups tasks that belong together.
        session_id: Option<String> = optional(ShortText(NAME_CHARS)),
        /// Tasks with the same key share the limit that the settings give it.
        concurrency_key: Option<String> = optional(Key(KEY_CHARS)),
        /// While a task with this key is not finished, another one is refused with 409.
        unique_key: Option<String> = optional(Key(KEY_CHARS)),
        /// Dependencies: the task starts when all of these tasks have COMPLETED.
        after: Option<Vec<TaskId>> = optional(TaskIds(AFTER_LIMIT)),
    }
    example: { "content": "Write a haiku about queues.", "priority": 5, "tags": ["poem"] }
    other fields: "Any other field is kept as it is."
}

/// Reads a task from a request's body.
pub(crate) fn read_task(
    body: &[u8],
    registry: &Registry,
    caller: &Caller,
) -> Result<NewTask, ApiError> {
    task_of(parse_json(body)?, registry, caller)
}

/// Reads a task from a JSON value.
pub(crate) fn task_of(
    value: Value,
    registry: &Registry,
    caller: &Caller,
) -> Result<NewTask, ApiError> {
    let mut fields = Fields::new(object(value)?);
    let body = NewTaskBody::take(&mut fields);
    check_processor(&mut fields, body.processor.as_deref(), registry, caller);
    if let (Some(run_at), Some(_)) = (body.run_at, body.delay) {
        let msg = "Give either run_at or delay";
        fields.refuse("run_at", "value_error", msg, json!(run_at));
    }
    let request = fields.finish()?.into();
    Ok(body.into_task(request, registry))
}

impl NewTaskBody {
    /// Makes the task, with the defaults of its processor. `request` holds the unknown fields.
    fn into_task(self, request: RawJson, registry: &Registry) -> NewTask {
        let processor = self.processor.unwrap_or_else(|| registry.default_name());
        let default_attempts = || {
            registry
                .get(&processor)
                .map_or(1, |entry| entry.max_attempts)
        };
        let max_attempts = self.max_attempts.unwrap_or_else(default_attempts);
        let delay = self.delay.filter(|seconds| *seconds > 0.0);
        let delay = delay.map(Duration::from_secs_f64);
        let from_now = delay.map(|delay| Timestamp::now().after(delay));
        NewTask {
            content: self.content,
            processor,
            priority: self.priority.unwrap_or(0),
            tags: self.tags.unwrap_or_default(),
            session_id: self.session_id,
            max_attempts,
            run_at: self.run_at.or(from_now),
            delay,
            timeout: self.timeout.map(Duration::from_secs_f64),
            concurrency_key: self.concurrency_key,
            unique_key: self.unique_key,
            after: self.after.unwrap_or_default(),
            request,
            trace: None,
        }
    }
}
