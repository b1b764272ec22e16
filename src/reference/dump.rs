//! `docs/reference/dump.md`: the fields of `state_dump.json`.

use super::{NOTICE, code, head, row};
use crate::dump::KNOWN_FIELDS;
use crate::generated::in_step;

const INTRODUCTION: &str = r#"
`state_dump.json`, `venom export` and `GET /api/v1/export` have the same format: one JSON object in UTF-8.

```json
{
  "tasks": [
    {"id": "01a2072c-d661-7494-aa0e-f56088b54f9d", "content": "hello", "status": "COMPLETED", "…": "…"}
  ],
  "paid_mode_enabled": false,
  "autonomy_level": 0
}
```

- `tasks` comes first, one task a line, oldest first.
- `paid_mode_enabled` and `autonomy_level` are what the original expects; the service writes what it imported, or these
  defaults.
- Unknown fields of the file and of each task are preserved and exported again.
- An import accepts what Python's `json` writes: `NaN`, infinities, halves of surrogate pairs (they become U+FFFD). Times
  without a zone count as UTC.
- A file that is damaged anywhere imports nothing. Besides its tasks a file may hold a few MiB.

## Fields of a task

An import needs `id`, `content`, `status` and `created_at`; the other fields may be absent.

"#;

/// Returns the type and the meaning of a field.
fn meaning(field: &str) -> (&'static str, &'static str) {
    match field {
        "id" => ("text", "UUID"),
        "content" => ("text", "what the processor gets"),
        "created_at" => ("time", "when the task was accepted"),
        "status" => ("text", "`PENDING`, `PROCESSING`, `COMPLETED` or `FAILED`"),
        "result" => ("text or null", "the result of a completed task"),
        "logs" => ("list of texts", "log lines, oldest first"),
        "context_history" => (
            "object",
            "what the client sent besides the known fields (`request`), what a model used (`llm`), the trace (`trace`)",
        ),
        "context_used" => ("any JSON", "preserved for the original"),
        "processor" => ("text", "the name of its processor"),
        "priority" => ("number", "-100 to 100; higher first"),
        "attempt" => (
            "number",
            "the last attempt that started; 0 before the first",
        ),
        "max_attempts" => ("number", "attempts that count, 1 to 1000"),
        "run_at" => ("time", "the task does not start before"),
        "started_at" => ("time or null", "start of the last attempt"),
        "finished_at" => ("time or null", "when it became final"),
        "failure" => (
            "text or null",
            "why it is `FAILED`: see [Errors and limits](answers.md#a-task)",
        ),
        "error" => ("text or null", "the error of the last failed attempt"),
        "progress" => ("number or null", "0 to 1"),
        "tags" => ("list of texts", "to find the task"),
        "session_id" => ("text or null", "to find the task"),
        "timeout" => ("number", "seconds for one attempt; absent: the processor's"),
        "concurrency_key" => (
            "text",
            "shares a limit with tasks of the same key; may be absent",
        ),
        "unique_key" => ("text", "at most one unfinished task has it; may be absent"),
        "after" => ("list of ids", "the task's dependencies; may be absent"),
        other => panic!("the page does not describe {other}"),
    }
}

#[test]
fn generated_dump() {
    let rows: String = KNOWN_FIELDS
        .into_iter()
        .map(|field| {
            let (kind, meaning) = meaning(field);
            row(&[&code(field), kind, meaning])
        })
        .collect();
    let table = head(&["field", "type", "meaning"]);
    in_step(
        "docs/reference/dump.md",
        &format!("# Dump\n\n{NOTICE}{INTRODUCTION}{table}{rows}"),
    );
}
