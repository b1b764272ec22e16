//! The SQL that reads single facts about tasks: status, attempt, processor, row numbers.

use std::collections::HashSet;

use sqlx::{SqliteExecutor, SqlitePool};

use crate::models::{TaskId, TaskStatus};
use crate::state::db::text::Text;
use crate::state::error::Error;
use crate::state::query::task_row::parse;

/// Returns a task's status and result; `None` if there is no such task.
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

/// Returns a task's status and the number of its latest attempt; `None` if there is no such task.
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

/// Returns a task's processor; `None` if there is no such task.
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

/// Returns those of `tasks` that are FAILED.
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

/// Returns the row number of the newest task; 0 if there is none.
pub(crate) async fn newest_seq(conn: impl SqliteExecutor<'_>) -> Result<i64, Error> {
    let newest = sqlx::query_scalar!(r#"SELECT coalesce(max(seq), 0) AS "seq!: i64" FROM tasks"#)
        .fetch_one(conn)
        .await?;
    Ok(newest)
}

/// Returns the first row number after `after`.
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
