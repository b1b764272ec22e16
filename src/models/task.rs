//! A task, as clients receive it and as they submit it. Plain data.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::json::RawJson;
use super::{Failure, TaskStatus, Timestamp, TraceContext};

/// A task's public name: a UUID (version 7 for tasks submitted through the service).
pub(crate) type TaskId = Uuid;

/// A task with its log lines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(examples(json!({
    "id": "01890a5d-ac96-774b-bcce-b302099a8057",
    "content": "hello",
    "created_at": "2026-01-31T12:00:00.000000Z",
    "status": "COMPLETED",
    "result": "Processed: hello",
    "logs": [
        "Task started: 2026-01-31T12:00:00.000000Z",
        "Processing started: 2026-01-31T12:00:00.001250Z",
        "Processing completed: 2026-01-31T12:00:00.002500Z"
    ],
    "context_history": {},
    "context_used": null,
    "processor": "echo",
    "priority": 0,
    "attempt": 1,
    "max_attempts": 1,
    "run_at": "2026-01-31T12:00:00.000000Z",
    "started_at": "2026-01-31T12:00:00.001250Z",
    "finished_at": "2026-01-31T12:00:00.002500Z",
    "failure": null,
    "error": null,
    "progress": null,
    "tags": ["greeting"],
    "session_id": null
})))]
pub(crate) struct Task {
    #[schema(value_type = Uuid)]
    pub(crate) id: TaskId,
    pub(crate) content: String,
    pub(crate) created_at: Timestamp,
    pub(crate) status: TaskStatus,
    #[schema(required)]
    pub(crate) result: Option<String>,
    /// Log lines, oldest first.
    pub(crate) logs: Vec<String>,
    /// Unknown fields of the request are under `request`.
    #[schema(value_type = Map<String, Value>, additional_properties)]
    pub(crate) context_history: RawJson,
    #[schema(required, value_type = Option<Object>)]
    pub(crate) context_used: Option<RawJson>,
    pub(crate) processor: String,
    /// Tasks with a higher priority start first.
    pub(crate) priority: i64,
    /// Number of the latest attempt; 0 before the first.
    #[schema(minimum = 0)]
    pub(crate) attempt: i64,
    pub(crate) max_attempts: i64,
    /// Earliest time of the next attempt.
    pub(crate) run_at: Timestamp,
    #[schema(required)]
    pub(crate) started_at: Option<Timestamp>,
    #[schema(required)]
    pub(crate) finished_at: Option<Timestamp>,
    /// Set if and only if `status` is `FAILED`.
    #[schema(required)]
    pub(crate) failure: Option<Failure>,
    /// Message of the last failed attempt.
    #[schema(required)]
    pub(crate) error: Option<String>,
    /// From 0 to 1, as reported by the processor.
    #[schema(required, minimum = 0, maximum = 1)]
    pub(crate) progress: Option<f64>,
    pub(crate) tags: Vec<String>,
    #[schema(required)]
    pub(crate) session_id: Option<String>,
    /// Time limit of an attempt in seconds; absent: that of the processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) timeout: Option<f64>,
    /// Tasks with the same key share a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) concurrency_key: Option<String>,
    /// At most one open task has this key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unique_key: Option<String>,
    /// Its dependencies. It starts when all of them are COMPLETED.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Uuid>)]
    pub(crate) after: Vec<TaskId>,
    /// Unknown fields of an imported task, which are preserved and exported again.
    #[serde(skip)]
    pub(crate) extra: RawJson,
}

/// A submitted task, before it is stored.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NewTask {
    pub(crate) content: String,
    /// Name of a configured processor. The caller has checked that it exists.
    pub(crate) processor: String,
    /// -100 to 100.
    pub(crate) priority: i64,
    pub(crate) tags: Vec<String>,
    pub(crate) session_id: Option<String>,
    /// 1 to 1000.
    pub(crate) max_attempts: i64,
    /// Earliest time of the first attempt; `None`: at once.
    pub(crate) run_at: Option<Timestamp>,
    /// The delay that `run_at` was computed from. The task waits no longer than that, even if the clock is set.
    pub(crate) delay: Option<Duration>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) concurrency_key: Option<String>,
    pub(crate) unique_key: Option<String>,
    pub(crate) after: Vec<TaskId>,
    /// Unknown fields of the request, kept as `context_history.request`.
    pub(crate) request: RawJson,
    /// The trace context of the request, kept as `context_history.trace`.
    pub(crate) trace: Option<TraceContext>,
}

impl NewTask {
    /// Returns a task for `processor` with default settings.
    pub(crate) fn new(content: impl Into<String>, processor: impl Into<String>) -> Self {
        Self {
            content: content.into(),
            processor: processor.into(),
            priority: 0,
            tags: Vec::new(),
            session_id: None,
            max_attempts: 1,
            run_at: None,
            delay: None,
            timeout: None,
            concurrency_key: None,
            unique_key: None,
            after: Vec::new(),
            request: RawJson::default(),
            trace: None,
        }
    }
}
