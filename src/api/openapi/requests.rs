//! What requests hold, for the document alone: bodies are read field by field (see [`crate::api::input::fields`]),
//! so that every mistake in one is told. The document's tests hold these types against the readers.

#![expect(dead_code, reason = "they describe, and are never made")]

use std::collections::HashMap;

use serde_json::Value;
use utoipa::ToSchema;

use crate::models::{TaskId, Timestamp};

/// A task to be run. Fields that are not known are kept under `context_history.request`.
#[derive(ToSchema)]
#[schema(examples(json!({ "content": "Write a haiku about queues.", "priority": 5, "tags": ["poem"] })))]
pub(crate) struct TaskRequest {
    /// What the processor gets.
    content: String,
    /// Name of a configured processor; left out, it is `default_processor` of the settings.
    processor: Option<String>,
    /// Higher runs first.
    #[schema(minimum = -100, maximum = 100, default = 0)]
    priority: Option<i64>,
    /// Seconds until it may run. Ten years at most; not together with `run_at`.
    #[schema(minimum = 0, maximum = 316_224_000)]
    delay: Option<f64>,
    /// It may run from this time on; not together with `delay`.
    run_at: Option<Timestamp>,
    /// How many attempts count before it is FAILED; left out, it is the processor's.
    #[schema(minimum = 1, maximum = 1000)]
    max_attempts: Option<i64>,
    /// Seconds for one attempt; left out, it is the processor's.
    #[schema(minimum = 0.001, maximum = 316_224_000)]
    timeout: Option<f64>,
    #[schema(max_items = 100)]
    tags: Option<Vec<String>>,
    /// Groups tasks that belong together.
    #[schema(max_length = 200)]
    session_id: Option<String>,
    /// Tasks of one key share the limit that the settings give it.
    #[schema(min_length = 1, max_length = 1000)]
    concurrency_key: Option<String>,
    /// A second task with this key is refused with 409 while the first is not finished.
    #[schema(min_length = 1, max_length = 1000)]
    unique_key: Option<String>,
    /// It runs when all of these tasks have COMPLETED.
    #[schema(max_items = 1000, value_type = Option<Vec<Uuid>>)]
    after: Option<Vec<TaskId>>,
    /// Anything else, kept as it is.
    #[serde(flatten)]
    request: HashMap<String, Value>,
}

/// Tasks of which all are accepted, or none.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({ "tasks": [{ "content": "one" }, { "content": "two", "priority": -1 }] })))]
pub(crate) struct BatchRequest {
    #[schema(max_items = 10_000)]
    tasks: Vec<TaskRequest>,
}

/// What is paused, and until when. Without a body it is the queue, until it is resumed.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({ "processor": "echo", "reason": "maintenance", "until": "2099-01-01T00:00:00Z" })))]
pub(crate) struct PauseRequest {
    /// A time in the future at which the pause ends by itself.
    until: Option<Timestamp>,
    /// One processor instead of the queue.
    processor: Option<String>,
    /// Shown to whoever asks why nothing runs.
    #[schema(max_length = 1000)]
    reason: Option<String>,
}

/// What is resumed. Without a body it is the queue.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({ "processor": "echo" })))]
pub(crate) struct ResumeRequest {
    /// One processor instead of the queue.
    processor: Option<String>,
}

/// An order to all nodes of the Hive.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({ "command": "resume", "data": {} })))]
pub(crate) struct BroadcastRequest {
    /// What to do, in small or capital letters: `pause`, `resume`, `emergency_stop` or `status`.
    command: String,
    /// For `pause`: `processor`, `until` and `reason`; for `resume`: `processor`.
    data: Option<HashMap<String, Value>>,
}

/// A token that becomes a browser's cookie.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({ "token": "venom_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" })))]
pub(crate) struct LoginRequest {
    #[schema(format = Password)]
    token: String,
}

/// What an outside worker asks for.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({ "processors": ["outside"], "limit": 2, "wait": 0, "worker": "printer-1" })))]
pub(crate) struct ClaimRequest {
    /// Names of processors of kind `worker`.
    #[schema(min_items = 1)]
    processors: Vec<String>,
    /// Tasks at most.
    #[schema(minimum = 1, maximum = 100, default = 1)]
    limit: Option<i64>,
    /// Seconds to wait for a task, if there is none.
    #[schema(minimum = 0, maximum = 60, default = 0)]
    wait: Option<f64>,
    /// The worker's name, for the tasks' logs.
    #[schema(min_length = 1, max_length = 200)]
    worker: Option<String>,
}

/// The attempt that a worker has been given is still worked on.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({ "attempt": 1 })))]
pub(crate) struct HeartbeatRequest {
    /// The task's `attempt` as the claim had it.
    #[schema(minimum = 1)]
    attempt: i64,
}

/// Lines for the task's log: `line` or `lines`, at most 1000 of them.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({ "attempt": 1, "line": "page 3 of 7" })))]
pub(crate) struct WorkerLogRequest {
    /// The task's `attempt` as the claim had it.
    #[schema(minimum = 1)]
    attempt: i64,
    /// One text; each of its lines becomes one of the log's. Asked for unless there is `lines`.
    line: Option<String>,
    /// Several; not together with `line`.
    lines: Option<Vec<String>>,
}

/// How far an attempt has come.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({ "attempt": 1, "progress": 0.4 })))]
pub(crate) struct ProgressRequest {
    /// The task's `attempt` as the claim had it.
    #[schema(minimum = 1)]
    attempt: i64,
    /// The part that is done.
    #[schema(minimum = 0, maximum = 1)]
    progress: f64,
}

/// The result of an attempt.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({ "attempt": 1, "result": "printed" })))]
pub(crate) struct CompleteRequest {
    /// The task's `attempt` as the claim had it.
    #[schema(minimum = 1)]
    attempt: i64,
    /// A text is kept as it is, null as an empty one, anything else as JSON.
    result: Value,
}

/// Why an attempt has failed.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({ "attempt": 1, "error": "out of paper", "retry": false })))]
pub(crate) struct FailRequest {
    /// The task's `attempt` as the claim had it.
    #[schema(minimum = 1)]
    attempt: i64,
    error: String,
    /// Whether another attempt may be made.
    #[schema(default = true)]
    retry: Option<bool>,
}

/// A task in a dump, as `GET /api/v1/tasks/{task_id}` has it; for an import, the other fields may be missing.
#[derive(ToSchema)]
pub(crate) struct DumpedTask {
    #[schema(value_type = Uuid)]
    id: TaskId,
    content: String,
    #[serde(flatten)]
    more: HashMap<String, Value>,
}

/// The whole state as one file: `state_dump.json`. Fields that are not known stay as they are.
#[derive(ToSchema)]
#[schema(examples(json!({ "tasks": [{
    "id": "6e9d0c2a-2f5b-4a53-9d0e-0d6d1c6f9a11",
    "content": "hello",
    "created_at": "2024-05-01T10:30:00.123456",
    "status": "COMPLETED",
    "result": "Processed: hello",
    "logs": [],
}] })))]
pub(crate) struct Dump {
    tasks: Vec<DumpedTask>,
    /// What else the file holds.
    #[serde(flatten)]
    more: HashMap<String, Value>,
}
