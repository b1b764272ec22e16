//! Deletes final tasks, with everything that the journal says of them, and their words in the
//! full-text index.

use sqlx::SqliteConnection;

use super::request::Deleted;
use super::transaction::{begin, end};
use super::writer::Writer;
use super::{Error, index};
use crate::models::{TaskId, TaskStatus};

impl Writer {
    /// Deletes one task, if it is final.
    pub(super) async fn delete(&mut self, task: TaskId) -> Result<Deleted, Error> {
        match self.status_of(task).await? {
            None => return Ok(Deleted::Missing),
            Some(TaskStatus::Completed | TaskStatus::Failed) => {}
            Some(_) => return Ok(Deleted::NotFinal),
        }
        let ids = serde_json::to_string(&[task])?;
        self.resolve_all(&ids).await?;
        let conn = &mut self.conn;
        begin(conn).await?;
        let deleted = delete_rows(conn, &ids).await;
        end(conn, deleted).await?;
        Ok(Deleted::Done)
    }
}

/// Deletes the final ones among these tasks (a JSON list of ids), inside the caller's transaction; how
/// many. Nobody may wait for them any more.
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
