//! The SQL of schedules: the progress of each.
//!
//! The task of a due time is submitted with an idempotency key of its own, and the due time is marked afterwards. After
//! a crash between the two, the time is due again, and the key returns the task that exists already. The key is kept
//! until the due time is marked.

use std::collections::HashMap;

use sqlx::{SqliteConnection, SqliteExecutor};

use crate::models::{IdempotencyKey, TaskId, Timestamp};
use crate::state::db::text::Text;
use crate::state::error::Error;

/// The first character of the keys of schedules. No client can send it, because a header cannot contain it.
pub(crate) const OWN_KEY: char = '\u{1}';

/// The progress of a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The last due time that was processed.
    pub(crate) last_due: Timestamp,
    /// The last task that it submitted, and when.
    pub(crate) last_task: Option<(TaskId, Timestamp)>,
}

/// Returns the progress of every schedule that ever ran, by name.
pub(crate) async fn progress(
    conn: impl SqliteExecutor<'_>,
) -> Result<HashMap<String, Progress>, Error> {
    let rows = sqlx::query!(
        r#"SELECT name AS "name!: Text", last_due AS "last_due!: Text",
                  last_task_id AS "last_task_id: Text", last_run AS "last_run: Text"
             FROM schedules"#
    )
    .fetch_all(conn)
    .await?;
    let rows = rows.into_iter().map(|row| {
        let task = row.last_task_id.and_then(|id| id.parse_id().ok());
        let progress = Progress {
            last_due: row.last_due.time_or_now(),
            last_task: task.zip(row.last_run.map(|time| time.time_or_now())),
        };
        (row.name.into(), progress)
    });
    Ok(rows.collect())
}

/// Returns whether this due time was processed.
pub(crate) async fn is_past(
    conn: &mut SqliteConnection,
    name: &str,
    due: Timestamp,
) -> Result<bool, Error> {
    let due = due.to_string();
    let found = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!: i64" FROM schedules WHERE name = ?1 AND last_due >= ?2"#,
        name,
        due
    )
    .fetch_one(conn)
    .await?;
    Ok(found > 0)
}

/// Marks this due time as processed, by this task if there is one, and deletes its key. A key that survives a crash
/// does no harm.
pub(crate) async fn mark(
    conn: &mut SqliteConnection,
    name: &str,
    due: Timestamp,
    task: Option<TaskId>,
) -> Result<(), Error> {
    let key = due_time_key(name, due).key;
    let due = due.to_string();
    let task_id = task.map(|id| id.hyphenated().to_string());
    let run = task.map(|_| Timestamp::now().to_string());
    sqlx::query!(
        "INSERT INTO schedules (name, last_due, last_task_id, last_run) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (name) DO UPDATE
                SET last_due = excluded.last_due,
                    last_task_id = coalesce(excluded.last_task_id, last_task_id),
                    last_run = coalesce(excluded.last_run, last_run)",
        name,
        due,
        task_id,
        run
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!("DELETE FROM idempotency WHERE key = ?1", key)
        .execute(conn)
        .await?;
    Ok(())
}

/// Returns the idempotency key of the task of this due time.
pub(crate) fn due_time_key(name: &str, due: Timestamp) -> IdempotencyKey {
    IdempotencyKey {
        key: format!("{OWN_KEY}schedule {name} {due}"),
        body: [0; 32],
    }
}
