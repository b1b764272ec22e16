//! The SQL that reads whole tasks: one by its id, or pages of them.

use futures_util::TryStreamExt;
use sqlx::{SqliteConnection, SqliteExecutor, SqlitePool};

use crate::models::{ListOrder, Task, TaskId};
use crate::state::db::text::Text;
use crate::state::error::Error;
use crate::state::query::task_row::TaskRow;

/// Size of one page of tasks at most, log lines included.
const PAGE_BYTES: i64 = 4 * 1024 * 1024;
/// Bytes that a log line takes besides its text.
const LINE_OVERHEAD_BYTES: i64 = 32;

/// Selects the columns of [`TaskRow`]. `$logs` is a further condition on the log lines, `$tail` the rest of the query.
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

/// Returns the task with this id, and its log if `with_logs`.
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

/// Passes every row to `found` that clients cannot read as it is stored: its id, and the reason.
pub(crate) async fn unreadable(
    conn: &mut SqliteConnection,
    mut found: impl FnMut(String, String),
) -> Result<(), sqlx::Error> {
    // Long columns that accept any text are not read.
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
                if let Some(repairs) = columns.repairs() {
                    found(id, repairs);
                }
            }
            Err(Error::BadRow(why)) => found(id, why),
            Err(error) => found(id, error.to_string()),
        }
    }
    Ok(())
}

/// Returns tasks that arrived after row `after`, oldest first, each with its row number.
///
/// A page of large tasks has fewer than `limit`. Only an empty page is the last.
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
            TaskPage::Tasks(tasks) => return Ok(tasks),
            TaskPage::Unreadable { last } => after = last,
        }
    }
}

/// Returns tasks that arrived before row `before`, newest first, each with its row number.
///
/// A page of large tasks has fewer than `limit`. Only an empty page is the last.
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
            TaskPage::Tasks(tasks) => return Ok(tasks),
            TaskPage::Unreadable { last } => before = last,
        }
    }
}

/// Returns the tasks in these rows, in this order, and their logs if `with_logs`.
pub(crate) async fn tasks_at(
    conn: &mut SqliteConnection,
    seqs: &[i64],
    order: ListOrder,
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
        ListOrder::NewestFirst => tasks.rev().collect(),
        ListOrder::OldestFirst => tasks.collect(),
    })
}

/// Returns how many of these rows, in their order, fit in a page: at least one, or 0 if `seqs` is empty.
///
/// The query stops at the first row that does not fit, because measuring a long log takes long.
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
        LINE_OVERHEAD_BYTES,
        with_logs
    )
    .fetch_one(conn)
    .await?;
    Ok(fitting.max(1).min(count))
}

/// What a page of rows contains.
enum TaskPage {
    /// The readable tasks. Empty only if there are no rows.
    Tasks(Vec<(i64, Task)>),
    /// No row is readable. More rows may follow `last`.
    Unreadable { last: i64 },
}

fn page_of(rows: Vec<TaskRow>) -> TaskPage {
    let last = rows.last().map(|row| row.seq);
    let tasks: Vec<_> = rows.into_iter().filter_map(TaskRow::readable).collect();
    match last {
        Some(last) if tasks.is_empty() => TaskPage::Unreadable { last },
        _ => TaskPage::Tasks(tasks),
    }
}
