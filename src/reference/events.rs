//! `docs/reference/events.md`: every type of event and its data.

use super::{NOTICE, code, head, row};
use crate::generated::in_step;
use crate::models::EventType;

const INTRODUCTION: &str = "
An event is a row of the journal. A WebSocket frame of `/ws/events` has these fields:

| field | meaning |
|---|---|
| `id` | grows with every event; the last one that you saw is `since` of the next connection |
| `type` | one of the types below |
| `agent` | the processor on its own lines, or the operator on events of the queue; else null |
| `message` | the log line, or a sentence about what happened |
| `timestamp` | RFC 3339, UTC, with microseconds |
| `data` | an object whose fields depend on the type |

[Watch events](../guides/events.md) shows how to listen. Where tokens are required, `data.by` has the name of the token
that caused `QUEUE_PAUSED`, `QUEUE_RESUMED`, `QUEUE_PURGED`, `EMERGENCY_STOP`, `TASK_ABORTED`, and `TASK_RETRYING` by hand. A
text that is cut has its number of characters in `data.truncated`.

";

/// Returns the fields of `data`, and when the event happens.
fn meaning(kind: EventType) -> (&'static str, &'static str) {
    match kind {
        EventType::TaskCreated => (
            "`task_id`, `content` (first 100 characters)",
            "A task is accepted.",
        ),
        EventType::TaskStarted => ("`task_id`, `attempt`", "An attempt starts."),
        EventType::TaskLog => (
            "`task_id`, `line`; `ansi` (the line with its colours); `replaces: true` if it takes the place of the live line",
            "The processor prints a line.",
        ),
        EventType::TaskLiveLine => (
            "`task_id`, `line`, `ansi`",
            "A line that has not ended changes, such as a progress bar: at most four times a second. It is not stored; its `id` is that of the event before it.",
        ),
        EventType::TaskProgress => ("`task_id`, `progress` (0 to 1)", "The progress changes."),
        EventType::TaskOutput => (
            "`task_id`, `text`",
            "The answer of an `llm` grows by this text.",
        ),
        EventType::TaskRetrying => (
            "`task_id`, `attempt`, `run_at`, `error`; `by_hand: true` for a retry by hand",
            "The attempt failed, was deferred or interrupted, or somebody retries the task. It waits until `run_at`.",
        ),
        EventType::TaskCompleted => ("`task_id`, `result_length`", "The task is COMPLETED."),
        EventType::TaskFailed => ("`task_id`, `error`, `failure`", "The task is FAILED."),
        EventType::TaskAborted => ("`task_id`", "Somebody aborted the task."),
        EventType::QueuePaused => (
            "`active_tasks`, `reason`, `until`; `processor` if it is the pause of one",
            "The queue or a processor is paused.",
        ),
        EventType::QueueResumed => (
            "`pending_tasks`; `processor` if it is that of one",
            "A pause ends.",
        ),
        EventType::QueuePurged => ("`removed`, `active`", "All pending tasks have failed."),
        EventType::EmergencyStop => ("`cancelled`, `purged`", "An emergency stop is complete."),
        EventType::SystemLog => (
            "`level`; `by` and `done` (`delete`, `import`, `reload`) for an action that has no event of its own",
            "The first frame of a connection, a message of the service, or an audit entry.",
        ),
        EventType::EventsMissed => (
            "`from`, `to`",
            "The listener was too slow and missed these ids.",
        ),
    }
}

#[test]
fn generated_events() {
    let rows: String = EventType::ALL
        .into_iter()
        .map(|kind| {
            let (data, when) = meaning(kind);
            row(&[&code(kind.as_str()), data, when])
        })
        .collect();
    let table = head(&["type", "`data`", "when"]);
    in_step(
        "docs/reference/events.md",
        &format!("# Events\n\n{NOTICE}{INTRODUCTION}{table}{rows}"),
    );
}
