//! `docs/reference/schema.md`: the tables and columns that the migrations make, with their meaning.

use std::fmt::Write as _;

use super::{NOTICE, code, head, row};
use crate::generated::in_step;
use crate::state::describe_tables;

const INTRODUCTION: &str = "
The database is an SQLite file. Read it with any client; [Read and write with SQL](../guides/sql.md) says what programs
may write. Times are text, RFC 3339 in UTC with microseconds (`2026-01-31T12:00:00.000000Z`), all of one length, so that
comparing texts compares times. The tables are `STRICT`. The files in `migrations/` of the repository have the indexes,
checks and triggers.
";

/// Returns what a table holds.
fn table_meaning(table: &str) -> &'static str {
    match table {
        "tasks" => "One row a task. `INSERT INTO tasks(content) VALUES ('hello')` submits one.",
        "logs" => {
            "The journal: every event, and every line that a processor prints. The `id` of a row is the `id` of its event; none is given twice."
        }
        "links" => {
            "Which pending task waits for which. A row is deleted when the dependency is `COMPLETED`, or when the waiting task is final."
        }
        "open_dependencies" => {
            "Which task an unfinished task names in `after`. While a row is here, the dependency is not deleted."
        }
        "idempotency" => "Answers to requests with an `Idempotency-Key`, kept for a day.",
        "schedules" => "How far each `[schedules.NAME]` of `venom.toml` has come.",
        "starts" => {
            "Starts that a rate still counts, of processors and keys with a rate. They stay when the task is deleted."
        }
        "stats" => {
            "Counts for the charts: one row for each step of time in which something happened."
        }
        "tokens" => {
            "Who may use the service. One row a token; the token itself is not stored, only its hash."
        }
        "meta" => "What the service remembers about itself; each value is JSON.",
        other => panic!("the page does not describe the table {other}"),
    }
}

/// Returns what a column means.
fn column_meaning(table: &str, column: &str) -> &'static str {
    match (table, column) {
        ("tasks", "seq") => "order of arrival; clients know a task by its `id`",
        ("tasks", "id") => {
            "a lower-case UUID: version 7 from the service, version 4 from an `INSERT`"
        }
        ("tasks", "status") => "`PENDING`, `PROCESSING`, `COMPLETED` or `FAILED`",
        ("tasks", "processor") => {
            "the processor's name; empty in an `INSERT` means the default processor"
        }
        ("tasks", "priority") => "-100 to 100; higher first",
        ("tasks", "attempt") => "number of the last attempt that started",
        ("tasks", "max_attempts") => {
            "attempts that count, 1 to 1000; NULL in an `INSERT` means the processor's number"
        }
        ("tasks", "uncounted") => {
            "attempts that do not count: deferred, or interrupted by a stop or a crash"
        }
        ("tasks", "crashes") => "how often the service died while the task ran",
        ("tasks", "created_at") => "when the task was accepted",
        ("tasks", "run_at") => "a pending task does not start before this time",
        ("tasks", "started_at") => "start of the last attempt",
        ("tasks", "finished_at") => "when it became final; set exactly on final rows",
        ("tasks", "failure") => {
            "`error`, `timeout`, `aborted`, `purged`, `emergency_stop`, `lost` or `upstream`; set exactly on `FAILED` rows"
        }
        ("tasks", "progress") => "0 to 1",
        ("tasks", "tags") => "a JSON list of texts",
        ("tasks", "session_id") => "to find the task",
        ("tasks", "timeout") => "seconds for one attempt; NULL means the processor's",
        ("tasks", "concurrency_key") => "tasks of one key share a limit",
        ("tasks", "unique_key") => "at most one unfinished task has this key",
        ("tasks", "upstream") => "a JSON list of the ids in `after`; NULL without any",
        ("tasks", "blocked") => "how many of them are not `COMPLETED`",
        ("tasks", "content") => "what the processor gets",
        ("tasks", "result") => "the result of a completed task",
        ("tasks", "error") => "the error of the last failed attempt",
        ("tasks", "context_history") => {
            "a JSON object; other fields of the request are under `request`"
        }
        ("tasks", "context_used") => "any JSON, preserved for the original",
        ("tasks", "extra") => "a JSON object: unknown fields of an imported task",
        ("tasks", "source") => {
            "who inserted the row: `api`, `import`, `schedule`, or `sql` for another program"
        }
        ("tasks", "leased_until") => {
            "set while a worker has the attempt: the claim plus the lease. The worker's calls renew the lease in memory, not here"
        }
        ("logs", "id") => "the event's `id`",
        ("logs", "task_id") => "NULL for events of the queue and the service",
        ("logs", "type") => "the [event type](events.md)",
        ("logs", "agent") => "the processor or the operator; NULL for the service itself",
        ("logs", "message") => "the log line; NULL for an event that is no line of its task's log",
        ("logs", "data") => {
            "a JSON object: the event's `data` without `task_id` and without a line's text"
        }
        ("logs", "at") => "when it happened",
        ("links" | "open_dependencies", "upstream") => "the id of the dependency",
        ("links" | "open_dependencies", "downstream") => "the id of the task that comes after it",
        ("idempotency", "key") => "the key, with the token's name where tokens are required",
        ("idempotency", "body") => "SHA-256 of the request's body",
        ("idempotency", "task_ids") => "a JSON list of the ids of the tasks that the request made",
        ("idempotency", "created_at") => "when the request was answered",
        ("schedules", "name") => "the schedule's name",
        ("schedules", "last_due") => "the last due time that made a task or was skipped",
        ("schedules", "last_task_id") => "the last task that it made",
        ("schedules", "last_run") => "when it made that task",
        ("starts", "until") => "when every rate that counts the start has its token back",
        ("starts", "task_id") => "the task",
        ("starts", "attempt") => "its attempt",
        ("starts", "at") => "when it started",
        ("starts", "processor") => "its processor",
        ("starts", "concurrency_key") => "its key, if it has one",
        ("stats", "step_seconds") => "length of the step",
        ("stats", "at") => "when the step begins, in seconds after 1970",
        ("stats", "counts") => {
            "a JSON object: `created`, `started`, `completed`, `failed`, `retried`, and histograms of wait and run times"
        }
        ("tokens", "name") => {
            "given once: the journal identifies a token by it, so a revoked token keeps its name"
        }
        ("tokens", "hash") => "SHA-256 of the token, which is 256 random bits",
        ("tokens", "role") => "`read`, `submit`, `operate` or `admin`",
        ("tokens", "processors") => {
            "a JSON list of the processors that it is limited to; NULL means all"
        }
        ("tokens", "created_at") => "when it was created",
        ("tokens", "revoked_at") => "from this time on the service refuses it",
        ("tokens", "last_used_at") => "to about a minute",
        ("meta", "key") => {
            "such as `pause`, `closed` (paused processors), `default_processor`, `indexed_event`, `stats_event`"
        }
        ("meta", "value") => "JSON",
        (table, column) => panic!("the page does not describe {table}.{column}"),
    }
}

#[tokio::test]
async fn generated_schema() {
    let mut page = format!("# Schema\n\n{NOTICE}{INTRODUCTION}");
    for (table, columns) in describe_tables().await {
        let _ = write!(page, "\n## {table}\n\n{}\n\n", table_meaning(&table));
        page.push_str(&head(&["column", "type", "meaning"]));
        for (column, kind, nullable) in columns {
            let kind = if nullable {
                format!("{kind}, NULL")
            } else {
                kind
            };
            page.push_str(&row(&[
                &code(&column),
                &kind,
                column_meaning(&table, &column),
            ]));
        }
    }
    in_step("docs/reference/schema.md", &page);
}
