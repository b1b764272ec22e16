//! The field names of a dump that this service knows; all others are kept as they are.

/// The top-level key of the list of tasks.
pub(crate) const TASKS: &str = "tasks";

/// The fields of a task that this service knows, in the order of the contract.
pub(crate) const KNOWN_FIELDS: [&str; 24] = [
    "id",
    "content",
    "created_at",
    "status",
    "result",
    "logs",
    "context_history",
    "context_used",
    "processor",
    "priority",
    "attempt",
    "max_attempts",
    "run_at",
    "started_at",
    "finished_at",
    "failure",
    "error",
    "progress",
    "tags",
    "session_id",
    "timeout",
    "concurrency_key",
    "unique_key",
    "after",
];
