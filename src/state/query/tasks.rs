//! The SQL that only reads. Runs on the read pool (or inside a transaction of the Writer's).

use std::collections::HashSet;
use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::{SqliteConnection, SqliteExecutor, SqlitePool};

use crate::models::{
    Attempt, ClaimedTask, Lease, LeaseOrigin, Order, Task, TaskId, TaskStatus, Terms, Timestamp,
};
use crate::state::db::damaged_columns;
use crate::state::db::damaged_columns::Columns;
use crate::state::db::text::Text;
use crate::state::error::Error;

/// Texts read in one page of tasks, log lines among them.
const PAGE_BYTES: i64 = 4 * 1024 * 1024;
/// What the settings allow; another program may have written anything.
const SHORTEST_LEASE: Duration = Duration::from_secs(1);
const LONGEST_LEASE: Duration = Duration::from_hours(24);
/// What a log line takes besides its text.
const LINE_BYTES: i64 = 32;

/// `tasks` with its log lines as a JSON list; one row is one consistent Task JSON.
struct TaskRow {
    seq: i64,
    id: Text,
    content: Text,
    status: Text,
    processor: Text,
    priority: i64,
    attempt: i64,
    max_attempts: i64,
    timeout: Option<f64>,
    concurrency_key: Option<Text>,
    unique_key: Option<Text>,
    upstream: Option<Text>,
    created_at: Text,
    run_at: Text,
    started_at: Option<Text>,
    finished_at: Option<Text>,
    result: Option<Text>,
    failure: Option<Text>,
    error: Option<Text>,
    progress: Option<f64>,
    tags: Text,
    session_id: Option<Text>,
    context_history: Text,
    context_used: Option<Text>,
    extra: Text,
    logs: Text,
}

/// The columns of [`TaskRow`], before the query's own `WHERE` and its arguments; `$logs` is one more condition for
/// the log lines.
macro_rules! query_tasks {
    ($logs:literal, $tail:literal, $($argument:expr),*) => {
        sqlx::query_as!(
            TaskRow,
            r#"SELECT seq AS "seq!", id AS "id!: Text", content AS "content!: Text",
                      status AS "status!: Text", processor AS "processor!: Text",
                      priority AS "priority!", attempt AS "attempt!",
                      coalesce(max_attempts, 1) AS "max_attempts!: i64",
                      timeout AS "timeout: f64", concurrency_key AS "concurrency_key: Text",
                      unique_key AS "unique_key: Text", upstream AS "upstream: Text",
                      created_at AS "created_at!: Text",
                      run_at AS "run_at!: Text", started_at AS "started_at: Text",
                      finished_at AS "finished_at: Text", result AS "result: Text",
                      failure AS "failure: Text", error AS "error: Text",
                      progress AS "progress: f64", tags AS "tags!: Text",
                      session_id AS "session_id: Text",
                      context_history AS "context_history!: Text",
                      context_used AS "context_used: Text", extra AS "extra!: Text",
                      (SELECT json_group_array(message)
                         FROM (SELECT message FROM logs
                                WHERE task_id = tasks.id AND message IS NOT NULL "# + $logs + r#"
                                ORDER BY id)) AS "logs!: Text"
                 FROM tasks "# + $tail,
            $($argument),*
        )
    };
}

/// The task of this id, if wanted with its log.
pub(crate) async fn task(
    conn: impl SqliteExecutor<'_>,
    id: TaskId,
    with_logs: bool,
) -> Result<Option<Task>, Error> {
    let id = id.hyphenated().to_string();
    let row = query_tasks!("AND ?2", "WHERE id = ?1", id, with_logs)
        .fetch_optional(conn)
        .await?;
    row.map(|row| row.into_task().map(|(_, task)| task))
        .transpose()
}

/// The rows that clients cannot get as they stand: each one's id, and why.
pub(crate) async fn unreadable(
    conn: &mut SqliteConnection,
    mut found: impl FnMut(String, String),
) -> Result<(), sqlx::Error> {
    // Without what is long and can be read whatever it is.
    let mut rows = sqlx::query_as!(
        TaskRow,
        r#"SELECT seq AS "seq!", id AS "id!: Text", '' AS "content!: Text",
                  status AS "status!: Text", '' AS "processor!: Text",
                  priority AS "priority!", attempt AS "attempt!",
                  coalesce(max_attempts, 1) AS "max_attempts!: i64",
                  timeout AS "timeout: f64", NULL AS "concurrency_key: Text",
                  NULL AS "unique_key: Text", upstream AS "upstream: Text",
                  created_at AS "created_at!: Text",
                  run_at AS "run_at!: Text", started_at AS "started_at: Text",
                  finished_at AS "finished_at: Text", NULL AS "result: Text",
                  failure AS "failure: Text", NULL AS "error: Text",
                  progress AS "progress: f64", tags AS "tags!: Text",
                  NULL AS "session_id: Text",
                  context_history AS "context_history!: Text",
                  context_used AS "context_used: Text", extra AS "extra!: Text",
                  '[]' AS "logs!: Text"
             FROM tasks ORDER BY seq"#
    )
    .fetch(conn);
    while let Some(row) = rows.try_next().await? {
        let id = row.id.to_string();
        match row.read() {
            Ok((_, columns)) => {
                if let Some(mended) = columns.mended() {
                    found(id, mended);
                }
            }
            Err(Error::BadRow(why)) => found(id, why),
            Err(error) => found(id, error.to_string()),
        }
    }
    Ok(())
}

/// Those of these tasks that are FAILED.
pub(crate) async fn failed_among(
    pool: &SqlitePool,
    tasks: &[TaskId],
) -> Result<HashSet<TaskId>, Error> {
    let ids = serde_json::to_string(tasks)?;
    let failed = sqlx::query_scalar!(
        r#"SELECT id AS "id!: Text" FROM tasks
            WHERE id IN (SELECT value FROM jsonb_each(?1)) AND +status = 'FAILED'"#,
        ids
    )
    .fetch_all(pool)
    .await?;
    failed.iter().map(Text::parse_id).collect()
}

/// Tasks that arrived after row `after`, in order of arrival, each with its row number.
///
/// Fewer than `limit` where they are large: only an empty page is the end.
pub(crate) async fn tasks_after(
    pool: &SqlitePool,
    after: i64,
    limit: u32,
) -> Result<Vec<(i64, Task)>, Error> {
    let mut conn = pool.acquire().await?;
    let mut after = after;
    loop {
        let seqs = sqlx::query_scalar!(
            r#"SELECT seq AS "seq!" FROM tasks WHERE seq > ?1 ORDER BY seq LIMIT ?2"#,
            after,
            limit
        )
        .fetch_all(&mut *conn)
        .await?;
        let limit = rows_of_a_page(&mut conn, &seqs, true).await?;
        let rows = query_tasks!("", "WHERE seq > ?1 ORDER BY seq LIMIT ?2", after, limit)
            .fetch_all(&mut *conn)
            .await?;
        match page_of(rows) {
            Read::Tasks(tasks) => return Ok(tasks),
            Read::Nothing { last } => after = last,
        }
    }
}

/// Tasks that arrived before row `before`, newest first, each with its row number.
///
/// Fewer than `limit` where they are large: only an empty page is the end.
pub(crate) async fn tasks_before(
    pool: &SqlitePool,
    before: i64,
    limit: u32,
) -> Result<Vec<(i64, Task)>, Error> {
    let mut conn = pool.acquire().await?;
    let mut before = before;
    loop {
        let seqs = sqlx::query_scalar!(
            r#"SELECT seq AS "seq!" FROM tasks WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2"#,
            before,
            limit
        )
        .fetch_all(&mut *conn)
        .await?;
        let limit = rows_of_a_page(&mut conn, &seqs, true).await?;
        let rows = query_tasks!(
            "",
            "WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2",
            before,
            limit
        )
        .fetch_all(&mut *conn)
        .await?;
        match page_of(rows) {
            Read::Tasks(tasks) => return Ok(tasks),
            Read::Nothing { last } => before = last,
        }
    }
}

/// The tasks of these row numbers, in this order, if wanted with their logs.
pub(crate) async fn tasks_at(
    conn: &mut SqliteConnection,
    seqs: &[i64],
    order: Order,
    with_logs: bool,
) -> Result<Vec<Task>, Error> {
    let seqs = serde_json::to_string(seqs)?;
    let rows = query_tasks!(
        "AND ?2",
        "WHERE seq IN (SELECT value FROM jsonb_each(?1)) ORDER BY seq",
        seqs,
        with_logs
    )
    .fetch_all(conn)
    .await?;
    let rows = rows.into_iter().filter_map(TaskRow::readable);
    let tasks = rows.map(|(_, task)| task);
    Ok(match order {
        Order::NewestFirst => tasks.rev().collect(),
        Order::OldestFirst => tasks.collect(),
    })
}

/// How many of these rows, in their order, fit in a page: at least one; 0 only if there is none.
///
/// Nothing behind the last that fits is looked at, because counting a long log takes as long as it is.
pub(crate) async fn rows_of_a_page(
    conn: &mut SqliteConnection,
    seqs: &[i64],
    with_logs: bool,
) -> Result<i64, Error> {
    let count = seqs.len() as i64;
    let seqs = serde_json::to_string(seqs)?;
    let fitting = sqlx::query_scalar!(
        r#"WITH RECURSIVE page(row, bytes) AS (
               SELECT 0, 0
               UNION ALL
               SELECT row + 1, bytes + coalesce(
                      (SELECT octet_length(content) + coalesce(octet_length(result), 0)
                            + coalesce(octet_length(error), 0) + octet_length(tags)
                            + octet_length(context_history)
                            + coalesce(octet_length(context_used), 0) + octet_length(extra)
                            + coalesce((SELECT sum(octet_length(message) + ?4) FROM logs
                                         WHERE task_id = tasks.id AND message IS NOT NULL
                                           AND ?5), 0)
                         FROM tasks WHERE seq = ?1 ->> page.row), 0)
                 FROM page WHERE page.row < ?2 AND page.bytes <= ?3)
           SELECT max(row) AS "rows!: i64" FROM page WHERE bytes <= ?3"#,
        seqs,
        count,
        PAGE_BYTES,
        LINE_BYTES,
        with_logs
    )
    .fetch_one(conn)
    .await?;
    Ok(fitting.max(1).min(count))
}

/// What the rows of a page are.
enum Read {
    /// Those that can be read; none only if there are no rows.
    Tasks(Vec<(i64, Task)>),
    /// None of the rows can be read; there may be others beyond this one.
    Nothing { last: i64 },
}

fn page_of(rows: Vec<TaskRow>) -> Read {
    let last = rows.last().map(|row| row.seq);
    let tasks: Vec<_> = rows.into_iter().filter_map(TaskRow::readable).collect();
    match last {
        Some(last) if tasks.is_empty() => Read::Nothing { last },
        _ => Read::Tasks(tasks),
    }
}

impl TaskRow {
    /// The task; `None` for a row that is none, which must not cost the others of its page.
    fn readable(self) -> Option<(i64, Task)> {
        let (seq, id) = (self.seq, self.id.to_string());
        self.into_task()
            .inspect_err(|error| damaged_columns::left_out(seq, &id, error))
            .ok()
    }

    fn into_task(self) -> Result<(i64, Task), Error> {
        let seq = self.seq;
        let (task, columns) = self.read()?;
        columns.report(seq, task.id);
        Ok((seq, task))
    }

    /// The task, and what had to be mended to read it.
    fn read(self) -> Result<(Task, Columns), Error> {
        let id = self.id.parse_id()?;
        let mut columns = Columns::default();
        let task = Task {
            id,
            content: self.content.into(),
            created_at: time(&self.created_at, "created_at")?,
            status: parse(&self.status, "status")?,
            result: self.result.map(String::from),
            logs: logs(&self.logs)?,
            context_history: columns.object("context_history", self.context_history),
            context_used: self
                .context_used
                .map(|text| columns.json("context_used", text.into())),
            processor: self.processor.into(),
            priority: self.priority,
            attempt: self.attempt,
            max_attempts: self.max_attempts,
            run_at: time(&self.run_at, "run_at")?,
            started_at: optional(self.started_at, |text| time(text, "started_at"))?,
            finished_at: optional(self.finished_at, |text| time(text, "finished_at"))?,
            failure: optional(self.failure, |text| parse(text, "failure"))?,
            error: self.error.map(String::from),
            progress: self.progress,
            tags: columns.texts("tags", self.tags),
            session_id: self.session_id.map(String::from),
            timeout: self.timeout,
            concurrency_key: self.concurrency_key.map(String::from),
            unique_key: self.unique_key.map(String::from),
            after: self
                .upstream
                .map(|text| columns.ids("upstream", text))
                .unwrap_or_default(),
            extra: columns.object("extra", self.extra),
        };
        Ok((task, columns))
    }
}

/// A task's status and result, without its log.
pub(crate) async fn task_state(
    conn: impl SqliteExecutor<'_>,
    id: TaskId,
) -> Result<Option<(TaskStatus, Option<String>)>, Error> {
    let id = id.hyphenated().to_string();
    let row = sqlx::query!(
        r#"SELECT status AS "status!: Text", result AS "result: Text" FROM tasks WHERE id = ?1"#,
        id
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| Ok((parse(&row.status, "status")?, row.result.map(String::from))))
        .transpose()
}

/// A task's status and the number of its last attempt.
pub(crate) async fn task_attempt(
    conn: impl SqliteExecutor<'_>,
    id: TaskId,
) -> Result<Option<(TaskStatus, i64)>, Error> {
    let id = id.hyphenated().to_string();
    let row = sqlx::query!(
        r#"SELECT status AS "status!: Text", attempt AS "attempt!" FROM tasks WHERE id = ?1"#,
        id
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| Ok((parse(&row.status, "status")?, row.attempt)))
        .transpose()
}

/// The processor of a task.
pub(crate) async fn task_processor(
    conn: impl SqliteExecutor<'_>,
    id: TaskId,
) -> Result<Option<String>, Error> {
    let id = id.hyphenated().to_string();
    let processor = sqlx::query_scalar!(
        r#"SELECT processor AS "processor!: Text" FROM tasks WHERE id = ?1"#,
        id
    )
    .fetch_optional(conn)
    .await?;
    Ok(processor.map(String::from))
}

/// An attempt that was running when the service died.
#[derive(Debug)]
pub(crate) struct Interrupted {
    pub(crate) attempt: Attempt,
    pub(crate) processor: String,
    pub(crate) crashes: i64,
}

/// Every row that says it is running, but for those that outside workers have.
pub(crate) async fn processing(conn: impl SqliteExecutor<'_>) -> Result<Vec<Interrupted>, Error> {
    let rows = sqlx::query!(
        r#"SELECT seq AS "seq!", id AS "id!: Text", attempt AS "attempt!",
                  processor AS "processor!: Text", crashes AS "crashes!"
             FROM tasks
            WHERE finished_at IS NULL AND status = 'PROCESSING' AND leased_until IS NULL"#
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Interrupted {
                attempt: Attempt {
                    seq: row.seq,
                    task_id: row.id.parse_id()?,
                    number: row.attempt,
                },
                processor: row.processor.into(),
                crashes: row.crashes,
            })
        })
        .collect()
}

/// Every attempt that an outside worker has, without the task's content; with the time it began.
pub(crate) async fn leased(
    conn: impl SqliteExecutor<'_>,
) -> Result<Vec<(ClaimedTask, Timestamp)>, Error> {
    let rows = sqlx::query!(
        r#"SELECT seq AS "seq!", id AS "id!: Text", attempt AS "attempt!",
                  processor AS "processor!: Text", concurrency_key AS "concurrency_key: Text",
                  coalesce(max_attempts, 1) AS "max_attempts!: i64", uncounted AS "uncounted!",
                  timeout AS "timeout: f64", upstream IS NOT NULL AS "has_upstream!: bool",
                  coalesce(started_at, leased_until) AS "started_at!: Text",
                  leased_until AS "leased_until!: Text"
             FROM tasks
            WHERE finished_at IS NULL AND status = 'PROCESSING' AND leased_until IS NOT NULL"#
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let since = row.started_at.time_or_now();
            let seconds = row.leased_until.time_or_now().seconds_since(since);
            let length = Duration::try_from_secs_f64(seconds).unwrap_or(SHORTEST_LEASE);
            let task = ClaimedTask {
                attempt: Attempt {
                    seq: row.seq,
                    task_id: row.id.parse_id()?,
                    number: row.attempt,
                },
                content: String::new(),
                processor: row.processor.into(),
                concurrency_key: row.concurrency_key.map(String::from),
                terms: Terms {
                    max_attempts: row.max_attempts,
                    uncounted: row.uncounted,
                    timeout: row
                        .timeout
                        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
                    has_upstream: row.has_upstream,
                    lease: Some(Lease {
                        length: length.clamp(SHORTEST_LEASE, LONGEST_LEASE),
                        origin: LeaseOrigin::Restart(since),
                    }),
                },
            };
            Ok((task, since))
        })
        .collect()
}

/// The newest task's row number; 0 when there is none.
pub(crate) async fn newest_seq(conn: impl SqliteExecutor<'_>) -> Result<i64, Error> {
    let newest = sqlx::query_scalar!(r#"SELECT coalesce(max(seq), 0) AS "seq!: i64" FROM tasks"#)
        .fetch_one(conn)
        .await?;
    Ok(newest)
}

/// The first row number after `after`.
pub(crate) async fn next_seq(
    conn: impl SqliteExecutor<'_>,
    after: i64,
) -> Result<Option<i64>, Error> {
    let next = sqlx::query_scalar!(
        r#"SELECT min(seq) AS "seq: i64" FROM tasks WHERE seq > ?1"#,
        after
    )
    .fetch_one(conn)
    .await?;
    Ok(next)
}

/// What is remembered under `key`, as JSON.
pub(crate) async fn meta(
    conn: impl SqliteExecutor<'_>,
    key: &str,
) -> Result<Option<String>, Error> {
    let value = sqlx::query_scalar!(
        r#"SELECT value AS "value!: Text" FROM meta WHERE key = ?1"#,
        key
    )
    .fetch_optional(conn)
    .await?;
    Ok(value.map(String::from))
}

fn optional<T>(
    text: Option<Text>,
    read: impl FnOnce(&str) -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    text.map(|text| read(&text)).transpose()
}

fn time(text: &str, column: &str) -> Result<Timestamp, Error> {
    text.parse().map_err(|_| {
        let expected = "expected a time such as 2026-01-31T12:00:00.000000Z";
        Error::BadRow(format!("tasks.{column}: {expected}, found {text:?}"))
    })
}

fn parse<T: std::str::FromStr<Err = crate::models::UnknownName>>(
    text: &str,
    column: &str,
) -> Result<T, Error> {
    text.parse()
        .map_err(|error| Error::BadRow(format!("tasks.{column}: {error}")))
}

/// Log lines, as SQLite has made a JSON list of them.
fn logs(text: &str) -> Result<Vec<String>, Error> {
    serde_json::from_str(text).map_err(|error| Error::BadRow(format!("logs.message: {error}")))
}
