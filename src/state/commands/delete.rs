//! Deletes finished tasks, with everything that the journal says of them, and their words in the
//! full-text index.

use serde_json::{Value, json};
use sqlx::SqliteConnection;

use crate::models::{TaskId, TaskStatus, Timestamp};
use crate::state::dependencies::needed_by;
use crate::state::error::Error;
use crate::state::fts::indexer;
use crate::state::journal::entry::JournalEntry;
use crate::state::writer::core::Core;
use crate::state::writer::message::WriterCommand;

/// Deletes one task.
pub(crate) struct DeleteTask(pub(crate) TaskId);

/// The answer to a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deleted {
    Done,
    /// There is no such task.
    Missing,
    /// It is PENDING or PROCESSING.
    NotFinal,
    /// This open task needs its result.
    NeededBy(TaskId),
}

impl WriterCommand for DeleteTask {
    type Answer = Deleted;

    async fn run(self, core: &mut Core, actor: Option<&str>) -> Result<Deleted, Error> {
        let Self(task) = self;
        match core.status_of(task).await? {
            None => return Ok(Deleted::Missing),
            Some(TaskStatus::Completed | TaskStatus::Failed) => {}
            Some(_) => return Ok(Deleted::NotFinal),
        }
        let ids = serde_json::to_string(&[task])?;
        core.process_all_edges(&ids).await?;
        if let Some((_, downstream)) = needed_by(&mut core.db.conn, &ids).await?.pop() {
            return Ok(Deleted::NeededBy(downstream));
        }
        let audit = |_| {
            let data = json!({ "done": "delete", "task_id": task });
            (format!("Task {task} was deleted"), data)
        };
        core.delete_final(&ids, actor, audit).await?;
        Ok(Deleted::Done)
    }
}

impl Core {
    /// Deletes those of `ids` (a JSON list) that are finished, and returns the count. With an actor, writes an
    /// audit entry in the same transaction; `audit` words it for a count.
    pub(crate) async fn delete_final(
        &mut self,
        ids: &str,
        actor: Option<&str>,
        audit: impl FnOnce(u64) -> (String, Value) + Send,
    ) -> Result<u64, Error> {
        let written = self.transact(Timestamp::now(), async |conn| {
            let deleted = delete_rows(conn, ids).await?;
            let (words, data) = audit(deleted);
            let entry = JournalEntry::done(actor, &words, data).filter(|_| deleted > 0);
            Ok((deleted, entry.into_iter().collect()))
        });
        let (deleted, committed) = written.await?;
        self.publish(committed).await;
        Ok(deleted)
    }
}

/// Deletes those of these tasks (a JSON list of ids) that are finished, inside the caller's transaction, and
/// returns the count. No open task may need them any more.
async fn delete_rows(conn: &mut SqliteConnection, ids: &str) -> Result<u64, Error> {
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
