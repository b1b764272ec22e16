//! Deletes final tasks, with everything that the journal says of them, and their words in the
//! full-text index.

use serde_json::{Value, json};
use sqlx::SqliteConnection;

use crate::models::{TaskId, TaskStatus, Timestamp};
use crate::state::commands::journal;
use crate::state::dependencies::needed_by;
use crate::state::error::Error;
use crate::state::fts::indexer;
use crate::state::journal::entry::JournalEntry;
use crate::state::writer::message::Deleted;
use crate::state::writer::publish::Committed;
use crate::state::writer::run::Writer;

impl Writer {
    /// Deletes one task, if it is final.
    pub(crate) async fn delete(&mut self, task: TaskId) -> Result<Deleted, Error> {
        match self.status_of(task).await? {
            None => return Ok(Deleted::Missing),
            Some(TaskStatus::Completed | TaskStatus::Failed) => {}
            Some(_) => return Ok(Deleted::NotFinal),
        }
        let ids = serde_json::to_string(&[task])?;
        self.resolve_all(&ids).await?;
        if let Some((_, downstream)) = needed_by(&mut self.conn, &ids).await?.pop() {
            return Ok(Deleted::NeededBy(downstream));
        }
        let told = |_| {
            let data = json!({ "done": "delete", "task_id": task });
            (format!("Task {task} was deleted"), data)
        };
        self.delete_and_tell(&ids, told).await?;
        Ok(Deleted::Done)
    }

    /// Deletes the final ones among these tasks (a JSON list of ids); how many. If it is done in somebody's
    /// name, the journal has it in the same transaction: `told` says it of so many tasks.
    pub(crate) async fn delete_and_tell(
        &mut self,
        ids: &str,
        told: impl FnOnce(u64) -> (String, Value) + Send,
    ) -> Result<u64, Error> {
        let time = Timestamp::now();
        self.begin().await?;
        let conn = &mut self.conn;
        let written = async {
            let deleted = delete_rows(conn, ids).await?;
            let (words, data) = told(deleted);
            let row = JournalEntry::done(self.by.as_deref(), &words, data).filter(|_| deleted > 0);
            let committed = journal(conn, row.into_iter().collect(), time).await?;
            Ok((deleted, committed))
        };
        let written: Result<(u64, Committed), Error> = written.await;
        let (deleted, committed) = self.end(written).await?;
        self.publish(committed).await;
        Ok(deleted)
    }
}

/// Deletes the final ones among these tasks (a JSON list of ids), inside the caller's transaction; how
/// many. No open task may need them any more.
pub(crate) async fn delete_rows(conn: &mut SqliteConnection, ids: &str) -> Result<u64, Error> {
    sqlx::query!(
        "DELETE FROM logs WHERE task_id IN
             (SELECT id FROM tasks
               WHERE id IN (SELECT value FROM jsonb_each(?1)) AND finished_at IS NOT NULL)",
        ids
    )
    .execute(&mut *conn)
    .await?;
    indexer::forget_final(conn, ids).await?;
    let deleted = sqlx::query!(
        "DELETE FROM tasks
          WHERE id IN (SELECT value FROM jsonb_each(?1)) AND finished_at IS NOT NULL",
        ids
    )
    .execute(conn)
    .await?;
    Ok(deleted.rows_affected())
}
