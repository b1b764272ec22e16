//! Deletes final tasks, with everything that the journal says of them, and their words in the
//! full-text index.

use sqlx::SqliteConnection;

use super::request::Deleted;
use super::text::Text;
use super::transaction::{begin, end};
use super::{Error, index};
use crate::models::TaskId;

/// Deletes one task, if it is final.
pub(super) async fn delete_final(
    conn: &mut SqliteConnection,
    task: TaskId,
) -> Result<Deleted, Error> {
    let id = task.hyphenated().to_string();
    let status = sqlx::query_scalar!(
        r#"SELECT status AS "status!: Text" FROM tasks WHERE id = ?1"#,
        id
    )
    .fetch_optional(&mut *conn)
    .await?;
    match status.as_deref() {
        None => return Ok(Deleted::Missing),
        Some("COMPLETED" | "FAILED") => {}
        Some(_) => return Ok(Deleted::NotFinal),
    }
    begin(conn).await?;
    let deleted = delete_rows(conn, &serde_json::to_string(&[&id])?).await;
    end(conn, deleted).await?;
    Ok(Deleted::Done)
}

/// Deletes the final ones among these tasks (a JSON list of ids), inside the caller's transaction; how
/// many.
pub(super) async fn delete_rows(conn: &mut SqliteConnection, ids: &str) -> Result<u64, Error> {
    sqlx::query!(
        "DELETE FROM logs WHERE task_id IN
             (SELECT id FROM tasks
               WHERE id IN (SELECT value FROM jsonb_each(?1)) AND finished_at IS NOT NULL)",
        ids
    )
    .execute(&mut *conn)
    .await?;
    index::forget_final(conn, ids).await?;
    let deleted = sqlx::query!(
        "DELETE FROM tasks
          WHERE id IN (SELECT value FROM jsonb_each(?1)) AND finished_at IS NOT NULL",
        ids
    )
    .execute(conn)
    .await?;
    Ok(deleted.rows_affected())
}
